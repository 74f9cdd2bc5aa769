/* SPDX-License-Identifier: MIT */
/*
 * One line for each thing that happens, for people; and fields, so that a program can ask the
 * journal for all that was done to one link.
 */

#define SD_JOURNAL_SUPPRESS_LOCATION

#include "daemon/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#define FIELDS_MAX 8u

static const struct {
        const char *name;
        int priority;
        const char *id; /* made up with systemd-id128 */
} happenings[_HAPPENING_TYPE_N] = {
        [HAPPENED_NOTICED] = {"noticed", LOG_INFO, "9959972c92d34016be51786c69c940fa"},
        [HAPPENED_DONE] = {"done", LOG_INFO, "6637b900395b42e0a6282bd6147760ac"},
        [HAPPENED_FAILED] = {"failed", LOG_ERR, "1931a18fffd044bfbd122609437e0807"},
        [HAPPENED_WAITING] = {"waiting", LOG_INFO, "a95cd8084c5345eb930ba9da1d7f43ee"},
        [HAPPENED_CONFLICT] = {"conflict", LOG_ERR, "02bced4310354d73a38895e8bafbf411"},
        [HAPPENED_CONTESTED] = {"contested", LOG_WARNING, "3b6af657cb7e4b1789248f821341ec2f"},
        [HAPPENED_NOISY] = {"noisy", LOG_WARNING, "9eb5baae79e74e928490fb0b456d13a6"},
        [HAPPENED_LOADED] = {"loaded", LOG_INFO, "573703c3eb254db285b53fa85037ac51"},
        [HAPPENED_BAD_FILE] = {"bad-file", LOG_ERR, "8b9c79a3b74d41c1b62bd8a44b0c52e5"},
        [HAPPENED_PAUSED] = {"paused", LOG_NOTICE, "7507dcbe521e4371b88bf57dd5c974ed"},
        [HAPPENED_RESUMED] = {"resumed", LOG_NOTICE, "4b4eab0c71a1407fb21864a04f7aff84"},
        [HAPPENED_SETTLED] = {"settled", LOG_DEBUG, "0146221607e243d2a60bf7254c2cbe75"},
};

const char *happening_name(HappeningType type) {
        return happenings[type].name;
}

/* Whether standard error is the journal's: systemd tells which socket it has opened for us. */
static bool stderr_is_journal(void) {
        const char *text = getenv("JOURNAL_STREAM");
        unsigned long long device, inode;
        struct stat st;

        return text && sscanf(text, "%llu:%llu", &device, &inode) == 2 &&
               fstat(STDERR_FILENO, &st) == 0 && st.st_dev == (dev_t)device &&
               st.st_ino == (ino_t)inode;
}

void log_open(Log *log) {
        log->journal = stderr_is_journal();
}

typedef struct Fields {
        Buf texts[FIELDS_MAX];
        size_t n;
} Fields;

static void fields_deinit(Fields *fields) {
        for (size_t i = 0; i < fields->n; i++)
                buf_deinit(&fields->texts[i]);
}

/* What is empty is no field. */
static void fields_add(Fields *fields, const char *name, const char *value) {
        if (value && *value && fields->n < FIELDS_MAX)
                buf_printf(&fields->texts[fields->n++], "%s=%s", name, value);
}

static void fields_send(Fields *fields) {
        struct iovec iov[FIELDS_MAX];
        size_t n = 0;

        for (size_t i = 0; i < fields->n; i++)
                if (buf_error(&fields->texts[i]) == 0)
                        iov[n++] = (struct iovec){fields->texts[i].text, fields->texts[i].size};
        (void)sd_journal_sendv(iov, (int)n);
}

static void fields_priority(Fields *fields, int priority) {
        fields_add(fields, "PRIORITY", (const char[]){(char)('0' + priority), '\0'});
        fields_add(fields, "SYSLOG_IDENTIFIER", "mvnetd");
}

void log_line(const Log *log, int priority, const char *format, ...) {
        _cleanup_(fields_deinit) Fields fields = {};
        _cleanup_(buf_deinit) Buf text = {};
        va_list ap;

        va_start(ap, format);
        buf_vprintf(&text, format, ap);
        va_end(ap);
        if (!log->journal) {
                fprintf(stderr, "mvnetd: %s\n", buf_text(&text));
                return;
        }
        fields_priority(&fields, priority);
        fields_add(&fields, "MESSAGE", buf_text(&text));
        fields_send(&fields);
}

int log_errno(const Log *log, int error, const char *what) {
        const char *reason = strerrordesc_np(-error);

        log_line(log, LOG_ERR, "%s: %s", what, reason ? reason : "unknown error");
        return error;
}

void log_problems(const Log *log, const Report *report) {
        for (const Problem *problem = report->first; problem; problem = problem->next) {
                _cleanup_(buf_deinit) Buf at = {};

                location_format(problem->at, &at);
                log_line(log, LOG_ERR, "%s%s%s%s%s%s%s%s", buf_text(&at), at.size ? ": " : "",
                         problem->path ? problem->path : "",
                         problem->path && *problem->path ? ": " : "", problem->text,
                         problem->hint ? " (" : "", problem->hint ? problem->hint : "",
                         problem->hint ? ")" : "");
        }
}

static void format_happening(const Happening *happening, Buf *ret) {
        if (*happening->path)
                buf_printf(ret, "%s: ", happening->path);
        buf_add(ret, happening_name(happening->type));
        if (*happening->action)
                buf_printf(ret, ": %s", happening->action);
        if (*happening->text)
                buf_printf(ret, ": %s", happening->text);
        if (*happening->at)
                buf_printf(ret, " (%s)", happening->at);
}

/* "ns1/eth0" is link eth0 of ns1, "ns1/" no link; one without a slash is the host's. */
static void add_place(Fields *fields, const Happening *happening) {
        const char *path = happening->path, *slash = strchr(path, '/');
        _cleanup_(buf_deinit) Buf netns = {};

        if (*path && !slash)
                fields_add(fields, "NETNS", HOST);
        if (slash) {
                buf_addn(&netns, path, (size_t)(slash - path));
                fields_add(fields, "NETNS", buf_text(&netns));
        }
        fields_add(fields, "LINK", slash ? slash + 1 : path);
}

void log_happening(const Log *log, const Happening *happening) {
        _cleanup_(fields_deinit) Fields fields = {};
        _cleanup_(buf_deinit) Buf text = {};

        format_happening(happening, &text);
        if (!log->journal) {
                if (happenings[happening->type].priority < LOG_DEBUG)
                        fprintf(stderr, "mvnetd: %s\n", buf_text(&text));
                return;
        }
        fields_priority(&fields, happenings[happening->type].priority);
        fields_add(&fields, "MESSAGE", buf_text(&text));
        fields_add(&fields, "MESSAGE_ID", happenings[happening->type].id);
        add_place(&fields, happening);
        fields_add(&fields, "OP", happening->action);
        fields_add(&fields, "CONFIG", happening->at);
        fields_send(&fields);
}
