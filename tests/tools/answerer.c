/* SPDX-License-Identifier: MIT */
/*
 * answerer ADDRESS tap NAME | tun NAME | file /dev/tapN: the program at the far end of such a link.
 * It answers to ARP for that address and to pings, as a virtual machine would, until it is killed.
 * "ready" once it has the device open.
 */

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const unsigned char mac[ETH_ALEN] = {0x02, 0, 0, 0, 0x77, 0x01};
static struct in_addr address;

/* 0: not for us. */
static size_t answer_arp(unsigned char *frame, size_t size) {
        struct ether_arp *arp = (struct ether_arp *)(frame + ETH_HLEN);

        if (size < ETH_HLEN + sizeof(*arp) || ntohs(arp->ea_hdr.ar_op) != ARPOP_REQUEST ||
            memcmp(arp->arp_tpa, &address, 4) != 0)
                return 0;
        arp->ea_hdr.ar_op = htons(ARPOP_REPLY);
        memcpy(arp->arp_tha, arp->arp_sha, ETH_ALEN);
        memcpy(arp->arp_tpa, arp->arp_spa, 4);
        memcpy(arp->arp_sha, mac, ETH_ALEN);
        memcpy(arp->arp_spa, &address, 4);
        return ETH_HLEN + sizeof(*arp);
}

/* An echo is answered by turning it round; neither checksum changes but for the type. */
static size_t answer_ping(unsigned char *packet, size_t size) {
        struct iphdr *ip = (struct iphdr *)packet;
        struct icmphdr *icmp = (struct icmphdr *)(packet + sizeof(*ip));
        unsigned sum;

        if (size < sizeof(*ip) + sizeof(*icmp) || ip->version != 4 || ip->ihl != 5 ||
            ip->protocol != IPPROTO_ICMP || ip->daddr != address.s_addr ||
            icmp->type != ICMP_ECHO)
                return 0;
        ip->daddr = ip->saddr;
        ip->saddr = address.s_addr;
        icmp->type = ICMP_ECHOREPLY;
        sum = ntohs(icmp->checksum) + 0x0800u;
        icmp->checksum = htons((unsigned short)((sum & 0xffff) + (sum >> 16)));
        return size;
}

static size_t answer(unsigned char *frame, size_t size, int ethernet) {
        struct ethhdr *header = (struct ethhdr *)frame;
        size_t n = 0;

        if (!ethernet)
                return answer_ping(frame, size);
        if (size < ETH_HLEN)
                return 0;
        if (header->h_proto == htons(ETH_P_ARP))
                n = answer_arp(frame, size);
        else if (header->h_proto == htons(ETH_P_IP)) {
                n = answer_ping(frame + ETH_HLEN, size - ETH_HLEN);
                n += n ? ETH_HLEN : 0;
        }
        memcpy(header->h_dest, header->h_source, ETH_ALEN);
        memcpy(header->h_source, mac, ETH_ALEN);
        return n;
}

static int open_device(const char *how, const char *name) {
        struct ifreq request = {.ifr_flags = IFF_NO_PI};
        int file = strcmp(how, "file") == 0;
        int fd = open(file ? name : "/dev/net/tun", O_RDWR);

        request.ifr_flags = (short)(request.ifr_flags | (strcmp(how, "tun") == 0 ? IFF_TUN : IFF_TAP));
        if (!file)
                snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
        if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0) {
                perror(name);
                return -1;
        }
        return fd;
}

int main(int argc, char **argv) {
        unsigned char frame[65536];
        ssize_t n;
        int fd;

        if (argc != 4 || inet_pton(AF_INET, argv[1], &address) != 1) {
                fprintf(stderr, "usage: %s ADDRESS tap|tun NAME | file PATH\n", argv[0]);
                return 2;
        }
        fd = open_device(argv[2], argv[3]);
        if (fd < 0)
                return 1;
        puts("ready");
        fflush(stdout);
        while ((n = read(fd, frame, sizeof(frame))) >= 0) {
                size_t size = answer(frame, (size_t)n, strcmp(argv[2], "tun") != 0);

                if (size && write(fd, frame, size) < 0)
                        return 1;
        }
        return 0;
}
