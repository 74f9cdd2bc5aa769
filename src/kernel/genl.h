/* SPDX-License-Identifier: MIT */
#pragma once

/* Families of generic netlink in an open namespace: -EOPNOTSUPP if this kernel has no such one. */

#include "kernel/applier.h"

/* What the family says of that link, message by message. 0, NETLINK_E_*, or < 0. */
int genl_get(Space *space, const Genl *genl, int ifindex, NetlinkRow row,
             void (*restart)(void *userdata), void *userdata);

/* A request of the applier's that says which link; its attributes follow. 0 or < 0. */
int genl_begin(Applier *applier, const Genl *genl, int ifindex);
/* Carries out an OP_LINK_SET of such rows. 0 or < 0. */
int genl_set(Applier *applier, int ifindex);
/* Carries out an OP_OBJECT_* of such a type. 0 or < 0. */
int genl_object(Applier *applier, int ifindex);

/* The kind whose ports have these options, or NULL. */
const LinkKind *port_kind(const Schema *port);
