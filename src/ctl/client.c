/* SPDX-License-Identifier: MIT */
/*
 * The daemon is asked on its own socket, which is there without any system bus and before it. It
 * may be busy, hang, or go away at any time: whatever is waited for, it is not for ever.
 */

#include "ctl/client.h"

#include "daemon/bus.h"
#include "daemon/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define USEC_PER_MS ((uint64_t)1000)
#define AGAIN_MS 50u /* its queue of connections is full */

static uint64_t now_ms(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Connecting. */

/* sd_bus_call() waits for the other side to let it in, however long that takes. */
static int wait_ready(sd_bus *sd, uint64_t deadline) {
        int r;

        while ((r = sd_bus_is_ready(sd)) == 0) {
                uint64_t now = now_ms();

                r = sd_bus_process(sd, NULL);
                if (r < 0)
                        return r;
                if (r > 0)
                        continue;
                if (now >= deadline)
                        return -ETIMEDOUT;
                r = sd_bus_wait(sd, (deadline - now) * USEC_PER_MS);
                if (r < 0 && r != -EINTR)
                        return r;
        }
        return r < 0 ? r : 0;
}

static int connect_at(int dir_fd, uint64_t deadline, sd_bus **ret) {
        sd_bus *sd = NULL;
        char address[64];
        int r;

        /* Through the folder: the path may be longer than an address can be. */
        snprintf(address, sizeof(address), "unix:path=/proc/self/fd/%d/" BUS_SOCKET, dir_fd);
        r = sd_bus_new(&sd);
        if (r >= 0)
                r = sd_bus_set_address(sd, address);
        if (r >= 0)
                r = sd_bus_start(sd);
        if (r >= 0)
                r = wait_ready(sd, deadline);
        if (r < 0) {
                sd_bus_close_unref(sd);
                return r;
        }
        *ret = sd;
        return 0;
}

int client_connect(const Ctl *ctl, sd_bus **ret) {
        uint64_t deadline = now_ms() + ctl->timeout_ms;
        _cleanup_(fd_closep) int dir_fd = -1;
        _cleanup_(buf_deinit) Buf runtime = {};
        int r;

        r = store_runtime(ctl->runtime_dir, &runtime);
        if (r < 0)
                return r;
        dir_fd = open(buf_text(&runtime), O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (dir_fd < 0)
                return errno == ENOENT ? CLIENT_E_NO_DAEMON : -errno;
        while ((r = connect_at(dir_fd, deadline, ret)) == -EAGAIN && now_ms() < deadline)
                nanosleep(&(struct timespec){.tv_nsec = AGAIN_MS * 1000000}, NULL);
        return r == -ENOENT || r == -ECONNREFUSED ? CLIENT_E_NO_DAEMON : r;
}

CtlExit client_no_daemon(const Ctl *ctl, int r) {
        switch (r) {
        case CLIENT_E_NO_DAEMON:
                ctl_error(ctl, "no daemon is running; 'plan' tells how things are without one");
                return CTL_NO_DAEMON;
        case -EACCES:
                ctl_error(ctl, "the daemon is there for root and the group 'mvnet'");
                return CTL_FAILED;
        case -ETIMEDOUT:
        case -EAGAIN:
                ctl_error(ctl, "the daemon is there, but does not answer");
                return CTL_FAILED;
        case -ECONNRESET:
        case -EPIPE:
                ctl_error(ctl, "the daemon hung up: it has too many clients, or is about to end");
                return CTL_FAILED;
        }
        return ctl_error_errno(ctl, r, "can't connect to the daemon");
}

CtlExit client_open(const Ctl *ctl, sd_bus **ret) {
        int r = client_connect(ctl, ret);

        return r == 0 ? CTL_DONE : client_no_daemon(ctl, r);
}

CtlExit client_gone(const Ctl *ctl) {
        ctl_error(ctl, "the daemon went away");
        return CTL_NO_DAEMON;
}

/* Calling. */

static bool is_gone(int r) {
        return r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE || r == -ESHUTDOWN;
}

int client_message(sd_bus *sd, const char *member, sd_bus_message **ret) {
        int r = sd_bus_message_new_method_call(sd, ret, NULL, BUS_PATH, BUS_INTERFACE, member);

        return r < 0 ? r : 0;
}

CtlExit client_call(const Ctl *ctl, sd_bus *sd, sd_bus_message *m, uint64_t timeout_ms,
                    sd_bus_message **ret) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        CtlExit code = CTL_DONE;
        int r;

        r = sd_bus_call(sd, m, timeout_ms * USEC_PER_MS, &error, ret);
        if (r < 0 && is_gone(r))
                code = client_gone(ctl);
        else if (r == -ETIMEDOUT)
                code = client_no_daemon(ctl, r);
        else if (r < 0 && error.message) {
                ctl_error(ctl, "%s", error.message);
                code = CTL_FAILED;
        } else if (r < 0)
                code = ctl_error_errno(ctl, r, "asking the daemon");
        sd_bus_error_free(&error);
        return code;
}

CtlExit client_tell(const Ctl *ctl, sd_bus *sd, const char *member, const char *types, ...) {
        sd_bus_message *m = NULL, *reply = NULL;
        CtlExit code;
        va_list ap;
        int r;

        r = client_message(sd, member, &m);
        va_start(ap, types);
        if (r == 0)
                r = sd_bus_message_appendv(m, types, ap);
        va_end(ap);
        code = r < 0 ? ctl_error_errno(ctl, r, member)
                     : client_call(ctl, sd, m, ctl->timeout_ms, &reply);
        sd_bus_message_unref(m);
        sd_bus_message_unref(reply);
        return code;
}

/* The status. */

static int read_property(sd_bus_message *m, Status *status) {
        const struct {
                const char *name, **text;
        } texts[] = {
                {"Name", &status->name},
                {"Degraded", &status->degraded},
                {"Noisy", &status->noisy},
        };
        const char *name, *value;
        int paused, r;

        r = sd_bus_message_read_basic(m, 's', &name);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                if (streq(name, texts[i].name)) {
                        r = sd_bus_message_read(m, "v", "s", &value);
                        if (r < 0)
                                return r;
                        *texts[i].text = arena_strdup(&status->plan->arena, value);
                        return *texts[i].text ? 0 : -ENOMEM;
                }
        if (!streq(name, "Paused"))
                return sd_bus_message_skip(m, "v");
        r = sd_bus_message_read(m, "v", "b", &paused);
        status->paused = r >= 0 && paused;
        return r;
}

/* The property may be older, or newer, than the objects are. */
static int read_list(sd_bus_message *m, Status *status) {
        const char *state;
        int r;

        r = wire_read_items(m, &status->plan);
        if (r < 0)
                return r;
        r = sd_bus_message_read(m, "s", &state);
        if (r < 0)
                return r;
        status->state = arena_strdup(&status->plan->arena, state);
        return status->state ? 0 : -ENOMEM;
}

static int read_properties(sd_bus_message *m, Status *status) {
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = read_property(m, status);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r;
}

static CtlExit ask(const Ctl *ctl, sd_bus *sd, sd_bus_message **ret_properties,
                   sd_bus_message **ret_items) {
        sd_bus_message *get = NULL, *list = NULL;
        CtlExit code = CTL_DONE;
        int r;

        r = sd_bus_message_new_method_call(sd, &get, NULL, BUS_PATH,
                                           "org.freedesktop.DBus.Properties", "GetAll");
        if (r >= 0)
                r = sd_bus_message_append(get, "s", BUS_INTERFACE);
        if (r >= 0)
                r = client_message(sd, "List", &list);
        if (r < 0)
                code = ctl_error_errno(ctl, r, "status");
        if (code == CTL_DONE)
                code = client_call(ctl, sd, get, ctl->timeout_ms, ret_properties);
        if (code == CTL_DONE)
                code = client_call(ctl, sd, list, ctl->timeout_ms, ret_items);
        sd_bus_message_unref(get);
        sd_bus_message_unref(list);
        return code;
}

CtlExit client_status(const Ctl *ctl, sd_bus *sd, Status *ret) {
        Status status = {.name = "", .state = "", .degraded = "", .noisy = ""};
        sd_bus_message *properties = NULL, *items = NULL;
        CtlExit code;
        int r = 0;

        code = ask(ctl, sd, &properties, &items);
        if (code == CTL_DONE)
                r = read_list(items, &status);
        if (code == CTL_DONE && r >= 0)
                r = read_properties(properties, &status);
        sd_bus_message_unref(properties);
        sd_bus_message_unref(items);
        if (r < 0)
                code = ctl_error_errno(ctl, r, "what the daemon answered");
        if (code == CTL_DONE)
                *ret = status;
        else
                status_deinit(&status);
        return code;
}

void status_deinit(Status *status) {
        status->plan = plan_free(status->plan);
}

/* Waiting. 0: it has changed; -ETIMEDOUT; < 0 otherwise. */

static int on_changed(_unused_ sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        *(bool *)userdata = true;
        return 0;
}

static int wait_change(sd_bus *sd, const bool *changed, uint64_t deadline) {
        for (;;) {
                uint64_t now = now_ms();
                int r = sd_bus_process(sd, NULL);

                if (r < 0)
                        return r;
                if (r > 0)
                        continue;
                if (*changed)
                        return 0;
                if (now >= deadline)
                        return -ETIMEDOUT;
                r = sd_bus_wait(sd, deadline == UINT64_MAX ? UINT64_MAX
                                                           : (deadline - now) * USEC_PER_MS);
                if (r < 0 && r != -EINTR)
                        return r;
        }
}

CtlExit client_wait(const Ctl *ctl, sd_bus *sd, uint64_t timeout_ms, ClientLook *look,
                    Status *ret) {
        uint64_t deadline = timeout_ms > 0 ? now_ms() + timeout_ms : UINT64_MAX;
        sd_bus_slot *slot = NULL;
        bool changed;
        int r, code;

        r = sd_bus_match_signal(sd, &slot, NULL, BUS_PATH, "org.freedesktop.DBus.Properties",
                                "PropertiesChanged", on_changed, &changed);
        if (r < 0)
                return ctl_error_errno(ctl, r, "waiting for the daemon");
        do {
                changed = false;
                status_deinit(ret);
                code = client_status(ctl, sd, ret);
                if (code == CTL_DONE)
                        code = look(ctl, ret);
                if (code == CLIENT_AGAIN)
                        r = wait_change(sd, &changed, deadline);
        } while (code == CLIENT_AGAIN && r == 0);
        sd_bus_slot_unref(slot);
        if (code != CLIENT_AGAIN)
                return (CtlExit)code;
        if (r == -ETIMEDOUT)
                return CTL_WAITING;
        return is_gone(r) ? client_gone(ctl) : ctl_error_errno(ctl, r, "waiting for the daemon");
}
