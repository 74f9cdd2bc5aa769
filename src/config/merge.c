/* SPDX-License-Identifier: MIT */
/*
 * Several files, one wish: a vendor's defaults, what a program dropped at run time and what the
 * administrator wrote become one tree, so that nothing after this knows about files.
 */

#include "mvnet/tree.h"

#include <errno.h>
#include <stdlib.h>

/* A node that a file says something with. Lists of them are sorted: lower layers, earlier files. */
typedef struct Item {
        Node *node;
        unsigned layer;
        size_t rank;
} Item;

/* The keys on the way here, innermost first. */
typedef struct Path {
        const struct Path *up;
        const char *key;
} Path;

typedef struct Merger {
        TreeIsAdditive *additive;
        Report *report;
} Merger;

static int merge_items(const Merger *merger, const Path *path, Item *items, size_t n, Node **ret);

static void path_format(const Path *path, Buf *ret) {
        if (!path)
                return;
        path_format(path->up, ret);
        buf_printf(ret, "%s%.64s", path->up ? "." : "", path->key);
}

/* Takes out the keys that are null: no file says them. */
static void drop_nulls(Node *node) {
        Node **place = &node->first;

        while (*place) {
                if (node->type == NODE_MAP && node_is_null(*place)) {
                        *place = (*place)->next;
                        node->n--;
                } else {
                        drop_nulls(*place);
                        place = &(*place)->next;
                }
        }
}

static int compare_keys(const void *a, const void *b) {
        return strcmp((*(Node *const *)a)->key, (*(Node *const *)b)->key);
}

static int spell(const Node *node, Buf *ret);

/* In the order of the keys, which means nothing. */
static int spell_map(const Node *map, Buf *ret) {
        _cleanup_(freep) const Node **children = calloc(MAX(map->n, (size_t)1), sizeof(Node *));
        size_t n = 0;
        int r = 0;

        if (!children)
                return -ENOMEM;
        for (const Node *child = map->first; child; child = child->next)
                children[n++] = child;
        qsort(children, n, sizeof(Node *), compare_keys);
        for (size_t i = 0; i < n && r == 0; i++) {
                buf_printf(ret, "%zu:%s", strlen(children[i]->key), children[i]->key);
                r = spell(children[i], ret);
        }
        return r;
}

/* Text that is the same for nodes that say the same, and different for all others. */
static int spell(const Node *node, Buf *ret) {
        int r = 0;

        switch (node->type) {
        case NODE_SCALAR:
                if (node_is_null(node))
                        buf_addc(ret, '~');
                else
                        buf_printf(ret, "%zu:%s", strlen(node->text), node->text);
                break;
        case NODE_LIST:
                buf_addc(ret, '[');
                for (const Node *child = node->first; child && r == 0; child = child->next)
                        r = spell(child, ret);
                buf_addc(ret, ']');
                break;
        case NODE_MAP:
                buf_addc(ret, '{');
                r = spell_map(node, ret);
                buf_addc(ret, '}');
                break;
        case _NODE_TYPE_N:
                break;
        }
        return r < 0 ? r : buf_error(ret);
}

/* How nodes under one key meet. */
typedef enum Meeting {
        MEETING_VALUE, /* one wins */
        MEETING_UNITE,
        MEETING_MERGE,
} Meeting;

static Meeting item_meeting(const Merger *merger, const Path *path, const Item *item) {
        if (item->node->type == NODE_MAP)
                return MEETING_MERGE;
        if (item->node->type == NODE_LIST && path && merger->additive(path->key))
                return MEETING_UNITE;
        return MEETING_VALUE;
}

/* `key: null` hides what the same and the lower layers say: returns how many items that are. */
static size_t items_hidden(const Item *items, size_t n) {
        size_t hidden = n;

        while (hidden > 0 && !node_is_null(items[hidden - 1].node))
                hidden--;
        if (hidden > 0)
                while (hidden < n && items[hidden].layer == items[hidden - 1].layer)
                        hidden++;
        return hidden;
}

/* The first of the last items, those of one layer. */
static size_t layer_begin(const Item *items, size_t n) {
        size_t first = n - 1;

        while (first > 0 && items[first - 1].layer == items[n - 1].layer)
                first--;
        return first;
}

static void complain(const Merger *merger, const Path *path, const Node *a, const Node *b) {
        _cleanup_(buf_deinit) Buf place = {}, keys = {};
        bool texts = a->type == NODE_SCALAR && b->type == NODE_SCALAR;

        path_format(path, &keys);
        location_format(a->at, &place);
        if (texts)
                report_add(merger->report, b->at, buf_text(&keys),
                           "'%.64s' contradicts '%.64s' at %s", b->text, a->text, buf_text(&place));
        else
                report_add(merger->report, b->at, buf_text(&keys), "%s here contradicts %s at %s",
                           node_type_name(b->type), node_type_name(a->type), buf_text(&place));
        report_hint(merger->report, "files of one folder must agree; a higher folder overrides");
        if (buf_error(&place) < 0 || buf_error(&keys) < 0)
                merger->report->failed = true;
}

/* All must say the same. */
static int merge_values(const Merger *merger, const Path *path, const Item *items, size_t n) {
        _cleanup_(buf_deinit) Buf first = {}, other = {};
        int r;

        drop_nulls(items[0].node);
        r = spell(items[0].node, &first);
        for (size_t i = 1; i < n && r == 0; i++) {
                drop_nulls(items[i].node);
                buf_reset(&other);
                r = spell(items[i].node, &other);
                if (r == 0 && !streq(buf_text(&first), buf_text(&other)))
                        complain(merger, path, items[0].node, items[i].node);
        }
        return r;
}

/* An entry of a list that unites with others. */
typedef struct Entry {
        Node *node;
        size_t rank;
        size_t offset;        /* of its spelling, while that text still grows */
        const char *spelling; /* afterwards */
        bool lost;
} Entry;

static int compare_spellings(const void *a, const void *b) {
        const Entry *x = a, *y = b;
        int order = strcmp(x->spelling, y->spelling);

        return order != 0 ? order : x->rank < y->rank ? -1 : 1;
}

static int compare_ranks(const void *a, const void *b) {
        return ((const Entry *)a)->rank < ((const Entry *)b)->rank ? -1 : 1;
}

static int spell_entries(const Item *items, size_t n, Entry *entries, Buf *spellings) {
        size_t count = 0;
        int r;

        for (size_t i = 0; i < n; i++) {
                for (Node *node = items[i].node->first; node; node = node->next) {
                        entries[count] = (Entry){ .node = node, .rank = count };
                        entries[count++].offset = spellings->size;
                        r = spell(node, spellings);
                        if (r < 0)
                                return r;
                        buf_addc(spellings, '\0');
                }
        }
        for (size_t i = 0; i < count; i++)
                entries[i].spelling = buf_text(spellings) + entries[i].offset;
        return buf_error(spellings);
}

static void relink_entries(Node *list, Entry *entries, size_t n) {
        Node **tail = &list->first;

        list->n = 0;
        for (size_t i = 0; i < n; i++) {
                if (entries[i].lost)
                        continue;
                *tail = entries[i].node;
                tail = &entries[i].node->next;
                list->n++;
        }
        *tail = NULL;
}

/* Lower layers first, equal entries once. */
static int merge_lists(const Item *items, size_t n, Node *ret) {
        _cleanup_(buf_deinit) Buf spellings = {};
        _cleanup_(freep) Entry *entries = NULL;
        size_t count = 0;
        int r;

        for (size_t i = 0; i < n; i++) {
                drop_nulls(items[i].node);
                count += items[i].node->n;
        }
        entries = calloc(MAX(count, (size_t)1), sizeof(Entry));
        if (!entries)
                return -ENOMEM;
        r = spell_entries(items, n, entries, &spellings);
        if (r < 0)
                return r;
        qsort(entries, count, sizeof(Entry), compare_spellings);
        for (size_t i = 1; i < count; i++)
                entries[i].lost = streq(entries[i].spelling, entries[i - 1].spelling);
        qsort(entries, count, sizeof(Entry), compare_ranks);
        relink_entries(ret, entries, count);
        return 0;
}

static int compare_items_by_key(const void *a, const void *b) {
        const Item *x = a, *y = b;
        int order = strcmp(x->node->key, y->node->key);

        return order != 0 ? order : x->rank < y->rank ? -1 : 1;
}

static int compare_items_by_rank(const void *a, const void *b) {
        return ((const Item *)a)->rank < ((const Item *)b)->rank ? -1 : 1;
}

/* Merges the children, sorted by key, in place: one item per key is left. Returns how many. */
static int merge_keys(const Merger *merger, const Path *path, Item *children, size_t n,
                      size_t *ret) {
        size_t kept = 0, end;
        int r;

        for (size_t begin = 0; begin < n; begin = end) {
                Path key = { .up = path, .key = children[begin].node->key };
                Item merged = { .rank = children[begin].rank };

                for (end = begin + 1; end < n; end++)
                        if (!streq(children[end].node->key, key.key))
                                break;
                r = merge_items(merger, &key, children + begin, end - begin, &merged.node);
                if (r < 0)
                        return r;
                if (merged.node)
                        children[kept++] = merged;
        }
        *ret = kept;
        return 0;
}

static int merge_maps(const Merger *merger, const Path *path, const Item *items, size_t n,
                      Node *ret) {
        _cleanup_(freep) Item *children = NULL;
        Node **tail = &ret->first;
        size_t count = 0;
        int r;

        for (size_t i = 0; i < n; i++)
                count += items[i].node->n;
        children = calloc(MAX(count, (size_t)1), sizeof(Item));
        if (!children)
                return -ENOMEM;
        count = 0;
        for (size_t i = 0; i < n; i++) {
                for (Node *child = items[i].node->first; child; child = child->next, count++)
                        children[count] = (Item){ child, items[i].layer, count };
        }
        qsort(children, count, sizeof(Item), compare_items_by_key);
        r = merge_keys(merger, path, children, count, &count);
        if (r < 0)
                return r;
        qsort(children, count, sizeof(Item), compare_items_by_rank);
        for (size_t i = 0; i < count; i++) {
                *tail = children[i].node;
                tail = &children[i].node->next;
        }
        *tail = NULL;
        ret->n = count;
        return 0;
}

/* Whether the items are all of one kind; if only some are, that is a contradiction. */
static bool layer_joins(const Merger *merger, const Path *path, const Item *items, size_t n,
                        Meeting meeting) {
        const Item *joining = NULL, *other = NULL;

        for (size_t i = 0; i < n; i++) {
                if (item_meeting(merger, path, &items[i]) == meeting)
                        joining = joining ?: &items[i];
                else
                        other = other ?: &items[i];
        }
        if (joining && other)
                complain(merger, path, MIN(joining, other)->node, MAX(joining, other)->node);
        return !other;
}

/*
 * How many of the last items take part: the highest layer decides what the key is, lower layers
 * join as long as they say the same kind of thing. 0 if the highest contradicts itself.
 */
static size_t items_joining(const Merger *merger, const Path *path, const Item *items, size_t n) {
        Meeting meeting = item_meeting(merger, path, &items[n - 1]);
        size_t begin = n, first;

        do {
                first = layer_begin(items, begin);
                if (!layer_joins(merger, path, items + first, begin - first, meeting))
                        break;
                begin = first;
        } while (begin > 0 && meeting != MEETING_VALUE);
        return n - begin;
}

/* Merges what is said under one key: to NULL if that is nothing. */
static int merge_items(const Merger *merger, const Path *path, Item *items, size_t n, Node **ret) {
        size_t hidden = items_hidden(items, n), joining;
        Node *top;
        int r = 0;

        *ret = NULL;
        if (hidden == n)
                return 0;
        items += hidden;
        n -= hidden;
        top = items[layer_begin(items, n)].node;
        joining = n > 1 ? items_joining(merger, path, items, n) : 1;
        items += n - joining;
        if (joining <= 1) {
                drop_nulls(top);
        } else {
                switch (item_meeting(merger, path, items)) {
                case MEETING_VALUE:
                        r = merge_values(merger, path, items, joining);
                        break;
                case MEETING_UNITE:
                        r = merge_lists(items, joining, top);
                        break;
                case MEETING_MERGE:
                        r = merge_maps(merger, path, items, joining, top);
                        break;
                }
        }
        *ret = top;
        return r;
}

static int compare_layers(const void *a, const void *b) {
        const Item *x = a, *y = b;

        if (x->layer != y->layer)
                return x->layer < y->layer ? -1 : 1;
        return x->rank < y->rank ? -1 : 1;
}

int tree_merge(Arena *arena, TreeLayer *layers, size_t n, TreeIsAdditive *additive, Report *report,
               Node **ret) {
        Merger merger = { .additive = additive, .report = report };
        _cleanup_(freep) Item *items = calloc(MAX(n, (size_t)1), sizeof(Item));
        size_t count = 0;
        Node *root;
        int r;

        if (!items)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                if (layers[i].root)
                        items[count++] = (Item){ layers[i].root, layers[i].layer, i };
        qsort(items, count, sizeof(Item), compare_layers);
        r = merge_items(&merger, NULL, items, count, &root);
        if (r < 0)
                return r;
        if (!root) {
                root = arena_new(arena, Node);
                if (!root)
                        return -ENOMEM;
                root->type = NODE_MAP;
        }
        *ret = root;
        return report_error(report);
}
