/* SPDX-License-Identifier: MIT */
/* MAC addresses that are the same after each boot, and no other machine's, need to know which. */

#include "daemon/seed.h"

#include "mvnet/util.h"

#include <systemd/sd-id128.h>
#include <unistd.h>

/* Made up once, with systemd-id128: MAC addresses must not tell the machine's id. */
#define APP_ID SD_ID128_MAKE(5d, 1a, 40, 6e, 93, 0c, 4f, 27, b8, e3, 72, 19, 0b, d5, 66, a4)

void machine_seed(uint8_t ret[16]) {
        uint64_t hash = HASH_BEGIN;
        char host[256] = "";
        sd_id128_t id;

        if (sd_id128_get_machine_app_specific(APP_ID, &id) >= 0) {
                memcpy(ret, id.bytes, 16);
                return;
        }
        if (gethostname(host, sizeof(host) - 1) < 0)
                host[0] = '\0';
        for (uint8_t i = 0; i < 16; i++) {
                hash = hash_bytes(hash, host, strlen(host));
                hash = hash_bytes(hash, &i, 1);
                ret[i] = (uint8_t)(hash >> 32);
        }
}
