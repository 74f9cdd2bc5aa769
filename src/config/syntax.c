/* SPDX-License-Identifier: MIT */
/*
 * Most syntax errors in a network configuration are a tab, a bare IPv6 address or a colon too
 * many. libyaml says "did not find expected key", in a place that it counts in characters; here
 * is what to say instead. Plus what has to be refused before libyaml runs.
 */

#include "config/syntax.h"

#include "mvnet/utf8.h"

/*
 * libyaml clears its buffers for blanks at every line and word of a scalar, however large a run
 * of blanks once made them: 8 MiB of them and then 4 million words would take it an hour.
 */
#define BLANKS_MAX 1024

static bool is_blank(char c) {
        return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_graphic(char c) {
        return c > ' ' && c < 0x7f;
}

static Location locate(const Source *source, size_t offset) {
        Location at = { .source = source, .line = 1 };
        const char *line = source->text, *end = source->text + offset, *next;

        while ((next = memchr(line, '\n', (size_t)(end - line)))) {
                line = next + 1;
                at.line++;
        }
        at.column = (unsigned)(end - line) + 1;
        return at;
}

/* What is wrong with the character, or NULL; its size in any case. */
static const char *check_character(const char *text, size_t left, size_t *ret_size) {
        uint32_t c = 0;

        *ret_size = utf8_decode(text, left, &c);
        if (*ret_size == 0)
                return "this byte is not UTF-8 text";
        if (c == 0)
                return "a NUL byte: this is no text file";
        if (c == '\r')
                return left > 1 && text[1] == '\n' ? NULL : "a carriage return within a line";
        if ((c < 0x20 && c != '\t' && c != '\n') || (c >= 0x7f && c < 0xa0))
                return "a control character";
        if (c == 0x2028 || c == 0x2029)
                return "a Unicode line separator: end lines by a line feed";
        if (c == 0xfeff)
                return "a byte order mark";
        return c == 0xfffe || c == 0xffff ? "no Unicode character" : NULL;
}

static const char *check_beginning(const Source *source) {
        const unsigned char *byte = (const unsigned char *)source->text;

        /* Every second byte of ASCII text in UTF-16 is zero. */
        if (source->size >= 2 && ((byte[0] == 0xff && byte[1] == 0xfe) ||
                                  (byte[0] == 0xfe && byte[1] == 0xff) ||
                                  (byte[0] == 0) != (byte[1] == 0)))
                return "this is UTF-16 or UTF-32: save it as UTF-8";
        if (source->size >= 3 && memcmp(byte, "\xef\xbb\xbf", 3) == 0)
                return "a byte order mark: save it as UTF-8 without one";
        return NULL;
}

/* The first thing in the text that must not be there, and where. */
static const char *check_text(const Source *source, size_t *ret_offset) {
        const char *text = source->text, *wrong;
        size_t size = source->size, offset = 0, step, blanks = 0;

        while (offset < size) {
                if (is_graphic(text[offset])) {
                        while (is_graphic(text[offset])) /* ends at the final NUL at last */
                                offset++;
                        blanks = 0;
                        continue;
                }
                *ret_offset = offset;
                blanks = is_blank(text[offset]) ? blanks + 1 : 0;
                if (blanks > BLANKS_MAX)
                        return "too many blanks in a row";
                if (text[offset] == ' ' || text[offset] == '\n') {
                        offset++;
                        continue;
                }
                wrong = check_character(text + offset, size - offset, &step);
                if (wrong)
                        return wrong;
                offset += step;
        }
        return NULL;
}

/* Past blanks and comments, to something that counts or to the end. */
static size_t skip_comments(const Source *source, size_t offset) {
        const char *text = source->text;

        while (offset < source->size && (is_blank(text[offset]) || text[offset] == '#')) {
                if (text[offset] == '#')
                        offset += strcspn(text + offset, "\n");
                else
                        offset++;
        }
        return offset;
}

/* A directive stands at the beginning of a line, before the document. */
static bool is_directive(const Source *source, size_t offset) {
        return source->text[offset] == '%' && (offset == 0 || source->text[offset - 1] == '\n');
}

void syntax_check(const Source *source, Report *report) {
        size_t offset = 0;
        const char *wrong = check_beginning(source);

        if (!wrong)
                wrong = check_text(source, &offset);
        if (!wrong) {
                offset = skip_comments(source, 0);
                if (is_directive(source, offset))
                        wrong = "directives ('%YAML', '%TAG') are not allowed: drop this line";
        }
        if (wrong)
                report_add(report, locate(source, offset), NULL, "%s", wrong);
}

void syntax_check_tail(const Source *source, size_t offset, Report *report) {
        const char *rest, *wrong = "this is outside of all that came before: is it indented less?";

        for (;;) {
                offset = skip_comments(source, offset);
                rest = source->text + offset;
                if (strncmp(rest, "...", 3) != 0 || !strchr(" \t\r\n", rest[3]))
                        break;
                offset += 3;
        }
        if (offset == source->size)
                return;
        if (strncmp(rest, "---", 3) == 0)
                wrong = "a second document: one file is one document";
        else if (is_directive(source, offset))
                wrong = "directives ('%YAML', '%TAG') are not allowed";
        report_add(report, locate(source, offset), NULL, "%s", wrong);
}

/* Lines are typed by people; what is longer is no riddle for a hint. */
#define LINE_SEARCHED 4096

static const char *line_of(Location at) {
        const char *line = at.source->text;

        for (unsigned n = 1; n < at.line; n++)
                line = strchr(line, '\n') + 1;
        return line;
}

static bool is_word_end(char c) {
        return strchr(" \t\r\n,[]{}\"'", c) != NULL;
}

/*
 * Looks for a bare `::` or `[`, past quotes and not into a comment: returns the word that the
 * first `::` is in, or else where the first `[` is, or NULL.
 */
static const char *find_guilty(const char *line, size_t *ret_size) {
        const char *word = line, *bracket = NULL;
        char quote = '\0';

        for (const char *c = line; *c && *c != '\n' && c < line + LINE_SEARCHED; c++) {
                if (quote) {
                        quote = *c == quote ? '\0' : quote;
                        word = c + 1;
                } else if (c == word && (*c == '"' || *c == '\'')) {
                        quote = *c;
                } else if (c == word && *c == '#') {
                        break;
                } else if (c[0] == ':' && c[1] == ':') {
                        while (!is_word_end(*c))
                                c++;
                        *ret_size = (size_t)(c - word);
                        return word;
                } else if (is_word_end(*c)) {
                        bracket = *c == '[' && !bracket ? c : bracket;
                        word = c + 1;
                }
        }
        *ret_size = 0;
        return bracket;
}

void syntax_hint_quote(Report *report, Location at) {
        size_t size = 0;
        const char *word = report->last ? find_guilty(line_of(at), &size) : NULL;

        if (word && size > 0)
                report_hint(report, "quote it: \"%.*s\"", (int)MIN(size, (size_t)64), word);
        else if (word)
                report_hint(report, "if a '[' is part of a word, quote it: \"[2001:db8::1]:80\"");
}

/* Where the text of an explanation puts the blame. */
typedef enum Blame {
        BLAME_HERE,
        BLAME_START, /* where the construct began */
        BLAME_BOTH,  /* here, and it says where that was */
} Blame;

typedef struct Explanation {
        const char *problem; /* what libyaml says */
        const char *text;
        Blame blame;
} Explanation;

#define NO_ESCAPE "no such escape: in \"\" a backslash is written '\\\\', in '' as it is"

static const Explanation explanations[] = {
        { "mapping values are not allowed",
          "unexpected ':': quote a value that contains one; nested keys begin a line", BLAME_HERE },
        { "did not find expected key",
          "expected a key, indented like those above it", BLAME_HERE },
        { "did not find expected '-'", "expected '-' as above, or less indentation", BLAME_HERE },
        { "could not find expected ':'", "expected ':' after this key", BLAME_START },
        { "expected ',' or ']'", "expected ',' or ']' in the list that began at", BLAME_BOTH },
        { "expected ',' or '}'", "expected ',' or '}' in the map that began at", BLAME_BOTH },
        { "found unexpected ':'", "unexpected ':' within [ ] or { }", BLAME_HERE },
        { "expected node content", "expected a value", BLAME_HERE },
        { "block sequence entries are not",
          "a list cannot begin here: put its '-' on a line of its own", BLAME_HERE },
        { "mapping keys are not allowed",
          "unexpected '?': a value that begins with it must be quoted", BLAME_HERE },
        { "found unexpected end of stream", "this quote is never closed", BLAME_START },
        { "found unexpected document",
          "this quote is not closed before the document ends", BLAME_START },
        { "found unknown escape character", NO_ESCAPE, BLAME_HERE },
        { "expected hexdecimal number", NO_ESCAPE, BLAME_HERE },
        { "found invalid Unicode character", NO_ESCAPE, BLAME_HERE },
        { "expected alphabetic or numeric",
          "a value that begins with '&' or '*' must be quoted", BLAME_START },
        { "expected comment or line break",
          "a value that begins with '|' or '>' must be quoted", BLAME_HERE },
        { "found an indentation indicator",
          "the indentation after '|' or '>' cannot be 0", BLAME_HERE },
};

static const char *explain_character(char c) {
        switch (c) {
        case '\t':
                return "a tab cannot indent: use spaces";
        case '@':
        case '`':
                return "a value that begins with '@' or '`' must be quoted";
        case '%':
                return "a value that begins with '%' must be quoted";
        default:
                return "unexpected character: a value that begins with it must be quoted";
        }
}

/* Only a word before the colon: not a value that contains one, but a key that is too far right. */
static bool is_key_too_deep(Location at, const char *problem) {
        return strstr(problem, "mapping values") && !memchr(line_of(at), ':', at.column - 1);
}

static const Explanation *explanation_find(const char *problem) {
        for (size_t i = 0; i < ELEMENTSOF(explanations); i++)
                if (strstr(problem, explanations[i].problem))
                        return &explanations[i];
        return NULL;
}

void syntax_explain(Report *report, Location at, const char *problem, Location since,
                  const char *context) {
        const Explanation *explanation = explanation_find(problem);
        Blame blame = explanation ? explanation->blame : BLAME_HERE;
        const char *text = explanation ? explanation->text : problem;
        _cleanup_(buf_deinit) Buf place = {};

        if (!since.source && blame != BLAME_HERE)
                since = at;
        if (blame == BLAME_START)
                at = since;
        if (blame == BLAME_BOTH) {
                buf_add(&place, " ");
                location_format(since, &place);
        }
        if (strstr(problem, "cannot start any token") || strstr(problem, "found a tab"))
                text = explain_character(line_of(at)[at.column - 1]);
        else if (strstr(problem, "tag handle") || (context && strstr(context, " a tag")))
                text = "tags are not allowed: a value that begins with '!' must be quoted";
        else if (is_key_too_deep(at, problem))
                text = "this key stands below something that has a value already";
        report_add(report, at, NULL, "%s%s", text, buf_text(&place));
        if (buf_error(&place) < 0)
                report->failed = true;
        syntax_hint_quote(report, at);
}
