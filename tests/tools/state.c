/* SPDX-License-Identifier: MIT */
/* A look at everything that does not know what it looks at: attributes are numbers and bytes. */

#include "state.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SPACES_MAX 512

/* Lines. */

void lines_add(Lines *lines, const char *text) {
        if (lines->n == lines->size) {
                lines->size = lines->size ? lines->size * 2 : 256;
                lines->items = realloc(lines->items, lines->size * sizeof(*lines->items));
                if (!lines->items)
                        err(2, NULL);
        }
        lines->items[lines->n] = strdup(text);
        if (!lines->items[lines->n++])
                err(2, NULL);
}

static int compare(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

void lines_sort(Lines *lines) {
        if (lines->n > 0)
                qsort(lines->items, lines->n, sizeof(*lines->items), compare);
}

bool lines_have(const Lines *lines, const char *text) {
        return lines->n > 0 &&
               bsearch(&text, lines->items, lines->n, sizeof(*lines->items), compare) != NULL;
}

static bool counts(const char *line, bool indexes) {
        return indexes || !strstr(line, " index=");
}

bool lines_equal(const Lines *a, const Lines *b, bool indexes) {
        size_t i = 0, j = 0;

        for (;; i++, j++) {
                while (i < a->n && !counts(a->items[i], indexes))
                        i++;
                while (j < b->n && !counts(b->items[j], indexes))
                        j++;
                if (i >= a->n || j >= b->n)
                        return i >= a->n && j >= b->n;
                if (strcmp(a->items[i], b->items[j]) != 0)
                        return false;
        }
}

void lines_diff(const Lines *wanted, const Lines *have) {
        for (size_t i = 0; i < wanted->n; i++)
                if (counts(wanted->items[i], false) && !lines_have(have, wanted->items[i]))
                        printf("- %s\n", wanted->items[i]);
        for (size_t i = 0; i < have->n; i++)
                if (counts(have->items[i], false) && !lines_have(wanted, have->items[i]))
                        printf("+ %s\n", have->items[i]);
}

void lines_drop(Lines *lines, const char *prefix) {
        size_t n = 0;

        for (size_t i = 0; prefix && i < lines->n; i++)
                if (strncmp(lines->items[i], prefix, strlen(prefix)) == 0)
                        free(lines->items[i]);
                else
                        lines->items[n++] = lines->items[i];
        if (prefix)
                lines->n = n;
}

void lines_free(Lines *lines) {
        for (size_t i = 0; i < lines->n; i++)
                free(lines->items[i]);
        free(lines->items);
        *lines = (Lines){};
}

/* Namespaces, and who is who in them. */

typedef struct Name {
        int index;
        char name[IFNAMSIZ];
} Name;

typedef struct Known {
        int32_t nsid;
        const struct Space *space;
} Known;

typedef struct Space {
        char *name;
        Known *known; /* numbers of namespaces that were asked about */
        size_t n_known;
        Rtnl *rtnl;
        Name *names;
        size_t n_names;
        struct nlmsghdr **messages;
        size_t n_messages;
} Space;

static Space spaces[SPACES_MAX];
static size_t n_spaces;

static const char *name_in(const Space *space, int index) {
        for (size_t i = 0; i < space->n_names; i++)
                if (space->names[i].index == index)
                        return space->names[i].name;
        return "?";
}

static int take_nsid(const struct nlmsghdr *message, void *userdata) {
        const struct nlattr *attr = attr_of(message, sizeof(struct rtgenmsg), NETNSA_NSID);

        if (attr)
                *(int32_t *)userdata = (int32_t)mnl_attr_get_u32(attr);
        return MNL_CB_OK;
}

/* The number by which `space` knows that namespace, or -1. */
static int32_t nsid_of(const Space *space, const Space *other) {
        char buffer[256], path[300];
        struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
        struct rtgenmsg *message;
        int32_t id = -1;
        int fd;

        snprintf(path, sizeof(path), "%s%s", other->name[0] ? "/run/netns/" : "/proc/self/ns/net",
                 other->name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -1;
        request->nlmsg_type = RTM_GETNSID;
        message = mnl_nlmsg_put_extra_header(request, sizeof(*message));
        message->rtgen_family = AF_UNSPEC;
        mnl_attr_put_u32(request, NETNSA_FD, (uint32_t)fd);
        rtnl_get(space->rtnl, request, take_nsid, &id);
        close(fd);
        return id;
}

static const Space *space_of_nsid(Space *space, int32_t nsid) {
        const Space *found = NULL;

        for (size_t i = 0; i < space->n_known; i++)
                if (space->known[i].nsid == nsid)
                        return space->known[i].space;
        for (size_t i = 0; i < n_spaces && !found; i++)
                if (nsid_of(space, &spaces[i]) == nsid)
                        found = &spaces[i];
        space->known = realloc(space->known, (space->n_known + 1) * sizeof(*space->known));
        if (!space->known)
                err(2, NULL);
        space->known[space->n_known++] = (Known){nsid, found};
        return found;
}

/* Texts. */

typedef struct Writer {
        Lines *lines;
        Space *space;
        char prefix[128];
} Writer;

static void __attribute__((format(printf, 2, 3)))
say(const Writer *writer, const char *format, ...) {
        char text[4096];
        int n = snprintf(text, sizeof(text), "%s ", writer->prefix);
        va_list list;

        va_start(list, format);
        vsnprintf(text + n, sizeof(text) - (size_t)n, format, list);
        va_end(list);
        lines_add(writer->lines, text);
}

static void say_bytes(const Writer *writer, const char *what, unsigned number,
                      const struct nlattr *attr) {
        const unsigned char *bytes = mnl_attr_get_payload(attr);
        size_t size = mnl_attr_get_payload_len(attr);
        char text[2048] = "";

        if (size == 0) /* padding, which comes and goes with what is before it */
                return;
        for (size_t i = 0; i < size && i < sizeof(text) / 2 - 1; i++)
                snprintf(text + 2 * i, 3, "%02x", bytes[i]);
        say(writer, "%s%u=%s", what, number, text);
}

static void say_link(const Writer *writer, const char *what, int index, const struct nlattr *nsid) {
        const Space *space;

        if (!nsid) {
                say(writer, "%s=%s", what, name_in(writer->space, index));
        } else if (writer->space->rtnl) { /* nobody can be asked about an event */
                space = space_of_nsid(writer->space, (int32_t)mnl_attr_get_u32(nsid));
                say(writer, "%s=%s/%s", what, space ? space->name : "?",
                    space ? name_in(space, index) : "?");
        }
}

static bool among(unsigned number, const unsigned char *list) {
        for (; *list; list++)
                if (*list == number)
                        return true;
        return false;
}

/* Counters, timers and what others decide; and what has a line of its own. */
/* clang-format off */
static const unsigned char quiet_link[] = {
        IFLA_IFNAME, IFLA_LINK, IFLA_QDISC, IFLA_STATS, IFLA_MASTER, IFLA_MAP, IFLA_OPERSTATE,
        IFLA_LINKINFO, IFLA_STATS64, IFLA_AF_SPEC, IFLA_CARRIER, IFLA_CARRIER_CHANGES,
        IFLA_LINK_NETNSID, IFLA_EVENT, IFLA_CARRIER_UP_COUNT, IFLA_CARRIER_DOWN_COUNT,
        IFLA_PROP_LIST, IFLA_PERM_ADDRESS, IFLA_PROMISCUITY, 61 /* IFLA_ALLMULTI */,
        IFLA_TSO_MAX_SIZE, IFLA_TSO_MAX_SEGS, 0,
};
static const unsigned char quiet_bridge[] = {
        IFLA_BR_ROOT_ID, IFLA_BR_BRIDGE_ID, IFLA_BR_ROOT_PORT, IFLA_BR_ROOT_PATH_COST,
        IFLA_BR_TOPOLOGY_CHANGE, IFLA_BR_TOPOLOGY_CHANGE_DETECTED, IFLA_BR_HELLO_TIMER,
        IFLA_BR_TCN_TIMER, IFLA_BR_TOPOLOGY_CHANGE_TIMER, IFLA_BR_GC_TIMER,
        IFLA_BR_MCAST_QUERIER_STATE, 48 /* IFLA_BR_FDB_N_LEARNED */, 0,
};
static const unsigned char quiet_macvlan[] = {IFLA_MACVLAN_BC_QUEUE_LEN_USED, 0};
static const unsigned char quiet_bridge_port[] = {
        IFLA_BRPORT_STATE, IFLA_BRPORT_ROOT_ID, IFLA_BRPORT_BRIDGE_ID, IFLA_BRPORT_DESIGNATED_PORT,
        IFLA_BRPORT_DESIGNATED_COST, IFLA_BRPORT_ID, IFLA_BRPORT_NO,
        IFLA_BRPORT_TOPOLOGY_CHANGE_ACK, IFLA_BRPORT_CONFIG_PENDING, IFLA_BRPORT_MESSAGE_AGE_TIMER,
        IFLA_BRPORT_FORWARD_DELAY_TIMER, IFLA_BRPORT_HOLD_TIMER, IFLA_BRPORT_BACKUP_PORT,
        IFLA_BRPORT_MCAST_EHT_HOSTS_CNT, 41 /* IFLA_BRPORT_MCAST_N_GROUPS */, 0,
};
static const unsigned char quiet_bond_port[] = {
        IFLA_BOND_SLAVE_STATE, IFLA_BOND_SLAVE_MII_STATUS, IFLA_BOND_SLAVE_LINK_FAILURE_COUNT,
        IFLA_BOND_SLAVE_AD_AGGREGATOR_ID, IFLA_BOND_SLAVE_AD_ACTOR_OPER_PORT_STATE,
        IFLA_BOND_SLAVE_AD_PARTNER_OPER_PORT_STATE, 0,
};
static const unsigned char quiet_none[] = {0};
/* clang-format on */

/* In whatever order the kernel keeps them. */
static const struct {
        const char *kind;
        unsigned attr;
} sets[] = {
        {"vlan", IFLA_VLAN_EGRESS_QOS},
        {"vlan", IFLA_VLAN_INGRESS_QOS},
        {"macvlan", IFLA_MACVLAN_MACADDR_DATA},
        {"macvtap", IFLA_MACVLAN_MACADDR_DATA},
};

static bool is_set(const char *kind, unsigned number) {
        for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
                if (strcmp(sets[i].kind, kind) == 0 && sets[i].attr == number)
                        return true;
        return false;
}

static void say_kind(const Writer *writer, const char *kind, const struct nlattr *options) {
        const unsigned char *quiet = strcmp(kind, "bridge") == 0         ? quiet_bridge
                                     : strncmp(kind, "macv", 4) == 0 ? quiet_macvlan
                                                                         : quiet_none;
        const struct nlattr *attr, *member;
        unsigned number;

        say(writer, "kind=%s", kind);
        if (!options)
                return;
        mnl_attr_for_each_nested(attr, options) {
                number = mnl_attr_get_type(attr);
                if (among(number, quiet))
                        continue;
                if (!is_set(kind, number)) {
                        say_bytes(writer, "data.", number, attr);
                        continue;
                }
                mnl_attr_for_each_nested(member, attr)
                        say_bytes(writer, "data.has.", number, member);
        }
}

static void say_port(const Writer *writer, const char *master, const struct nlattr *options) {
        bool bridge = strcmp(master, "bridge") == 0;
        const unsigned char *quiet = bridge                         ? quiet_bridge_port
                                     : strcmp(master, "bond") == 0 ? quiet_bond_port
                                                                   : quiet_none;
        const struct nlattr *attr;

        if (!options)
                return;
        mnl_attr_for_each_nested(attr, options) {
                if (bridge && mnl_attr_get_type(attr) == IFLA_BRPORT_BACKUP_PORT)
                        say_link(writer, "backup-port", (int)mnl_attr_get_u32(attr), NULL);
                else if (!among(mnl_attr_get_type(attr), quiet))
                        say_bytes(writer, "port.", mnl_attr_get_type(attr), attr);
        }
}

static void say_families(const Writer *writer, const struct nlattr *families) {
        const struct nlattr *inet = attr_in(families, AF_INET);
        const struct nlattr *inet6 = attr_in(families, AF_INET6);
        const unsigned inet6_attrs[] = {IFLA_INET6_CONF, IFLA_INET6_TOKEN,
                                        IFLA_INET6_ADDR_GEN_MODE};

        if (attr_in(inet, IFLA_INET_CONF))
                say_bytes(writer, "inet.", IFLA_INET_CONF, attr_in(inet, IFLA_INET_CONF));
        for (size_t i = 0; i < sizeof(inet6_attrs) / sizeof(inet6_attrs[0]); i++)
                if (attr_in(inet6, inet6_attrs[i]))
                        say_bytes(writer, "inet6.", inet6_attrs[i], attr_in(inet6, inet6_attrs[i]));
}

static void writer_init(Writer *writer, Lines *lines, Space *space, const char *name) {
        writer->lines = lines;
        writer->space = space;
        snprintf(writer->prefix, sizeof(writer->prefix), "%s%s%s", space->name,
                 space->name[0] ? "/" : "", name);
}

static bool is_kind(const struct nlattr *info, const char *kind) {
        const struct nlattr *attr = attr_in(info, IFLA_INFO_KIND);

        return attr && strcmp(mnl_attr_get_str(attr), kind) == 0;
}

static void say_message(const Writer *writer, const struct nlmsghdr *message) {
        const struct ifinfomsg *link = mnl_nlmsg_get_payload(message);
        const unsigned flags = IFF_UP | IFF_NOARP | IFF_MULTICAST | IFF_ALLMULTI | IFF_PROMISC;
        const struct nlattr *info = attr_of(message, sizeof(*link), IFLA_LINKINFO);
        const struct nlattr *attr, *member;

        say(writer, "index=%d", link->ifi_index);
        say(writer, "flags=%x", link->ifi_flags & flags);
        mnl_attr_for_each(attr, message, sizeof(*link))
                if (!among(mnl_attr_get_type(attr), quiet_link))
                        say_bytes(writer, "", mnl_attr_get_type(attr), attr);
        attr = attr_of(message, sizeof(*link), IFLA_LINK);
        /* Linux 6.1 does not tell in which namespace the parent of an ipvtap is. */
        if (attr && !is_kind(info, "ipvtap"))
                say_link(writer, "link", (int)mnl_attr_get_u32(attr),
                         attr_of(message, sizeof(*link), IFLA_LINK_NETNSID));
        attr = attr_of(message, sizeof(*link), IFLA_MASTER);
        if (attr)
                say_link(writer, "master", (int)mnl_attr_get_u32(attr), NULL);
        attr = attr_of(message, sizeof(*link), IFLA_PROP_LIST);
        if (attr)
                mnl_attr_for_each_nested(member, attr)
                        say(writer, "altname=%s", mnl_attr_get_str(member));
        attr = attr_in(info, IFLA_INFO_KIND);
        if (attr)
                say_kind(writer, mnl_attr_get_str(attr), attr_in(info, IFLA_INFO_DATA));
        attr = attr_in(info, IFLA_INFO_SLAVE_KIND);
        if (attr)
                say_port(writer, mnl_attr_get_str(attr), attr_in(info, IFLA_INFO_SLAVE_DATA));
        say_families(writer, attr_of(message, sizeof(*link), IFLA_AF_SPEC));
}

static const char *address_text(unsigned char family, const struct nlattr *attr, char *ret) {
        size_t size = family == AF_INET ? 4 : 16;

        if (!attr || mnl_attr_get_payload_len(attr) < size)
                return "-";
        return inet_ntop(family, mnl_attr_get_payload(attr), ret, INET6_ADDRSTRLEN);
}

static void say_address(const Writer *writer, const struct nlmsghdr *message) {
        const struct ifaddrmsg *address = mnl_nlmsg_get_payload(message);
        const unsigned quiet = IFA_F_TENTATIVE | IFA_F_OPTIMISTIC | IFA_F_SECONDARY;
        const struct nlattr *times = attr_of(message, sizeof(*address), IFA_CACHEINFO);
        const struct nlattr *flags = attr_of(message, sizeof(*address), IFA_FLAGS);
        const struct nlattr *label = attr_of(message, sizeof(*address), IFA_LABEL);
        const struct nlattr *metric = attr_of(message, sizeof(*address), IFA_RT_PRIORITY);
        const struct nlattr *protocol = attr_of(message, sizeof(*address), 11 /* IFA_PROTO */);
        struct ifa_cacheinfo left = {.ifa_prefered = UINT32_MAX, .ifa_valid = UINT32_MAX};
        char at[INET6_ADDRSTRLEN], local[INET6_ADDRSTRLEN], broadcast[INET6_ADDRSTRLEN];

        /* The kernel's own, which come late, and on an ipvlan are other ones each time. */
        if (address->ifa_family == AF_INET6 && address->ifa_scope == RT_SCOPE_LINK)
                return;
        if (times)
                memcpy(&left, mnl_attr_get_payload(times), sizeof(left));
        say(writer,
            "address=%s/%u local=%s broadcast=%s label=%s scope=%u flags=%x metric=%u proto=%u "
            "valid=%s preferred=%s",
            address_text(address->ifa_family, attr_of(message, sizeof(*address), IFA_ADDRESS), at),
            address->ifa_prefixlen,
            address_text(address->ifa_family, attr_of(message, sizeof(*address), IFA_LOCAL), local),
            address_text(address->ifa_family, attr_of(message, sizeof(*address), IFA_BROADCAST),
                         broadcast),
            label ? mnl_attr_get_str(label) : "-", address->ifa_scope,
            (flags ? mnl_attr_get_u32(flags) : address->ifa_flags) & ~quiet,
            metric ? mnl_attr_get_u32(metric) : 0, protocol ? mnl_attr_get_u8(protocol) : 0,
            left.ifa_valid == UINT32_MAX ? "forever" : "limited",
            left.ifa_prefered == UINT32_MAX ? "forever" : "limited");
}

/* Everything. */

static int take_message(const struct nlmsghdr *message, void *userdata) {
        Space *space = userdata;
        size_t n = space->n_messages;
        const struct ifinfomsg *link = mnl_nlmsg_get_payload(message);
        const struct nlattr *name;

        space->messages = realloc(space->messages, (n + 1) * sizeof(*space->messages));
        if (!space->messages)
                err(2, NULL);
        space->messages[n] = malloc(message->nlmsg_len);
        if (!space->messages[n])
                err(2, NULL);
        memcpy(space->messages[n], message, message->nlmsg_len);
        space->n_messages++;
        name = message->nlmsg_type == RTM_NEWLINK ? attr_of(message, sizeof(*link), IFLA_IFNAME)
                                                  : NULL;
        if (!name)
                return MNL_CB_OK;
        space->names = realloc(space->names, (space->n_names + 1) * sizeof(*space->names));
        if (!space->names)
                err(2, NULL);
        space->names[space->n_names].index = link->ifi_index;
        snprintf(space->names[space->n_names++].name, IFNAMSIZ, "%s", mnl_attr_get_str(name));
        return MNL_CB_OK;
}

static void space_forget(Space *space) {
        for (size_t i = 0; i < space->n_messages; i++)
                free(space->messages[i]);
        free(space->messages);
        free(space->names);
        space->messages = NULL;
        space->names = NULL;
        space->n_messages = space->n_names = 0;
}

static int ask(Space *space, uint16_t type) {
        char buffer[256];
        struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);

        request->nlmsg_type = type;
        request->nlmsg_flags = NLM_F_DUMP;
        mnl_nlmsg_put_extra_header(request, type == RTM_GETLINK ? sizeof(struct ifinfomsg)
                                                                : sizeof(struct ifaddrmsg));
        if (type == RTM_GETLINK)
                mnl_attr_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        return rtnl_get(space->rtnl, request, take_message, space);
}

static void space_read(Space *space) {
        do
                space_forget(space);
        while (ask(space, RTM_GETLINK) == -EINTR || ask(space, RTM_GETADDR) == -EINTR);
}

static void space_add(const char *name) {
        if (n_spaces == SPACES_MAX)
                errx(2, "more than %d namespaces", SPACES_MAX);
        spaces[n_spaces].name = strdup(name);
        if (!spaces[n_spaces++].name)
                err(2, NULL);
}

static void spaces_close(void) {
        for (size_t i = 0; i < n_spaces; i++) {
                space_forget(&spaces[i]);
                rtnl_close(spaces[i].rtnl);
                free(spaces[i].known);
                free(spaces[i].name);
        }
        memset(spaces, 0, n_spaces * sizeof(*spaces));
        n_spaces = 0;
}

static void spaces_open(void) {
        DIR *folder = opendir("/run/netns");
        const struct dirent *entry;

        space_add("");
        while (folder && (entry = readdir(folder)))
                if (entry->d_name[0] != '.')
                        space_add(entry->d_name);
        if (folder)
                closedir(folder);
        for (size_t i = 0; i < n_spaces; i++)
                spaces[i].rtnl = rtnl_try_open(spaces[i].name, 0);
}

static void say_space(Space *space, Lines *ret) {
        Writer writer;

        for (size_t i = 0; i < space->n_messages; i++) {
                const struct nlmsghdr *message = space->messages[i];
                const struct ifinfomsg *link = mnl_nlmsg_get_payload(message);
                const struct ifaddrmsg *address = mnl_nlmsg_get_payload(message);
                bool is_link = message->nlmsg_type == RTM_NEWLINK;

                writer_init(&writer, ret, space,
                            name_in(space, is_link ? link->ifi_index : (int)address->ifa_index));
                if (is_link)
                        say_message(&writer, message);
                else
                        say_address(&writer, message);
        }
}

void state_read(Lines *ret) {
        char line[300];

        spaces_close();
        spaces_open();
        for (size_t i = 0; i < n_spaces; i++)
                if (spaces[i].rtnl)
                        space_read(&spaces[i]);
        for (size_t i = 0; i < n_spaces; i++) {
                snprintf(line, sizeof(line), "%s/ namespace%s", spaces[i].name,
                         spaces[i].rtnl ? "" : " dead");
                lines_add(ret, line);
                say_space(&spaces[i], ret);
        }
        lines_sort(ret);
        /* The names are kept for events; a socket would keep its namespace alive. */
        for (size_t i = 0; i < n_spaces; i++)
                spaces[i].rtnl = rtnl_close(spaces[i].rtnl);
}

/*
 * Each line is there, and none is missing of those that begin so: an attribute that was taken away
 * is told by silence.
 */
static bool fits(const Lines *lines, const Lines *now, const char *begin, const char *but) {
        for (size_t i = 0; i < now->n; i++)
                if (!lines_have(lines, now->items[i]))
                        return false;
        for (size_t i = 0; i < lines->n; i++)
                if (strncmp(lines->items[i], begin, strlen(begin)) == 0 &&
                    !(but && strstr(lines->items[i], but)) && !strstr(lines->items[i], " link=") &&
                    !lines_have(now, lines->items[i]))
                        return false;
        return true;
}

/* The options of a port by themselves, as `bridge link set` gives rise to. */
static bool port_differs(const Lines *lines, Space *space, const struct nlmsghdr *event) {
        const struct ifinfomsg *link = mnl_nlmsg_get_payload(event);
        const struct nlattr *options = attr_of(event, sizeof(*link), IFLA_PROTINFO);
        char begin[160];
        Lines now = {};
        Writer writer;
        bool differs;

        if (!options)
                return false;
        writer_init(&writer, &now, space, name_in(space, link->ifi_index));
        say_port(&writer, "bridge", options);
        lines_sort(&now);
        snprintf(begin, sizeof(begin), "%s backup-port=", writer.prefix);
        differs = !fits(lines, &now, begin, NULL);
        lines_free(&now);
        return differs;
}

bool state_differs(const Lines *lines, const char *netns, const struct nlmsghdr *event) {
        const struct ifinfomsg *link = mnl_nlmsg_get_payload(event);
        const struct ifaddrmsg *address = mnl_nlmsg_get_payload(event);
        Space *space = NULL;
        bool is_link = event->nlmsg_type == RTM_NEWLINK, differs;
        char begin[160];
        Lines now = {};
        Writer writer;

        for (size_t i = 0; i < n_spaces; i++)
                if (strcmp(spaces[i].name, netns) == 0)
                        space = &spaces[i];
        if (!space || (!is_link && event->nlmsg_type != RTM_NEWADDR))
                return true;
        if (is_link && link->ifi_family == AF_BRIDGE)
                return port_differs(lines, space, event);
        writer_init(&writer, &now, space,
                    name_in(space, is_link ? link->ifi_index : (int)address->ifa_index));
        if (is_link)
                say_message(&writer, event);
        else
                say_address(&writer, event);
        lines_sort(&now);
        snprintf(begin, sizeof(begin), "%s ", writer.prefix);
        differs = !fits(lines, &now, is_link ? begin : "-", " address=");
        lines_free(&now);
        return differs;
}
