/* SPDX-License-Identifier: MIT */
/*
 * Whatever bytes a file has: tree_parse() answers with a tree whose places lie in the text and
 * whose words stand there, or with problems that can be printed.
 */

#include "mvnet/tree.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define MUST(condition)          \
        do {                     \
                if (!(condition)) \
                        abort(); \
        } while (0)

static size_t offset_of(Location at) {
        const char *line = at.source->text, *end = line + at.source->size;

        MUST(at.line > 0 && at.column > 0);
        for (unsigned n = 1; n < at.line; n++) {
                line = memchr(line, '\n', (size_t)(end - line));
                MUST(line);
                line++;
        }
        MUST((size_t)(end - line) >= at.column - 1);
        MUST(!memchr(line, '\n', at.column - 1));
        return (size_t)(line - at.source->text) + at.column - 1;
}

/* A plain word begins as it stands in the file, unless an anchor comes first. */
static void check_word(const char *word, bool quoted, Location at) {
        const char *there = at.source->text + offset_of(at);

        MUST(quoted || !*word || *there == '&' || *there == '"' || *there == '\'' ||
             *there == '|' || *there == '>' || *there == *word);
}

static size_t check_node(const Node *node, unsigned depth) {
        size_t n = 0, nodes = 1;

        MUST(depth <= TREE_DEPTH_MAX + 1);
        offset_of(node->at);
        if (node->key)
                check_word(node->key, false, node->key_at);
        if (node->type == NODE_SCALAR) {
                MUST(node->text && !node->first && node->n == 0);
                check_word(node->text, node->quoted, node->at);
        }
        for (const Node *child = node->first; child; child = child->next, n++) {
                MUST((node->type == NODE_MAP) == (child->key != NULL));
                MUST(!child->key || node_get(node, child->key) == child);
                nodes += check_node(child, depth + 1);
        }
        MUST(n == node->n);
        return nodes;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
        Source source = { .name = "fuzz", .size = size };
        _cleanup_(freep) char *copy = malloc(size + 1);
        _cleanup_(arena_deinit) Arena arena = {};
        _cleanup_(report_deinit) Report report = {};
        _cleanup_(buf_deinit) Buf text = {};
        TreeBudget budget = { .nodes = TREE_NODES_MAX - 2000 };
        Node *root = NULL;

        MUST(copy);
        if (size > 0)
                memcpy(copy, bytes, size);
        copy[size] = '\0';
        source.text = copy;
        MUST(tree_parse(&arena, &source, &budget, &report, &root) == 0);
        MUST((root == NULL) == (report.n > 0));
        for (const Problem *problem = report.first; problem; problem = problem->next) {
                MUST(problem->at.source == &source);
                offset_of(problem->at);
        }
        report_format(&report, size % 2, &text);
        MUST(buf_error(&text) == 0);
        for (size_t i = 0; i < text.size; i++)
                MUST((unsigned char)text.text[i] >= ' ' || strchr("\n\033", text.text[i]));
        if (root)
                MUST(check_node(root, 1) <= 2000);
        return 0;
}
