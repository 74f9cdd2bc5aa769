/* SPDX-License-Identifier: MIT */
/* The command line, and the table of verbs that explains itself. */

#include "ctl/ctl.h"

#include "daemon/daemon.h"
#include "mvnet/utf8.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const Verb *const verbs[] = {
        &verbs_validate, &verbs_plan,    &verbs_apply,  &verbs_down,   &verbs_export,
        &verbs_describe, &verbs_status,  &verbs_reload, &verbs_monitor, &verbs_pause,
        &verbs_resume,   &verbs_wait_online,
};

/* What others call them. */
static const struct {
        const char *word, *verb;
} hints[] = {
        {"diff", "plan"},     {"check", "validate"}, {"lint", "validate"}, {"show", "status"},
        {"list", "status"},   {"ls", "status"},      {"destroy", "down"},  {"delete", "down"},
        {"remove", "down"},   {"stop", "down"},      {"up", "apply"},      {"start", "apply"},
        {"try", "plan"},      {"generate", "plan"},  {"dump", "export"},   {"save", "export"},
        {"get", "export"},    {"explain", "describe"}, {"watch", "monitor"},
        {"restart", "reload"}, {"wait", "wait-online"}, {"online", "wait-online"},
        {"log", "monitor"},   {"events", "monitor"}, {"follow", "monitor"},
};

enum {
        OPT_JSON = 256,
        OPT_EXIT_CODE,
        OPT_FORCE,
        OPT_TIMEOUT,
        OPT_WAIT,
        OPT_RUNTIME_DIR,
        OPT_ALL,
        OPT_NAME,
        OPT_ONCE,
        OPT_FOR,
        OPT_HOLD,
        OPT_VERSION,
};

/* clang-format off */
static const struct {
        struct option option;
        const char *argument, *doc;
        unsigned only; /* CTL_OPT_*, or 0: every verb */
} options[] = {
        { {"config", required_argument, NULL, 'c'}, "PATH", "a file, a folder, or - for standard input", 0 },
        { {"json", no_argument, NULL, OPT_JSON}, NULL, "print JSON", 0 },
        { {"exit-code", no_argument, NULL, OPT_EXIT_CODE}, NULL, "exit with 3 if there is a difference", CTL_OPT_EXIT_CODE },
        { {"force", no_argument, NULL, OPT_FORCE}, NULL, "also what may cut off this session or the default route", CTL_OPT_FORCE },
        { {"timeout", required_argument, NULL, OPT_TIMEOUT}, "TIME", "how long to retry what something dying is in the way of (10s)", CTL_OPT_TIMEOUT },
        { {"wait", required_argument, NULL, OPT_WAIT}, "TIME", "wait for what is not there yet; exit with 4 if it does not come", CTL_OPT_WAIT },
        { {"all", no_argument, NULL, OPT_ALL}, NULL, "everything, not only what mvnetd made", CTL_OPT_ALL },
        { {"name", required_argument, NULL, OPT_NAME}, "NAME", "the configuration, if its files don't say (or are gone)", CTL_OPT_NAME },
        { {"once", no_argument, NULL, OPT_ONCE}, NULL, "make everything as it should be, and leave", CTL_OPT_ONCE },
        { {"for", required_argument, NULL, OPT_FOR}, "TIME", "no longer than that; else until 'resume'", CTL_OPT_FOR },
        { {"hold", no_argument, NULL, OPT_HOLD}, NULL, "then tell systemd, stay, and exit with 1 when it is no longer so", CTL_OPT_HOLD },
        { {"runtime-dir", required_argument, NULL, OPT_RUNTIME_DIR}, "DIR", "where records and the daemon's socket are, instead of /run/mvnet", 0 },
        { {"help", no_argument, NULL, 'h'}, NULL, "this text", 0 },
        { {"version", no_argument, NULL, OPT_VERSION}, NULL, "the version", 0 },
};
/* clang-format on */

/* printf() pads by bytes; "…" is three of them. */
static int width(const char *text, int columns) {
        for (const char *c = text; *c; c++)
                columns += utf8_continues(*c);
        return columns;
}

/* Of a verb; NULL: those of all. */
static void print_options(const Verb *verb) {
        for (size_t i = 0; i < ELEMENTSOF(options); i++) {
                bool own = verb && options[i].only == CTL_OPT_TIMEOUT && verb->timeout_doc;
                char text[64];

                if (options[i].only != 0 && (!verb || (options[i].only & verb->options) == 0))
                        continue;
                snprintf(text, sizeof(text), "%s--%s%s%s",
                         options[i].option.val == 'c' ? "-c, " : "    ", options[i].option.name,
                         options[i].argument ? " " : "",
                         options[i].argument ? options[i].argument : "");
                printf("  %-22s %s\n", text, own ? verb->timeout_doc : options[i].doc);
        }
}

static CtlExit print_help(const Ctl *ctl) {
        printf("Usage: %s VERB [OPTION]… [PATH]…\n\n"
               "Without a PATH: /etc/mvnet, /run/mvnet.d and /usr/lib/mvnet.\n\n", ctl->program);
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                printf("  %-11s %-*s %s\n", verbs[i]->name, width(verbs[i]->arguments, 9),
                       verbs[i]->arguments, verbs[i]->doc);
        printf("\nOptions of every verb; %s VERB --help tells the others:\n", ctl->program);
        print_options(NULL);
        printf("\nExit codes: 0 done, 1 something failed or is in conflict, 2 usage or bad file,\n"
               "3 differs (--exit-code), 4 still waiting (--wait), 5 no daemon.\n");
        return CTL_DONE;
}

static CtlExit print_verb_help(const Ctl *ctl, const Verb *verb) {
        printf("Usage: %s%s%s [OPTION]… %s\n\n%s.\n\n", ctl->program, ctl->daemon ? "" : " ",
               ctl->daemon ? "" : verb->name, verb->arguments, verb->doc);
        print_options(verb);
        return CTL_DONE;
}

static const Verb *find_verb(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (streq(verbs[i]->name, name))
                        return verbs[i];
        return NULL;
}

static CtlExit unknown_verb(const Ctl *ctl, const char *word) {
        const char *names[ELEMENTSOF(verbs)], *nearest = NULL;

        for (size_t i = 0; i < ELEMENTSOF(hints); i++)
                if (streq(hints[i].word, word))
                        nearest = hints[i].verb;
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                names[i] = verbs[i]->name;
        if (!nearest)
                nearest = text_nearest(word, names, ELEMENTSOF(names));
        if (nearest)
                ctl_error(ctl, "no verb '%s': did you mean '%s'?", word, nearest);
        else
                ctl_error(ctl, "no verb '%s': see '%s --help'", word, ctl->program);
        return CTL_USAGE;
}

/* "10s", "250ms", "0". 0, or -EINVAL after saying why. */
static int parse_time(const Ctl *ctl, const char *option, const char *text, unsigned *ret_ms) {
        static const struct {
                const char *name;
                uint64_t ms;
        } units[] = {{"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}};
        size_t digits = strspn(text, "0123456789");
        char number[16];
        uint64_t value;

        if (digits > 0 && digits < sizeof(number)) {
                memcpy(number, text, digits);
                number[digits] = '\0';
                if (text_to_u64(number, &value) == 0 && value == 0 && text[digits] == '\0') {
                        *ret_ms = 0;
                        return 0;
                }
                for (size_t i = 0; i < ELEMENTSOF(units); i++)
                        if (streq(text + digits, units[i].name) &&
                            value <= INT32_MAX / units[i].ms) {
                                *ret_ms = (unsigned)(value * units[i].ms);
                                return 0;
                        }
        }
        if (digits > 0 && text[digits] == '\0')
                ctl_error(ctl, "%s needs a unit: %ss or %sms?", option, text, text);
        else
                ctl_error(ctl, "%s is a time such as 15s, 100ms or 5min, not '%s'", option, text);
        return -EINVAL;
}

static bool is_taken(const Verb *verb, int option) {
        for (size_t i = 0; i < ELEMENTSOF(options); i++)
                if (options[i].option.val == option)
                        return options[i].only == 0 || (options[i].only & verb->options) != 0;
        return false;
}

/* 0, or -EINVAL after saying why. */
static int set_option(Ctl *ctl, const Verb *verb, int option, const char **paths) {
        if (!is_taken(verb, option)) {
                for (size_t i = 0; i < ELEMENTSOF(options); i++)
                        if (options[i].option.val == option)
                                ctl_error(ctl, "%s has no option --%s",
                                          ctl->daemon ? ctl->program : verb->name,
                                          options[i].option.name);
                return -EINVAL;
        }
        switch (option) {
        case 'c':
                paths[ctl->n_paths++] = optarg;
                return 0;
        case OPT_JSON:
                ctl->json = true;
                return 0;
        case OPT_EXIT_CODE:
                ctl->exit_code = true;
                return 0;
        case OPT_FORCE:
                ctl->force = true;
                return 0;
        case OPT_TIMEOUT:
                return parse_time(ctl, "--timeout", optarg, &ctl->timeout_ms);
        case OPT_WAIT:
                ctl->wait = true;
                return parse_time(ctl, "--wait", optarg, &ctl->wait_ms);
        case OPT_RUNTIME_DIR:
                ctl->runtime_dir = optarg;
                return 0;
        case OPT_ALL:
                ctl->all = true;
                return 0;
        case OPT_NAME:
                ctl->name = optarg;
                return 0;
        case OPT_ONCE:
                ctl->once = true;
                return 0;
        case OPT_FOR:
                return parse_time(ctl, "--for", optarg, &ctl->for_ms);
        case OPT_HOLD:
                ctl->hold = true;
                return 0;
        }
        return -EINVAL; /* getopt has said so */
}

static CtlExit run_verb(Ctl *ctl, const Verb *verb, int argc, char **argv) {
        _cleanup_(freep) const char **paths = calloc((size_t)argc + 1, sizeof(*paths));
        struct option table[ELEMENTSOF(options) + 1] = {};
        CtlExit code;
        int option;

        if (!paths)
                return ctl_error_errno(ctl, -ENOMEM, verb->name);
        for (size_t i = 0; i < ELEMENTSOF(options); i++)
                table[i] = options[i].option;
        if (verb->timeout_ms > 0)
                ctl->timeout_ms = verb->timeout_ms;
        argv[0] = (char *)ctl->program; /* as getopt's messages begin */
        while ((option = getopt_long(argc, argv, "c:h", table, NULL)) >= 0) {
                if (option == 'h')
                        return print_verb_help(ctl, verb);
                if (option == OPT_VERSION) {
                        printf("%s\n", MVNET_VERSION);
                        return CTL_DONE;
                }
                if (option == '?' || set_option(ctl, verb, option, paths) < 0)
                        return CTL_USAGE;
        }
        for (int i = optind; i < argc; i++)
                paths[ctl->n_paths++] = argv[i];
        ctl->paths = paths;
        if (verb->arguments[0] == '\0' && ctl->n_paths > 0) {
                ctl_error(ctl, "%s takes no argument such as '%s'", verb->name, paths[0]);
                return CTL_USAGE;
        }
        code = verb->run(ctl);
        if (fflush(stdout) == EOF && code == CTL_DONE)
                return ctl_error_errno(ctl, -errno, "standard output");
        return code;
}

CtlExit ctl_main(int argc, char **argv) {
        Ctl ctl = {.program = "mvnetctl", .timeout_ms = SETTLE_TIMEOUT_MS};
        const Verb *verb;

        if (argc < 2) {
                ctl_error(&ctl, "what to do? See '%s --help'", ctl.program);
                return CTL_USAGE;
        }
        if (streq(argv[1], "--version")) {
                printf("%s\n", MVNET_VERSION);
                return CTL_DONE;
        }
        if (streq(argv[1], "--help") || streq(argv[1], "-h") || streq(argv[1], "help")) {
                verb = argc > 2 ? find_verb(argv[2]) : NULL;
                return verb ? print_verb_help(&ctl, verb) : print_help(&ctl);
        }
        if (argv[1][0] == '-') {
                ctl_error(&ctl, "the verb comes first: see '%s --help'", ctl.program);
                return CTL_USAGE;
        }
        verb = find_verb(argv[1]);
        return verb ? run_verb(&ctl, verb, argc - 1, argv + 1) : unknown_verb(&ctl, argv[1]);
}

static CtlExit run_daemon(Ctl *ctl) {
        const DaemonOptions daemon = {
                .paths = ctl->paths,
                .n_paths = ctl->n_paths,
                .name = ctl->name,
                .runtime_dir = ctl->runtime_dir,
        };

        if (ctl->once)
                return verbs_apply.run(ctl);
        for (size_t i = 0; i < ctl->n_paths; i++)
                if (streq(ctl->paths[i], "-")) {
                        ctl_error(ctl, "standard input can be read only once: name a file, or say "
                                  "--once");
                        return CTL_USAGE;
                }
        return daemon_run(&daemon) == 0 ? CTL_DONE : CTL_FAILED;
}

CtlExit ctl_main_daemon(int argc, char **argv) {
        static const Verb daemon = {
                .name = "mvnetd",
                .arguments = "[PATH]…",
                .doc = "Make the network as the files say",
                .options = CTL_OPT_ONCE | CTL_OPT_FORCE | CTL_OPT_TIMEOUT | CTL_OPT_WAIT |
                           CTL_OPT_NAME,
                .run = run_daemon,
        };
        Ctl ctl = {
                .program = daemon.name,
                .daemon = true,
                .timeout_ms = SETTLE_TIMEOUT_MS,
        };

        return run_verb(&ctl, &daemon, argc, argv);
}
