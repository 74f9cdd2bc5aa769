/* SPDX-License-Identifier: MIT */
/*
 * Every row of every kind on the real kernel, the way a user meets it: a file with it is applied,
 * then one with another value, then one without. After each there is nothing left to plan; what
 * the table calls live keeps its ifindex, what it calls create-only gets a new one, and what is
 * dropped goes back to its default. Values come from the types; what a row needs beside itself is
 * a line in row-examples.c. `test-kernel-kinds KIND…` tries only these.
 *
 * Each file is a whole settlement, in guests where that takes long: so the next row's link has
 * another name, and comes and the last one goes in one; and what there is without a row is looked
 * at once for all rows that say no more than that.
 */

#include "daemon/settle.h"
#include "mvnet/config.h"
#include "row-examples.h"
#include "values.h"
#include "world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cmocka.h>

/* Rows that all links have, and whose default is the kind's. */
static const struct {
        LinkRow row;
        const char *a, *b;
} commons[] = {
        {LINK_MTU, "1300", "1290"},
        {LINK_TXQUEUELEN, "77", "78"},
        {LINK_ARP, "true", "false"},
        {LINK_MULTICAST, "true", "false"},
        {LINK_MAC, "02:00:00:00:00:07", "02:00:00:00:00:08"},
        {LINK_PARENT, "low", "low2"},
        {LINK_BIND_NETNS, "ns1", "host"},
};

/* What became of a step, beside 0 and < 0: a problem was noted. */
enum {
        STEP_E_NO_KIND = 1,
        STEP_E_IGNORED, /* the row is, or refused for the kernel's age or how it was built */
        STEP_E_OBSOLETE,
};

typedef struct Trial {
        Kernel *kernel;
        Store *store;
        const LinkKind *kind;
        const Base *base;
        const Row *row;
        bool common;
        bool of_port;     /* the row is one of its port's, `low` */
        Example example;
        char a[SUGGESTION_SIZE], b[SUGGESTION_SIZE];
        const char *name; /* of the link, the present or the last one */
        Network *wanted, *have;
        Network *plain;   /* what there was without the row, and the file that it came of */
        Buf plain_text;
        Value value;      /* as last looked at */
        int ifindex;
        bool there;       /* the row was reported */
        Buf problem;
} Trial;

static const char *const names[] = {"x", "y"};
static size_t tested, skipped, failed;
static const char *lacking[_NEED_N]; /* why, or NULL */
static char folder[] = "/tmp/mvnet-kinds-XXXXXX";

/* Its examples stand under that name. */
static const char *set_name(const Trial *trial) {
        return trial->of_port ? trial->kind->port.name : trial->kind->name;
}

static const char *link_name(const Trial *trial) {
        return trial->of_port ? "low" : trial->name;
}

static void pass_over(const char *what, const char *row, const char *why) {
        printf("SKIPPED %s%s%s: %s\n", what, row ? "." : "", row ?: "", why);
        skipped++;
}

/* Values. */

/* What has to be said for the row to count (Row.when). */
static void add_condition(const Trial *trial, Buf *ret) {
        const Row *row = trial->row;
        Value value = {.number = row->when_in ? (uint64_t)__builtin_ctzll(row->when_in) : 10000};
        int at = row->when ? schema_find(&trial->kind->options, row->when) : -1;

        if (at < 0 || (trial->example.with && !trial->of_port))
                return;
        buf_printf(ret, ", %s: ", row->when);
        value_format(schema_row(&trial->kind->options, (size_t)at), &value, ret);
}

/* Doing it. */

/* `of_port`: what the link says as a port; NULL: nothing. */
static void add_fixtures(const char *of_port, Buf *ret) {
        buf_printf(ret,
                   "interfaces:\n  low: {kind: veth, peer: nul, mac: 02:00:00:00:01:01%s}\n"
                   "  nul: {}\n  low2: {kind: veth, peer: nul2, mac: 02:00:00:00:01:02}\n"
                   "  nul2: {}\n",
                   of_port ?: "");
}

/* The far end of a pair has to be declared, too. */
static void add_peer(const Trial *trial, const char *base, const char *value, Buf *ret) {
        if (trial->row->flags & ROW_MAKES_PEER)
                buf_printf(ret, "  %s: {}\n", value);
        else if (flow_says(base, "peer"))
                buf_add(ret, "  far: {}\n");
}

/* Options of masters that are particular about their ports are tried with some. */
static bool has_ports(const Trial *trial) {
        return trial->of_port || link_kind_is(trial->kind, KIND_PORTS_DOWN);
}

/* Without a value: without the row. */
static void write_file(const Trial *trial, const char *value, Buf *ret) {
        const Example *example = &trial->example;
        bool alone = example->alone && value && streq(value, example->a);
        const char *base = alone ? example->alone : example->base ?: trial->base->text;
        _cleanup_(buf_deinit) Buf of_port = {};

        if (trial->of_port && value)
                buf_printf(&of_port, ", %s: {%s: %s%s%s}", trial->kind->port.name, trial->row->key,
                           value, example->with ? ", " : "", example->with ?: "");
        add_fixtures(buf_text(&of_port), ret);
        add_peer(trial, base, value, ret);
        buf_printf(ret, "  %s:\n    {kind: %s", trial->name, trial->kind->name);
        flow_add_but(base, trial->of_port ? "" : trial->row->key, ret);
        if (example->with && !trial->of_port && !alone)
                buf_printf(ret, ", %s", example->with);
        add_condition(trial, ret);
        if (has_ports(trial))
                buf_add(ret, ", ports: [low, low2]");
        if (value && !trial->of_port)
                buf_printf(ret, ", %s: %s", trial->row->key, value);
        buf_add(ret, "}\n");
        if (trial->row->type->is_netns)
                buf_add(ret, "namespaces: {ns1: {}}\n");
}

static Network *load(Trial *trial, const char *text) {
        static const uint8_t seed[16] = "a machine's name";
        _cleanup_(buf_deinit) Buf problems = {};
        Network *network = NULL;
        Report report = {};

        assert_int_equal(config_load_text("test.yaml", text, seed, &report, &network), 0);
        if (!network) {
                report_format(&report, false, &problems);
                buf_printf(&trial->problem, "%s\n%s", text, buf_text(&problems));
        }
        report_deinit(&report);
        return network;
}

/* What went wrong with the link, or NULL. */
static const char *make_so(Trial *trial, const Network *wanted, Buf *ret) {
        const SettleOptions options = {.timeout_ms = 5000};
        SettleResult result = {};
        const char *problem = NULL;

        assert_int_equal(settle(trial->kernel, wanted, trial->store, &options, &result), 0);
        for (size_t i = 0; i < result.plan->n_items; i++) {
                const PlanItem *item = result.plan->items[i];

                if (item->verdict < VERDICT_WAITING || !streq(item->path, link_name(trial)))
                        continue;
                buf_add(ret, item->failure ?: item->reason);
                problem = buf_text(ret);
        }
        settle_result_deinit(&result);
        return problem;
}

/* What is to be known of the row. */
static void note(Trial *trial, const Network *have) {
        const Link *link = network_find_path(have, link_name(trial));
        const AttrSet *set = trial->common ? &link->common
                : trial->of_port ? &link->port : &link->options;
        int at = set->schema ? schema_find(set->schema, trial->row->key) : -1;

        trial->ifindex = link->ifindex;
        trial->there = at >= 0 && attrset_has(set, (size_t)at);
        if (trial->there)
                trial->value = set->values[at];
}

static bool look_again(Trial *trial, const char *when) {
        _cleanup_(buf_deinit) Buf text = {};
        Plan *plan = NULL;

        trial->have = network_free(trial->have);
        assert_int_equal(settle_plan(trial->kernel, trial->wanted, store_record(trial->store),
                                     &trial->have, &plan), 0);
        plan_format(plan, 0, &text);
        if (!plan_is_empty(plan))
                buf_printf(&trial->problem, "%s: the plan is not empty:\n%s", when, buf_text(&text));
        plan_free(plan);
        if (!network_find_path(trial->have, link_name(trial)))
                buf_printf(&trial->problem, "%s: it is not there\n", when);
        if (trial->problem.size)
                return false;
        note(trial, trial->have);
        return true;
}

/* Of a row that is said to have come with some version of Linux: whether this one is older. */
static bool is_too_young(const Row *row, unsigned ret_since[2]) {
        const char *since = strstr(row->doc, "(Linux ");
        struct utsname name;
        unsigned ours[2];

        if (!since || sscanf(since, "(Linux %u.%u", &ret_since[0], &ret_since[1]) != 2 ||
            uname(&name) < 0 || sscanf(name.release, "%u.%u", &ours[0], &ours[1]) != 2)
                return false;
        return ours[0] < ret_since[0] || (ours[0] == ret_since[0] && ours[1] < ret_since[1]);
}

static int apply_file(Trial *trial, const char *text, const char *when) {
        _cleanup_(buf_deinit) Buf reason = {};
        const char *problem;
        unsigned since[2];

        network_free(trial->wanted);
        trial->wanted = load(trial, text);
        if (!trial->wanted)
                return -1;
        problem = make_so(trial, trial->wanted, &reason);
        if (!problem)
                return look_again(trial, when) ? 0 : -1;
        buf_printf(&trial->problem, "%s: %s\n", when, problem);
        if (strstr(problem, "kernel has no "))
                return STEP_E_NO_KIND;
        if (strstr(problem, "ignored by this kernel") ||
            (strstr(problem, "Invalid argument") &&
             (trial->example.config || is_too_young(trial->row, since))))
                return STEP_E_IGNORED;
        return strstr(problem, "obsolete") ? STEP_E_OBSOLETE : -1;
}

static int step(Trial *trial, const char *value, const char *when) {
        _cleanup_(buf_deinit) Buf text = {};

        write_file(trial, value, &text);
        return apply_file(trial, buf_text(&text), when);
}

/* As nobody speaks of the row. */
static int look_without(Trial *trial) {
        _cleanup_(buf_deinit) Buf text = {};
        const char *last = trial->name;
        int r;

        trial->name = names[0];
        write_file(trial, NULL, &text);
        if (trial->plain && streq(buf_text(&text), buf_text(&trial->plain_text))) {
                note(trial, trial->plain);
                trial->name = last;
                return 0;
        }
        r = apply_file(trial, buf_text(&text), "without");
        if (r != 0)
                return r;
        network_free(trial->plain);
        trial->plain = trial->have;
        trial->have = NULL;
        buf_deinit(&trial->plain_text);
        trial->plain_text = text;
        text = (Buf){};
        return 0;
}

static bool is_value(const Trial *trial, const char *text) {
        _cleanup_(arena_deinit) Arena arena = {};
        ParseScope scope = {.arena = &arena, .netns = HOST};
        _cleanup_(buf_deinit) Buf plain = {};
        Value value = {};

        /* As YAML would take the quotes off. */
        for (const char *c = text; *c; c++)
                if (*c != '\'')
                        buf_addc(&plain, *c);
        return value_parse(trial->row, &scope, buf_text(&plain), &value) == 0 && trial->there &&
               value_equal(trial->row, &value, &trial->value);
}

static bool is_shown(Trial *trial, const char *text, const char *when) {
        if (trial->row->flags & (ROW_WRITE_ONLY | ROW_SECRET) || is_value(trial, text) ||
            (trial->row->type->is_netns && link_kind_bind(trial->kind) == BIND_SILENT))
                return true;
        buf_printf(&trial->problem, "%s: it is not shown as %s\n", when, text);
        return false;
}

static void clear(Trial *trial) {
        static const uint8_t seed[16] = "a machine's name";
        _cleanup_(network_freep) Network *nothing = NULL;
        _cleanup_(buf_deinit) Buf text = {}, problem = {};
        Report report = {};

        add_fixtures(NULL, &text);
        assert_int_equal(config_load_text("test.yaml", buf_text(&text), seed, &report, &nothing), 0);
        report_deinit(&report);
        make_so(trial, nothing, &problem);
        trial->wanted = network_free(trial->wanted);
        trial->have = network_free(trial->have);
        trial->plain = network_free(trial->plain);
}

/* What the table says a change from A to B costs. */
static bool keeps_ifindex(const Trial *trial, const Value *a, const Value *b) {
        const LinkLower *lower = link_kind_lower(trial->kind);

        if (trial->common && trial->row == schema_row(&link_schema, LINK_PARENT))
                return lower->nla && lower->change <= CHANGE_DOWN;
        if (trial->common && trial->row == schema_row(&link_schema, LINK_MAC))
                return !link_kind_is(trial->kind, KIND_MAC_ONCE);
        if (trial->row->flags & ROW_MAKES_PEER)
                return true; /* it is renamed */
        return trial->row->change <= CHANGE_DOWN && !value_change_is_fixed(trial->row, a, b);
}

static bool is_same_link(Trial *trial, int before, bool same, const char *when) {
        if ((trial->ifindex == before) == same)
                return true;
        buf_printf(&trial->problem, "%s: %s\n", when,
                   same ? "it was re-created" : "it is still the same link");
        return false;
}

/* Back to what it was before anybody spoke of it. */
static bool is_reset(Trial *trial, bool was_there, const Value *was) {
        uint64_t number;

        if (trial->row->flags & ROW_WRITE_ONLY)
                return true;
        if (trial->common && trial->row == schema_row(&link_schema, LINK_MTU) &&
            !link_kind_default(trial->kind, LINK_MTU, &number))
                return true; /* depends on what is below: let go */
        if (trial->common && trial->row == schema_row(&link_schema, LINK_ARP) &&
            !link_kind_default(trial->kind, LINK_ARP, &number))
                return true;
        if (!trial->row->def && !trial->common)
                return true;
        if (trial->common && trial->row == schema_row(&link_schema, LINK_MAC) &&
            link_kind_is(trial->kind, KIND_SOLID))
                return true; /* the kernel's own choice, anew */
        if (!was_there && trial->there && trial->row->def && is_value(trial, trial->row->def))
                return true; /* it is looked at only once somebody speaks of it */
        if (was_there == trial->there &&
            (!was_there || value_equal(trial->row, was, &trial->value)))
                return true;
        buf_printf(&trial->problem, "dropped: it is not as it was before\n");
        return false;
}

static bool is_row(const Trial *trial, LinkRow row) {
        return trial->common && trial->row == schema_row(&link_schema, row);
}

/* Values live in what was dumped: a plain one can be kept. */
static bool is_plain(const Row *row) {
        return row->type->shape == SHAPE_SCALAR && !row->type->is_ref && !row->type->is_netns;
}

/* The whole life of one row. */
static int try_row(Trial *trial) {
        const char *a = trial->a, *b = trial->b;
        bool was_there = false;
        Value was = {}, first;
        int before, r;

        if (!trial->example.stays) {
                r = look_without(trial);
                if (r != 0)
                        return r;
                was_there = is_plain(trial->row) && trial->there;
                was = trial->value;
                if (is_value(trial, a)) {
                        a = trial->b;
                        b = trial->a;
                }
        }
        /* An address comes of the name: only a link of the same has the same. */
        if (is_row(trial, LINK_MAC))
                clear(trial);
        else
                trial->name = names[streq(trial->name, names[0])];
        r = step(trial, a, "created with it");
        if (r != 0 || !is_shown(trial, a, "created with it"))
                return r ? r : -1;
        before = trial->ifindex;
        first = trial->value;
        r = step(trial, b, "changed");
        if (r != 0 || !is_shown(trial, b, "changed") ||
            !is_same_link(trial, before, keeps_ifindex(trial, &first, &trial->value), "changed"))
                return r ? r : -1;
        if (trial->example.stays)
                return 0;
        r = step(trial, NULL, "dropped");
        trial->there &= is_plain(trial->row);
        return r == 0 && !is_reset(trial, was_there, &was) ? -1 : r;
}

static void count(Trial *trial, int r) {
        unsigned since[2];
        char reason[64];

        if (r == 0) {
                tested++;
        } else if (r == STEP_E_NO_KIND) {
                pass_over(trial->kind->name, NULL, "not in this kernel");
        } else if (r == STEP_E_OBSOLETE) {
                pass_over(set_name(trial), trial->row->key, "obsolete in this kernel");
        } else if (r == STEP_E_IGNORED && is_too_young(trial->row, since)) {
                snprintf(reason, sizeof(reason), "came with Linux %u.%u", since[0], since[1]);
                pass_over(set_name(trial), trial->row->key, reason);
        } else if (r == STEP_E_IGNORED && trial->example.config) {
                snprintf(reason, sizeof(reason), "not in a kernel without %s",
                         trial->example.config);
                pass_over(set_name(trial), trial->row->key, reason);
        } else {
                printf("FAILED %s.%s (%s, %s): %s\n", set_name(trial), trial->row->key, trial->a,
                       trial->b, buf_text(&trial->problem));
                failed++;
        }
        fflush(stdout);
}

/* False: there is no such kind here. */
static bool run_row(Trial *trial) {
        const Row *row = trial->row;
        const char *skip;
        int r;

        trial->example = example_find(set_name(trial), row->key);
        skip = lacking[trial->example.needs] ?: trial->example.skip;
        if (skip) {
                pass_over(set_name(trial), row->key, skip);
                return true;
        }
        trial->example.stays |= !trial->of_port &&
                flow_says(trial->example.base ?: trial->base->text, row->key);
        if (!*trial->a)
                values_suggest(trial->row, trial->a, trial->b);
        if (trial->example.a)
                snprintf(trial->a, sizeof(trial->a), "%s", trial->example.a);
        if (trial->example.b)
                snprintf(trial->b, sizeof(trial->b), "%s", trial->example.b);
        r = try_row(trial);
        if (r != 0)
                clear(trial);
        count(trial, r);
        buf_deinit(&trial->problem);
        trial->problem = (Buf){};
        return r != STEP_E_NO_KIND;
}

static bool has_common(const LinkKind *kind, LinkRow row) {
        switch (row) {
        case LINK_PARENT:
                return link_kind_can_have_parent(kind);
        case LINK_BIND_NETNS:
                return link_kind_bind(kind) != BIND_NEVER;
        case LINK_MAC:
                return !link_kind_is(kind, KIND_NO_MAC);
        default:
                return true;
        }
}

static void run_kind(Trial *trial) {
        const Schema *options = &trial->kind->options, *port = &trial->kind->port;
        bool goes_on = true;

        for (size_t i = 0; goes_on && i < ELEMENTSOF(commons); i++) {
                if (!has_common(trial->kind, commons[i].row))
                        continue;
                trial->common = true;
                trial->row = schema_row(&link_schema, commons[i].row);
                snprintf(trial->a, sizeof(trial->a), "%s", commons[i].a);
                snprintf(trial->b, sizeof(trial->b), "%s", commons[i].b);
                goes_on = run_row(trial);
        }
        for (size_t i = 0; goes_on && options->name && i < schema_size(options); i++) {
                trial->common = false;
                trial->row = schema_row(options, i);
                trial->a[0] = trial->b[0] = '\0';
                if (!trial->row->both && trial->row->change != CHANGE_STATE)
                        goes_on = run_row(trial);
        }
        trial->of_port = true;
        for (size_t i = 0; goes_on && port->name && i < schema_size(port); i++) {
                trial->common = false;
                trial->row = schema_row(port, i);
                trial->a[0] = trial->b[0] = '\0';
                if (trial->row->change != CHANGE_STATE)
                        goes_on = run_row(trial);
        }
        trial->of_port = false;
        clear(trial);
}

static bool is_asked_for(const char *kind, int argc, char **argv) {
        for (int i = 1; i < argc; i++)
                if (streq(argv[i], kind))
                        return true;
        return argc < 2;
}

static void look_around(void) {
        if (run("ip link add probe0 type bridge vlan_filtering 1 2>/dev/null && "
                "ip link del probe0") != 0)
                lacking[NEEDS_FILTERING] = "no VLAN filtering in this kernel";
        if (run("grep -q ' /dev devtmpfs ' /proc/mounts") != 0)
                lacking[NEEDS_DEVICES] = "nobody makes /dev/tapN here";
        if (access("/dev/net/tun", F_OK) < 0)
                lacking[NEEDS_TUN] = "no /dev/net/tun here";
}

/* Two private keys, as files of the folder that we are in. */
static void make_keys(void) {
        run("umask 077; printf '%%s\\n' yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk= >one.key; "
            "printf '%%s\\n' WDTMv0LVb1MEpvHQpzNHLHHSFW0vWeWFbQEnrYZ8L2I= >two.key");
}

int main(int argc, char **argv) {
        Trial trial = {.name = names[0]};

        if (!world_enter()) {
                fprintf(stderr, "SKIPPED: no network namespace of our own: %s\n", strerror(errno));
                return SKIPPED;
        }
        run("modprobe -q -a fou fou6 2>/dev/null");
        look_around();
        assert_non_null(mkdtemp(folder));
        assert_int_equal(chdir(folder), 0);
        make_keys();
        assert_int_equal(kernel_new(RUN, &trial.kernel), 0);
        assert_int_equal(store_open(folder, "test", 0, 0, &trial.store), 0);
        for (size_t i = 0; i < link_kinds_n; i++) {
                const char *skip;

                trial.kind = link_kinds[i];
                trial.base = base_find(trial.kind->name);
                if (!is_asked_for(trial.kind->name, argc, argv))
                        continue;
                skip = !trial.base ? "no example" : trial.base->skip ?: lacking[trial.base->needs];
                if (skip)
                        pass_over(trial.kind->name, NULL, skip);
                else
                        run_kind(&trial);
        }
        buf_deinit(&trial.plain_text);
        store_free(trial.store);
        kernel_free(trial.kernel);
        run("rm -rf %s", folder);
        printf("rows: %zu tested, %zu skipped, %zu failed\n", tested, skipped, failed);
        return failed > 0;
}
