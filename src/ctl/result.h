/* SPDX-License-Identifier: MIT */
#pragma once

/* What was done, and how things are, for people. */

#include "ctl/ctl.h"

void result_print_item(const PlanItem *item);
/* One line: how it is, why, and where it is declared. */
void result_print_state(const PlanItem *item);

/* Something failed, or is in conflict, or contested. */
bool plan_has_failed(const Plan *plan);

/*
 * How an apply ended: what is not as it should be, and the counts; what was done has been told.
 * With --json everything, as one object.
 */
CtlExit result_print(const Ctl *ctl, const char *name, const SettleResult *result);
