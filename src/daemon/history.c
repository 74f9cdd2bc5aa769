/* SPDX-License-Identifier: MIT */
/*
 * A start with a thousand links tells of more in one go than fits into a socket, and a repair must
 * not wait for whoever reads: so telling is only remembering, and is sent when there is time.
 */

#include "daemon/history.h"

#include <stdlib.h>

typedef struct Told {
        Happening happening;
        char texts[]; /* which it points to */
} Told;

void history_forget(History *history) {
        for (; history->from < history->next; history->from++) {
                Told **told = &history->told[history->from % HISTORY_MAX];

                free(*told);
                *told = NULL;
        }
}

void history_deinit(History *history) {
        history_forget(history);
}

static const char *copy_text(char **to, const char *text) {
        size_t size = strlen(text) + 1;
        char *copy = memcpy(*to, text, size);

        *to += size;
        return copy;
}

static Told *told_new(const Happening *like) {
        size_t size = strlen(like->path) + strlen(like->kind) + strlen(like->action) +
                      strlen(like->text) + strlen(like->at) + 5;
        Told *told = malloc(sizeof(Told) + size);
        char *to;

        if (!told)
                return NULL;
        to = told->texts;
        told->happening = (Happening){
                .type = like->type,
                .realtime_us = like->realtime_us,
                .path = copy_text(&to, like->path),
                .kind = copy_text(&to, like->kind),
                .action = copy_text(&to, like->action),
                .text = copy_text(&to, like->text),
                .at = copy_text(&to, like->at),
        };
        return told;
}

void history_add(History *history, const Happening *happening) {
        Told **told = &history->told[history->next % HISTORY_MAX];

        if (history->next - history->from == HISTORY_MAX) {
                free(*told);
                history->from++;
        }
        *told = told_new(happening);
        history->next++;
}

const Happening *history_get(const History *history, uint64_t number, uint64_t *ret_number) {
        for (number = MAX(number, history->from); number < history->next; number++) {
                const Told *told = history->told[number % HISTORY_MAX];

                if (!told)
                        continue;
                *ret_number = number;
                return &told->happening;
        }
        return NULL;
}
