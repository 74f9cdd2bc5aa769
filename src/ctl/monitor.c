/* SPDX-License-Identifier: MIT */
/* monitor: what the daemon notices and does, line by line, for people and for pipes. */

#include "ctl/client.h"

#include "daemon/bus.h"
#include "daemon/wire.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

typedef struct Monitor {
        const Ctl *ctl;
        sd_event *event;
        sd_bus *sd;
        CtlExit code;
} Monitor;

static void finish(Monitor *monitor, CtlExit code) {
        monitor->code = code;
        sd_event_exit(monitor->event, 0);
}

/* Whoever reads wants to see it now. A reader that went away has seen enough. */
static void flush(Monitor *monitor) {
        if (fflush(stdout) == 0)
                return;
        if (errno == EPIPE)
                finish(monitor, CTL_DONE);
        else
                finish(monitor, ctl_error_errno(monitor->ctl, -errno, "standard output"));
        clearerr(stdout);
}

static void add_column(Buf *line, const char *text, int width) {
        if (text[0])
                buf_printf(line, " %-*s", width, text);
}

static void print_text(const WireHappening *happening) {
        time_t seconds = (time_t)(happening->realtime_us / 1000000);
        _cleanup_(buf_deinit) Buf line = {};
        char clock[16] = "";
        struct tm tm;

        if (localtime_r(&seconds, &tm))
                strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
        buf_printf(&line, "%s.%03u", clock, (unsigned)(happening->realtime_us / 1000 % 1000));
        add_column(&line, happening->type, 9);
        add_column(&line, happening->path, 20);
        add_column(&line, happening->kind, 9);
        add_column(&line, happening->action, 0);
        if (happening->action[0] && happening->text[0])
                buf_addc(&line, ':');
        add_column(&line, happening->text, 0);
        while (line.size > 0 && line.text[line.size - 1] == ' ')
                line.text[--line.size] = '\0';
        if (happening->at[0])
                buf_printf(&line, "  %s", happening->at);
        puts(buf_text(&line));
}

static void print_json(const Ctl *ctl, const WireHappening *happening) {
        struct json_object *object = json_object_new_object();
        time_t seconds = (time_t)(happening->realtime_us / 1000000);
        char day[32] = "", text[48];
        struct tm tm;

        if (gmtime_r(&seconds, &tm))
                strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(text, sizeof(text), "%s.%06uZ", day, (unsigned)(happening->realtime_us % 1000000));
        json_add(object, "time", json_text(text));
        json_add(object, "type", json_text(happening->type));
        json_add(object, "path", json_text(happening->path));
        json_add(object, "kind", json_text(happening->kind));
        json_add(object, "action", json_text(happening->action));
        json_add(object, "text", json_text(happening->text));
        json_add(object, "at", json_text(happening->at[0] ? happening->at : NULL));
        json_print_line(ctl, object);
}

static int on_happened(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        Monitor *monitor = userdata;
        WireHappening happening;

        if (wire_read_happening(m, &happening) < 0)
                return 0; /* of another version */
        if (monitor->ctl->json)
                print_json(monitor->ctl, &happening);
        else
                print_text(&happening);
        flush(monitor);
        return 0;
}

static int on_missed(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        Monitor *monitor = userdata;
        struct json_object *object;
        uint64_t n;

        if (sd_bus_message_read(m, "t", &n) < 0)
                return 0;
        if (monitor->ctl->json) {
                object = json_object_new_object();
                json_add(object, "missed", json_object_new_uint64(n));
                json_print_line(monitor->ctl, object);
        } else {
                printf("… %llu more, which came too fast to be shown\n", (unsigned long long)n);
        }
        flush(monitor);
        return 0;
}

static int on_message(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        Monitor *monitor = userdata;

        if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.Local", "Disconnected"))
                finish(monitor, client_gone(monitor->ctl));
        return 0;
}

static int on_signal(_unused_ sd_event_source *source, _unused_ const struct signalfd_siginfo *si,
                     void *userdata) {
        finish(userdata, CTL_DONE);
        return 0;
}

static int on_hangup(_unused_ sd_event_source *source, _unused_ int fd, _unused_ uint32_t revents,
                     void *userdata) {
        finish(userdata, CTL_DONE);
        return 0;
}

static int add_sources(Monitor *monitor) {
        sigset_t signals;
        int r;

        sigemptyset(&signals);
        sigaddset(&signals, SIGINT);
        sigaddset(&signals, SIGTERM);
        sigprocmask(SIG_BLOCK, &signals, NULL);
        signal(SIGPIPE, SIG_IGN);
        r = sd_event_new(&monitor->event);
        if (r >= 0)
                r = sd_event_add_signal(monitor->event, NULL, SIGINT, on_signal, monitor);
        if (r >= 0)
                r = sd_event_add_signal(monitor->event, NULL, SIGTERM, on_signal, monitor);
        /* Nothing may happen for hours after a reader went away. Files have no such news. */
        if (r >= 0)
                r = sd_event_add_io(monitor->event, NULL, STDOUT_FILENO, 0, on_hangup, monitor);
        return r == -EPERM ? 0 : r;
}

static int listen_to(Monitor *monitor) {
        int r;

        r = sd_bus_match_signal(monitor->sd, NULL, NULL, BUS_PATH, BUS_INTERFACE, "Happened",
                                on_happened, monitor);
        if (r >= 0)
                r = sd_bus_match_signal(monitor->sd, NULL, NULL, BUS_PATH, BUS_INTERFACE, "Missed",
                                        on_missed, monitor);
        if (r >= 0)
                r = sd_bus_add_filter(monitor->sd, NULL, on_message, monitor);
        if (r >= 0)
                r = sd_bus_attach_event(monitor->sd, monitor->event, SD_EVENT_PRIORITY_NORMAL);
        return r;
}

static CtlExit run_monitor(Ctl *ctl) {
        Monitor monitor = {.ctl = ctl};
        CtlExit code;
        int r;

        code = client_open(ctl, &monitor.sd);
        if (code != CTL_DONE)
                return code;
        r = add_sources(&monitor);
        if (r >= 0)
                r = listen_to(&monitor);
        if (r >= 0)
                code = client_tell(ctl, monitor.sd, "Subscribe", "");
        if (r >= 0 && code == CTL_DONE) {
                r = sd_event_loop(monitor.event);
                code = monitor.code;
        }
        if (r < 0)
                code = ctl_error_errno(ctl, r, "monitor");
        sd_bus_close_unref(monitor.sd);
        sd_event_unref(monitor.event);
        return code;
}

const Verb verbs_monitor = {
        .name = "monitor",
        .arguments = "",
        .doc = "Print what the daemon notices and does as it happens",
        .run = run_monitor,
};
