/* SPDX-License-Identifier: MIT */
/* What everybody asks of a tree, however it was made. */

#include "mvnet/tree.h"

bool node_is_null(const Node *node) {
        if (!node)
                return true;
        if (node->type != NODE_SCALAR || node->quoted)
                return false;
        return streq(node->text, "") || streq(node->text, "~") || streq(node->text, "null");
}

Node *node_get(const Node *map, const char *key) {
        if (!map || map->type != NODE_MAP)
                return NULL;
        for (Node *child = map->first; child; child = child->next)
                if (streq(child->key, key))
                        return child;
        return NULL;
}

const char *node_type_name(NodeType type) {
        static const char *const names[_NODE_TYPE_N] = {
                [NODE_SCALAR] = "a value",
                [NODE_LIST] = "a list",
                [NODE_MAP] = "a map",
        };

        return names[type];
}
