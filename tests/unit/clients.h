/* SPDX-License-Identifier: MIT */
#pragma once

/* Clients of the private socket, in this process unless said otherwise: then nobody may wait. */

#include "served.h"

#include <systemd/sd-bus.h>
#include <time.h>

#define AUTH "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n" /* and sizeof is one more */

uint64_t time_us(clockid_t clock);

int raw_connect(const Served *served); /* -1: errno */
void put(int fd, const void *bytes, size_t size);
bool has_news(int fd);  /* to be read */
bool is_closed(int fd); /* the other side hung up; what it said before is dropped */

sd_bus *client_connect(const Served *served); /* NULL: refused at once */
sd_bus *client_ready(Served *served);         /* and let in */
sd_bus_message *call_of(sd_bus *sd, const char *member);
void send_call(sd_bus *sd, const char *member); /* without arguments; no answer is read */

/* In a child. */
int count_items(sd_bus *sd, size_t *ret); /* by List: 0 or < 0 */
int run_list(Served *served);             /* 0: it is served, 1, 2: it is not let in, 3: wrongly */

void assert_serves(Served *served); /* a new client */
void tell(Served *served, unsigned number); /* that number has happened */
