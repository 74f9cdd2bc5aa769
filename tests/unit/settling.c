/* SPDX-License-Identifier: MIT */
/*
 * The daemon's own loop between a fake kernel and a record, with somebody in between who sees every
 * request, and can pull the plug after one of them.
 */

#include "settling.h"

#include "mvnet/config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void remove_record(const char *folder) {
        static const char *const names[] = {"test/journal", "test/lock", "test", ""};

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                char path[64];

                snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
                remove(path);
        }
}

void settling_deinit(Settling *settling) {
        settling->store = store_free(settling->store);
        if (!settling->shared)
                settling->fake = kernel_free(settling->fake);
        remove_record(settling->folder);
        buf_deinit(&settling->log);
}

Network *settling_load(const char *text, Buf *ret_problems) {
        static const uint8_t seed[16] = "a machine's name";
        Report report = {};
        Network *network = NULL;

        assert_int_equal(config_load_text("test.yaml", text, seed, &report, &network), 0);
        if (report.n)
                report_format(&report, false, ret_problems);
        report_deinit(&report);
        return network;
}

static const char *op_name(OpType type) {
        static const char *const names[_OP_TYPE_N] = {
                "netns-add", "netns-del", "link-add", "link-set", "link-move", "link-del",
                "object-add", "object-set", "object-del",
        };

        return names[type];
}

static void describe_rows(const AttrSet *set, RowSet rows, Buf *ret) {
        size_t i;

        ROWSET_FOREACH(i, rows) {
                const Row *row = schema_row(set->schema, i);

                buf_printf(ret, " %s=", row->key);
                if (attrset_has(set, i))
                        value_format(row, &set->values[i], ret);
        }
}

static void describe_op(const Op *op, const OpResult *result, Buf *ret) {
        buf_printf(ret, "%s %s/%s", op_name(op->type), op->netns ? op->netns : "", op->name);
        if (op->object) {
                buf_printf(ret, " %s ", op->object->type->schema.name);
                object_key(op->object, ret);
        } else if (op->type == OP_LINK_ADD || op->type == OP_LINK_SET) {
                if (op->type == OP_LINK_ADD || op->section == SECTION_COMMON)
                        describe_rows(&op->link->common, op->rows[SECTION_COMMON], ret);
                if (op->type == OP_LINK_ADD || op->section == SECTION_OPTIONS)
                        describe_rows(&op->link->options, op->rows[SECTION_OPTIONS], ret);
                if (op->type == OP_LINK_ADD || op->section == SECTION_PORT)
                        describe_rows(&op->link->port, op->rows[SECTION_PORT], ret);
        } else if (op->type == OP_LINK_MOVE) {
                buf_printf(ret, " to %s/%s", op->to.netns, op->to.link);
        }
        buf_printf(ret, ": %s%s%s\n", result->error ? strerrorname_np(-result->error) : "done",
                   result->error ? ", " : "", result->message);
}

static void look_at(Settling *settling, const Op *op, const OpResult *result) {
        settling->sent++;
        settling->refused += result->error != 0;
        if (result->error)
                describe_op(op, result, &settling->log);
        if (settling->loud) {
                _cleanup_(buf_deinit) Buf line = {};

                describe_op(op, result, &line);
                print_message("    %s", buf_text(&line));
        }
}

/* The kernel in between. */

static int pass_resolve(Kernel *kernel, const Network *wanted) {
        return kernel_resolve(((Settling *)kernel)->fake, wanted);
}

static int pass_dump(Kernel *kernel, const Network *scope, Network **ret) {
        return kernel_dump(((Settling *)kernel)->fake, scope, ret);
}

static int pass_apply(Kernel *kernel, const Op *const *ops, size_t n, OpResult *results) {
        Settling *settling = (Settling *)kernel;

        for (size_t i = 0; i < n; i++) {
                int r = kernel_apply(settling->fake, &ops[i], 1, &results[i]);

                if (r < 0)
                        return r;
                kernel->writes++;
                look_at(settling, ops[i], &results[i]);
                if (settling->crash_in && --settling->crash_in == 0)
                        return -EPIPE;
        }
        return 0;
}

static Kernel *pass_free(_unused_ Kernel *kernel) {
        return NULL;
}

static const KernelOps pass_ops = {
        .resolve = pass_resolve,
        .dump = pass_dump,
        .apply = pass_apply,
        .free = pass_free,
};

static void open_store(Settling *settling) {
        assert_int_equal(store_open(settling->folder, "test", 0, 0, &settling->store), 0);
}

static void init(Settling *settling, Kernel *fake, bool shared) {
        *settling = (Settling){
                .kernel.ops = &pass_ops,
                .fake = fake,
                .shared = shared,
                .folder = "/tmp/mvnet-test-XXXXXX",
                .loud = getenv("MVNET_LOUD") != NULL,
        };
        assert_non_null(mkdtemp(settling->folder));
        open_store(settling);
}

void settling_init(Settling *settling) {
        Kernel *fake;

        assert_int_equal(kernel_fake_new(&fake), 0);
        init(settling, fake, false);
}

void settling_init_beside(Settling *settling, const Settling *other) {
        init(settling, other->fake, true);
}

/* Runs. */

static int run(Settling *settling, const Network *wanted, size_t *ret_rounds) {
        SettleOptions options = {.force = true};
        SettleResult result = {};
        int r;

        settling->sent = settling->refused = 0;
        r = settle(&settling->kernel, wanted, settling->store, &options, &result);
        if (r != 0)
                return r;
        assert_int_equal(result.record_error, 0);
        if (settling->loud) {
                _cleanup_(buf_deinit) Buf text = {};

                plan_format(result.plan, 0, &text);
                print_message("%s", buf_text(&text));
        }
        *ret_rounds = result.rounds;
        settle_result_deinit(&result);
        return 0;
}

size_t settling_run(Settling *settling, const Network *wanted) {
        size_t rounds;

        assert_int_equal(run(settling, wanted, &rounds), 0);
        return rounds;
}

void settling_crash(Settling *settling, const Network *wanted, size_t after) {
        size_t rounds;
        int r;

        settling->crash_in = after + 1;
        r = run(settling, wanted, &rounds);
        assert_true(r == 0 || r == -EPIPE);
        settling->crash_in = 0;
        settling->store = store_free(settling->store);
        open_store(settling);
}

static void disown_objects(Object *object) {
        for (; object; object = object->next) {
                int row = schema_find(object->set.schema, "protocol");

                if (row >= 0 && attrset_has(&object->set, (size_t)row))
                        object->set.values[row].number = 0;
        }
}

/* What was put on a link that was there. */
static void disown_recorded(const Record *record, Link *link) {
        for (Object *object = link->objects; object; object = object->next) {
                int row = schema_find(object->set.schema, "protocol");
                _cleanup_(buf_deinit) Buf path = {};

                object_path(link, NULL, object, &path);
                if (row >= 0 && record_find(record, buf_text(&path)))
                        object->set.values[row].number = 0;
        }
}

void settling_disown(Settling *settling) {
        Network *world = kernel_fake_state(settling->fake);
        const Record *record = store_record(settling->store);
        unsigned number = 0;

        for (Namespace *netns = world->namespaces; netns; netns = netns->hh.next)
                for (Link *link = netns->links; link; link = link->hh.next) {
                        if (!record_find_link(record, netns->cookie, link->ifindex)) {
                                disown_recorded(record, link);
                                continue;
                        }
                        attrset_set(&link->common, LINK_GROUP, (Value){});
                        /* A link that is made anew has none, and numbers change with moves. */
                        link->driver = arena_printf(&world->arena, "theirs-%u", number++);
                        assert_non_null(link->driver);
                        disown_objects(link->objects);
                }
        for (Namespace *netns = world->namespaces; netns; netns = netns->hh.next)
                disown_objects(netns->objects);
}

/* Snapshots. */

static void describe_set(const char *prefix, const AttrSet *set, Buf *lines) {
        size_t i;

        ROWSET_FOREACH(i, set->present) {
                const Row *row = schema_row(set->schema, i);

                if (row->flags & ROW_LOCAL)
                        continue;
                buf_printf(lines, "%s %s = ", prefix, row->key);
                value_format(row, &set->values[i], lines);
                buf_addc(lines, '\n');
        }
}

static bool has_line(const Buf *lines, const char *line) {
        const char *at = buf_text(lines);
        size_t n = strlen(line);

        for (; *at; at += strcspn(at, "\n") + 1)
                if (strncmp(at, line, n) == 0 && at[n] == '\n')
                        return true;
        return false;
}

static bool is_touched(const Link *link, const Buf *touched) {
        _cleanup_(buf_deinit) Buf line = {};

        buf_printf(&line, "%s/%s", link->netns->name, link->name);
        return has_line(touched, buf_text(&line));
}

/* A route that leaves by one of them, or takes its source from who knows whom. */
static bool is_of(const Object *object, const Namespace *netns, const Buf *brief) {
        const Value *src = attrset_get(&object->set, "src");
        bool found = src && src->family;
        size_t i;

        ROWSET_FOREACH(i, object->set.present) {
                const AttrType *type = schema_row(object->set.schema, i)->type;
                const Value *value = &object->set.values[i];
                size_t n = type->ref_in ? value->list.n : type->is_ref;

                for (size_t j = 0; j < n; j++) {
                        const Value *ref = type->ref_in ? type->ref_in(&value->list.items[j]) : value;
                        const Link *link = ref->ref.link ? namespace_find_link(netns, ref->ref.link)
                                                         : NULL;

                        found |= link && is_touched(link, brief);
                }
        }
        return found;
}

static void describe_objects(const char *prefix, const Object *object, const Namespace *netns,
                             const Buf *brief, Arena *arena, Buf *lines) {
        for (; object; object = object->next) {
                _cleanup_(buf_deinit) Buf key = {};
                const char *owner;

                if (brief && is_of(object, netns, brief))
                        continue;
                object_key(object, &key);
                owner = arena_printf(arena, "%s %s %s", prefix, object->type->schema.name,
                                     buf_text(&key));
                assert_non_null(owner);
                describe_set(owner, &object->set, lines);
        }
}

static void describe_link(const Link *link, const Buf *brief, Arena *arena, Buf *lines) {
        const char *prefix = arena_printf(arena, "%s/%s", link->netns->name, link->name);

        assert_non_null(prefix);
        buf_printf(lines, "%s is %s %s\n", prefix, link->kind_name ? link->kind_name : "NIC",
                   link->driver ? link->driver : "");
        if (brief && has_line(brief, prefix))
                return;
        describe_set(prefix, &link->common, lines);
        describe_set(prefix, &link->options, lines);
        describe_set(arena_printf(arena, "%s port", prefix), &link->port, lines);
        describe_set(prefix, &link->vlans, lines);
        describe_objects(prefix, link->objects, link->netns, NULL, arena, lines);
}

static int compare_lines(const void *a, const void *b) {
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void lines_sort(char *text, Buf *ret) {
        size_t n = 0;
        char **lines, *at = text;

        for (const char *c = text; *c; c++)
                n += *c == '\n';
        lines = calloc(n + 1, sizeof(*lines));
        assert_non_null(lines);
        for (size_t i = 0; i < n; i++)
                lines[i] = strsep(&at, "\n");
        qsort(lines, n, sizeof(*lines), compare_lines);
        for (size_t i = 0; i < n; i++)
                buf_printf(ret, "%s\n", lines[i]);
        free(lines);
}

static bool touch(const Link *link, Buf *touched) {
        _cleanup_(buf_deinit) Buf line = {};

        buf_printf(&line, "%s/%s", link->netns->name, link->name);
        if (has_line(touched, buf_text(&line)))
                return false;
        buf_printf(touched, "%s\n", buf_text(&line));
        return true;
}

/* Both ends of every edge, once one of them is. */
static bool touch_neighbours(const Link *link, Buf *touched) {
        const Link *others[] = {link_lower(link), link_master(link), link_peer(link)};
        bool more = false;

        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                if (others[i] && is_touched(link, touched) != is_touched(others[i], touched)) {
                        more |= touch(link, touched);
                        more |= touch(others[i], touched);
                }
        return more;
}

void settling_touched(Settling *settling, const Network *wanted, Buf *ret) {
        const Network *world = kernel_fake_state(settling->fake);
        bool more = true;

        for (const Namespace *netns = wanted->namespaces; netns; netns = netns->hh.next)
                for (const Link *link = netns->links; link; link = link->hh.next)
                        touch(link, ret);
        while (more) {
                more = false;
                for (const Namespace *netns = world->namespaces; netns; netns = netns->hh.next)
                        for (const Link *link = netns->links; link; link = link->hh.next)
                                more |= touch_neighbours(link, ret);
        }
}

void settling_snapshot(Settling *settling, const Buf *brief, Buf *ret) {
        const Network *world = kernel_fake_state(settling->fake);
        _cleanup_(arena_deinit) Arena arena = {};
        _cleanup_(buf_deinit) Buf lines = {};

        for (const Namespace *netns = world->namespaces; netns; netns = netns->hh.next) {
                if (!netns->exists)
                        continue;
                buf_printf(&lines, "%s is there\n", netns->name);
                describe_objects(netns->name, netns->objects, netns, brief, &arena, &lines);
                for (const Link *link = netns->links; link; link = link->hh.next)
                        describe_link(link, brief, &arena, &lines);
        }
        assert_int_equal(buf_error(&lines), 0);
        lines_sort(lines.text, ret);
}

int settling_setup(void **state) {
        static Settling settling;

        settling_init(&settling);
        *state = &settling;
        return 0;
}

int settling_teardown(void **state) {
        settling_deinit(*state);
        return 0;
}
