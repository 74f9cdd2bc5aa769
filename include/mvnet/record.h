/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What mvnetd itself did under one configuration's name: the base for undoing what a file stops
 * mentioning. Pure data and its text; where the journal lies is the daemon's business (store.h).
 */

#include "mvnet/network.h"

typedef struct RecordRow {
        struct RecordRow *next;
        /*
         * "mtu", "stp", "bridge-port.hairpin". "place": it was renamed or moved. Of somebody else's
         * namespace, "path" or "pid": how to get there once no file tells.
         */
        const char *key;
        const char *set; /* the value we gave it, as in a file */
        const char *was; /* what was found before; NULL on links that we made */
} RecordRow;

typedef struct RecordEntry {
        /* "ns1/" (a namespace), "br0", "ns1/eth0", "ns1/eth0 addresses 10.0.0.1/24" */
        const char *path;
        uint64_t netns;   /* cookie of the namespace it is in (of a namespace: its own) */
        int ifindex;      /* links, and objects on them: the link's; else 0 */
        bool made;        /* we made it; else it was there and has rows that we changed */
        RecordRow *rows;
        bool indexed;
        UT_hash_handle hh, by_link;
} RecordEntry;

typedef struct Record {
        Arena arena;
        RecordEntry *entries; /* uthash by path */
        RecordEntry *links;   /* uthash by_link: netns and ifindex of links that we made */
        struct RecordClaim *claims; /* paths that other configurations hold */
} Record;

typedef struct RecordClaim {
        const char *path;
        const char *configuration;
        UT_hash_handle hh;
} RecordClaim;

void record_deinit(Record *record);
RecordEntry *record_find(const Record *record, const char *path);
/* The entry of the link with this identity that we made, or NULL. */
RecordEntry *record_find_link(const Record *record, uint64_t netns, int ifindex);
/*
 * The same for a link that is there. The kernel gives an ifindex again, at once to who asks for it:
 * so the link must bear our mark, or the group that we gave it instead, or still have its name.
 */
RecordEntry *record_of_link(const Record *record, const Link *have);
bool record_is_link(const RecordEntry *entry, const Link *have); /* given that the numbers agree */
/* The configuration other than ours that holds `path`, or NULL. */
const char *record_claimed_by(const Record *record, const char *path);
const RecordRow *record_row(const RecordEntry *entry, const char *key);

/*
 * Changes. 0, 1 if the record already said so (nothing to write), -ENOMEM, or -EINVAL and -E2BIG
 * for texts that no line could hold.
 *
 * record_made() with another identity (both not 0) than before starts the entry afresh: its rows
 * belonged to another object. record_set_row() keeps the `was` that was found first.
 */
int record_made(Record *record, const char *path, uint64_t netns, int ifindex, bool made);
int record_set_row(Record *record, const char *path, const char *key, const char *set,
                   const char *was);
int record_forget_row(Record *record, const char *path, const char *key);
int record_forget(Record *record, const char *path);
int record_claim(Record *record, const char *path, const char *configuration);

/*
 * One change as one line of JSON, as the journal holds it, and its inverse. A line that is torn or
 * not ours is RECORD_E_BAD_LINE: the journal's reader ignores it if it is the last.
 */
enum {
        _RECORD_E_SUCCESS,
        RECORD_E_BAD_LINE,
};
int record_replay(Record *record, const char *line, size_t size);
void record_format_entry(const RecordEntry *entry, Buf *ret);  /* all lines of one entry */
void record_format_made(const RecordEntry *entry, Buf *ret);   /* the first of them */
void record_format_row(const char *path, const RecordRow *row, Buf *ret); /* one of the others */
void record_format_forget(const char *path, const char *key /* or NULL */, Buf *ret);
