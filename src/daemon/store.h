/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Where the record of one configuration lies: RUNTIME/NAME/journal, and RUNTIME/NAME/lock, which a
 * command holds for as long as it may write.
 *
 * Nothing at all is written before the first change, the folder included. Changes are made to the
 * record at once and to the journal by store_flush(), with one write() however many they are. When
 * that fails the lines are kept and go with the next one: what rests on the record alone must not
 * be done until it worked.
 */

#include "mvnet/record.h"

typedef struct Store Store;

enum {
        _STORE_E_SUCCESS,
        STORE_E_BUSY,    /* another command holds the lock */
        STORE_E_CHANGED, /* another command wrote in between; the record is a new one now */
        STORE_E_UNSAFE,  /* the folder or the journal could have been written by anybody */
        STORE_E_FOREIGN, /* the journal is another network namespace's, or no journal of ours */
};

enum {
        STORE_READ_ONLY = 1 << 0, /* takes no lock; changes are refused */
        /*
         * The folder is made and the lock taken at once, and both stay until store_free(), whatever
         * the record says: who keeps a configuration as it is owns it for as long as that takes.
         * An empty record leaves no folder then, either.
         */
        STORE_KEEP = 1 << 1,
};

/*
 * RUNTIME: `dir` if given, else /run/mvnet in the initial network namespace, else
 * /run/mvnet/netns-INODE. 0 or < 0.
 */
int store_runtime(const char *dir, Buf *ret);

bool store_in_initial_netns(void); /* the caller is */

/* NULL if a configuration can be called so, or why not: a name becomes the name of a folder. */
const char *store_name_problem(const char *name);

/*
 * Reads the record of `name`, and as claims those of all other configurations in `runtime`. Waits
 * for the lock up to timeout_ms; without a folder there is nothing to lock yet, unless STORE_KEEP
 * makes it. A torn last line and lines that make no sense are left out; a journal from before the
 * last boot counts as none.
 *
 * 0, STORE_E_BUSY, STORE_E_UNSAFE, STORE_E_FOREIGN; < 0, among which -EINVAL for a bad name.
 */
int store_open(const char *runtime, const char *name, unsigned flags, unsigned timeout_ms,
               Store **ret);
Store *store_free(Store *store); /* NULL; lines that were not flushed are lost */
void store_freep(Store **store);

/*
 * Calls `visit` with the record of every configuration in `runtime` that can be read safely, until
 * it returns < 0. 0 or < 0.
 */
int store_foreach(const char *runtime, int (*visit)(void *userdata, const Record *record),
                  void *userdata);

const Record *store_record(const Store *store);
const char *store_path(const Store *store); /* of the folder, for messages */
size_t store_bad_lines(const Store *store); /* left out; a torn last one is not counted */

/*
 * To be called before the first change: makes the folder and takes the lock. STORE_E_CHANGED if
 * another command was there since store_open(): the record was read again, plans made of the old
 * one are void. Also STORE_E_BUSY, STORE_E_UNSAFE, STORE_E_FOREIGN, or < 0. Free when repeated.
 */
int store_begin(Store *store);

/*
 * For those who keep a store open: reads the claims of other configurations again if any of them
 * has changed, and drops from memory what was forgotten. Free when repeated. What was looked up in
 * the record before is no longer valid, plans made of it included. 0, or < 0 and all is as before.
 */
int store_refresh(Store *store);

/* As in record.h. 0 also if there was nothing to change, or < 0. */
int store_made(Store *store, const char *path, uint64_t netns, int ifindex, bool made);
int store_set_row(Store *store, const char *path, const char *key, const char *set,
                  const char *was);
int store_forget_row(Store *store, const char *path, const char *key);
int store_forget(Store *store, const char *path);

/* Writes all changes so far. Nothing to write is no write. 0 or < 0 (-ENOSPC, -EROFS …). */
int store_flush(Store *store);

/*
 * Flushes, and if anything was written tidies up: an empty record leaves no folder (with STORE_KEEP
 * no journal), a journal of mostly history is replaced by one of what is true now. 0, or < 0 if the flush
 * failed.
 */
int store_settle(Store *store);
