/* SPDX-License-Identifier: MIT */
/*
 * The only file that knows libyaml. It takes events rather than libyaml's own documents, because
 * these recurse, copy everything and let an alias bomb go off; what libyaml would misread, or
 * read in more than linear time, is refused before it sees it.
 */

#include "mvnet/tree.h"
#include "mvnet/utf8.h"

#include "config/syntax.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <yaml.h>

/* The file ends here, for us: what is wrong with it is in the report. */
enum { READER_E_REFUSED = 1 };

/* Something that an alias may repeat. The node is NULL while it is still being read. */
typedef struct Anchor {
        const char *name;
        Node *node;
        size_t nodes;    /* in it, itself included */
        unsigned height; /* levels of lists and maps in it */
} Anchor;

/* A list or map that is still being read. */
typedef struct Frame {
        Node *node;
        Node **tail;
        const char *key; /* of a map, read already, while its value is still to come */
        Location key_at;
        bool merge;   /* that key is a plain << */
        Node *merged; /* the value of the first such key */
        Anchor *anchor;
        size_t nodes_before;
        unsigned height;
} Frame;

typedef struct Reader {
        Arena *arena;
        const Source *source;
        TreeBudget *budget;
        Report *report;
        yaml_parser_t parser;
        void *anchors; /* a tsearch() tree: no hash that a file could make collide */
        Frame frames[TREE_DEPTH_MAX];
        unsigned depth;
        Node *root;
        size_t index, offset, line_start; /* the place found last: in characters, in bytes */
        unsigned line;
} Reader;

/*
 * libyaml counts characters, we count bytes. Events come in the order of the text, so that all
 * calls together walk it once; an earlier place starts anew.
 */
static Location reader_locate(Reader *reader, size_t index) {
        const char *text = reader->source->text;

        if (index < reader->index)
                reader->index = reader->offset = reader->line_start = reader->line = 0;
        while (reader->index < index && reader->offset < reader->source->size) {
                if (text[reader->offset++] == '\n') {
                        reader->line_start = reader->offset;
                        reader->line++;
                }
                while (utf8_continues(text[reader->offset]))
                        reader->offset++;
                reader->index++;
        }
        return (Location){
                .source = reader->source,
                .line = reader->line + 1,
                .column = (unsigned)(reader->offset - reader->line_start) + 1,
        };
}

/* The keys on the way to what is being read: interfaces.br0. */
static const char *reader_path(const Reader *reader, Buf *buf) {
        buf_reset(buf);
        for (unsigned i = 0; i < reader->depth; i++)
                if (reader->frames[i].key)
                        buf_printf(buf, "%s%.64s", buf->size > 0 ? "." : "", reader->frames[i].key);
        return buf_text(buf);
}

static void reader_complain(Reader *reader, Location at, const char *format, ...) _printf_(3, 4);

static void reader_complain(Reader *reader, Location at, const char *format, ...) {
        _cleanup_(buf_deinit) Buf path = {}, text = {};
        va_list ap;

        if (reader->report->n < REPORT_KEPT_MAX) {
                va_start(ap, format);
                buf_vprintf(&text, format, ap);
                va_end(ap);
        }
        report_add(reader->report, at, reader_path(reader, &path), "%s", buf_text(&text));
        if (buf_error(&path) < 0 || buf_error(&text) < 0)
                reader->report->failed = true;
}

static int reader_charge(Reader *reader, Location at, size_t nodes) {
        if (nodes > TREE_NODES_MAX - reader->budget->nodes) {
                reader_complain(reader, at, "more than %zu values, counted as often as aliases "
                                            "repeat them", TREE_NODES_MAX);
                return READER_E_REFUSED;
        }
        reader->budget->nodes += nodes;
        return 0;
}

static int reader_too_deep(Reader *reader, Location at) {
        reader_complain(reader, at, "lists and maps nested more than %d deep", TREE_DEPTH_MAX);
        return READER_E_REFUSED;
}

static Frame *reader_top(Reader *reader) {
        return reader->depth > 0 ? &reader->frames[reader->depth - 1] : NULL;
}

static bool reader_wants_key(Reader *reader) {
        const Frame *top = reader_top(reader);

        return top && top->node->type == NODE_MAP && !top->key;
}

static int reader_refuse_key(Reader *reader, Location at, const char *what) {
        reader_complain(reader, at, "a key is a plain word, not %s", what);
        syntax_hint_quote(reader->report, at);
        return READER_E_REFUSED;
}

static int reader_node(Reader *reader, NodeType type, Location at, Node **ret) {
        int r = reader_charge(reader, at, 1);

        if (r != 0)
                return r;
        *ret = arena_new(reader->arena, Node);
        if (!*ret)
                return -ENOMEM;
        **ret = (Node){ .type = type, .at = at };
        return 0;
}

/* Puts a value where it belongs: under the open list, under the key just read, or at the top. */
static void reader_attach(Reader *reader, Node *node, unsigned height) {
        Frame *top = reader_top(reader);

        if (!top) {
                reader->root = node;
                return;
        }
        if (top->key) {
                node->key = top->key;
                node->key_at = top->key_at;
                if (top->merge && !top->merged)
                        top->merged = node;
                top->key = NULL;
        }
        *top->tail = node;
        top->tail = &node->next;
        top->node->n++;
        top->height = MAX(top->height, height + 1);
}

static int anchor_compare(const void *a, const void *b) {
        return strcmp(((const Anchor *)a)->name, ((const Anchor *)b)->name);
}

/* The tree only points to anchors, and these live in the arena. */
static void anchor_forget(void *anchor _unused_) {
}

/* A name may be given again: aliases mean the last one before them. */
static int reader_anchor(Reader *reader, const yaml_char_t *name, Anchor **ret) {
        Anchor *anchor = arena_new(reader->arena, Anchor), **found;

        if (!anchor)
                return -ENOMEM;
        anchor->name = arena_strdup(reader->arena, (const char *)name);
        if (!anchor->name)
                return -ENOMEM;
        found = tsearch(anchor, &reader->anchors, anchor_compare);
        if (!found)
                return -ENOMEM;
        *found = *ret = anchor;
        return 0;
}

/* An event with an anchor and a tag begins at whichever comes first; only '&' can precede '!'. */
static void reader_refuse_tag(Reader *reader, size_t index) {
        static const char name[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789_-";
        Location at = reader_locate(reader, index);
        const char *start = reader->source->text + reader->offset;
        size_t before = *start == '&' ? 1 + strspn(start + 1, name) : 0;

        before += strspn(start + before, " \t\r\n");
        if (start[before] == '!')
                at = reader_locate(reader, index + before);
        reader_complain(reader, at, "tags are not allowed: what a value is, its key says");
        report_hint(reader->report, "a value that begins with '!' must be quoted");
}

static int reader_text(Reader *reader, const yaml_event_t *event, Location at, const char **ret) {
        const char *value = (const char *)event->data.scalar.value;
        size_t length = event->data.scalar.length;

        if (memchr(value, '\0', length))
                reader_complain(reader, at, "a NUL character ('\\0') is not allowed in a value");
        *ret = arena_strndup(reader->arena, value, length);
        return *ret ? 0 : -ENOMEM;
}

static bool scalar_is_plain(const yaml_event_t *event) {
        return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static int reader_key(Reader *reader, const yaml_event_t *event) {
        Frame *top = reader_top(reader);
        const char *key;
        int r;

        top->key_at = reader_locate(reader, event->start_mark.index);
        if (event->data.scalar.anchor)
                reader_complain(reader, top->key_at,
                                "an anchor belongs to a value: write it behind the colon");
        if (event->data.scalar.length == 0) {
                reader_complain(reader, top->key_at, "empty key");
                syntax_hint_quote(reader->report, top->key_at);
        }
        r = reader_text(reader, event, top->key_at, &key);
        if (r < 0)
                return r;
        top->merge = scalar_is_plain(event) && streq(key, "<<");
        top->key = key;
        return 0;
}

static int reader_scalar(Reader *reader, const yaml_event_t *event) {
        Location at = reader_locate(reader, event->start_mark.index);
        Anchor *anchor;
        Node *node;
        int r;

        if (event->data.scalar.tag)
                reader_refuse_tag(reader, event->start_mark.index);
        if (reader_wants_key(reader))
                return reader_key(reader, event);
        r = reader_node(reader, NODE_SCALAR, at, &node);
        if (r != 0)
                return r;
        r = reader_text(reader, event, at, &node->text);
        if (r != 0)
                return r;
        node->quoted = !scalar_is_plain(event);
        if (event->data.scalar.anchor) {
                r = reader_anchor(reader, event->data.scalar.anchor, &anchor);
                if (r != 0)
                        return r;
                anchor->node = node;
                anchor->nodes = 1;
        }
        reader_attach(reader, node, 0);
        return 0;
}

static int reader_open(Reader *reader, NodeType type, size_t index, const yaml_char_t *anchor,
                       const yaml_char_t *tag) {
        Location at = reader_locate(reader, index);
        size_t nodes_before = reader->budget->nodes;
        Frame *frame;
        Node *node;
        int r;

        if (tag)
                reader_refuse_tag(reader, index);
        if (reader_wants_key(reader))
                return reader_refuse_key(reader, at, node_type_name(type));
        if (reader->depth == TREE_DEPTH_MAX)
                return reader_too_deep(reader, at);
        r = reader_node(reader, type, at, &node);
        if (r != 0)
                return r;
        frame = &reader->frames[reader->depth];
        *frame = (Frame){ .node = node, .tail = &node->first, .height = 1 };
        frame->nodes_before = nodes_before;
        if (anchor) {
                r = reader_anchor(reader, anchor, &frame->anchor);
                if (r != 0)
                        return r;
        }
        reader->depth++;
        return 0;
}

/*
 * An alias's children stay those of its anchor (`repeated`) until the whole file has proved good:
 * the bomb that aliases can make is counted, not built. Merging relinks children, so it needs some
 * levels of its own.
 */
#define MERGED_LEVELS 3 /* a list of maps of values */

static Node *node_copy(Arena *arena, const Node *node, unsigned levels) {
        Node *copy = arena_new(arena, Node), **tail;

        if (!copy)
                return NULL;
        *copy = *node;
        copy->next = NULL;
        if (levels == 0) {
                copy->repeated = node->first;
                return copy;
        }
        copy->repeated = false;
        tail = &copy->first;
        for (const Node *child = node->first; child; child = child->next) {
                *tail = node_copy(arena, child, levels - 1);
                if (!*tail)
                        return NULL;
                tail = &(*tail)->next;
        }
        return copy;
}

/* Gives every alias children of its own. As deep as the tree, which is not deep. */
static int node_unshare(Arena *arena, Node *node) {
        int r = 0;

        if (node->repeated) {
                Node *whole = node_copy(arena, node, TREE_DEPTH_MAX);

                if (!whole)
                        return -ENOMEM;
                node->first = whole->first;
                node->repeated = false;
                return 0;
        }
        for (Node *child = node->first; child && r == 0; child = child->next)
                r = node_unshare(arena, child);
        return r;
}

/* Whether this is, or is in the list that is, the value of a `<<`. */
static bool reader_is_merging(const Reader *reader) {
        const Frame *top = reader->depth ? &reader->frames[reader->depth - 1] : NULL;

        if (!top)
                return false;
        return top->merge || (top->node->type == NODE_LIST && reader->depth > 1 && top[-1].merge);
}

/* What stands where an alias leads nowhere, so that reading can go on. */
static int reader_bad_alias(Reader *reader, Location at, const char *name, const char *why) {
        Node *node;
        int r;

        reader_complain(reader, at, "'*%.64s' %s", name, why);
        report_hint(reader->report, "a value that begins with '*' must be quoted");
        r = reader_node(reader, NODE_SCALAR, at, &node);
        if (r != 0)
                return r;
        node->text = "";
        reader_attach(reader, node, 0);
        return 0;
}

static int reader_alias(Reader *reader, const yaml_event_t *event) {
        Location at = reader_locate(reader, event->start_mark.index);
        Anchor wanted = { .name = (const char *)event->data.alias.anchor }, **found, *anchor;
        Node *copy;
        int r;

        if (reader_wants_key(reader))
                return reader_refuse_key(reader, at, "an alias");
        found = tfind(&wanted, &reader->anchors, anchor_compare);
        if (!found)
                return reader_bad_alias(reader, at, wanted.name, "has no '&' anchor before it");
        anchor = *found;
        if (!anchor->node)
                return reader_bad_alias(reader, at, wanted.name, "would contain itself");
        if (reader->depth + anchor->height > TREE_DEPTH_MAX)
                return reader_too_deep(reader, at);
        r = reader_charge(reader, at, anchor->nodes);
        if (r != 0)
                return r;
        copy = node_copy(reader->arena, anchor->node,
                         reader_is_merging(reader) ? MERGED_LEVELS : 0);
        if (!copy)
                return -ENOMEM;
        copy->key = NULL;
        reader_attach(reader, copy, anchor->height);
        return 0;
}

/* A child of a map, own or merged, and its rank: own ones first, then the merged maps in order. */
typedef struct Entry {
        Node *node;
        size_t rank;
        bool merged, lost;
} Entry;

static int entry_compare_key(const void *a, const void *b) {
        const Entry *x = a, *y = b;
        int order = strcmp(x->node->key, y->node->key);

        return order != 0 ? order : x->rank < y->rank ? -1 : 1;
}

static int entry_compare_rank(const void *a, const void *b) {
        return ((const Entry *)a)->rank < ((const Entry *)b)->rank ? -1 : 1;
}

static size_t entries_add(Entry *entries, size_t n, const Node *map, bool merged) {
        for (Node *child = map->first; child; child = child->next, n++)
                entries[n] = (Entry){ .node = child, .rank = n, .merged = merged };
        return n;
}

/* Sorting finds twins in n log n whatever the keys are; hashing could be made quadratic. */
static void reader_find_twins(Reader *reader, Entry *entries, size_t n) {
        const Entry *first = entries;

        qsort(entries, n, sizeof(Entry), entry_compare_key);
        for (size_t i = 1; i < n; i++) {
                const Node *twin = entries[i].node;
                _cleanup_(buf_deinit) Buf place = {};

                if (!streq(twin->key, first->node->key)) {
                        first = &entries[i];
                        continue;
                }
                entries[i].lost = true;
                if (entries[i].merged || streq(twin->key, ""))
                        continue;
                location_format(first->node->key_at, &place);
                reader_complain(reader, twin->key_at, "'%.64s' is here twice; first at %s",
                                twin->key, buf_text(&place));
        }
}

static void frame_relink(Frame *frame, Entry *entries, size_t n) {
        Node *map = frame->node;

        qsort(entries, n, sizeof(Entry), entry_compare_rank);
        map->n = 0;
        frame->tail = &map->first;
        for (size_t i = 0; i < n; i++) {
                if (entries[i].lost || entries[i].node == frame->merged)
                        continue;
                *frame->tail = entries[i].node;
                frame->tail = &entries[i].node->next;
                map->n++;
        }
        *frame->tail = NULL;
}

/* The children that `<<` brings in, if it is a map or a list of maps. */
static size_t reader_count_merged(Reader *reader, const Node *merged) {
        size_t n = 0;

        if (merged->type == NODE_MAP)
                return merged->n;
        if (merged->type == NODE_SCALAR)
                reader_complain(reader, merged->at, "'<<' takes a map or a list of maps");
        for (const Node *map = merged->first; map; map = map->next) {
                if (map->type == NODE_MAP)
                        n += map->n;
                else
                        reader_complain(reader, map->at, "'<<' takes a map or a list of maps");
        }
        return n;
}

/* Finds keys that are there twice and resolves `<<`: own keys win, then earlier maps. */
static int reader_settle_map(Reader *reader, Frame *frame) {
        const Node *map = frame->node, *merged = frame->merged;
        size_t room = map->n + (merged ? reader_count_merged(reader, merged) : 0), n;
        _cleanup_(freep) Entry *entries = NULL;

        if (room < 2 && !merged)
                return 0;
        entries = calloc(room, sizeof(Entry));
        if (!entries)
                return -ENOMEM;
        n = entries_add(entries, 0, map, false);
        if (merged && merged->type == NODE_MAP)
                n = entries_add(entries, n, merged, true);
        else if (merged)
                for (const Node *one = merged->first; one; one = one->next)
                        if (one->type == NODE_MAP)
                                n = entries_add(entries, n, one, true);
        reader_find_twins(reader, entries, n);
        if (merged)
                frame_relink(frame, entries, n);
        return 0;
}

static int reader_close(Reader *reader) {
        Frame *frame = reader_top(reader);
        int r = 0;

        reader->depth--;
        if (frame->node->type == NODE_MAP)
                r = reader_settle_map(reader, frame);
        if (frame->anchor) {
                frame->anchor->node = frame->node;
                frame->anchor->nodes = reader->budget->nodes - frame->nodes_before;
                frame->anchor->height = frame->height;
        }
        reader_attach(reader, frame->node, frame->height);
        return r;
}

static int reader_event(Reader *reader, const yaml_event_t *event) {
        size_t index = event->start_mark.index;

        switch (event->type) {
        case YAML_SCALAR_EVENT:
                return reader_scalar(reader, event);
        case YAML_ALIAS_EVENT:
                return reader_alias(reader, event);
        case YAML_SEQUENCE_START_EVENT:
                return reader_open(reader, NODE_LIST, index, event->data.sequence_start.anchor,
                                   event->data.sequence_start.tag);
        case YAML_MAPPING_START_EVENT:
                return reader_open(reader, NODE_MAP, index, event->data.mapping_start.anchor,
                                   event->data.mapping_start.tag);
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT:
                return reader_close(reader);
        case YAML_DOCUMENT_END_EVENT:
                reader_locate(reader, event->end_mark.index);
                syntax_check_tail(reader->source, reader->offset, reader->report);
                return 0;
        default:
                return 0;
        }
}

static int reader_syntax(Reader *reader) {
        const yaml_parser_t *parser = &reader->parser;
        Location at, since = {};

        if (!parser->problem) /* out of memory; libyaml 0.2.5 does not always say so in `error` */
                return -ENOMEM;
        if (parser->context)
                since = reader_locate(reader, parser->context_mark.index);
        at = reader_locate(reader, parser->problem_mark.index);
        syntax_explain(reader->report, at, parser->problem, since, parser->context);
        return READER_E_REFUSED;
}

/* What follows the first document is not for libyaml: a million directives cost it hours. */
static int reader_run(Reader *reader) {
        yaml_event_type_t type;
        int r;

        do {
                yaml_event_t event;

                if (!yaml_parser_parse(&reader->parser, &event))
                        return reader_syntax(reader);
                type = event.type;
                r = reader_event(reader, &event);
                yaml_event_delete(&event);
        } while (r == 0 && type != YAML_STREAM_END_EVENT && type != YAML_DOCUMENT_END_EVENT);
        return r;
}

static int reader_root(Reader *reader, Node **ret) {
        Location top = { reader->source, 1, 1 };
        int r;

        if (node_is_null(reader->root)) {
                r = reader_node(reader, NODE_MAP, top, &reader->root);
                if (r != 0)
                        return r;
        }
        if (reader->root->type != NODE_MAP) {
                reader_complain(reader, reader->root->at, "a file is a map of keys, not %s",
                                node_type_name(reader->root->type));
                return READER_E_REFUSED;
        }
        *ret = reader->root;
        return 0;
}

int tree_parse(Arena *arena, const Source *source, TreeBudget *budget, Report *report, Node **ret) {
        Reader reader = { .arena = arena, .source = source, .budget = budget, .report = report };
        size_t problems = report->n;
        Node *root = NULL;
        int r;

        syntax_check(source, report);
        if (report->n == problems) {
                if (!yaml_parser_initialize(&reader.parser))
                        return -ENOMEM;
                yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
                yaml_parser_set_input_string(&reader.parser, (const yaml_char_t *)source->text,
                                             source->size);
                r = reader_run(&reader);
                if (r == 0)
                        r = reader_root(&reader, &root);
                if (r == 0 && report->n == problems)
                        r = node_unshare(arena, root);
                tdestroy(reader.anchors, anchor_forget);
                yaml_parser_delete(&reader.parser);
                if (r < 0)
                        return r;
        }
        *ret = report->n == problems ? root : NULL;
        return report_error(report);
}
