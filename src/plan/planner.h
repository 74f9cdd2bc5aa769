/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the steps of planning share; private to this folder. In order: match (which link that is
 * there is which that is wanted), judge (what has to become of each), undo (what is no longer
 * wanted), steps (the requests, in their order).
 */

#include "mvnet/plan.h"

/* One link that is wanted, or was, and what is known of it. */
typedef struct LinkPlan {
        const Link *wanted;       /* NULL: no longer */
        const Link *have;         /* NULL: not there */
        const RecordEntry *entry; /* what we did to it before, or NULL */
        bool ours;                /* made by us: may be deleted, and carries what is implied */
        bool create;              /* have is not there, or goes first */
        bool remove;              /* have goes */
        bool blocked;             /* waiting, or in conflict: not created, not changed */
        bool no_master;           /* the master is not there yet: everything but that */
        bool no_state;            /* can't come up yet */
        const struct LinkPlan *made_with; /* the end of a pair whose create makes this one too */
        unsigned depth;           /* how many links have to be there first */
        bool judged;
        const char *forced;       /* must be re-created, and why: it dies with another */
        bool moves;               /* to another name or namespace */
        bool emptied;             /* all its ports leave, some for a moment only */
        bool rejoins;             /* a port that does so */
        bool changes_netns;       /* which costs it its addresses, master and state */
        RowSet shared;            /* ROW_PER_PARENT rows of the links on top already seen to */
        Link *target;             /* wanted, over what is there, over what is to be reset */
        RowSet differ[_SECTION_N];
        RowSet farewell;          /* options to reset that count no more after the others change */
        PlanItem *item;
        struct LinkPlan *next;
        UT_hash_handle by_wanted, by_have;
} LinkPlan;

/* The links on top of one that is there: children, which die with it, and ports. */
typedef struct Uppers {
        const Link *lower;
        struct Upper {
                struct Upper *next;
                const Link *link;
                bool port;
        } *first;
        UT_hash_handle hh;
} Uppers;

/* Operations are made in any order and sorted by this. */
typedef enum Stage {
        STAGE_OBJECT_DEL,
        STAGE_LINK_DEL,
        STAGE_NETNS_ADD,
        STAGE_MOVE,
        STAGE_NETNS_DEL, /* once nothing that stays is in it */
        STAGE_NETNS_SYSCTL,
        STAGE_EARLY,   /* a larger MTU, no master: what is made on top may need that */
        STAGE_LINK_ADD,
        STAGE_DOWN,    /* takes IPv6 addresses with it, and allows options that need it */
        STAGE_DETAIL,  /* options, master, port options, MTU, names: lower first */
        STAGE_ADDRESS,
        STAGE_UP,      /* free ends: whatever is no port */
        STAGE_PORTED,  /* what the first port would have overridden */
        STAGE_PORT_UP, /* each port's coming up floods all the others */
        STAGE_LAST,    /* what stands on a port */
        STAGE_CHOICE,  /* a master chooses among its ports */
        STAGE_ENTRY,   /* routes, rules: once there are addresses, on links that are up */
        STAGE_RELEASED,/* what goes once nothing refers to it any more */
        _STAGE_N,
} Stage;

typedef struct Step {
        Op op;
        Stage stage;
        unsigned depth;
        size_t sequence; /* of making */
} Step;

/* A link that is there, by what the record knows it by. */
typedef struct Numbered {
        struct NumberedKey {
                uint64_t cookie, ifindex;
        } key;
        const Link *link;
        UT_hash_handle hh;
} Numbered;

typedef struct NetnsItem {
        PlanItem *item;
        UT_hash_handle hh;
} NetnsItem;

/* What could not be asked for yet. */
typedef struct Waiting {
        struct Waiting *next;
        PlanItem *item;
        const char *reason;
} Waiting;

/* What lives in a namespace, by whose it is, its type and its key. */
typedef struct Keyed {
        const char *key;
        Object *object;
        UT_hash_handle hh;
} Keyed;

typedef struct Planner {
        Plan *plan;
        Arena *arena;
        const Network *wanted, *have;
        const Record *record;
        LinkPlan *links;    /* uthash by_wanted: in the order of the files */
        LinkPlan *existing; /* uthash by_have: wanted ones that are there, and dropped ones */
        LinkPlan *undone, *last_undone; /* dropped ones, by next */
        Numbered *numbered;    /* uthash by key */
        struct Uppers *uppers; /* who stands on, or is a port of, what is there */
        Keyed *keyed;          /* uthash by key; made when it is first asked for */
        Step **steps;
        size_t n_steps, allocated;
        size_t items_allocated;
        Waiting *waiting; /* the last first */
        NetnsItem *netns_items; /* uthash by path */
        bool ipv6;   /* the kernel has it: the host's lo says so */
        bool failed; /* out of memory: asked once, at the end */
} Planner;

/* What is in a table of the master's can come to be at another port of it. */
static inline bool object_may_move(const Object *object) {
        return object->type->moves && object->type->of_master(&object->set);
}

/* match.c */
void planner_index(Planner *planner); /* before all else: who is there, and on whom */
void planner_match(Planner *planner);
const Link *planner_find(const Planner *planner, uint64_t cookie, int ifindex);
const Uppers *planner_uppers(const Planner *planner, const Link *have);
LinkPlan *planner_by_wanted(const Planner *planner, const Link *wanted);
LinkPlan *planner_by_have(const Planner *planner, const Link *have);
const Namespace *planner_have_netns(const Planner *planner, const Link *wanted);

/* judge.c */
void planner_judge(Planner *planner);
bool planner_will_be_up(const LinkPlan *link); /* once this plan is carried out */
LinkPlan *planner_lower(const Planner *planner, const LinkPlan *link);  /* of what is wanted */
LinkPlan *planner_master(const Planner *planner, const LinkPlan *link);
LinkPlan *planner_peer(const Planner *planner, const LinkPlan *link);
/* What an option refers to and needs (ROW_NEEDED), by row from *at on; NULL: no more. */
LinkPlan *planner_needed(const Planner *planner, const LinkPlan *link, size_t *at);

/* target.c */
void planner_aim(Planner *planner, LinkPlan *link);
/* What a recorded value, which the file no longer mentions, goes back to; NULL: let go. */
const char *planner_reset_text(Planner *planner, const LinkPlan *link, const Row *row,
                               const RecordRow *recorded);

/* ports.c */
void planner_judge_ports(Planner *planner); /* after all links: who leaves his master for a while */
/* Will be, or becomes, a port of a master that takes it only while it is down. */
bool planner_is_taken(const Planner *planner, const LinkPlan *link);
bool planner_joins(const Planner *planner, const LinkPlan *link);
bool planner_returns(const Planner *planner, const LinkPlan *link); /* a dropped one, to such */
bool planner_is_let_down(const Planner *planner, const LinkPlan *link); /* released, so it is down */
bool planner_is_cycled(const Planner *planner, const LinkPlan *link); /* by coming or going */
/* Before its old master changes, rather than with the rest. */
bool planner_leaves_first(const Planner *planner, const LinkPlan *link);
/* Of these options those that name a port which will be there. */
RowSet planner_ported_rows(const Planner *planner, const LinkPlan *link, RowSet rows);

/* undo.c */
void planner_undo_links(Planner *planner);      /* before judging: who else would go */
void planner_undo_rest(Planner *planner);       /* objects, namespaces */
/* A path, or NULL; with `ports`, those may be there: they lose their master, no more. */
const char *planner_foreign_on(Planner *planner, const Link *have, bool ports);

/* steps.c, objects.c */
void planner_namespaces(Planner *planner);
void planner_steps(Planner *planner);
bool planner_is_dragged_up(const Planner *planner, const LinkPlan *link);
bool planner_goes_down(const Planner *planner, const LinkPlan *link); /* be it for a moment only */
void planner_objects(Planner *planner, LinkPlan *link);
/* The list that counts as a whole and that this object is one of, if there is one. */
const Declared *planner_list_of(const Link *wanted, const Object *have);
bool planner_objects_differ(Planner *planner, const LinkPlan *link); /* one that is there from what is wanted */
void planner_netns_objects(Planner *planner, const Namespace *netns, PlanItem *item);
Op *planner_step(Planner *planner, OpType type, Stage stage, unsigned depth, PlanItem *item);

/* Of what we, or somebody else, did on a link: NULL if the record knows nothing of it. */
const RecordEntry *planner_object_entry(const Planner *planner, const LinkPlan *link,
                                        const Object *object);

/* hosts.c */

/* What can't be sent, because it is not known where a host is. */
typedef struct Unknown {
        RowSet rows;
        const char *waits; /* for what, unless it was set once and stays so; or NULL */
} Unknown;

/* `wanted`, or the same with the addresses of the hosts that it names. */
const Object *planner_look_up(Planner *planner, const LinkPlan *link, const Object *wanted,
                              const Object *have, Unknown *ret);

/* entries.c */
void planner_entries(Planner *planner);

/* guard.c */
void planner_guard(Planner *planner);

/* plan.c */
PlanItem *planner_item(Planner *planner, ItemType type, const char *path, const char *kind,
                       Location at);
PlanItem *planner_netns_item(const Planner *planner, const char *name); /* NULL: none yet */
void planner_line(Planner *planner, PlanItem *item, const char *key, const char *from,
                  const char *to, Location at);
void planner_forget(Planner *planner, const char *path, const char *key);
const char *planner_text(Planner *planner, const char *format, ...) _printf_(2, 3);
const char *planner_value(Planner *planner, const Row *row, const Value *value);
const char *planner_path(Planner *planner, const Link *link);
const char *planner_label(Planner *planner, const Object *object); /* which one */
const char *planner_entry(Planner *planner, const Object *object); /* all of it */
void item_judge(PlanItem *item, Verdict verdict, const char *reason);
