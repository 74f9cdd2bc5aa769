/* SPDX-License-Identifier: MIT */
/*
 * What a file stops mentioning can only be undone by who remembers having done it. The kernel marks
 * links, routes and addresses for us, but not namespaces, sysctls, or the value that a key had on
 * somebody else's link: that is what the record is for.
 *
 * A change is one line of JSON, so that the journal can be appended to, cut off anywhere, and read
 * by people:
 *
 *     {"path":"ns1/eth0","made":true,"netns":4026532251,"ifindex":2}
 *     {"path":"ns1/eth0","key":"mtu","set":"1400"}
 *     {"path":"enp0s9","key":"mtu","set":"1400","was":"1500"}
 *     {"forget":"enp0s9","key":"mtu"}
 *     {"forget":"ns1/eth0"}
 */

/* Running out of memory is an error like any other: the element's hh.tbl is NULL afterwards. */
#define HASH_NONFATAL_OOM 1

#include "mvnet/record.h"

#include <errno.h>
#include <json-c/json.h>
#include <limits.h>

/* Beyond these a line is not ours: a path is two names and an object's key, a value a long list. */
#define PATH_SIZE_MAX ((size_t)1024)
#define KEY_SIZE_MAX ((size_t)256)
#define VALUE_SIZE_MAX ((size_t)256 * 1024)
#define LINE_SIZE_MAX ((size_t)2 * 1024 * 1024) /* every byte may be escaped to six */

void record_deinit(Record *record) {
        HASH_CLEAR(by_link, record->links);
        HASH_CLEAR(hh, record->entries);
        HASH_CLEAR(hh, record->claims);
        arena_deinit(&record->arena);
        *record = (Record){};
}

RecordEntry *record_find(const Record *record, const char *path) {
        RecordEntry *entry;

        HASH_FIND_STR(record->entries, path, entry);
        return entry;
}

/* Two members side by side, without padding: hashed as bytes. */
#define LINK_KEY_SIZE (sizeof(uint64_t) + sizeof(int))
_Static_assert(offsetof(RecordEntry, ifindex) == offsetof(RecordEntry, netns) + sizeof(uint64_t),
               "netns and ifindex are one key");

RecordEntry *record_find_link(const Record *record, uint64_t netns, int ifindex) {
        RecordEntry key = {.netns = netns, .ifindex = ifindex}, *entry;

        HASH_FIND(by_link, record->links, &key.netns, LINK_KEY_SIZE, entry);
        return entry;
}

bool record_is_link(const RecordEntry *entry, const Link *have) {
        const RecordRow *group = record_row(entry, schema_row(&link_schema, LINK_GROUP)->key);
        _cleanup_(buf_deinit) Buf text = {};
        const Value *value = attrset_has(&have->common, LINK_GROUP)
                                     ? &have->common.values[LINK_GROUP] : NULL;

        if (!entry->made)
                return true;
        link_path(have, &text);
        if (streq(buf_text(&text), entry->path))
                return true;
        if (!value || value->number == LINK_GROUP_OURS)
                return value;
        buf_reset(&text);
        value_format(schema_row(&link_schema, LINK_GROUP), value, &text);
        return group && streq_ptr(group->set, buf_text(&text));
}

RecordEntry *record_of_link(const Record *record, const Link *have) {
        RecordEntry *entry = record_find_link(record, have->netns->cookie, have->ifindex);

        return entry && record_is_link(entry, have) ? entry : NULL;
}

static bool is_made_link(const RecordEntry *entry) {
        return entry->made && entry->netns != 0 && entry->ifindex != 0 &&
               !strchr(entry->path, ' ');
}

static void index_remove(Record *record, RecordEntry *entry) {
        if (entry->indexed)
                HASH_DELETE(by_link, record->links, entry);
        entry->indexed = false;
}

static int index_add(Record *record, RecordEntry *entry) {
        if (!is_made_link(entry))
                return 0;
        HASH_ADD(by_link, record->links, netns, LINK_KEY_SIZE, entry);
        entry->indexed = entry->by_link.tbl;
        return entry->indexed ? 0 : -ENOMEM;
}

const char *record_claimed_by(const Record *record, const char *path) {
        RecordClaim *claim;

        HASH_FIND_STR(record->claims, path, claim);
        return claim ? claim->configuration : NULL;
}

static RecordRow *entry_find_row(const RecordEntry *entry, const char *key) {
        for (RecordRow *row = entry->rows; row; row = row->next)
                if (streq(row->key, key))
                        return row;
        return NULL;
}

const RecordRow *record_row(const RecordEntry *entry, const char *key) {
        return entry_find_row(entry, key);
}

static int record_add(Record *record, const char *path, RecordEntry **ret) {
        RecordEntry *entry;

        if (path[0] == '\0' || strlen(path) > PATH_SIZE_MAX)
                return -EINVAL;
        entry = arena_new(&record->arena, RecordEntry);
        if (!entry || !(entry->path = arena_strdup(&record->arena, path)))
                return -ENOMEM;
        HASH_ADD_KEYPTR(hh, record->entries, entry->path, strlen(entry->path), entry);
        if (!entry->hh.tbl)
                return -ENOMEM;
        *ret = entry;
        return 0;
}

/*
 * An entry that only announced what was about to be made has no identity yet: getting one keeps
 * its rows. Another identity is another object, of which nothing is known.
 */
static bool entry_is_other(const RecordEntry *entry, uint64_t netns, int ifindex) {
        return (entry->netns != 0 && entry->netns != netns) ||
               (entry->ifindex != 0 && entry->ifindex != ifindex);
}

int record_made(Record *record, const char *path, uint64_t netns, int ifindex, bool made) {
        RecordEntry *entry = record_find(record, path);
        int r;

        if (!entry) {
                r = record_add(record, path, &entry);
                if (r < 0)
                        return r;
        } else if (entry->netns == netns && entry->ifindex == ifindex && entry->made == made) {
                return 1;
        } else if (entry_is_other(entry, netns, ifindex)) {
                entry->rows = NULL;
        }
        index_remove(record, entry);
        entry->netns = netns;
        entry->ifindex = ifindex;
        entry->made = made;
        return index_add(record, entry);
}

static int entry_add_row(Record *record, RecordEntry *entry, const char *key, const char *set,
                         const char *was) {
        RecordRow *row, **end = &entry->rows;

        if (key[0] == '\0' || strlen(key) > KEY_SIZE_MAX)
                return -EINVAL;
        if (strlen(set) > VALUE_SIZE_MAX || (was && strlen(was) > VALUE_SIZE_MAX))
                return -E2BIG;
        row = arena_new(&record->arena, RecordRow);
        if (!row)
                return -ENOMEM;
        row->key = arena_strdup(&record->arena, key);
        row->set = arena_strdup(&record->arena, set);
        row->was = arena_strdup(&record->arena, was);
        if (!row->key || !row->set || (was && !row->was))
                return -ENOMEM;
        while (*end)
                end = &(*end)->next;
        *end = row;
        return 0;
}

int record_set_row(Record *record, const char *path, const char *key, const char *set,
                   const char *was) {
        RecordEntry *entry = record_find(record, path);
        RecordRow *row = entry ? entry_find_row(entry, key) : NULL;
        const char *copy;
        int r;

        if (!row) {
                r = entry ? 0 : record_add(record, path, &entry);
                return r < 0 ? r : entry_add_row(record, entry, key, set, was);
        }
        /* What is found now may be our own doing: the first value found stays. */
        if (streq(row->set, set))
                return 1;
        if (strlen(set) > VALUE_SIZE_MAX)
                return -E2BIG;
        copy = arena_strdup(&record->arena, set);
        if (!copy)
                return -ENOMEM;
        row->set = copy;
        return 0;
}

int record_forget_row(Record *record, const char *path, const char *key) {
        RecordEntry *entry = record_find(record, path);

        if (!entry)
                return 1;
        for (RecordRow **row = &entry->rows; *row; row = &(*row)->next)
                if (streq((*row)->key, key)) {
                        *row = (*row)->next;
                        return 0;
                }
        return 1;
}

int record_forget(Record *record, const char *path) {
        RecordEntry *entry = record_find(record, path);

        if (!entry)
                return 1;
        index_remove(record, entry);
        HASH_DEL(record->entries, entry);
        return 0;
}

int record_claim(Record *record, const char *path, const char *configuration) {
        RecordClaim *claim;

        HASH_FIND_STR(record->claims, path, claim);
        if (claim)
                return 1;
        claim = arena_new(&record->arena, RecordClaim);
        if (!claim)
                return -ENOMEM;
        claim->path = arena_strdup(&record->arena, path);
        claim->configuration = arena_strdup(&record->arena, configuration);
        if (!claim->path || !claim->configuration)
                return -ENOMEM;
        HASH_ADD_KEYPTR(hh, record->claims, claim->path, strlen(claim->path), claim);
        return claim->hh.tbl ? 0 : -ENOMEM;
}

/*
 * Reading. A member is there or not, and of the right type and a fair size, or the line is bad.
 * Members that are not known are ignored: a later version may write more.
 */

static int get_text(struct json_object *line, const char *name, size_t max, const char **ret) {
        struct json_object *member;
        size_t size;

        if (!json_object_object_get_ex(line, name, &member))
                return RECORD_E_BAD_LINE;
        if (!json_object_is_type(member, json_type_string))
                return RECORD_E_BAD_LINE;
        size = (size_t)json_object_get_string_len(member);
        *ret = json_object_get_string(member);
        if (size > max || strlen(*ret) != size) /* \u0000 */
                return RECORD_E_BAD_LINE;
        return 0;
}

static int get_number(struct json_object *line, const char *name, uint64_t max, uint64_t *ret) {
        struct json_object *member;

        if (!json_object_object_get_ex(line, name, &member) ||
            !json_object_is_type(member, json_type_int))
                return RECORD_E_BAD_LINE;
        if (json_object_get_int64(member) < 0)
                return RECORD_E_BAD_LINE;
        *ret = json_object_get_uint64(member);
        return *ret <= max ? 0 : RECORD_E_BAD_LINE;
}

/* A line that says nothing new is as good as any. */
static int applied(int r) {
        return r < 0 ? r : 0;
}

static int replay_forget(Record *record, struct json_object *line) {
        const char *path = NULL, *key = NULL;
        struct json_object *member;
        int r;

        r = get_text(line, "forget", PATH_SIZE_MAX, &path);
        if (r != 0)
                return r;
        if (!json_object_object_get_ex(line, "key", &member))
                return applied(record_forget(record, path));
        r = get_text(line, "key", KEY_SIZE_MAX, &key);
        return r != 0 ? r : applied(record_forget_row(record, path, key));
}

static int replay_row(Record *record, const char *path, struct json_object *line) {
        const char *key = NULL, *set = NULL, *was = NULL;
        struct json_object *member;

        if (get_text(line, "key", KEY_SIZE_MAX, &key) != 0 || key[0] == '\0' ||
            get_text(line, "set", VALUE_SIZE_MAX, &set) != 0)
                return RECORD_E_BAD_LINE;
        if (json_object_object_get_ex(line, "was", &member) &&
            get_text(line, "was", VALUE_SIZE_MAX, &was) != 0)
                return RECORD_E_BAD_LINE;
        return applied(record_set_row(record, path, key, set, was));
}

static int replay_entry(Record *record, const char *path, struct json_object *line) {
        uint64_t netns = 0, ifindex = 0;
        struct json_object *made;

        if (!json_object_object_get_ex(line, "made", &made) ||
            !json_object_is_type(made, json_type_boolean) ||
            get_number(line, "netns", UINT64_MAX, &netns) != 0 ||
            get_number(line, "ifindex", INT_MAX, &ifindex) != 0)
                return RECORD_E_BAD_LINE;
        return applied(record_made(record, path, netns, (int)ifindex,
                                   json_object_get_boolean(made)));
}

static int replay_line(Record *record, struct json_object *line) {
        const char *path = NULL;
        struct json_object *member;

        if (!json_object_is_type(line, json_type_object))
                return RECORD_E_BAD_LINE;
        if (json_object_object_get_ex(line, "forget", &member))
                return replay_forget(record, line);
        if (get_text(line, "path", PATH_SIZE_MAX, &path) != 0 || path[0] == '\0')
                return RECORD_E_BAD_LINE;
        return json_object_object_get_ex(line, "key", &member) ? replay_row(record, path, line)
                                                               : replay_entry(record, path, line);
}

int record_replay(Record *record, const char *line, size_t size) {
        struct json_tokener *tokener;
        struct json_object *object;
        int r = RECORD_E_BAD_LINE;

        if (size == 0 || size > LINE_SIZE_MAX)
                return RECORD_E_BAD_LINE;
        tokener = json_tokener_new_ex(2); /* nothing nests in a line of ours */
        if (!tokener)
                return -ENOMEM;
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
        object = json_tokener_parse_ex(tokener, line, (int)size);
        if (object && json_tokener_get_parse_end(tokener) == size)
                r = replay_line(record, object);
        json_object_put(object);
        json_tokener_free(tokener);
        return r;
}

/* Writing. `object` is always used up; NULL members stand for being out of memory. */

static bool add_member(struct json_object *object, const char *name, struct json_object *value) {
        if (value && json_object_object_add(object, name, value) == 0)
                return true;
        json_object_put(value);
        return false;
}

static bool add_text(struct json_object *object, const char *name, const char *text) {
        size_t size = strlen(text);

        return size <= VALUE_SIZE_MAX &&
               add_member(object, name, json_object_new_string_len(text, (int)size));
}

static void add_line(struct json_object *object, bool complete, Buf *ret) {
        const int style = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE;
        const char *text = complete ? json_object_to_json_string_ext(object, style) : NULL;

        if (text) {
                buf_add(ret, text);
                buf_addc(ret, '\n');
        } else {
                ret->failed = true;
        }
        json_object_put(object);
}

void record_format_made(const RecordEntry *entry, Buf *ret) {
        struct json_object *line = json_object_new_object();

        add_line(line,
                 line && add_text(line, "path", entry->path) &&
                         add_member(line, "made", json_object_new_boolean(entry->made)) &&
                         add_member(line, "netns", json_object_new_uint64(entry->netns)) &&
                         add_member(line, "ifindex", json_object_new_int(entry->ifindex)),
                 ret);
}

void record_format_row(const char *path, const RecordRow *row, Buf *ret) {
        struct json_object *line = json_object_new_object();

        add_line(line,
                 line && add_text(line, "path", path) && add_text(line, "key", row->key) &&
                         add_text(line, "set", row->set) &&
                         (!row->was || add_text(line, "was", row->was)),
                 ret);
}

void record_format_entry(const RecordEntry *entry, Buf *ret) {
        record_format_made(entry, ret);
        for (const RecordRow *row = entry->rows; row; row = row->next)
                record_format_row(entry->path, row, ret);
}

void record_format_forget(const char *path, const char *key, Buf *ret) {
        struct json_object *line = json_object_new_object();

        add_line(line,
                 line && add_text(line, "forget", path) && (!key || add_text(line, "key", key)),
                 ret);
}
