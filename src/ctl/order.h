/* SPDX-License-Identifier: MIT */
#pragma once

/* What the daemon does in our stead: it keeps its configuration, so nobody else may change it. */

#include "ctl/client.h"

/*
 * Whether a daemon keeps the configuration `name`: *ret is the connection to it, or NULL. Anything
 * but CTL_DONE: that could not be told, and was said.
 */
CtlExit order_route(const Ctl *ctl, const char *name, sd_bus **ret);

/* Has it done, waits, and prints what came of it; closes the connection. */
CtlExit order_apply(const Ctl *ctl, sd_bus *sd, const char *name);
CtlExit order_down(const Ctl *ctl, sd_bus *sd);
