/* SPDX-License-Identifier: MIT */
/* A plan as people read it. */

#include "mvnet/plan.h"

typedef struct Look {
        const char *name; /* as in JSON */
        const char *sign;
        const char *colour;
} Look;

static const Look looks[_VERDICT_N] = {
        [VERDICT_OK] = {"ok", " ", ""},
        [VERDICT_CREATE] = {"create", "+", "\033[32m"},
        [VERDICT_CHANGE] = {"change", "~", "\033[33m"},
        [VERDICT_RECREATE] = {"re-create", "-/+", "\033[35m"},
        [VERDICT_DELETE] = {"delete", "-", "\033[31m"},
        [VERDICT_STAYS] = {"stays", "=", "\033[2m"},
        [VERDICT_WAITING] = {"waiting", "?", "\033[36m"},
        [VERDICT_CONFLICT] = {"conflict", "x", "\033[31;1m"},
        [VERDICT_FAILED] = {"failed", "x", "\033[31;1m"},
        [VERDICT_CONTESTED] = {"contested", "!", "\033[31;1m"},
};

const char *verdict_name(Verdict verdict) {
        return looks[verdict].name;
}

static void format_reason(const PlanItem *item, Buf *ret) {
        switch (item->verdict) {
        case VERDICT_STAYS:
                buf_printf(ret, "stays: %s", item->reason);
                return;
        case VERDICT_CONFLICT:
                buf_printf(ret, "conflict: %s", item->reason);
                return;
        case VERDICT_FAILED:
                buf_printf(ret, "failed: %s", item->failure ? item->failure : item->reason);
                return;
        case VERDICT_CONTESTED:
                buf_printf(ret, "contested: %s", item->reason);
                return;
        case VERDICT_OK:
        case VERDICT_CREATE:
        case VERDICT_CHANGE:
        case VERDICT_RECREATE:
        case VERDICT_DELETE:
        case VERDICT_WAITING:
                buf_add(ret, item->reason);
                return;
        case _VERDICT_N:
                return;
        }
}

static void format_line(const PlanLine *line, Buf *ret) {
        buf_printf(ret, "      %s: ", line->key);
        if (line->from && line->to)
                buf_printf(ret, "%s -> %s\n", line->from, line->to);
        else if (line->to)
                buf_printf(ret, "%s\n", *line->to ? line->to : "\"\"");
        else
                buf_printf(ret, "%s -> (none)\n", line->from ? line->from : "");
}

void plan_format_item(const PlanItem *item, unsigned flags, Buf *ret) {
        const Look *look = &looks[item->verdict];
        bool colour = flags & PLAN_TEXT_COLOUR;
        size_t begin;

        if (colour)
                buf_add(ret, look->colour);
        begin = ret->size;
        buf_printf(ret, "%s %-*s %-9s ", look->sign, (int)(20 - strlen(look->sign)), item->path,
                   item->kind);
        format_reason(item, ret);
        while (ret->size > begin && ret->text[ret->size - 1] == ' ')
                ret->text[--ret->size] = '\0';
        if (colour && *look->colour)
                buf_add(ret, "\033[0m");
        buf_addc(ret, '\n');
        if (item->guard)
                buf_printf(ret, "    ! %s\n", item->guard);
        for (const PlanLine *line = item->lines; line; line = line->next)
                format_line(line, ret);
}

static void format_counts(const Plan *plan, Buf *ret) {
        static const struct {
                Verdict verdict;
                const char *text;
        } parts[] = {
                {VERDICT_CREATE, "to create"},     {VERDICT_CHANGE, "to change"},
                {VERDICT_RECREATE, "to re-create"}, {VERDICT_DELETE, "to delete"},
                {VERDICT_WAITING, "waiting"},      {VERDICT_CONFLICT, "in conflict"},
                {VERDICT_FAILED, "failed"},
        };
        bool first = true;

        buf_add(ret, "Plan: ");
        for (size_t i = 0; i < ELEMENTSOF(parts); i++)
                if (plan->counts[parts[i].verdict]) {
                        buf_printf(ret, "%s%zu %s", first ? "" : ", ",
                                   plan->counts[parts[i].verdict], parts[i].text);
                        first = false;
                }
        buf_add(ret, first ? "nothing to do.\n" : ".\n");
}

void plan_format(const Plan *plan, unsigned flags, Buf *ret) {
        for (size_t i = 0; i < plan->n_items; i++)
                if (plan->items[i]->verdict != VERDICT_OK || flags & PLAN_TEXT_ALL)
                        plan_format_item(plan->items[i], flags, ret);
        format_counts(plan, ret);
}
