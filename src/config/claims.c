/* SPDX-License-Identifier: MIT */
/*
 * What links claim: a name, a peer, a place on a parent; and routes, rules and the like their place
 * in a namespace. Each states its claims; sorted, the ones that collide stand side by side, so that
 * a hundred thousand are no problem.
 */

#include "config/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

typedef enum Rule {
        RULE_NAME,       /* names and altnames of a namespace */
        RULE_PEER,       /* the far end of one link only */
        RULE_SLOT,       /* the rx-handler slot of a device */
        RULE_ALONE,      /* a mode that allows no second link on the parent */
        RULE_PER_PARENT, /* a row that is the parent's rather than the link's */
        RULE_IDENTITY,   /* the key rows of a kind, below one parent */
        RULE_ADDRESS,    /* the IP address of siblings that share a MAC address */
        RULE_MAC,        /* the MAC address of siblings and their parent */
        RULE_OBJECT,     /* the same object twice on one link */
        RULE_ENTRY,      /* the same, in one namespace, wherever it is written */
        _RULE_N,
} Rule;

typedef enum Collision {
        COLLISION_TWICE,  /* no second claim */
        COLLISION_DIFFER, /* a second claim only with the same tag */
        COLLISION_ALONE,  /* no second claim beside one with a tag */
} Collision;

/* In `problem`: {0} what is claimed, {1} the tag; of the other {2} its tag, {3} name, {4} place. */
typedef struct RuleText {
        Collision collision;
        const char *problem;
} RuleText;

typedef struct Claim {
        Rule rule;
        const char *key;  /* what is claimed: equal keys meet */
        const char *what; /* the same, for people */
        const char *tag;  /* as what, or "" */
        const Link *link;
        const char *row;  /* where in the link, or the object */
        const Namespace *netns; /* without a link: of the object */
        const Object *object;
        Location at;
} Claim;

typedef struct Claims {
        Check *check;
        Claim *items;
        size_t n, allocated;
        bool failed;
} Claims;

static void claim_add(Claims *claims, Claim claim) {
        if (claims->n == claims->allocated) {
                size_t room = claims->allocated * 2 + 64;
                Claim *grown = reallocarray(claims->items, room, sizeof(Claim));

                if (!grown) {
                        claims->failed = true;
                        return;
                }
                claims->items = grown;
                claims->allocated = room;
        }
        if (!claim.key || !claim.what || !claim.tag)
                claims->failed = true;
        else
                claims->items[claims->n++] = claim;
}

static const char *format_value(Claims *claims, const Row *row, const Value *value) {
        _cleanup_(buf_deinit) Buf text = {};

        value_format(row, value, &text);
        return buf_error(&text) < 0 ? NULL : arena_strdup(&claims->check->arena, buf_text(&text));
}

#define KEY(...) arena_printf(&claims->check->arena, __VA_ARGS__)

/* Stating them. */

static void claim_names(Claims *claims, const Link *link) {
        claim_add(claims, (Claim){
                .rule = RULE_NAME, .key = KEY("%s/%s", link->netns->name, link->name),
                .what = link->name, .tag = "", .link = link, .at = link->at,
        });
        for (const Object *object = link->objects; object; object = object->next) {
                const Value *name = object->type == &object_altname
                        ? attrset_get(&object->set, "name") : NULL;

                if (name)
                        claim_add(claims, (Claim){
                                .rule = RULE_NAME,
                                .key = KEY("%s/%s", link->netns->name, name->text),
                                .what = name->text, .tag = "", .link = link, .row = "altnames",
                                .at = object->at,
                        });
        }
}

static void claim_peer(Claims *claims, const Link *link) {
        int row = link->options.schema ? schema_find_type(link->options.schema, &attr_peer) : -1;
        const Link *peer = link_peer(link), *theirs = peer ? link_peer(peer) : NULL;

        if (row < 0 || !peer || peer == link || !row_said(&link->options, (size_t)row))
                return;
        if (theirs != link && theirs && row_said(&peer->options, (size_t)row))
                return; /* said by check_peer() */
        claim_add(claims, (Claim){
                .rule = RULE_PEER, .key = KEY("%p", (const void *)peer),
                .what = check_link_name(claims->check, peer), .tag = "", .link = link,
                .row = schema_row(link->options.schema, (size_t)row)->key,
                .at = attrset_at(&link->options, (size_t)row),
        });
}

static void claim_slot(Claims *claims, const Link *link, const Link *device, LinkRow row,
                       const char *tag) {
        claim_add(claims, (Claim){
                .rule = RULE_SLOT, .key = KEY("%p", (const void *)device),
                .what = check_link_name(claims->check, device), .tag = tag, .link = link,
                .row = schema_row(&link_schema, row)->key, .at = attrset_at(&link->common, row),
        });
}

/* One device has one rx handler: the second gets EBUSY (dev.c netdev_rx_handler_register). */
static void claim_slots(Claims *claims, const Link *link, const Link *lower) {
        const Link *master = link_master(link);

        if (lower && link_kind_is(link->kind, KIND_CLAIMS_PARENT))
                claim_slot(claims, link, lower, LINK_PARENT,
                           KEY("the parent of %s", link_kind_family(link->kind)->name));
        if (master && link_kind_is(master->kind, KIND_MASTER) &&
            !link_kind_is(master->kind, KIND_L3_MASTER))
                claim_slot(claims, link, link, LINK_MASTER,
                           KEY("a port of %s", master->kind->name));
}

static void claim_alone(Claims *claims, const Link *link, const Link *lower) {
        const Schema *schema = &link->kind->options;
        size_t n = schema_size(schema);

        for (size_t i = 0; i < n; i++) {
                const Row *row = schema_row(schema, i);
                const Name *name = attrset_has(&link->options, i)
                        ? row_name(row, link->options.values[i].number) : NULL;
                bool any = false;

                for (const Name *word = row->names; word && word->name; word++)
                        any = any || word->fixed;
                if (any)
                        claim_add(claims, (Claim){
                                .rule = RULE_ALONE,
                                .key = KEY("%p %s", (const void *)lower, row->key),
                                .what = check_link_name(claims->check, lower),
                                .tag = name && name->fixed ? name->name : "", .link = link,
                                .row = row->key, .at = attrset_at(&link->options, i),
                        });
        }
}

static void claim_per_parent(Claims *claims, const Link *link, const Link *lower) {
        size_t i;

        ROWSET_FOREACH(i, link->options.present) {
                const Row *row = schema_row(link->options.schema, i);

                if (row->flags & ROW_PER_PARENT)
                        claim_add(claims, (Claim){
                                .rule = RULE_PER_PARENT,
                                .key = KEY("%p %s %s", (const void *)lower,
                                           link_kind_family(link->kind)->name, row->key),
                                .what = check_link_name(claims->check, lower),
                                .tag = format_value(claims, row, &link->options.values[i]),
                                .link = link, .row = row->key, .at = attrset_at(&link->options, i),
                        });
        }
}

static void claim_identity(Claims *claims, const Link *link, const Link *lower) {
        const Schema *schema = &link->kind->options;
        const char *key = "", *first = NULL;
        size_t n = schema_size(schema);

        for (size_t i = 0; i < n; i++) {
                const Row *row = schema_row(schema, i);
                bool has = attrset_has(&link->options, i);
                const char *value = has ? format_value(claims, row, &link->options.values[i])
                                        : row->def;

                if (row->change != CHANGE_KEY)
                        continue;
                if (!value)
                        return; /* that it is missing was said already */
                key = KEY("%s%s%s %s", key ?: "", first ? ", " : "", row->key, value);
                first = first ?: row->key;
        }
        if (first)
                claim_add(claims, (Claim){
                        .rule = RULE_IDENTITY,
                        .key = KEY("%p %s %s", (const void *)lower,
                                   link_kind_family(link->kind)->name, key ?: ""),
                        .what = key, .tag = check_link_name(claims->check, lower), .link = link,
                        .row = first,
                        .at = attrset_at(&link->options, (size_t)schema_find(schema, first)),
                });
}

static void claim_addresses(Claims *claims, const Link *link, const Link *lower) {
        for (const Object *object = link->objects; object; object = object->next) {
                const Value *address = object->type == &object_address
                        ? attrset_get(&object->set, "address") : NULL;
                char text[INET6_ADDRSTRLEN];

                if (address && inet_ntop(address->family, address->bytes, text, sizeof(text)))
                        claim_add(claims, (Claim){
                                .rule = RULE_ADDRESS,
                                .key = KEY("%p %s", (const void *)lower, text),
                                .what = KEY("%s", text),
                                .tag = check_link_name(claims->check, lower), .link = link,
                                .row = "addresses", .at = object->at,
                        });
        }
}

/* A macvlan with its parent's address, or a sibling's, does not come up (macvlan_open). */
static void claim_mac(Claims *claims, const Link *link, const Link *device) {
        const Value *mac = &link->common.values[LINK_MAC];
        const char *text = format_value(claims, schema_row(&link_schema, LINK_MAC), mac);

        if (row_said(&link->common, LINK_MAC) && mac->policy == MAC_FIXED)
                claim_add(claims, (Claim){
                                          .rule = RULE_MAC,
                                          .key = KEY("%p %s", (const void *)device, text ?: ""),
                                          .what = text,
                                          .tag = check_link_name(claims->check, device),
                                          .link = link,
                                          .row = "mac",
                                          .at = attrset_at(&link->common, LINK_MAC),
                                  });
}

static void claim_objects(Claims *claims, const Link *link) {
        for (const Object *object = link->objects; object; object = object->next) {
                _cleanup_(buf_deinit) Buf key = {};

                object_key(object, &key);
                if (object->type != &object_altname)
                        claim_add(claims, (Claim){
                                .rule = RULE_OBJECT,
                                .key = KEY("%p %s %s", (const void *)link,
                                           object->type->schema.name, buf_text(&key)),
                                .what = KEY("%s", buf_text(&key)), .tag = "", .link = link,
                                .row = object->type->schema.name, .at = object->at,
                        });
        }
}

static void claim_entries(Claims *claims, const Namespace *netns) {
        for (const Object *object = netns->objects; object; object = object->next) {
                _cleanup_(buf_deinit) Buf key = {};

                object_key(object, &key);
                claim_add(claims, (Claim){
                        .rule = RULE_ENTRY,
                        .key = KEY("%p %s %s", (const void *)netns, object->type->schema.name,
                                   buf_text(&key)),
                        .what = KEY("%s", buf_text(&key)), .tag = "",
                        .row = schema_row(object->set.schema, 0)->key, .at = object->at,
                        .netns = netns, .object = object,
                });
        }
}

static void claim_all(Claims *claims, const Link *link) {
        const Link *lower = link_kind_is(link->kind, KIND_PARENT) ? link_real_lower(link) : NULL;

        claim_names(claims, link);
        claim_objects(claims, link);
        claim_peer(claims, link);
        claim_slots(claims, link, lower);
        claim_mac(claims, link, link);
        if (!lower || lower == link)
                return;
        claim_alone(claims, link, lower);
        claim_per_parent(claims, link, lower);
        claim_identity(claims, link, lower);
        if (link_kind_is(link->kind, KIND_OWN_IP))
                claim_addresses(claims, link, lower);
        if (link_kind_is(link->kind, KIND_CLAIMS_PARENT) && !link_kind_is(link->kind, KIND_SOLID))
                claim_mac(claims, link, lower);
}

/* Comparing them. */

static const RuleText rules[_RULE_N] = {
        [RULE_NAME] = {COLLISION_TWICE, "the name '{0}' is used twice: also for '{3}' ({4})"},
        [RULE_PEER] = {COLLISION_TWICE, "'{0}' is also the peer of '{3}' ({4})"},
        [RULE_SLOT] = {COLLISION_DIFFER,
                       "'{0}' can't be {1} and {2}: also claimed by '{3}' ({4})"},
        [RULE_ALONE] = {COLLISION_ALONE,
                        "'{0}' carries no second link beside one in mode {2}: '{3}' ({4})"},
        [RULE_PER_PARENT] = {COLLISION_DIFFER,
                             "all links on '{0}' share it: {1} here, {2} for '{3}' ({4})"},
        [RULE_IDENTITY] = {COLLISION_TWICE, "'{1}' has {0} already: '{3}' ({4})"},
        [RULE_ADDRESS] = {COLLISION_TWICE,
                          "two links on '{1}' can't share {0}: also on '{3}' ({4})"},
        [RULE_MAC] = {COLLISION_TWICE, "{0} on '{1}' is also the address of '{3}' ({4})"},
        [RULE_OBJECT] = {COLLISION_TWICE, "{0} is there twice ({4})"},
        [RULE_ENTRY] = {COLLISION_TWICE, "{0} is there twice ({4})"},
};

static int compare_places(Location a, Location b) {
        if (a.source != b.source && a.source && b.source)
                return a.source->order < b.source->order ? -1 : 1;
        if (a.line != b.line)
                return a.line < b.line ? -1 : 1;
        return a.column < b.column ? -1 : a.column > b.column;
}

static int compare_claims(const void *pa, const void *pb) {
        const Claim *a = pa, *b = pb;
        int order = (int)a->rule - (int)b->rule;

        order = order ?: strcmp(a->key, b->key);
        return order ?: compare_places(a->at, b->at);
}

static void expand(const char *problem, const char *const words[5], Buf *ret) {
        for (const char *c = problem; *c; c++) {
                if (*c != '{') {
                        buf_addc(ret, *c);
                        continue;
                }
                buf_add(ret, words[c[1] - '0']);
                c += 2;
        }
}

static void report_claim(Claims *claims, const Claim *claim, const Claim *other) {
        Check *check = claims->check;
        const char *words[] = {
                claim->what, claim->tag, other->tag,
                other->link ? check_link_name(check, other->link) : "",
                check_place(check, other->at),
        };
        _cleanup_(buf_deinit) Buf text = {};

        check->netns = claim->netns;
        check->object = claim->object;

        expand(rules[claim->rule].problem, words, &text);
        if (buf_error(&text) < 0)
                claims->failed = true;
        check_problem(check, claim->link, claim->row, claim->at, "%s", buf_text(&text));
}

static void compare_group(Claims *claims, const Claim *group, size_t n) {
        Collision collision = rules[group->rule].collision;
        const Claim *first = group;

        if (collision == COLLISION_ALONE)
                while (first < group + n - 1 && !*first->tag)
                        first++;
        if (collision == COLLISION_ALONE && !*first->tag)
                return;
        for (const Claim *claim = group; claim < group + n; claim++) {
                if (claim == first)
                        continue;
                if (collision == COLLISION_DIFFER && streq(claim->tag, first->tag))
                        continue;
                report_claim(claims, claim, first);
        }
}

int check_claims(Check *check) {
        Claims claims = {.check = check};

        for (const Namespace *netns = check->network->namespaces; netns; netns = netns->hh.next)
                for (const Link *link = netns->links; link; link = link->hh.next)
                        claim_all(&claims, link);
        for (const Namespace *netns = check->network->namespaces; netns; netns = netns->hh.next)
                claim_entries(&claims, netns);
        if (claims.n)
                qsort(claims.items, claims.n, sizeof(Claim), compare_claims);
        for (size_t i = 0, n; i < claims.n; i += n) {
                const Claim *group = &claims.items[i];

                for (n = 1; i + n < claims.n; n++)
                        if (group[n].rule != group->rule || !streq(group[n].key, group->key))
                                break;
                if (n > 1)
                        compare_group(&claims, group, n);
        }
        free(claims.items);
        return claims.failed ? -ENOMEM : 0;
}
