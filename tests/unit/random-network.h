/* SPDX-License-Identifier: MIT */
#pragma once

/* Files that nobody would write, and that a daemon must bring about all the same. */

#include "values.h"

#include "mvnet/network.h"

typedef struct RandomShape {
        unsigned namespaces; /* at most, beside the host's */
        unsigned links;      /* at most, pairs and physical ones counted once */
        bool absent;         /* also with links on a NIC that is not there */
} RandomShape;

/* The NICs that tests put into the host's namespace, and one that they do not. */
#define RANDOM_NIC_0 "eth0"
#define RANDOM_NIC_1 "eth1"
#define RANDOM_NIC_ABSENT "eth9"

/* Appends a file that obeys what the kernel wants of parents, masters and names. */
void random_network(Random *random, const RandomShape *shape, Buf *ret);
