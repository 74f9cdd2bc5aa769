/* SPDX-License-Identifier: MIT */
/*
 * Links on top of links: a link is on its parent, a master is on its ports. Whoever is on top of
 * himself cannot exist (dev.c __netdev_upper_dev_link: ELOOP or EBUSY).
 */

#include "config/check.h"

#include <errno.h>
#include <stdlib.h>

typedef struct Edge {
        const Link *from, *to; /* `from` is on `to` */
        const Link *said_by;   /* the link whose file says so, in this row */
        LinkRow row;
} Edge;

typedef enum Visit {
        VISIT_NOT_YET,
        VISIT_BELOW, /* on the way down from the root of the search */
        VISIT_DONE,
} Visit;

typedef struct Spot {
        const Link *link;
        const Edge *next, *end; /* edges that were not followed yet */
        Visit visit;
} Spot;

typedef struct Graph {
        Edge *edges;
        size_t n_edges;
        Spot *spots; /* by address of the link */
        size_t n_spots;
} Graph;

static int compare_addresses(const void *a, const void *b) {
        return a < b ? -1 : a > b;
}

static int compare_edges(const void *a, const void *b) {
        return compare_addresses(((const Edge *)a)->from, ((const Edge *)b)->from);
}

static int compare_spots(const void *a, const void *b) {
        return compare_addresses(((const Spot *)a)->link, ((const Spot *)b)->link);
}

static Spot *spot_find(const Graph *graph, const Link *link) {
        Spot key = {.link = link};

        return bsearch(&key, graph->spots, graph->n_spots, sizeof(Spot), compare_spots);
}

static void graph_add_link(Graph *graph, const Link *link) {
        const Link *parent = link_lower(link), *master = link_master(link);

        graph->spots[graph->n_spots++] = (Spot){.link = link};
        if (parent && link_kind_can_have_parent(link->kind))
                graph->edges[graph->n_edges++] = (Edge){link, parent, link, LINK_PARENT};
        if (master)
                graph->edges[graph->n_edges++] = (Edge){master, link, link, LINK_MASTER};
}

/* Hands every spot its part of the edges: both are sorted by the same addresses. */
static void graph_sort(Graph *graph) {
        size_t edge = 0;

        qsort(graph->edges, graph->n_edges, sizeof(Edge), compare_edges);
        qsort(graph->spots, graph->n_spots, sizeof(Spot), compare_spots);
        for (size_t i = 0; i < graph->n_spots; i++) {
                Spot *spot = &graph->spots[i];

                spot->next = &graph->edges[edge];
                while (edge < graph->n_edges && graph->edges[edge].from == spot->link)
                        edge++;
                spot->end = &graph->edges[edge];
        }
}

static int graph_make(Check *check, Graph *ret) {
        Graph graph = {};
        size_t n = 0;

        for (const Namespace *netns = check->network->namespaces; netns; netns = netns->hh.next)
                n += HASH_COUNT(netns->links);
        graph.spots = arena_new_n(&check->arena, Spot, n + 1);
        graph.edges = arena_new_n(&check->arena, Edge, 2 * n + 1);
        if (!graph.spots || !graph.edges)
                return -ENOMEM;
        for (const Namespace *netns = check->network->namespaces; netns; netns = netns->hh.next)
                for (const Link *link = netns->links; link; link = link->hh.next)
                        graph_add_link(&graph, link);
        graph_sort(&graph);
        *ret = graph;
        return 0;
}

#define SHOWN_MAX 8 /* of the links of one cycle */

/* The cycle is what is on the stack from `edge->to` on. */
static void report_cycle(Check *check, Spot *const *stack, size_t depth, const Edge *edge) {
        _cleanup_(buf_deinit) Buf text = {};
        size_t i = depth;

        while (i > 0 && stack[i - 1]->link != edge->to)
                i--;
        for (size_t shown = 0; i > 0 && i <= depth; i++, shown++) {
                if (shown == SHOWN_MAX) {
                        buf_add(&text, "… on ");
                        break;
                }
                link_path(stack[i - 1]->link, &text);
                buf_add(&text, " on ");
        }
        link_path(edge->to, &text);
        check_problem(check, edge->said_by, schema_row(&link_schema, edge->row)->key,
                      attrset_at(&edge->said_by->common, edge->row),
                      "goes round in a circle: %s", buf_text(&text));
}

/* Depth first, on a stack of its own: chains may be as long as files are. */
static void search_below(Check *check, const Graph *graph, Spot *root, Spot **stack) {
        size_t depth = 0;

        stack[depth++] = root;
        root->visit = VISIT_BELOW;
        while (depth > 0) {
                Spot *spot = stack[depth - 1], *below;
                const Edge *edge = spot->next;

                if (edge == spot->end) {
                        spot->visit = VISIT_DONE;
                        depth--;
                        continue;
                }
                spot->next++;
                below = spot_find(graph, edge->to);
                if (below->visit == VISIT_BELOW) {
                        report_cycle(check, stack, depth, edge);
                } else if (below->visit == VISIT_NOT_YET) {
                        below->visit = VISIT_BELOW;
                        stack[depth++] = below;
                }
        }
}

int check_cycles(Check *check) {
        Spot **stack;
        Graph graph;
        int r = graph_make(check, &graph);

        if (r < 0)
                return r;
        stack = arena_new_n(&check->arena, Spot *, graph.n_spots + 1);
        if (!stack)
                return -ENOMEM;
        for (const Namespace *netns = check->network->namespaces; netns; netns = netns->hh.next)
                for (const Link *link = netns->links; link; link = link->hh.next) {
                        Spot *spot = spot_find(&graph, link);

                        if (spot->visit == VISIT_NOT_YET)
                                search_below(check, &graph, spot, stack);
                }
        return 0;
}
