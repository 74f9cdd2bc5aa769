/* SPDX-License-Identifier: MIT */
/* Only the way in: mvnetd's --once is one of the verbs, too, and has a way of its own. */

#include "ctl/ctl.h"

int main(int argc, char **argv) {
        return ctl_main(argc, argv);
}
