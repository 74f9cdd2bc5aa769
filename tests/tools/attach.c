/* SPDX-License-Identifier: MIT */
/*
 * What a program that opens a tun or tap does to it, wanted or not: `attach LINK FLAGS [UID]`, the
 * flags of TUNSETIFF as a number. It leaves at once; what it said about packets stays.
 */

#include <err.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(int argc, char **argv) {
        struct ifreq request = {};
        int fd;

        if (argc < 3 || strlen(argv[1]) >= IFNAMSIZ)
                errx(2, "usage: attach LINK FLAGS [UID]");
        strcpy(request.ifr_name, argv[1]);
        request.ifr_flags = (short)strtoul(argv[2], NULL, 0);
        fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
        if (fd < 0)
                err(2, "/dev/net/tun");
        if (ioctl(fd, TUNSETIFF, &request) < 0)
                err(2, "TUNSETIFF %s", argv[1]);
        if (argc > 3 && ioctl(fd, TUNSETOWNER, strtoul(argv[3], NULL, 0)) < 0)
                err(2, "TUNSETOWNER %s", argv[3]);
        close(fd);
        return 0;
}
