/* SPDX-License-Identifier: MIT */
/* A store lives in a folder, and what a test wants to know is what is left there. */

#include "runtime.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

char top[] = "/tmp/mvnet-store-XXXXXX";
char runtime[64], journal_path[128];

static int remove_one(const char *path, _unused_ const struct stat *st, _unused_ int type,
                      _unused_ struct FTW *ftw) {
        return remove(path);
}

int runtime_setup(_unused_ void **state) {
        strcpy(top, "/tmp/mvnet-store-XXXXXX");
        if (!mkdtemp(top))
                return -1;
        snprintf(runtime, sizeof(runtime), "%s/a/b", top);
        snprintf(journal_path, sizeof(journal_path), "%s/lab/journal", runtime);
        return 0;
}

int runtime_teardown(_unused_ void **state) {
        return nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

Store *open_named(const char *name) {
        Store *store = NULL;

        assert_int_equal(store_open(runtime, name, 0, 0, &store), 0);
        assert_non_null(store);
        return store;
}

Store *open_lab(void) {
        return open_named("lab");
}

static int by_path(const RecordEntry *a, const RecordEntry *b) {
        return strcmp(a->path, b->path);
}

const char *content(Store *store) {
        static Buf text;
        Record *record = (Record *)store_record(store);

        buf_reset(&text);
        buf_addc(&text, ' ');
        HASH_SORT(record->entries, by_path);
        for (const RecordEntry *entry = record->entries; entry; entry = entry->hh.next) {
                buf_printf(&text, "%s%s=%d ", entry->made ? "+" : "", entry->path, entry->ifindex);
                for (const RecordRow *row = entry->rows; row; row = row->next)
                        buf_printf(&text, "%s=%s(%s) ", row->key, row->set,
                                   row->was ? row->was : "");
        }
        return buf_text(&text);
}

off_t file_size(const char *path) {
        struct stat st;

        return stat(path, &st) < 0 ? -1 : st.st_size;
}

void spit(const char *path, const char *text, size_t size) {
        FILE *file = fopen(path, "w");

        assert_non_null(file);
        assert_int_equal(fwrite(text, 1, size, file), size);
        assert_int_equal(fclose(file), 0);
}

void write_three(void) {
        _cleanup_(store_freep) Store *store = open_lab();

        assert_int_equal(store_begin(store), 0);
        assert_int_equal(store_made(store, "br0", 7, 3, true), 0);
        assert_int_equal(store_set_row(store, "br0", "mtu", "1400", NULL), 0);
        assert_int_equal(store_set_row(store, "eth0", "mtu", "1400", "1500"), 0);
        assert_int_equal(store_flush(store), 0);
}
