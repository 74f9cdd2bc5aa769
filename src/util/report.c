/* SPDX-License-Identifier: MIT */
/*
 * All that is wrong with the files, kept until the end and shown the way compilers do: the place,
 * the line, the caret. What is shown comes from whoever wrote the file, so it is made harmless.
 */

#include "mvnet/error.h"
#include "mvnet/utf8.h"

#include <errno.h>
#include <stdio.h>

#define TEXT_SIZE 1024 /* of one message; a file's whole content does not belong in it */
#define LINE_SHOWN 80  /* characters of a source line */
#define LINE_BEFORE 40 /* of these, at most so many before the caret, if the line is cut */

void report_deinit(Report *report) {
        arena_deinit(&report->arena);
        *report = (Report){};
}

/* One character as it may be shown: returns its bytes in the text and what stands for it. */
static size_t shown(const char *text, size_t size, const char **ret, size_t *ret_size) {
        uint32_t c = 0;
        size_t length = utf8_decode(text, size, &c);

        if (length > 0 && utf8_printable(c)) {
                *ret = text;
                *ret_size = length;
        } else {
                *ret = c == '\t' ? " " : "?";
                *ret_size = 1;
        }
        return MAX(length, (size_t)1);
}

static void add_shown(const char *text, Buf *ret) {
        size_t size = strlen(text), part_size;
        const char *part;

        while (size > 0) {
                size_t length = shown(text, size, &part, &part_size);

                buf_addn(ret, part, part_size);
                text += length;
                size -= length;
        }
}

/* What stands for a character is never longer than it, so this works in place. */
static void make_shown(char *text) {
        size_t size = strlen(text), part_size;
        const char *part;
        char *to = text;

        while (size > 0) {
                size_t length = shown(text, size, &part, &part_size);

                memmove(to, part, part_size);
                to += part_size;
                text += length;
                size -= length;
        }
        *to = '\0';
}

static char *_printf_(2, 0) copy_shown(Arena *arena, const char *format, va_list ap) {
        char text[TEXT_SIZE];
        int n = vsnprintf(text, sizeof(text), format, ap);

        if (n < 0)
                return NULL;
        if ((size_t)n >= sizeof(text)) {
                size_t end = sizeof(text) - sizeof("…");

                while (end > 0 && utf8_continues(text[end]))
                        end--;
                memcpy(text + end, "…", sizeof("…"));
        }
        make_shown(text);
        return arena_strdup(arena, text);
}

static int compare_sources(const Source *a, const Source *b) {
        if (a == b)
                return 0;
        if (!a || !b)
                return a ? -1 : 1;
        if (a->order != b->order)
                return a->order < b->order ? -1 : 1;
        return strcmp(a->name, b->name);
}

static bool location_before(const Location *a, const Location *b) {
        int order = compare_sources(a->source, b->source);

        if (order != 0)
                return order < 0;
        if (a->line != b->line)
                return a->line < b->line;
        return a->column < b->column;
}

static Problem *report_insert(Report *report, Location at, const char *path, const char *text) {
        Problem *problem = arena_new(&report->arena, Problem), **place = &report->first;

        if (!problem || !path || !text)
                return NULL;
        while (*place && !location_before(&at, &(*place)->at))
                place = &(*place)->next;
        *problem = (Problem){ .next = *place, .at = at, .path = path, .text = text };
        return *place = problem;
}

static const char *_printf_(2, 3) copy_path(Arena *arena, const char *format, ...) {
        const char *path;
        va_list ap;

        va_start(ap, format);
        path = copy_shown(arena, format, ap);
        va_end(ap);
        return path;
}

Problem *report_add(Report *report, Location at, const char *path, const char *format, ...) {
        const char *text;
        va_list ap;

        report->last = NULL;
        if (report->n++ >= REPORT_KEPT_MAX)
                return NULL;
        va_start(ap, format);
        text = copy_shown(&report->arena, format, ap);
        va_end(ap);
        path = copy_path(&report->arena, "%s", path ?: "");
        report->last = report_insert(report, at, path, text);
        if (!report->last)
                report->failed = true;
        return report->last;
}

void report_hint(Report *report, const char *format, ...) {
        va_list ap;

        if (!report->last)
                return;
        va_start(ap, format);
        report->last->hint = copy_shown(&report->arena, format, ap);
        va_end(ap);
        if (!report->last->hint)
                report->failed = true;
}

void report_nearest(Report *report, const char *word, const char *const *candidates, size_t n) {
        const char *nearest = text_nearest(word, candidates, n);

        if (nearest)
                report_hint(report, "did you mean '%s'?", nearest);
}

int report_error(const Report *report) {
        return report->failed ? -ENOMEM : 0;
}

void location_format(Location at, Buf *ret) {
        if (!at.source)
                return;
        add_shown(at.source->name, ret);
        if (at.line > 0)
                buf_printf(ret, ":%u:%u", at.line, at.column);
}

/* Where a line begins. Problems come sorted, so the next search goes on where the last ended. */
typedef struct LineFinder {
        const Source *source;
        unsigned line;
        size_t offset;
} LineFinder;

static const char *line_find(LineFinder *finder, Location at, size_t *ret_size) {
        const Source *source = at.source;
        const char *start, *end;

        if (finder->source != source || finder->line > at.line)
                *finder = (LineFinder){ .source = source, .line = 1 };
        while (finder->line < at.line) {
                end = memchr(source->text + finder->offset, '\n', source->size - finder->offset);
                if (!end)
                        return NULL;
                finder->offset = (size_t)(end - source->text) + 1;
                finder->line++;
        }
        start = source->text + finder->offset;
        end = memchr(start, '\n', source->size - finder->offset);
        *ret_size = end ? (size_t)(end - start) : source->size - finder->offset;
        if (*ret_size > 0 && start[*ret_size - 1] == '\r')
                (*ret_size)--;
        return start;
}

/* How many bytes from the caret on are the word that it points to. */
static size_t word_size(const char *word, size_t size) {
        size_t n = 0;

        if (size > 0 && (word[0] == '"' || word[0] == '\'')) {
                const char *end = memchr(word + 1, word[0], size - 1);

                return end ? (size_t)(end - word) + 1 : 1;
        }
        while (n < size && !strchr(" \t,[]{}", word[n])) {
                if (word[n] == ':' && (n + 1 == size || word[n + 1] == ' '))
                        break;
                n++;
        }
        return n;
}

/* Where to begin, so that the caret is not too far to the right. */
static size_t line_window(const char *line, size_t size, size_t caret) {
        size_t start = caret, back = 0;

        if (size <= LINE_SHOWN)
                return 0;
        while (start > 0 && back++ < LINE_BEFORE) {
                start--;
                for (unsigned i = 0; i < 3 && start > 0 && utf8_continues(line[start]); i++)
                        start--;
        }
        return start;
}

static void add_line(const char *line, size_t size, Location at, bool colour, Buf *ret) {
        size_t caret = MIN((size_t)MAX(at.column, 1u) - 1, size), part_size;
        size_t start = line_window(line, size, caret), end = start;
        size_t word_end = caret + word_size(line + caret, size - caret);
        size_t before = start > 0 ? 1 : 0, below = 0;
        int gutter = snprintf(NULL, 0, "%5u", at.line);
        const char *part;

        buf_printf(ret, "%5u | %s", at.line, start > 0 ? "…" : "");
        for (unsigned n = 0; end < size && n < LINE_SHOWN; n++) {
                if (end < caret)
                        before++;
                else if (end < word_end)
                        below++;
                end += shown(line + end, size - end, &part, &part_size);
                buf_addn(ret, part, part_size);
        }
        buf_printf(ret, "%s\n%*s | %*s%s^", end < size ? "…" : "", gutter, "", (int)before, "",
                   colour ? "\033[31m" : "");
        for (size_t n = 1; n < below; n++)
                buf_addc(ret, '~');
        buf_printf(ret, "%s\n", colour ? "\033[0m" : "");
}

static void add_problem(const Problem *problem, LineFinder *finder, bool colour, Buf *ret) {
        const Location *at = &problem->at;
        const char *line = NULL;
        size_t size = 0;

        if (at->source) {
                buf_add(ret, colour ? "\033[1m" : "");
                location_format(*at, ret);
                buf_printf(ret, ":%s ", colour ? "\033[0m" : "");
        }
        buf_printf(ret, "%s%s%s\n", problem->path, *problem->path ? ": " : "", problem->text);
        if (at->source && at->source->text && at->line > 0)
                line = line_find(finder, *at, &size);
        if (line)
                add_line(line, size, *at, colour, ret);
        if (problem->hint)
                buf_printf(ret, "%*s = %s%s%s\n", line ? snprintf(NULL, 0, "%5u", at->line) : 5, "",
                           colour ? "\033[36m" : "", problem->hint, colour ? "\033[0m" : "");
}

void report_format(const Report *report, bool colour, Buf *ret) {
        LineFinder finder = {};

        for (const Problem *problem = report->first; problem; problem = problem->next)
                add_problem(problem, &finder, colour, ret);
        if (report->n > REPORT_KEPT_MAX)
                buf_printf(ret, "… and %zu more\n", report->n - REPORT_KEPT_MAX);
}
