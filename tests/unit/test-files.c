/* SPDX-License-Identifier: MIT */
/* Which files are read, and that nobody can slip one in: owners, modes, symlinks, devices. */

#include "mvnet/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct Read {
        Arena arena;
        Report report;
        SourceFile *files;
        size_t n;
} Read;

static char base[] = "/tmp/test-files-XXXXXX";

static void read_deinit(Read *read) {
        report_deinit(&read->report);
        arena_deinit(&read->arena);
}

static int remove_one(const char *path, const struct stat *st _unused_, int type _unused_,
                      struct FTW *ftw _unused_) {
        return remove(path);
}

/* A fresh root for every test, with the three folders. */
static int setup(void **state _unused_) {
        umask(022);
        strcpy(base + sizeof(base) - 7, "XXXXXX");
        if (!mkdtemp(base) || chdir(base) < 0)
                return -1;
        return mkdir("etc", 0755) || mkdir("run", 0755) || mkdir("usr", 0755) ||
               mkdir("usr/lib", 0755) || mkdir("etc/mvnet", 0755) || mkdir("run/mvnet.d", 0755) ||
               mkdir("usr/lib/mvnet", 0755);
}

static int teardown(void **state _unused_) {
        return chdir("/") || nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *path, const char *text) {
        FILE *file = fopen(path, "w");

        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
}

static void link_to(const char *target, const char *path) {
        assert_int_equal(symlink(target, path), 0);
}

/* What was read, as "NAME=TEXT@LAYER " each, without the test's folder. */
static void describe(const Read *read, Buf *ret) {
        for (size_t i = 0; i < read->n; i++) {
                const Source *source = read->files[i].source;
                const char *name = source->name;

                if (strncmp(name, base, strlen(base)) == 0)
                        name += strlen(base);
                assert_int_equal(source->order, i);
                assert_int_equal(strlen(source->text), source->size);
                buf_printf(ret, "%s=%s@%u ", name, source->text, read->files[i].layer);
        }
}

static void read_paths(Read *read, const char *const *paths, size_t n) {
        assert_int_equal(files_read(&read->arena, base, paths, n, &read->report, &read->files,
                                    &read->n), 0);
}

static void expect_paths(const char *const *paths, size_t n, const char *expected, size_t problems,
                         const char *problem) {
        _cleanup_(read_deinit) Read read = {};
        _cleanup_(buf_deinit) Buf text = {}, report = {};

        read_paths(&read, paths, n);
        describe(&read, &text);
        report_format(&read.report, false, &report);
        assert_string_equal(buf_text(&text), expected);
        if (read.report.n != problems || (problem && !strstr(buf_text(&report), problem)))
                fail_msg("expected %zu: %s\ngot %s", problems, problem, buf_text(&report));
}

static void expect(const char *expected) {
        expect_paths(NULL, 0, expected, 0, NULL);
}

/* One problem, and nothing of that file. */
static void expect_problem(const char *expected, const char *problem) {
        expect_paths(NULL, 0, expected, 1, problem);
}

static void expect_path(const char *path, const char *expected) {
        expect_paths(&path, 1, expected, 0, NULL);
}

static void expect_path_problem(const char *path, const char *problem) {
        expect_paths(&path, 1, "", 1, problem);
}

static void test_nothing(void **state _unused_) {
        expect("");
        assert_int_equal(rmdir("etc/mvnet") | rmdir("run/mvnet.d"), 0);
        expect("");
        assert_int_equal(rmdir("run"), 0);
        expect("");
}

static void test_folders(void **state _unused_) {
        put("etc/mvnet/10-b.yaml", "e10");
        put("etc/mvnet/10-a.yaml", "ea");
        put("etc/mvnet/2.yaml", "e2");
        put("etc/mvnet/.hidden.yaml", "no");
        put("etc/mvnet/a.yml", "no");
        put("etc/mvnet/a.yaml~", "no");
        put("etc/mvnet/yaml", "no");
        put("run/mvnet.d/2.yaml", "no");
        put("run/mvnet.d/3.yaml", "r3");
        put("usr/lib/mvnet/10-b.yaml", "no");
        put("usr/lib/mvnet/3.yaml", "no");
        put("usr/lib/mvnet/4.yaml", "");
        expect("/usr/lib/mvnet/4.yaml=@0 /run/mvnet.d/3.yaml=r3@1 /etc/mvnet/10-a.yaml=ea@2 "
               "/etc/mvnet/10-b.yaml=e10@2 /etc/mvnet/2.yaml=e2@2 ");
}

static void test_untrusted(void **state _unused_) {
        put("etc/mvnet/a.yaml", "a");
        put("etc/mvnet/b.yaml", "b");
        put("usr/lib/mvnet/a.yaml", "hidden even so");
        assert_int_equal(chmod("etc/mvnet/a.yaml", 0664), 0);
        expect_problem("/etc/mvnet/b.yaml=b@2 ", "can be written by others (owner");
        assert_int_equal(chmod("etc/mvnet/a.yaml", 0646), 0);
        expect_problem("/etc/mvnet/b.yaml=b@2 ", "= chmod go-w /tmp/test-files-");
        assert_int_equal(chmod("etc/mvnet/a.yaml", 0600) | chmod("etc/mvnet", 01777), 0);
        expect_problem("/usr/lib/mvnet/a.yaml=hidden even so@0 ", "this folder can be written");
}

static void test_foreign_owner(void **state _unused_) {
        if (geteuid() != 0)
                skip();
        put("etc/mvnet/a.yaml", "a");
        assert_int_equal(chown("etc/mvnet/a.yaml", 1234, 0), 0);
        expect_problem("", "this file is owned by neither root nor you (owner 1234, mode 0644)");
        expect_path_problem("etc/mvnet/a.yaml", "owned by neither");
        link_to("etc/mvnet/a.yaml", "link");
        expect_path_problem("link", "owned by neither");
        assert_int_equal(chown("etc/mvnet/a.yaml", 0, 0) | chown("etc/mvnet", 1234, 0), 0);
        expect_problem("", "this folder is owned by neither");
        expect_path("etc/mvnet/a.yaml", "etc/mvnet/a.yaml=a@0 ");
        assert_int_equal(chown("etc/mvnet", 0, 0), 0);
        link_to("a.yaml", "etc/mvnet/b.yaml");
        assert_int_equal(lchown("etc/mvnet/b.yaml", 1234, 0), 0);
        expect_problem("/etc/mvnet/a.yaml=a@2 ", "its symlink leads past 'b.yaml', which is owned");
}

static void test_links(void **state _unused_) {
        assert_int_equal(mkdir("etc/lab", 0755), 0);
        put("etc/lab/real", "x");
        link_to("../lab/real", "etc/mvnet/1.yaml");
        link_to("1.yaml", "etc/mvnet/2.yaml");
        link_to("./..//lab/../lab/./real", "etc/mvnet/3.yaml");
        link_to("/etc/lab/real", "etc/mvnet/4.yaml"); /* below the root of the test */
        link_to("/link/real", "etc/mvnet/5.yaml");
        link_to("etc/lab", "link");
        expect("/etc/mvnet/1.yaml=x@2 /etc/mvnet/2.yaml=x@2 /etc/mvnet/3.yaml=x@2 "
               "/etc/mvnet/4.yaml=x@2 /etc/mvnet/5.yaml=x@2 ");
}

static void test_bad_links(void **state _unused_) {
        assert_int_equal(mkdir("sticky", 0755) | chmod("sticky", 01777), 0);
        assert_int_equal(mkdir("sticky/deep", 0755), 0);
        put("sticky/deep/real", "x");
        link_to("../../sticky/deep/real", "etc/mvnet/1.yaml");
        expect_problem("", "its symlink leads past 'sticky', which can be written by others");
        assert_int_equal(chmod("sticky", 0755) | chmod("sticky/deep/real", 0666), 0);
        expect_problem("", "this file can be written by others");
        assert_int_equal(chmod("sticky/deep/real", 0644), 0);
        expect("/etc/mvnet/1.yaml=x@2 ");
}

static void test_broken_links(void **state _unused_) {
        static const char *const targets[] = {
                "1.yaml",          "nowhere",     "/",           ".", "..",
                "../mvnet/1.yaml", "/dev/null/x", "/etc/mvnet/",
        };
        char target[PATH_MAX];

        for (size_t i = 0; i < ELEMENTSOF(targets); i++) {
                link_to(targets[i], "etc/mvnet/1.yaml");
                expect_problem("", "/etc/mvnet/1.yaml: ");
                assert_int_equal(unlink("etc/mvnet/1.yaml"), 0);
        }
        memset(target, 'x', sizeof(target));
        target[sizeof(target) - 1] = '\0';
        link_to(target, "etc/mvnet/1.yaml");
        expect_problem("", "File name too long");
        assert_int_equal(unlink("etc/mvnet/1.yaml"), 0);

        put("etc/end", "x");
        for (unsigned i = 0; i <= 41; i++) {
                char from[16], to[32];

                snprintf(from, sizeof(from), i == 0 ? "end" : "l%u", i);
                snprintf(to, sizeof(to), "etc/l%u", i + 1);
                link_to(from, to);
        }
        link_to("../l39", "etc/mvnet/1.yaml");
        expect("/etc/mvnet/1.yaml=x@2 ");
        link_to("../l40", "etc/mvnet/2.yaml");
        expect_problem("/etc/mvnet/1.yaml=x@2 ", "Too many levels of symbolic links");
}

/* None of these may block, or be opened at all. */
static void test_odd_files(void **state _unused_) {
        assert_int_equal(mkfifo("etc/mvnet/a.yaml", 0600), 0);
        expect_problem("", "not a regular file");
        expect_path_problem("etc/mvnet/a.yaml", "neither a regular file nor a folder");
        assert_int_equal(unlink("etc/mvnet/a.yaml"), 0);
        assert_int_equal(mkdir("etc/mvnet/a.yaml", 0700), 0);
        expect_problem("", "not a regular file");
        assert_int_equal(rmdir("etc/mvnet/a.yaml"), 0);
        expect_path_problem("/dev/zero", "neither a regular file nor a folder");
        expect_path_problem("missing", "missing: cannot be opened: No such file or directory");
        expect_path_problem("", "cannot be opened");
        put("etc/mvnet.yaml", "x");
        assert_int_equal(rmdir("etc/mvnet") | rename("etc/mvnet.yaml", "etc/mvnet"), 0);
        expect_problem("", "Not a directory");
}

static void test_paths(void **state _unused_) {
        const char *const paths[] = { "b", "etc/mvnet//", "missing", "a", "link", "folder" };

        put("a", "1");
        put("b", "2");
        put("etc/mvnet/z.yaml", "z");
        put("etc/mvnet/y.yaml", "y");
        put("etc/mvnet/no.txt", "no");
        link_to("a", "link");
        link_to("run/mvnet.d", "folder");
        expect_paths(paths, ELEMENTSOF(paths),
                     "b=2@0 etc/mvnet/y.yaml=y@0 etc/mvnet/z.yaml=z@0 a=1@0 link=1@0 ", 1,
                     "missing");
        assert_int_equal(chmod("a", 0620), 0);
        expect_path_problem("link", "can be written by others");
        assert_int_equal(chmod("etc", 01777), 0);
        expect_path("etc/mvnet/z.yaml", "etc/mvnet/z.yaml=z@0 ");
}

static void test_stdin(void **state _unused_) {
        int saved = dup(STDIN_FILENO), ends[2];

        assert_int_equal(pipe(ends), 0);
        assert_int_equal(write(ends[1], "a: 1", 4), 4);
        close(ends[1]);
        dup2(ends[0], STDIN_FILENO);
        close(ends[0]);
        expect_path("-", "<stdin>=a: 1@0 ");
        assert_int_equal(close(STDIN_FILENO), 0);
        expect_path_problem("-", "<stdin>: cannot be read");
        assert_int_equal(open("/dev/zero", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
        expect_path_problem("-", "<stdin>: larger than 16 MiB");
        dup2(saved, STDIN_FILENO);
        close(saved);
}

static void test_sizes(void **state _unused_) {
        _cleanup_(read_deinit) Read read = {}, exact = {};
        const char *const paths[] = { "a", "a", "a", "a", "a", "a", "a", "a", "a" };

        put("a", "");
        assert_int_equal(truncate("a", 64 * 1024 * 1024), 0);
        read_paths(&read, paths, 1);
        assert_int_equal(read.report.n, 1);
        assert_true(read.arena.used < 100000);
        assert_int_equal(truncate("a", FILE_SIZE_MAX + 1), 0);
        expect_path_problem("a", "larger than 16 MiB");
        assert_int_equal(truncate("a", FILE_SIZE_MAX), 0);
        read_paths(&exact, paths, 9);
        assert_int_equal(exact.n, 8);
        assert_int_equal(exact.report.n, 1);
        assert_int_equal(exact.files[7].source->size, FILE_SIZE_MAX);
}

static void test_many(void **state _unused_) {
        _cleanup_(read_deinit) Read read = {}, more = {}, split = {};
        const char *const twice[] = { "etc/mvnet", "etc/mvnet" };
        char path[64];

        for (unsigned i = 0; i < FILES_MAX; i++) {
                snprintf(path, sizeof(path), "etc/mvnet/%u.yaml", i);
                put(path, "x");
        }
        read_paths(&read, NULL, 0);
        assert_int_equal(read.n, FILES_MAX);
        assert_int_equal(read.report.n, 0);
        read_paths(&split, twice, 2);
        assert_int_equal(split.n, FILES_MAX);
        assert_int_equal(split.report.n, 1);
        put("etc/mvnet/x.yaml", "x");
        read_paths(&more, NULL, 0);
        assert_int_equal(more.n, 0);
        assert_int_equal(more.report.n, 1);
}

/* Nothing stays open. */
static void test_descriptors(void **state _unused_) {
        int before = dup(STDIN_FILENO), after;

        close(before);
        test_links(NULL);
        put("etc/mvnet/x.yaml", "x");
        link_to("nowhere", "etc/mvnet/y.yaml");
        expect_paths((const char *const[]){ "etc/mvnet", "etc", "etc/mvnet/y.yaml", "/dev/null" },
                     4,
                     "etc/mvnet/1.yaml=x@0 etc/mvnet/2.yaml=x@0 etc/mvnet/3.yaml=x@0 "
                     "etc/mvnet/4.yaml=x@0 etc/mvnet/5.yaml=x@0 etc/mvnet/x.yaml=x@0 ", 3, NULL);
        after = dup(STDIN_FILENO);
        close(after);
        assert_int_equal(before, after);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_nothing),      TEST(test_folders), TEST(test_untrusted),
                TEST(test_foreign_owner), TEST(test_links),  TEST(test_bad_links),
                TEST(test_broken_links), TEST(test_odd_files), TEST(test_paths),
                TEST(test_stdin),        TEST(test_sizes),   TEST(test_many),
                TEST(test_descriptors),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
