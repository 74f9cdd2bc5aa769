/* SPDX-License-Identifier: MIT */
/* Plans and problems for programs. */

#include "ctl/ctl.h"

#include "mvnet/utf8.h"

#include <errno.h>
#include <stdio.h>

/* json-c returns NULL when out of memory, for null too: asked once, when all is put together. */
static bool failed;

void json_add(struct json_object *object, const char *key, struct json_object *value) {
        if (object && json_object_object_add(object, key, value) == 0)
                return;
        json_object_put(value);
        failed = true;
}

void json_append(struct json_object *array, struct json_object *value) {
        if (value && array && json_object_array_add(array, value) == 0)
                return;
        json_object_put(value);
        failed = true;
}

/* What the kernel reports (an alias, a link's name) can be any bytes; JSON is UTF-8. */
struct json_object *json_text(const char *text) {
        _cleanup_(buf_deinit) Buf clean = {};
        struct json_object *value;
        size_t size, n;
        uint32_t c;

        if (!text)
                return NULL;
        size = strlen(text);
        for (size_t i = 0; i < size; i += MAX(n, (size_t)1)) {
                n = utf8_decode(text + i, size - i, &c);
                if (n > 0)
                        buf_addn(&clean, text + i, n);
                else
                        buf_addc(&clean, '?');
        }
        value = buf_error(&clean) == 0 ? json_object_new_string(buf_text(&clean)) : NULL;
        failed |= !value;
        return value;
}

static struct json_object *json_place(Location at) {
        _cleanup_(buf_deinit) Buf text = {};

        if (!at.source)
                return NULL;
        location_format(at, &text);
        return json_text(buf_text(&text));
}

static struct json_object *json_line(const PlanLine *line) {
        struct json_object *object = json_object_new_object();

        json_add(object, "key", json_text(line->key));
        json_add(object, "from", json_text(line->from));
        json_add(object, "to", json_text(line->to));
        json_add(object, "at", json_place(line->at));
        return object;
}

static struct json_object *json_failure(const PlanItem *item) {
        struct json_object *object;

        if (item->error == 0)
                return NULL;
        object = json_object_new_object();
        json_add(object, "errno", json_object_new_int(-item->error));
        json_add(object, "text", json_text(item->failure));
        json_add(object, "at", json_place(item->failure_at));
        return object;
}

struct json_object *json_item(const PlanItem *item) {
        struct json_object *object = json_object_new_object();
        struct json_object *changes = json_object_new_array();

        for (const PlanLine *line = item->lines; line; line = line->next)
                json_append(changes, json_line(line));
        json_add(object, "path", json_text(item->path));
        json_add(object, "type", json_text(item->type == ITEM_NETNS ? "namespace" : "link"));
        json_add(object, "kind", json_text(item->kind));
        json_add(object, "verdict", json_text(verdict_name(item->verdict)));
        json_add(object, "reason", json_text(item->reason));
        json_add(object, "guard", json_text(item->guard));
        json_add(object, "optional", json_object_new_boolean(item->optional));
        json_add(object, "at", json_place(item->at));
        json_add(object, "changes", changes);
        json_add(object, "error", json_failure(item));
        return object;
}

struct json_object *json_plan(const char *name, const Plan *plan) {
        struct json_object *object = json_object_new_object();
        struct json_object *items = json_object_new_array();
        struct json_object *counts = json_object_new_object();

        for (size_t i = 0; i < plan->n_items; i++)
                json_append(items, json_item(plan->items[i]));
        for (size_t i = 0; i < _VERDICT_N; i++)
                json_add(counts, verdict_name((Verdict)i),
                         json_object_new_uint64(plan->counts[i]));
        json_add(object, "name", json_text(name));
        json_add(object, "items", items);
        json_add(object, "counts", counts);
        json_add(object, "problems", json_object_new_array());
        return object;
}

struct json_object *json_problems(const Report *report) {
        struct json_object *array = json_object_new_array();

        for (const Problem *problem = report->first; problem; problem = problem->next) {
                struct json_object *object = json_object_new_object();
                const Location *at = &problem->at;

                json_add(object, "file", json_text(at->source ? at->source->name : NULL));
                json_add(object, "line", json_object_new_int64(at->line));
                json_add(object, "column", json_object_new_int64(at->column));
                json_add(object, "path", json_text(problem->path));
                json_add(object, "text", json_text(problem->text));
                json_add(object, "hint", json_text(problem->hint));
                json_append(array, object);
        }
        return array;
}

static CtlExit print_as(const Ctl *ctl, struct json_object *object, int flags, CtlExit code) {
        const char *text = object ? json_object_to_json_string_ext(
                                            object, flags | JSON_C_TO_STRING_NOSLASHESCAPE)
                                  : NULL;

        if (!text || failed)
                code = ctl_error_errno(ctl, -ENOMEM, "JSON");
        else
                puts(text);
        json_object_put(object);
        return code;
}

CtlExit json_print(const Ctl *ctl, struct json_object *object, CtlExit code) {
        return print_as(ctl, object, JSON_C_TO_STRING_PRETTY, code);
}

CtlExit json_print_line(const Ctl *ctl, struct json_object *object) {
        return print_as(ctl, object, JSON_C_TO_STRING_PLAIN, CTL_DONE);
}

void json_print_error(const char *text) {
        struct json_object *object = json_object_new_object();

        json_add(object, "error", json_text(text));
        if (object)
                puts(json_object_to_json_string_ext(
                        object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
        json_object_put(object);
}
