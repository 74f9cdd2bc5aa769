/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target over files and folders, and over mutations of each: a normal test that needs
 * no fuzzer, and the way to look at a crash that one found.
 */

#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUTATIONS 20

static size_t inputs;

/* xorshift; the same mutations every time. */
static uint32_t next_number(void) {
        static uint32_t state = 2463534242;

        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        return state;
}

static void run_mutated(const uint8_t *bytes, size_t size) {
        uint8_t *copy = malloc(size + 1);

        if (!copy)
                abort();
        for (unsigned i = 0; i < MUTATIONS && size > 0; i++) {
                size_t length = next_number() % 4 ? size : next_number() % size;

                memcpy(copy, bytes, size);
                for (unsigned n = next_number() % 8; n > 0; n--) {
                        size_t at = next_number() % size, from = next_number() % size;

                        copy[at] = next_number() % 2 ? bytes[from] : (uint8_t)next_number();
                }
                LLVMFuzzerTestOneInput(copy, length);
                inputs++;
        }
        free(copy);
}

static int run_file(const char *path) {
        FILE *file = fopen(path, "re");
        uint8_t *bytes = NULL;
        size_t size = 0, room = 0, n;

        if (!file)
                return -errno;
        do {
                if (size == room) {
                        uint8_t *grown = realloc(bytes, room = room * 2 + 4096);

                        if (!grown)
                                abort();
                        bytes = grown;
                }
                n = fread(bytes + size, 1, room - size, file);
                size += n;
        } while (n > 0);
        fclose(file);
        LLVMFuzzerTestOneInput(bytes, size);
        inputs++;
        run_mutated(bytes, size);
        free(bytes);
        return 0;
}

static int run_path(const char *path) {
        struct dirent **entries;
        int n = scandir(path, &entries, NULL, alphasort), r = 0;

        if (n < 0)
                return errno == ENOTDIR ? run_file(path) : -errno;
        for (int i = 0; i < n; i++) {
                char *child = NULL;

                if (r == 0 && entries[i]->d_name[0] != '.') {
                        if (asprintf(&child, "%s/%s", path, entries[i]->d_name) < 0)
                                abort();
                        r = run_path(child);
                }
                free(child);
                free(entries[i]);
        }
        free(entries);
        return r;
}

int main(int argc, char **argv) {
        for (int i = 1; i < argc; i++) {
                int r = run_path(argv[i]);

                if (r < 0) {
                        fprintf(stderr, "%s: %s\n", argv[i], strerror(-r));
                        return 1;
                }
        }
        printf("%zu inputs\n", inputs);
        return inputs > 0 ? 0 : 1;
}
