/* SPDX-License-Identifier: MIT */
/*
 * Both ends of the bus in one file. What comes in has the right types, sd-bus sees to that; what it
 * means is checked here all the same: the daemon may be of another version.
 */

#include "daemon/wire.h"

#include "mvnet/utf8.h"

#include <errno.h>
#include <stdlib.h>

#define ITEM_FIELDS "sssssssbsis"

static const char *const outcome_names[_DAEMON_OUTCOME_N] = {
        [DAEMON_DONE] = "done",
        [DAEMON_BAD_FILE] = "bad-file",
        [DAEMON_REFUSED] = "refused",
        [DAEMON_ERROR] = "error",
};

static const char *const type_names[_ITEM_TYPE_N] = {
        [ITEM_NETNS] = "namespace",
        [ITEM_LINK] = "link",
};

/* Libsystemd says how much there was, or that there was something: nobody here wants to know. */
static int only_error(int r) {
        return r < 0 ? r : 0;
}

/* Writing. */

static bool is_plain(const char *text) {
        for (; *text; text++)
                if (*text < ' ' || *text > '~')
                        return false;
        return true;
}

/* sd-bus takes no noncharacters. */
static bool is_fit(uint32_t c) {
        return utf8_printable(c) && (c < 0xfdd0 || c > 0xfdef);
}

/* Links are named, and kernels complain, in whatever bytes they like. */
static void add_clean(const char *text, bool lines, Buf *ret) {
        size_t size = strlen(text), n;

        for (size_t i = 0; i < size; i += MAX(n, (size_t)1)) {
                uint32_t c;

                n = utf8_decode(text + i, size - i, &c);
                if (n > 0 && (is_fit(c) || (lines && c == '\n')))
                        buf_addn(ret, text + i, n);
                else
                        buf_addc(ret, '?');
        }
}

static int append_lines(sd_bus_message *m, const char *text, bool lines) {
        _cleanup_(buf_deinit) Buf clean = {};

        if (!text || is_plain(text))
                return only_error(sd_bus_message_append_basic(m, 's', text ? text : ""));
        add_clean(text, lines, &clean);
        if (buf_error(&clean) < 0)
                return -ENOMEM;
        return only_error(sd_bus_message_append_basic(m, 's', buf_text(&clean)));
}

int wire_append_text(sd_bus_message *m, const char *text) {
        return append_lines(m, text, false);
}

static int append_texts(sd_bus_message *m, const char *const *texts, size_t n) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < n; i++)
                r = wire_append_text(m, texts[i]);
        return r;
}

/* D-Bus has no null: an array of one, or of none. */
static int append_maybe(sd_bus_message *m, const char *text) {
        int r = sd_bus_message_open_container(m, 'a', "s");

        if (r >= 0 && text)
                r = wire_append_text(m, text);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return only_error(r);
}

static int append_place(sd_bus_message *m, Location at) {
        _cleanup_(buf_deinit) Buf text = {};

        location_format(at, &text);
        return buf_error(&text) < 0 ? -ENOMEM : wire_append_text(m, buf_text(&text));
}

static int append_line(sd_bus_message *m, const PlanLine *line) {
        int r = sd_bus_message_open_container(m, 'r', "sasass");

        if (r >= 0)
                r = wire_append_text(m, line->key);
        if (r >= 0)
                r = append_maybe(m, line->from);
        if (r >= 0)
                r = append_maybe(m, line->to);
        if (r >= 0)
                r = append_place(m, line->at);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return only_error(r);
}

static int append_fields(sd_bus_message *m, const PlanItem *item) {
        const char *texts[] = {
                item->path,   type_names[item->type], item->kind, verdict_name(item->verdict),
                item->reason, item->failure,
        };
        int r;

        r = append_texts(m, texts, ELEMENTSOF(texts));
        if (r >= 0)
                r = append_place(m, item->at);
        if (r >= 0)
                r = sd_bus_message_append(m, "b", (int)item->optional);
        if (r >= 0)
                r = wire_append_text(m, item->guard);
        if (r >= 0)
                r = sd_bus_message_append(m, "i", item->error);
        if (r >= 0)
                r = append_place(m, item->failure_at);
        return only_error(r);
}

static int append_item(sd_bus_message *m, const PlanItem *item) {
        int r = sd_bus_message_open_container(m, 'r', ITEM_FIELDS "a" WIRE_LINE);

        if (r >= 0)
                r = append_fields(m, item);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', WIRE_LINE);
        for (const PlanLine *line = item->lines; r >= 0 && line; line = line->next)
                r = append_line(m, line);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return only_error(r);
}

int wire_append_items(sd_bus_message *m, const Plan *plan) {
        int r = sd_bus_message_open_container(m, 'a', WIRE_ITEM);

        for (size_t i = 0; r >= 0 && plan && i < plan->n_items; i++)
                r = append_item(m, plan->items[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return only_error(r);
}

static int append_problem(sd_bus_message *m, const Problem *problem) {
        const char *texts[] = {problem->path, problem->text, problem->hint};
        int r = sd_bus_message_open_container(m, 'r', "suusss");

        if (r >= 0)
                r = wire_append_text(m, problem->at.source ? problem->at.source->name : NULL);
        if (r >= 0)
                r = sd_bus_message_append(m, "uu", (uint32_t)problem->at.line,
                                          (uint32_t)problem->at.column);
        if (r >= 0)
                r = append_texts(m, texts, ELEMENTSOF(texts));
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return only_error(r);
}

int wire_append_problems(sd_bus_message *m, const Report *report) {
        int r = sd_bus_message_open_container(m, 'a', WIRE_PROBLEM);

        for (const Problem *problem = report ? report->first : NULL; r >= 0 && problem;
             problem = problem->next)
                r = append_problem(m, problem);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return only_error(r);
}

int wire_append_happening(sd_bus_message *m, const Happening *happening) {
        const char *texts[] = {
                happening_name(happening->type), happening->path, happening->kind,
                happening->action,               happening->text, happening->at,
        };
        int r = sd_bus_message_append(m, "t", happening->realtime_us);

        return r < 0 ? r : append_texts(m, texts, ELEMENTSOF(texts));
}

int wire_append_answer(sd_bus_message *m, const DaemonAnswer *answer) {
        _cleanup_(buf_deinit) Buf text = {};
        int r;

        if (answer->report)
                report_format(answer->report, false, &text);
        if (buf_error(&text) < 0)
                return -ENOMEM;
        r = wire_append_text(m, outcome_names[answer->outcome]);
        if (r >= 0)
                r = wire_append_text(m, answer->name);
        if (r >= 0)
                r = wire_append_items(m, answer->plan);
        if (r >= 0)
                r = wire_append_problems(m, answer->report);
        if (r >= 0)
                r = append_lines(m, buf_text(&text), true);
        if (r >= 0)
                r = sd_bus_message_append(m, "ii", answer->record_error, answer->error);
        return only_error(r);
}

/* Reading. */

/* Which of the names it is, or -EBADMSG. */
static int find_name(const char *const *names, size_t n, const char *name) {
        for (size_t i = 0; i < n; i++)
                if (streq(names[i], name))
                        return (int)i;
        return -EBADMSG;
}

static int find_verdict(const char *name, Verdict *ret) {
        for (size_t i = 0; i < _VERDICT_N; i++)
                if (streq(verdict_name((Verdict)i), name)) {
                        *ret = (Verdict)i;
                        return 0;
                }
        return -EBADMSG;
}

/* The number behind the last colon; cuts it off. 0: there is none. */
static unsigned cut_number(char *text) {
        char *colon = strrchr(text, ':');
        uint64_t number;

        if (!colon || colon[1] < '1' || colon[1] > '9' || text_to_u64(colon + 1, &number) < 0 ||
            number > UINT32_MAX)
                return 0;
        *colon = '\0';
        return (unsigned)number;
}

/* The inverse of location_format(); files whose names end in numbers come out as they went in. */
static int read_place(Arena *arena, const char *text, Location *ret) {
        Source *source;
        char *name;

        if (text[0] == '\0') {
                *ret = (Location){};
                return 0;
        }
        source = arena_new(arena, Source);
        name = arena_strdup(arena, text);
        if (!source || !name)
                return -ENOMEM;
        *ret = (Location){.source = source, .column = cut_number(name)};
        ret->line = ret->column ? cut_number(name) : 0;
        if (ret->line == 0) {
                ret->column = 0;
                name = arena_strdup(arena, text);
        }
        source->name = name;
        source->text = "";
        return name ? 0 : -ENOMEM;
}

static int read_maybe(sd_bus_message *m, Arena *arena, const char **ret) {
        const char *text;
        int r;

        *ret = NULL;
        r = sd_bus_message_enter_container(m, 'a', "s");
        if (r > 0)
                r = sd_bus_message_read_basic(m, 's', &text);
        if (r > 0) {
                *ret = arena_strdup(arena, text);
                if (!*ret)
                        return -ENOMEM;
        }
        return r < 0 ? r : only_error(sd_bus_message_exit_container(m)); /* -EBUSY: there is more */
}

/* > 0: one was read. */
static int read_line(sd_bus_message *m, Arena *arena, PlanItem *item) {
        const char *key, *at;
        PlanLine *line;
        int r;

        r = sd_bus_message_enter_container(m, 'r', "sasass");
        if (r <= 0)
                return r;
        line = arena_new(arena, PlanLine);
        if (!line)
                return -ENOMEM;
        r = sd_bus_message_read_basic(m, 's', &key);
        if (r >= 0)
                r = read_maybe(m, arena, &line->from);
        if (r >= 0)
                r = read_maybe(m, arena, &line->to);
        if (r >= 0)
                r = sd_bus_message_read_basic(m, 's', &at);
        if (r >= 0)
                r = read_place(arena, at, &line->at);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        line->key = arena_strdup(arena, key);
        if (item->last)
                item->last->next = line;
        else
                item->lines = line;
        item->last = line;
        return line->key ? 1 : -ENOMEM;
}

static int read_lines(sd_bus_message *m, Arena *arena, PlanItem *item) {
        int r = sd_bus_message_enter_container(m, 'a', WIRE_LINE);

        while (r > 0)
                r = read_line(m, arena, item);
        return r < 0 ? r : only_error(sd_bus_message_exit_container(m));
}

static int read_fields(sd_bus_message *m, Arena *arena, PlanItem *item) {
        const char *path, *type, *kind, *verdict, *reason, *failure, *at, *guard, *failure_at;
        int optional, type_n, r;

        r = sd_bus_message_read(m, ITEM_FIELDS, &path, &type, &kind, &verdict, &reason, &failure,
                                &at, &optional, &guard, &item->error, &failure_at);
        if (r < 0)
                return r;
        type_n = find_name(type_names, _ITEM_TYPE_N, type);
        if (type_n < 0)
                return type_n;
        r = find_verdict(verdict, &item->verdict);
        if (r == 0)
                r = read_place(arena, at, &item->at);
        if (r == 0)
                r = read_place(arena, failure_at, &item->failure_at);
        if (r < 0)
                return r;
        item->type = (ItemType)type_n;
        item->optional = optional;
        item->path = arena_strdup(arena, path);
        item->kind = arena_strdup(arena, kind);
        item->reason = arena_strdup(arena, reason);
        item->failure = failure[0] ? arena_strdup(arena, failure) : NULL;
        item->guard = guard[0] ? arena_strdup(arena, guard) : NULL;
        return item->path && item->kind && item->reason && !item->failure == !failure[0] &&
                       !item->guard == !guard[0]
                ? 0 : -ENOMEM;
}

static int add_item(Plan *plan, PlanItem *item, size_t *allocated) {
        if (plan->n_items == *allocated) {
                size_t more = MAX((size_t)64, *allocated * 2);
                PlanItem **items = arena_new_n(&plan->arena, PlanItem *, more);

                if (!items)
                        return -ENOMEM;
                if (plan->n_items > 0)
                        memcpy(items, plan->items, plan->n_items * sizeof(*items));
                plan->items = items;
                *allocated = more;
        }
        plan->items[plan->n_items++] = item;
        plan->counts[item->verdict]++;
        return 0;
}

/* > 0: one was read. */
static int read_item(sd_bus_message *m, Plan *plan, size_t *allocated) {
        PlanItem *item;
        int r;

        r = sd_bus_message_enter_container(m, 'r', ITEM_FIELDS "a" WIRE_LINE);
        if (r <= 0)
                return r;
        item = arena_new(&plan->arena, PlanItem);
        if (!item)
                return -ENOMEM;
        r = read_fields(m, &plan->arena, item);
        if (r >= 0)
                r = read_lines(m, &plan->arena, item);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r >= 0)
                r = add_item(plan, item, allocated);
        return r < 0 ? r : 1;
}

int wire_read_items(sd_bus_message *m, Plan **ret) {
        _cleanup_(plan_freep) Plan *plan = calloc(1, sizeof(Plan));
        size_t allocated = 0;
        int r;

        if (!plan)
                return -ENOMEM;
        r = sd_bus_message_enter_container(m, 'a', WIRE_ITEM);
        while (r > 0)
                r = read_item(m, plan, &allocated);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        *ret = plan;
        plan = NULL;
        return 0;
}

/* Problems are sorted by the order of their files: the one they arrive in. */
static int problem_source(Report *report, const char *file, const Source **last) {
        Source *source;

        if (*last && streq((*last)->name, file))
                return 0;
        source = arena_new(&report->arena, Source);
        if (!source)
                return -ENOMEM;
        *source = (Source){.text = "", .order = *last ? (*last)->order + 1 : 0};
        source->name = arena_strdup(&report->arena, file);
        if (!source->name)
                return -ENOMEM;
        *last = source;
        return 0;
}

/* > 0: one was read. */
static int read_problem(sd_bus_message *m, Report *report, const Source **source) {
        const char *file, *path, *text, *hint;
        uint32_t line, column;
        int r;

        r = sd_bus_message_read(m, WIRE_PROBLEM, &file, &line, &column, &path, &text, &hint);
        if (r <= 0)
                return r;
        if (file[0])
                r = problem_source(report, file, source);
        if (r < 0)
                return r;
        report_add(report, (Location){file[0] ? *source : NULL, line, column}, path, "%s", text);
        if (hint[0])
                report_hint(report, "%s", hint);
        return report_error(report) < 0 ? -ENOMEM : 1;
}

int wire_read_problems(sd_bus_message *m, Report *ret) {
        const Source *source = NULL;
        Report report = {};
        int r;

        r = sd_bus_message_enter_container(m, 'a', WIRE_PROBLEM);
        while (r > 0)
                r = read_problem(m, &report, &source);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r < 0) {
                report_deinit(&report);
                return r;
        }
        *ret = report;
        return 0;
}

int wire_read_happening(sd_bus_message *m, WireHappening *ret) {
        WireHappening read = {};
        int r = sd_bus_message_read(m, WIRE_HAPPENING, &read.realtime_us, &read.type, &read.path,
                                    &read.kind, &read.action, &read.text, &read.at);

        if (r <= 0)
                return r < 0 ? r : -EBADMSG;
        *ret = read;
        return 0;
}

int wire_read_answer(sd_bus_message *m, WireAnswer *ret) {
        WireAnswer answer = {};
        const char *outcome;
        int r, n;

        r = sd_bus_message_read(m, "ss", &outcome, &answer.name);
        if (r > 0)
                r = wire_read_items(m, &answer.plan);
        if (r >= 0)
                r = wire_read_problems(m, &answer.report);
        if (r >= 0)
                r = sd_bus_message_read(m, "sii", &answer.problems, &answer.record_error,
                                        &answer.error);
        n = r > 0 ? find_name(outcome_names, _DAEMON_OUTCOME_N, outcome) : -EBADMSG;
        if (r <= 0 || n < 0) {
                wire_answer_deinit(&answer);
                return r < 0 ? r : -EBADMSG;
        }
        answer.outcome = (DaemonOutcome)n;
        *ret = answer;
        return 0;
}

void wire_answer_deinit(WireAnswer *answer) {
        answer->plan = plan_free(answer->plan);
        report_deinit(&answer->report);
}
