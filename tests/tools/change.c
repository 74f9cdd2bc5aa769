/* SPDX-License-Identifier: MIT */
/* What somebody does to a link by hand, in words, and whether a message shows that it is so. */

#include "rtnl.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
        const char *word;
        unsigned attr, verb;
} verbs[] = {
        {"mtu", IFLA_MTU, CHANGE_NUMBER},
        {"txqueuelen", IFLA_TXQLEN, CHANGE_NUMBER},
        {"group", IFLA_GROUP, CHANGE_NUMBER},
        {"alias", 0, CHANGE_ALIAS},
        {"up", 1, CHANGE_STATE},
        {"down", 0, CHANGE_STATE},
        {"delete", 0, CHANGE_DELETE},
        {"rename", 0, CHANGE_RENAME},
        {"master", 0, CHANGE_MASTER},
        {"data", 0, CHANGE_DATA},
        {"port", 0, CHANGE_PORT},
        {"addr", 0, CHANGE_ADDRESS},
        {"noaddr", 0, CHANGE_NO_ADDRESS},
        {"create", 0, CHANGE_CREATE},
};

static const char *next(char **rest, const char *text) {
        const char *word = strsep(rest, " ");

        if (!word)
                errx(2, "a word is missing: %s", text);
        return word;
}

static uint64_t next_number(char **rest, const char *text) {
        return strtoull(next(rest, text), NULL, 0);
}

static void parse_option(Change *change, char **rest, const char *text) {
        change->attr = (unsigned)next_number(rest, text);
        change->size = (unsigned)next_number(rest, text);
        change->value = next_number(rest, text);
        if (change->size > sizeof(change->value))
                errx(2, "too large: %s", text);
}

static void parse_address(Change *change, char **rest, const char *text) {
        char *length, *address = strdup(next(rest, text));
        struct in_addr in;

        length = address ? strchr(address, '/') : NULL;
        if (!length)
                errx(2, "no address with a length: %s", text);
        *length++ = '\0';
        if (inet_pton(AF_INET, address, &in) != 1)
                errx(2, "no address: %s", text);
        change->address = in.s_addr;
        change->length = (unsigned char)atoi(length);
        free(address);
}

static void parse_create(Change *change, char **rest, const char *text) {
        change->kind = next(rest, text);
        while (*rest) {
                const char *word = next(rest, text);

                if (strcmp(word, "link") == 0)
                        change->parent = next(rest, text);
                else if (strcmp(word, "peer") == 0)
                        change->peer = next(rest, text);
                else if (strcmp(word, "data") == 0)
                        parse_option(change, rest, text);
                else if (strcmp(word, "index") == 0)
                        change->index = (unsigned)next_number(rest, text);
                else if (strcmp(word, "group") == 0)
                        change->group = (unsigned)next_number(rest, text);
                else if (strcmp(word, "up") == 0)
                        change->up = true;
                else
                        errx(2, "what is '%s': %s", word, text);
        }
}

static void parse_words(Change *change, char **rest, const char *text) {
        switch (change->verb) {
        case CHANGE_NUMBER:
                change->value = next_number(rest, text);
                break;
        case CHANGE_ALIAS:
        case CHANGE_RENAME:
        case CHANGE_MASTER:
                change->word = next(rest, text);
                break;
        case CHANGE_STATE:
                change->up = change->attr == 1;
                break;
        case CHANGE_DELETE:
                break;
        case CHANGE_DATA:
                change->kind = next(rest, text);
                parse_option(change, rest, text);
                break;
        case CHANGE_PORT:
                parse_option(change, rest, text);
                break;
        case CHANGE_ADDRESS:
        case CHANGE_NO_ADDRESS:
                parse_address(change, rest, text);
                break;
        case CHANGE_CREATE:
                parse_create(change, rest, text);
                break;
        }
}

void change_parse(Change *change, const char *text) {
        const char *word;
        char *rest, *slash;

        *change = (Change){.words = strdup(text)};
        rest = change->words;
        if (!rest)
                err(2, NULL);
        word = next(&rest, text);
        slash = strchr(word, '/');
        change->netns = "";
        change->link = slash ? slash + 1 : word;
        if (slash) {
                *slash = '\0';
                change->netns = word;
        }
        word = next(&rest, text);
        for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
                if (strcmp(verbs[i].word, word) == 0) {
                        change->verb = verbs[i].verb;
                        change->attr = verbs[i].attr;
                        parse_words(change, &rest, text);
                        if (rest)
                                errx(2, "too many words: %s", text);
                        return;
                }
        errx(2, "what is '%s': %s", word, text);
}

void change_free(Change *change) {
        free(change->words);
        *change = (Change){};
}

/* To the kernel. */

static void put_number(struct nlmsghdr *request, unsigned attr, unsigned size, uint64_t value) {
        /* Both are little-endian, as is every machine that the stories run on. */
        mnl_attr_put(request, (uint16_t)attr, size, &value);
}

static void put_option(const Change *change, struct nlmsghdr *request) {
        bool port = change->verb == CHANGE_PORT;
        struct nlattr *info = mnl_attr_nest_start(request, IFLA_LINKINFO), *nest;

        mnl_attr_put_strz(request, port ? IFLA_INFO_SLAVE_KIND : IFLA_INFO_KIND,
                          port ? "bridge" : change->kind);
        nest = mnl_attr_nest_start(request, port ? IFLA_INFO_SLAVE_DATA : IFLA_INFO_DATA);
        put_number(request, change->attr, change->size, change->value);
        mnl_attr_nest_end(request, nest);
        mnl_attr_nest_end(request, info);
}

static void put_created(const Change *change, Rtnl *rtnl, struct nlmsghdr *request) {
        struct nlattr *info, *nest, *peer;

        request->nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
        if (change->parent)
                mnl_attr_put_u32(request, IFLA_LINK, (uint32_t)rtnl_ifindex(rtnl, change->parent));
        mnl_attr_put_u32(request, IFLA_GROUP, change->group);
        info = mnl_attr_nest_start(request, IFLA_LINKINFO);
        mnl_attr_put_strz(request, IFLA_INFO_KIND, change->kind);
        nest = mnl_attr_nest_start(request, IFLA_INFO_DATA);
        if (change->size > 0)
                put_number(request, change->attr, change->size, change->value);
        if (change->peer) {
                peer = mnl_attr_nest_start(request, VETH_INFO_PEER);
                mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
                mnl_attr_put_strz(request, IFLA_IFNAME, change->peer);
                mnl_attr_nest_end(request, peer);
        }
        mnl_attr_nest_end(request, nest);
        mnl_attr_nest_end(request, info);
}

static struct nlmsghdr *build_address(const Change *change, Rtnl *rtnl, void *buffer) {
        struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
        struct ifaddrmsg *message;

        request->nlmsg_type = change->verb == CHANGE_ADDRESS ? RTM_NEWADDR : RTM_DELADDR;
        request->nlmsg_flags = NLM_F_REQUEST;
        message = mnl_nlmsg_put_extra_header(request, sizeof(*message));
        message->ifa_family = AF_INET;
        message->ifa_prefixlen = change->length;
        message->ifa_index = (uint32_t)rtnl_ifindex(rtnl, change->link);
        mnl_attr_put(request, IFA_LOCAL, sizeof(change->address), &change->address);
        mnl_attr_put(request, IFA_ADDRESS, sizeof(change->address), &change->address);
        return request;
}

static struct nlmsghdr *build_link(const Change *change, Rtnl *rtnl, void *buffer) {
        struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
        struct ifinfomsg *message;

        request->nlmsg_type = change->verb == CHANGE_DELETE ? RTM_DELLINK : RTM_NEWLINK;
        request->nlmsg_flags = NLM_F_REQUEST;
        message = mnl_nlmsg_put_extra_header(request, sizeof(*message));
        message->ifi_index = (int)change->index;
        if (change->verb == CHANGE_STATE || (change->verb == CHANGE_CREATE && change->up)) {
                message->ifi_change = IFF_UP;
                message->ifi_flags = change->up ? IFF_UP : 0;
        }
        /* With an index, a name means another name. */
        if (change->verb == CHANGE_RENAME)
                message->ifi_index = rtnl_ifindex(rtnl, change->link);
        mnl_attr_put_strz(request, IFLA_IFNAME,
                          change->verb == CHANGE_RENAME ? change->word : change->link);
        return request;
}

struct nlmsghdr *change_build(const Change *change, Rtnl *rtnl, void *buffer) {
        struct nlmsghdr *request;
        bool none;

        if (change->verb == CHANGE_ADDRESS || change->verb == CHANGE_NO_ADDRESS)
                return build_address(change, rtnl, buffer);
        request = build_link(change, rtnl, buffer);
        switch (change->verb) {
        case CHANGE_NUMBER:
                mnl_attr_put_u32(request, (uint16_t)change->attr, (uint32_t)change->value);
                break;
        case CHANGE_ALIAS:
                mnl_attr_put_str(request, IFLA_IFALIAS, change->word);
                break;
        case CHANGE_MASTER:
                none = strcmp(change->word, "none") == 0;
                mnl_attr_put_u32(request, IFLA_MASTER,
                                 none ? 0 : (uint32_t)rtnl_ifindex(rtnl, change->word));
                break;
        case CHANGE_DATA:
        case CHANGE_PORT:
                put_option(change, request);
                break;
        case CHANGE_CREATE:
                put_created(change, rtnl, request);
                break;
        case CHANGE_STATE:
        case CHANGE_DELETE:
        case CHANGE_RENAME:
        case CHANGE_ADDRESS:
        case CHANGE_NO_ADDRESS:
                break;
        }
        return request;
}

int change_make(const Change *change, Rtnl *rtnl) {
        char buffer[1024];

        return rtnl_request(rtnl, change_build(change, rtnl, buffer));
}

/* From the kernel. */

static Shown shown_address(const Change *change, const struct nlmsghdr *message) {
        const struct ifaddrmsg *payload = mnl_nlmsg_get_payload(message);
        const struct nlattr *local;
        bool there = message->nlmsg_type == RTM_NEWADDR;

        if (message->nlmsg_type != RTM_NEWADDR && message->nlmsg_type != RTM_DELADDR)
                return SHOWN_NOTHING;
        local = attr_of(message, sizeof(*payload), IFA_LOCAL);
        if (payload->ifa_family != AF_INET || payload->ifa_prefixlen != change->length || !local ||
            memcmp(mnl_attr_get_payload(local), &change->address, sizeof(change->address)) != 0)
                return SHOWN_NOTHING;
        return there == (change->verb == CHANGE_ADDRESS) ? SHOWN_YES : SHOWN_NO;
}

static Shown shown_bytes(const struct nlattr *attr, const void *value, size_t size) {
        return attr && mnl_attr_get_payload_len(attr) >= size &&
                               memcmp(mnl_attr_get_payload(attr), value, size) == 0
                       ? SHOWN_YES
                       : SHOWN_NO;
}

static Shown shown_option(const Change *change, const struct nlattr *info) {
        bool port = change->verb == CHANGE_PORT;
        const struct nlattr *nest = attr_in(info, port ? IFLA_INFO_SLAVE_DATA : IFLA_INFO_DATA);

        return shown_bytes(attr_in(nest, change->attr), &change->value, change->size);
}

static Shown shown_created(const Change *change, const struct nlmsghdr *message) {
        const struct ifinfomsg *payload = mnl_nlmsg_get_payload(message);
        const struct nlattr *info = attr_of(message, sizeof(*payload), IFLA_LINKINFO);
        const struct nlattr *kind = attr_in(info, IFLA_INFO_KIND);

        if (!kind || strcmp(mnl_attr_get_str(kind), change->kind) != 0)
                return SHOWN_NO;
        if (change->up && (payload->ifi_flags & IFF_UP) == 0)
                return SHOWN_NO;
        return change->size > 0 && shown_option(change, info) == SHOWN_NO ? SHOWN_NO : SHOWN_YES;
}

static Shown shown_link(const Change *change, const struct nlmsghdr *message) {
        const struct ifinfomsg *payload = mnl_nlmsg_get_payload(message);
        uint32_t number = (uint32_t)change->value;
        const struct nlattr *attr;

        switch (change->verb) {
        case CHANGE_NUMBER:
                return shown_bytes(attr_of(message, sizeof(*payload), (uint16_t)change->attr),
                                   &number, sizeof(number));
        case CHANGE_ALIAS:
                attr = attr_of(message, sizeof(*payload), IFLA_IFALIAS);
                return shown_bytes(attr, change->word, strlen(change->word) + 1);
        case CHANGE_STATE:
                return change->up == ((payload->ifi_flags & IFF_UP) != 0) ? SHOWN_YES : SHOWN_NO;
        case CHANGE_MASTER:
                attr = attr_of(message, sizeof(*payload), IFLA_MASTER);
                return (strcmp(change->word, "none") == 0) == !attr ? SHOWN_YES : SHOWN_NO;
        case CHANGE_DATA:
        case CHANGE_PORT:
                return shown_option(change, attr_of(message, sizeof(*payload), IFLA_LINKINFO));
        case CHANGE_CREATE:
                return shown_created(change, message);
        case CHANGE_DELETE:
        case CHANGE_RENAME:
                return SHOWN_NO;
        case CHANGE_ADDRESS:
        case CHANGE_NO_ADDRESS:
                break;
        }
        return SHOWN_NOTHING;
}

Shown change_shown(const Change *change, const struct nlmsghdr *message) {
        const struct ifinfomsg *payload = mnl_nlmsg_get_payload(message);
        const struct nlattr *name;

        if (change->verb == CHANGE_ADDRESS || change->verb == CHANGE_NO_ADDRESS)
                return shown_address(change, message);
        if ((message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK) ||
            payload->ifi_family != AF_UNSPEC)
                return SHOWN_NOTHING;
        name = attr_of(message, sizeof(*payload), IFLA_IFNAME);
        if (!name || strcmp(mnl_attr_get_str(name), change->link) != 0)
                return SHOWN_NOTHING;
        if (message->nlmsg_type == RTM_DELLINK)
                return change->verb == CHANGE_DELETE || change->verb == CHANGE_RENAME ? SHOWN_YES
                                                                                      : SHOWN_NO;
        return shown_link(change, message);
}

typedef struct Question {
        const Change *change;
        Shown answer;
} Question;

static int take_answer(const struct nlmsghdr *message, void *userdata) {
        Question *question = userdata;
        Shown shown = change_shown(question->change, message);

        if (shown != SHOWN_NOTHING)
                question->answer = shown;
        return MNL_CB_OK;
}

bool change_is_so(const Change *change, Rtnl *rtnl) {
        bool address = change->verb == CHANGE_ADDRESS || change->verb == CHANGE_NO_ADDRESS;
        Question question = {.change = change};
        char buffer[256];
        struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
        struct ifaddrmsg *addresses;

        if (address) {
                request->nlmsg_type = RTM_GETADDR;
                request->nlmsg_flags = NLM_F_DUMP;
                addresses = mnl_nlmsg_put_extra_header(request, sizeof(*addresses));
                addresses->ifa_family = AF_INET;
        } else {
                request->nlmsg_type = RTM_GETLINK;
                mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
                mnl_attr_put_strz(request, IFLA_IFNAME, change->link);
                mnl_attr_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        }
        while (rtnl_get(rtnl, request, take_answer, &question) == -EINTR)
                question.answer = SHOWN_NOTHING;
        if (question.answer == SHOWN_NOTHING)
                return change->verb == CHANGE_DELETE || change->verb == CHANGE_NO_ADDRESS;
        return question.answer == SHOWN_YES;
}
