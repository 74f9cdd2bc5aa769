/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A Plan is the ordered difference of two Networks: operations for the kernel, and one item for
 * every object that is declared or dropped, so that there is a place to say that it is fine, waits,
 * or is in conflict. Pure: making one touches nothing.
 */

#include "mvnet/network.h"
#include "mvnet/record.h"

typedef enum OpType {
        OP_NETNS_ADD,
        OP_NETNS_DEL,
        OP_LINK_ADD,    /* all that the create message can carry, the far end included */
        OP_LINK_SET,    /* one message: rows of one section */
        OP_LINK_MOVE,   /* another name or namespace */
        OP_LINK_DEL,
        OP_OBJECT_ADD,
        OP_OBJECT_SET,
        OP_OBJECT_DEL,
        _OP_TYPE_N,
} OpType;

struct PlanItem;

/*
 * One request. `link` holds the values that are to be sent: the wanted ones, over what is there for
 * rows that are not declared (kinds that replace, and rows that share an attribute, need both).
 */
typedef struct Op {
        OpType type;
        struct PlanItem *item; /* whose it is; the far end of a pair has an item of its own */
        const char *netns;     /* where the request is made */
        const char *name;      /* of the link or namespace, at that time */
        const Namespace *space; /* OP_NETNS_ADD: as wanted */
        Link *link;            /* values to send */
        int ifindex;           /* of the existing link, or 0: look it up by name */
        Section section;       /* OP_LINK_SET */
        /* Which to send. OP_LINK_SET uses that of its section; where the kind tells its lower device
         * among its options, that is sent with them. */
        RowSet rows[_SECTION_N];
        RowSet effects;        /* OP_LINK_SET: rows of its section that change with these, unsent */
        Link *peer;            /* OP_LINK_ADD: the far end that comes with it, or NULL */
        RowSet peer_rows;      /* of its common section */
        Ref to;                /* OP_LINK_MOVE */
        const Object *object;  /* OP_OBJECT_*: as wanted, or for DEL as it is there */
        /* OP_OBJECT_SET: which differ, or, of an OBJECT_WHOLE, all that are to be sent; ADD: those. */
        RowSet object_rows;
        bool again;            /* OP_OBJECT_ADD: it was there before, and may still be somewhere */
        bool undoes;           /* something the record holds already: there is nothing to note */
} Op;

/* Only up or down, and nothing else: such requests are better made many at once. */
static inline bool op_is_state_set(const Op *op) {
        return op->type == OP_LINK_SET && op->section == SECTION_COMMON &&
               op->rows[SECTION_COMMON] == ROW_BIT(LINK_STATE);
}

/* About what lives in a namespace and not on a link, even if it is written under one. */
static inline bool op_is_entry(const Op *op) {
        return op->object && !op->link && op->object->type->transport == TRANSPORT_RTNL;
}

/* OP_OBJECT_*: the rows that it speaks of. */
static inline RowSet op_object_rows(const Op *op) {
        return op->type == OP_OBJECT_DEL ? op->object->set.present : op->object_rows;
}

/* OP_LINK_SET: all of its rows go the same way. */
static inline Transport op_transport(const Op *op) {
        RowSet rows = op->rows[op->section];

        return rows ? schema_row(link_section(op->link, op->section)->schema,
                                 (size_t)__builtin_ctzll(rows))->transport
                    : TRANSPORT_RTNL;
}

typedef enum Verdict {
        VERDICT_OK,       /* nothing to do */
        VERDICT_CREATE,
        VERDICT_CHANGE,
        VERDICT_RECREATE,
        VERDICT_DELETE,
        VERDICT_STAYS,    /* dropped, but not ours to delete */
        VERDICT_WAITING,  /* for what is not there */
        VERDICT_CONFLICT, /* with what is there */
        VERDICT_FAILED,   /* refused, or ignored, by the kernel */
        VERDICT_CONTESTED, /* somebody keeps changing it back */
        _VERDICT_N,
} Verdict;

typedef enum ItemType {
        ITEM_NETNS,
        ITEM_LINK,
        _ITEM_TYPE_N,
} ItemType;

/* One line below an item: a row or an object, and what becomes of it. */
typedef struct PlanLine {
        struct PlanLine *next;
        const char *key;  /* "mode", "bridge-port.hairpin", "addresses" */
        const char *from; /* NULL: nothing was there */
        const char *to;   /* NULL: it goes */
        Location at;
} PlanLine;

typedef struct PlanItem {
        ItemType type;
        Verdict verdict;
        const char *path; /* "br0", "ns1/eth0", "ns1" */
        const char *kind; /* as shown; "" if none */
        const char *reason; /* why, one line; "" if obvious */
        const char *guard;  /* what it would saw off (rule 9), or NULL */
        bool optional;      /* it, or what it stands on, says that nobody is to wait for it */
        Location at;
        PlanLine *lines, *last;
        const Link *wanted, *have;
        size_t n_ops;
        /* while it is carried out */
        int error;             /* the errno of the op that failed, or 0 */
        bool contested;        /* nothing failed: somebody changes it back */
        const char *failure;   /* what it said */
        Location failure_at;   /* the key that caused it */
} PlanItem;

/* A row of a record's entry, or (key NULL) the whole entry, that can be forgotten. */
typedef struct PlanForget {
        struct PlanForget *next;
        const char *path;
        const char *key;
} PlanForget;

/* An object that carries our mark, and is as wanted, without the record knowing of it. */
typedef struct PlanClaim {
        struct PlanClaim *next;
        const char *path;
        uint64_t netns; /* the namespace's cookie */
} PlanClaim;

typedef struct Plan {
        Arena arena;
        PlanItem **items; /* in the order of the files, dropped ones last */
        size_t n_items;
        Op **ops;         /* in the order to be carried out */
        size_t n_ops;
        size_t counts[_VERDICT_N];
        PlanClaim *claims;
        PlanForget *forgets; /* what the record holds and is undone, or gone, already */
} Plan;

/*
 * `scope` for a dump: the namespaces and sysctls that wanted and the record speak of. The caller
 * frees it. 0 or -ENOMEM.
 */
int plan_scope(const Network *wanted, const Record *record, Network **ret);

/*
 * 0 or -ENOMEM. The networks and the record must outlive the plan. To undo all that a record holds,
 * want an empty Network.
 */
int plan_new(const Network *wanted, const Network *have, const Record *record, Plan **ret);
Plan *plan_free(Plan *plan);
void plan_freep(Plan **plan);

/* Whether links are deleted: then somebody else's, wherever they are, must have been looked for. */
bool plan_deletes(const Plan *plan);

/* Nothing to create, change, re-create or delete. Waiting and conflicts don't count. */
bool plan_is_empty(const Plan *plan);

enum {
        PLAN_TEXT_COLOUR = 1 << 0,
        PLAN_TEXT_ALL = 1 << 1, /* items that are fine, too */
};
void plan_format(const Plan *plan, unsigned flags, Buf *ret);
void plan_format_item(const PlanItem *item, unsigned flags, Buf *ret);
const char *verdict_name(Verdict verdict); /* "create", "waiting" … as in JSON */
