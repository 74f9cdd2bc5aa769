/* SPDX-License-Identifier: MIT */
/* The daemon's way in: arguments. With --once it is `mvnetctl apply` for boot scripts. */

#include "ctl/ctl.h"

int main(int argc, char **argv) {
        return ctl_main_daemon(argc, argv);
}
