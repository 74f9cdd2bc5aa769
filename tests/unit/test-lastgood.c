/* SPDX-License-Identifier: MIT */
/* What is kept for a bad day comes back byte for byte, or not at all. */

#include "daemon/lastgood.h"

#include "mvnet/config.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Each test has a folder of its own, not yet there. */
static char top[] = "/tmp/mvnet-last-XXXXXX";
static char folder[64], kept[96], temporary[96];

static int remove_one(const char *path, _unused_ const struct stat *st, _unused_ int type,
                      _unused_ struct FTW *ftw) {
        return remove(path);
}

static int setup(_unused_ void **state) {
        strcpy(top, "/tmp/mvnet-last-XXXXXX");
        if (!mkdtemp(top))
                return -1;
        snprintf(folder, sizeof(folder), "%s/a/b", top);
        snprintf(kept, sizeof(kept), "%s/lab.last", folder);
        snprintf(temporary, sizeof(temporary), "%s/lab.last.new", folder);
        return 0;
}

static int teardown(_unused_ void **state) {
        return nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#define TEXT_FILE(n, t, l)                                                                      \
        (SourceFile) {                                                                          \
                .source = &(Source){.name = n, .text = t, .size = sizeof(t) - 1}, .layer = l     \
        }

static void save(const SourceFile *files, size_t n) {
        assert_int_equal(lastgood_save(folder, "lab", files, n), 0);
}

static void save_two(const char *text) {
        const Source first = {.name = "/usr/lib/mvnet/a.yaml", .text = "x: 1\n", .size = 5};
        const Source second = {.name = "/etc/mvnet/b.yaml", .text = text, .size = strlen(text)};

        save((SourceFile[]){{&first, 0}, {&second, 2}}, 2);
}

/* What save_two("y: 2\n") gives, and with 3. */
static const char two[] = "/usr/lib/mvnet/a.yaml=x: 1\n@0 /etc/mvnet/b.yaml=y: 2\n@2 ";
static const char three[] = "/usr/lib/mvnet/a.yaml=x: 1\n@0 /etc/mvnet/b.yaml=y: 3\n@2 ";

/* What comes back, as "NAME=TEXT@LAYER " each; or the outcome, and then nothing else does. */
static const char *load(void) {
        static const char *const outcomes[] = {
                [LASTGOOD_E_ABSENT] = "absent",
                [LASTGOOD_E_UNSAFE] = "unsafe",
                [LASTGOOD_E_CORRUPT] = "corrupt",
        };
        static Buf text;
        SourceFile *files = NULL;
        Arena arena = {};
        size_t n = 77;
        int r = lastgood_load(folder, "lab", &arena, &files, &n);

        buf_reset(&text);
        for (size_t i = 0; r == 0 && i < n; i++) {
                const Source *source = files[i].source;

                assert_int_equal(source->order, i);
                assert_int_equal(source->text[source->size], 0);
                buf_printf(&text, "%s=", source->name);
                buf_addn(&text, source->text, source->size);
                buf_printf(&text, "@%u ", files[i].layer);
        }
        if (r != 0) {
                assert_null(files);
                assert_int_equal(n, 77);
        }
        arena_deinit(&arena);
        assert_in_range(r + 1, 1, ELEMENTSOF(outcomes));
        return r == 0 ? buf_text(&text) : outcomes[r];
}

static char *slurp(size_t *ret_size) {
        FILE *file = fopen(kept, "r");
        char *text = calloc(1, 1 << 16);

        assert_non_null(file);
        assert_non_null(text);
        *ret_size = fread(text, 1, (1 << 16) - 1, file);
        fclose(file);
        return text;
}

static void spit(const char *text, size_t size) {
        int fd = open(kept, O_WRONLY | O_CREAT | O_TRUNC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, size), size);
        assert_int_equal(close(fd), 0);
}

static void test_round_trip(_unused_ void **state) {
        static const char binary[] = "\0a\n\xff\xfe" "1 1\nsum 0\n";
        struct stat st;

        assert_string_equal(load(), "absent");
        umask(0);
        save((SourceFile[]){
                TEXT_FILE("/usr/lib/mvnet/a.yaml", "interfaces:\n  br0: {kind: bridge}\n", 0),
                TEXT_FILE("/etc/mvnet/\xc3\xa4 b\n.yaml", "", 2),
                TEXT_FILE("<stdin>", "no newline", 4294967295),
                TEXT_FILE("", "\n\n", 1),
        }, 4);
        umask(022);
        assert_string_equal(load(), "/usr/lib/mvnet/a.yaml=interfaces:\n  br0: {kind: bridge}\n@0 "
                                    "/etc/mvnet/\xc3\xa4 b\n.yaml=@2 <stdin>=no newline@4294967295 "
                                    "=\n\n@1 ");
        assert_int_equal(stat(kept, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(stat(folder, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0755);
        assert_int_equal(access(temporary, F_OK), -1);

        /* No files at all are a configuration, too. */
        save(NULL, 0);
        assert_string_equal(load(), "");

        save(&TEXT_FILE("nul", "\0a\n\xff\xfe" "1 1\nsum 0\n", 0), 1);
        assert_memory_equal(load(), "nul=", 4);
        assert_memory_equal(load() + 4, binary, sizeof(binary) - 1);
        assert_string_equal(load() + 4 + sizeof(binary) - 1, "@0 ");
}

static void test_many(_unused_ void **state) {
        SourceFile files[FILES_MAX + 1];
        Source sources[FILES_MAX + 1];
        char names[FILES_MAX + 1][16];
        _cleanup_(buf_deinit) Buf expected = {};

        for (size_t i = 0; i <= FILES_MAX; i++) {
                snprintf(names[i], sizeof(names[i]), "%zu", i);
                sources[i] = (Source){.name = names[i], .text = names[i], .size = strlen(names[i])};
                files[i] = (SourceFile){&sources[i], (unsigned)i % 3};
                if (i < FILES_MAX)
                        buf_printf(&expected, "%zu=%zu@%zu ", i, i, i % 3);
        }
        save(files, FILES_MAX);
        assert_string_equal(load(), buf_text(&expected));
        assert_int_equal(lastgood_save(folder, "lab", files, FILES_MAX + 1), -E2BIG);
        assert_string_equal(load(), buf_text(&expected));
}

/* Whatever is kept can be loaded: what is too big is not kept. */
static void test_sizes(_unused_ void **state) {
        char *text = calloc(1, FILE_SIZE_MAX + 2), *name = calloc(1, 8194);
        Source source = {.name = "big", .text = text, .size = FILE_SIZE_MAX};
        SourceFile files[9], *back = NULL;
        Arena arena = {};
        size_t n;

        assert_non_null(text);
        assert_non_null(name);
        save_two("y: 2\n");
        memset(text, '#', FILE_SIZE_MAX + 1);
        for (size_t i = 0; i < 9; i++)
                files[i] = (SourceFile){&source, 0};
        assert_int_equal(lastgood_save(folder, "lab", files, 9), -E2BIG);
        source.size++;
        assert_int_equal(lastgood_save(folder, "lab", files, 1), -E2BIG);
        source.size = 0;
        source.name = memset(name, 'n', 8193);
        assert_int_equal(lastgood_save(folder, "lab", files, 1), -E2BIG);
        assert_string_equal(load(), two);

        source = (Source){.name = "big", .text = text, .size = FILE_SIZE_MAX};
        save(files, 2);
        assert_int_equal(lastgood_load(folder, "lab", &arena, &back, &n), 0);
        assert_int_equal(n, 2);
        assert_int_equal(back[1].source->size, FILE_SIZE_MAX);
        arena_deinit(&arena);

        assert_int_equal(truncate(kept, (off_t)1 << 40), 0);
        assert_string_equal(load(), "corrupt");
        free(text);
        free(name);
}

static void test_torn(_unused_ void **state) {
        size_t size;
        char *text;

        save_two("y: 2\n");
        text = slurp(&size);
        for (size_t cut = 0; cut < size; cut++) {
                spit(text, cut);
                assert_string_equal(load(), "corrupt");
                /* What had not reached the disk is zeros after a power failure. */
                text[size] = text[cut];
                memset(text + cut, 0, 1);
                spit(text, size);
                text[cut] = text[size];
                assert_string_equal(load(), "corrupt");
        }
        text[size] = '\n';
        spit(text, size + 1);
        assert_string_equal(load(), "corrupt");
        spit(text, size);
        assert_string_equal(load(), two);
        free(text);
}

static void test_flipped(_unused_ void **state) {
        size_t size;
        char *text;

        save_two("y: 2\n");
        text = slurp(&size);
        for (size_t bit = 0; bit < size * 8; bit++) {
                text[bit / 8] ^= (char)(1 << bit % 8);
                spit(text, size);
                assert_string_equal(load(), "corrupt");
                text[bit / 8] ^= (char)(1 << bit % 8);
        }
        for (size_t at = 1; at < size; at++) { /* neighbours that swapped places */
                char c = text[at];

                if (c == text[at - 1])
                        continue;
                text[at] = text[at - 1];
                text[at - 1] = c;
                spit(text, size);
                assert_string_equal(load(), "corrupt");
                text[at - 1] = text[at];
                text[at] = c;
        }
        free(text);
}

/* With a right sum, but lies before it. */
static void test_lies(_unused_ void **state) {
        static const struct {
                const char *text, *expected;
        } tests[] = {
                {"mvnet-last 1 0\n", ""},
                {"mvnet-last 1 1\n0 1 2\na\nbc\n", "a=bc@0 "},
                {"mvnet-last 1 1\n0 1 3\na\nbc\n", "corrupt"},
                {"mvnet-last 1 1\n0 1 4\na\nbc\n", "corrupt"},
                {"mvnet-last 1 1\n0 1 23\na\nbc\n", "corrupt"}, /* the sum is no text */
                {"mvnet-last 1 1\n0 1 16777216\na\nbc\n", "corrupt"},
                {"mvnet-last 1 1\n0 1 2\na\nbcX", "corrupt"},
                {"mvnet-last 1 1\n0 1 2\naXbc\n", "corrupt"},
                {"mvnet-last 1 1\n0 1 1\na\nbc\n", "corrupt"},
                {"mvnet-last 1 1\n0 2 2\na\nbc\n", "corrupt"},
                {"mvnet-last 1 1\n0 0 2\na\nbc\n", "corrupt"},
                {"mvnet-last 1 1\n0 1 2\na\nbc", "corrupt"},
                {"mvnet-last 1 1\n0 1 -1\na\nbc\n", "corrupt"},
                {"mvnet-last 1 1\n0 1 +2\na\nbc\n", "corrupt"},
                {"mvnet-last 1 1\n0 1 \na\nbc\n", "corrupt"},
                {"mvnet-last 1 1\n0 1 16777217\na\nbc\n", "corrupt"},
                {"mvnet-last 1 1\n0 1 18446744073709551618\na\nbc\n", "corrupt"},
                {"mvnet-last 1 1\n0 18446744073709551617 2\na\nbc\n", "corrupt"},
                {"mvnet-last 1 1\n4294967296 1 2\na\nbc\n", "corrupt"},
                {"mvnet-last 1 1\n0 1 2 a\nbc\n", "corrupt"},
                {"mvnet-last 1 2\n0 1 2\na\nbc\n", "corrupt"},
                {"mvnet-last 1 0\n0 1 2\na\nbc\n", "corrupt"},
                {"mvnet-last 1 1\n0 1 2\na\nbc\n\n", "corrupt"},
                {"mvnet-last 1 257\n0 1 2\na\nbc\n", "corrupt"},
                {"mvnet-last 1 99999999999999999999\n", "corrupt"},
                {"mvnet-last 1 ", "corrupt"},
                {"mvnet-last 1 1", "corrupt"},
                {"mvnet-last 1 -1\n", "corrupt"},
                {"mvnet-last 2 0\n", "corrupt"},
                {"", "corrupt"},
        };

        save(NULL, 0);
        for (size_t i = 0; i < ELEMENTSOF(tests); i++) {
                uint64_t sum = hash_bytes(HASH_BEGIN, tests[i].text, strlen(tests[i].text));
                char text[256];
                int n = snprintf(text, sizeof(text), "%ssum %016llx\n", tests[i].text,
                                 (unsigned long long)sum);

                spit(text, (size_t)n);
                if (!streq(load(), tests[i].expected))
                        fail_msg("%s: %s", tests[i].text, load());
        }
}

static void test_unsafe(_unused_ void **state) {
        char other[96];

        save_two("y: 2\n");
        snprintf(other, sizeof(other), "%s/other", folder);
        for (mode_t bit = 020; bit > 0; bit = bit == 020 ? 02 : 0) {
                assert_int_equal(chmod(kept, 0600 | bit), 0);
                assert_string_equal(load(), "unsafe");
                assert_int_equal(chmod(kept, 0600), 0);
                assert_int_equal(chmod(folder, 0755 | bit), 0);
                assert_string_equal(load(), "unsafe");
                assert_int_equal(lastgood_save(folder, "lab", NULL, 0), LASTGOOD_E_UNSAFE);
                assert_int_equal(chmod(folder, 0755), 0);
        }
        assert_int_equal(chmod(folder, 01777), 0); /* as /tmp */
        assert_string_equal(load(), two);
        assert_int_equal(chmod(folder, 0755), 0);

        assert_int_equal(rename(kept, other), 0);
        assert_string_equal(load(), "absent");
        assert_int_equal(symlink("other", kept), 0);
        assert_string_equal(load(), "unsafe");
        assert_int_equal(unlink(kept), 0);
        assert_int_equal(symlink("nowhere", kept), 0);
        assert_string_equal(load(), "unsafe");
        assert_int_equal(unlink(kept), 0);
        assert_int_equal(mkfifo(kept, 0600), 0); /* and does not hang */
        assert_string_equal(load(), "unsafe");
        assert_int_equal(unlink(kept), 0);
        assert_int_equal(mkdir(kept, 0700), 0);
        assert_string_equal(load(), "unsafe");
        assert_true(lastgood_save(folder, "lab", NULL, 0) < 0);
        assert_int_equal(rmdir(kept), 0);
        assert_int_equal(rename(other, kept), 0);
        assert_string_equal(load(), two);
}

static void test_foreign_owner(_unused_ void **state) {
        if (geteuid() != 0) {
                print_message("skip files of another owner: needs root\n");
                skip();
        }
        save_two("y: 2\n");
        assert_int_equal(chown(kept, 1, 0), 0);
        assert_string_equal(load(), "unsafe");
        assert_int_equal(chown(kept, 0, 0), 0);
        assert_int_equal(chown(folder, 1, 0), 0);
        assert_string_equal(load(), "unsafe");
        assert_int_equal(lastgood_save(folder, "lab", NULL, 0), LASTGOOD_E_UNSAFE);
        assert_int_equal(chown(folder, 0, 0), 0);
}

/* What is not safe is replaced, not written to, and where it leads is left alone. */
static void test_replaced(_unused_ void **state) {
        char victim[96], text[16] = "";
        struct stat st;
        int fd;

        save_two("y: 2\n");
        assert_int_equal(unlink(kept), 0);
        snprintf(victim, sizeof(victim), "%s/victim", top);
        fd = open(victim, O_RDWR | O_CREAT, 0644);
        assert_int_equal(write(fd, "precious", 8), 8);
        assert_int_equal(symlink(victim, kept), 0);
        assert_int_equal(symlink(victim, temporary), 0);
        save_two("y: 3\n");
        assert_string_equal(load(), three);
        assert_int_equal(lstat(kept, &st), 0);
        assert_true(S_ISREG(st.st_mode));
        assert_int_equal(lstat(temporary, &st), -1);
        assert_int_equal(pread(fd, text, sizeof(text) - 1, 0), 8);
        assert_string_equal(text, "precious");
        assert_int_equal(close(fd), 0);

        /* The same text that others could write is not the same. */
        assert_int_equal(chmod(kept, 0666), 0);
        save_two("y: 3\n");
        assert_string_equal(load(), three);
}

static void test_same_is_not_written(_unused_ void **state) {
        struct stat first, second;
        char *text;
        size_t size;

        save_two("y: 2\n");
        assert_int_equal(stat(kept, &first), 0);
        assert_int_equal(chmod(folder, 0555), 0);
        save_two("y: 2\n");
        assert_int_equal(stat(kept, &second), 0);
        assert_int_equal(first.st_ino, second.st_ino);
        assert_memory_equal(&first.st_ctim, &second.st_ctim, sizeof(first.st_ctim));
        assert_int_equal(chmod(folder, 0755), 0);

        save_two("y: 3\n");
        assert_int_equal(stat(kept, &second), 0);
        assert_int_not_equal(first.st_ino, second.st_ino);

        /* One flipped bit is not the same, nor is a tail. */
        text = slurp(&size);
        text[20] ^= 1;
        spit(text, size);
        assert_string_equal(load(), "corrupt");
        save_two("y: 3\n");
        assert_string_equal(load(), three);
        text[20] ^= 1;
        spit(text, size + 1);
        assert_string_equal(load(), "corrupt");
        save_two("y: 3\n");
        assert_string_equal(load(), three);
        free(text);
}

static void test_names(_unused_ void **state) {
        static const char *const bad[] = {
                "", ".", "..", "../lab", "a/b", "/", "/etc/passwd", ".hidden", "-v", "netns-1",
                "a b", "a\nb", "\xc3\xa4", "bus", "last",
                "12345678901234567890123456789012345678901234567890123456789012345",
        };
        static const char *const good[] = {
                "lab", "lab.last", "lab.last.new", "a%s",
                "1234567890123456789012345678901234567890123456789012345678901234",
        };
        SourceFile *files = NULL;
        Arena arena = {};
        size_t n;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                assert_int_equal(lastgood_save(folder, bad[i], NULL, 0), -EINVAL);
                assert_int_equal(lastgood_load(folder, bad[i], &arena, &files, &n), -EINVAL);
        }
        assert_int_equal(access(folder, F_OK), -1);

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                assert_int_equal(lastgood_save(folder, good[i], &TEXT_FILE("n", "text", i), 1), 0);
        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                assert_int_equal(lastgood_load(folder, good[i], &arena, &files, &n), 0);
                assert_int_equal(files[0].layer, i);
        }
        arena_deinit(&arena);
}

static void test_folder(_unused_ void **state) {
        _cleanup_(buf_deinit) Buf text = {};
        size_t size;

        assert_int_equal(lastgood_folder("/x/y", &text), 0);
        assert_string_equal(buf_text(&text), "/x/y/last");
        assert_int_equal(lastgood_folder("", &text), -EINVAL);
        buf_reset(&text);
        assert_int_equal(lastgood_folder(NULL, &text), 0);
        size = text.size;
        if (!streq(buf_text(&text), "/var/lib/mvnet")) {
                assert_memory_equal(buf_text(&text), "/run/mvnet/netns-", 17);
                assert_string_equal(buf_text(&text) + size - 5, "/last");
        }
        assert_true(lastgood_save("", "lab", NULL, 0) < 0);
        assert_true(lastgood_save("/proc/nowhere", "lab", NULL, 0) < 0);
}

/* The disk is full at any point: what was there is whole, and nothing else is left. */
static void test_no_room(_unused_ void **state) {
        const SourceFile longer = TEXT_FILE("a", "a text that makes the file longer than the one "
                                                 "that was there before: it has no room", 0);
        struct rlimit unlimited, limit;
        struct stat st;

        save_two("y: 2\n");
        assert_int_equal(stat(kept, &st), 0);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
        signal(SIGXFSZ, SIG_IGN);
        limit = unlimited;
        for (limit.rlim_cur = 0; limit.rlim_cur < (rlim_t)st.st_size; limit.rlim_cur++) {
                int r;

                assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
                r = lastgood_save(folder, "lab", &longer, 1);
                assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
                assert_true(r < 0);
                assert_string_equal(load(), two);
                assert_int_equal(access(temporary, F_OK), -1);
        }
}

/* Mounts are this process's own. */
static void mount_small(void) {
        if (unshare(CLONE_NEWNS) < 0) {
                print_message("skip small file systems: needs root\n");
                skip();
        }
        assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
        assert_int_equal(mount("small", top, "tmpfs", 0, "size=64k,mode=755"), 0);
}

static void test_full_disk(_unused_ void **state) {
        static char text[40000], filler[65536];
        const Source source = {.name = "n", .text = text, .size = sizeof(text) - 1};
        const SourceFile file = {&source, 0};
        _cleanup_(buf_deinit) Buf before = {};
        char path[96];
        int fd;

        mount_small();
        memset(text, 'a', sizeof(text) - 1);
        save(&file, 1);
        buf_printf(&before, "n=%s@0 ", text);
        text[0] = 'b';
        assert_int_equal(lastgood_save(folder, "lab", &file, 1), -ENOSPC);
        assert_int_equal(access(temporary, F_OK), -1);
        assert_string_equal(load(), buf_text(&before));

        /* Not one page left; then there is room again. */
        snprintf(path, sizeof(path), "%s/filler", top);
        fd = open(path, O_WRONLY | O_CREAT, 0600);
        assert_true(write(fd, filler, sizeof(filler)) > 0);
        assert_int_equal(close(fd), 0);
        assert_int_equal(lastgood_save(folder, "lab", NULL, 0), -ENOSPC);
        assert_string_equal(load(), buf_text(&before));
        assert_int_equal(unlink(path), 0);
        save_two("y: 3\n");

        /* Where nothing can be written at all, the same again is fine all the same. */
        assert_int_equal(mount(NULL, top, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
        assert_int_equal(lastgood_save(folder, "lab", NULL, 0), -EROFS);
        save_two("y: 3\n");
        assert_string_equal(load(), three);
        assert_int_equal(umount(top), 0);
}

/* Killed at any moment: the old one or the new one. */
static void test_killed(_unused_ void **state) {
        static const char *const texts[] = {"y: 2\n", "y: 3, a longer one\n"};
        size_t seen[2] = {};

        save_two(texts[0]);
        for (unsigned i = 0; i < 60 || (i < 5000 && (!seen[0] || !seen[1])); i++) {
                const char *now;
                pid_t pid = fork();

                assert_true(pid >= 0);
                if (pid == 0)
                        for (size_t k = 1;; k++)
                                save_two(texts[k % 2]);
                usleep(500 + i * 37 % 1000);
                assert_int_equal(kill(pid, SIGKILL), 0);
                assert_int_equal(waitpid(pid, NULL, 0), pid);
                now = load();
                if (!strstr(now, texts[0]) && !strstr(now, texts[1]))
                        fail_msg("%s", now);
                seen[strstr(now, texts[1]) != NULL]++;
        }
        assert_true(seen[0] > 0 && seen[1] > 0);
        save_two("y: 4\n");
        assert_int_equal(access(temporary, F_OK), -1);
}

/* The way a start goes: what is kept is loaded like files, and speaks of them by their names. */
static void test_from_file_to_file(_unused_ void **state) {
        static const uint8_t seed[16] = {1};
        const char *path = top;
        _cleanup_(network_freep) Network *network = NULL;
        _cleanup_(report_deinit) Report report = {};
        _cleanup_(buf_deinit) Buf place = {};
        SourceFile *files = NULL;
        Arena arena = {};
        char yaml[96];
        FILE *file;
        size_t n;

        snprintf(yaml, sizeof(yaml), "%s/10-lab.yaml", top);
        file = fopen(yaml, "w");
        fputs("interfaces:\n  br0: {kind: bridge, mtu: 1400}\n", file);
        fclose(file);
        assert_int_equal(files_read(&arena, "", &path, 1, &report, &files, &n), 0);
        save(files, n);
        arena_deinit(&arena);
        assert_int_equal(unlink(yaml), 0);

        assert_int_equal(lastgood_load(folder, "lab", &arena, &files, &n), 0);
        assert_int_equal(config_load_sources(files, n, seed, &report, &network), 0);
        arena_deinit(&arena);
        assert_int_equal(report.n, 0);
        location_format(attrset_at(&network_find_path(network, "br0")->common, LINK_MTU), &place);
        buf_add(&place, "\n");
        assert_memory_equal(buf_text(&place), yaml, strlen(yaml));
        assert_string_equal(buf_text(&place) + strlen(yaml), ":2:28\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_round_trip),
                TEST(test_many),
                TEST(test_sizes),
                TEST(test_torn),
                TEST(test_flipped),
                TEST(test_lies),
                TEST(test_unsafe),
                TEST(test_foreign_owner),
                TEST(test_replaced),
                TEST(test_same_is_not_written),
                TEST(test_names),
                TEST(test_folder),
                TEST(test_no_room),
                TEST(test_full_disk),
                TEST(test_killed),
                TEST(test_from_file_to_file),
        };

        umask(022);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
