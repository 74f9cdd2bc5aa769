/* SPDX-License-Identifier: MIT */
/*
 * The VLANs of bridges and ports. They are read in the newer way (RTM_GETVLAN), which can be asked
 * about one link, and written in the older one (RTM_SETLINK, RTM_DELLINK of AF_BRIDGE), in which
 * one message takes any number of ranges.
 *
 * What is sent is the difference to what is there by then, not to what there was when it was
 * planned: a new port or another default VLAN of the bridge changes that on the way.
 */

#include "kernel/applier.h"

#include "mvnet/vlans.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_bridge.h>
#include <stdlib.h>

/* Reading. */

struct nlmsghdr *vlans_request(DumpRequest *buffer, int ifindex) {
        struct nlmsghdr *request = dump_request(buffer, RTM_GETVLAN, sizeof(struct br_vlan_msg));
        struct br_vlan_msg *header = mnl_nlmsg_get_payload(request);

        header->family = AF_BRIDGE;
        header->ifindex = (uint32_t)ifindex;
        return request;
}

static uint32_t tunnel_of(const struct nlattr *nest) {
        const struct nlattr *tb[BRIDGE_VLANDB_TINFO_ID + 1];

        if (attrs_parse_nest(nest, tb, ELEMENTSOF(tb)) < 0 || !tb[BRIDGE_VLANDB_TINFO_ID] ||
            mnl_attr_get_payload_len(tb[BRIDGE_VLANDB_TINFO_ID]) < sizeof(uint32_t))
                return 0;
        return mnl_attr_get_u32(tb[BRIDGE_VLANDB_TINFO_ID]);
}

static int read_entry(const struct nlattr *entry, VlanTable *ret) {
        const struct nlattr *tb[BRIDGE_VLANDB_ENTRY_TUNNEL_INFO + 1];
        struct bridge_vlan_info info;
        uint32_t tunnel;
        unsigned to;
        int r = attrs_parse_nest(entry, tb, ELEMENTSOF(tb));

        if (r < 0)
                return r;
        if (!tb[BRIDGE_VLANDB_ENTRY_INFO] ||
            mnl_attr_get_payload_len(tb[BRIDGE_VLANDB_ENTRY_INFO]) < sizeof(info))
                return -EBADMSG;
        memcpy(&info, mnl_attr_get_payload(tb[BRIDGE_VLANDB_ENTRY_INFO]), sizeof(info));
        to = info.vid;
        if (tb[BRIDGE_VLANDB_ENTRY_RANGE] &&
            mnl_attr_get_payload_len(tb[BRIDGE_VLANDB_ENTRY_RANGE]) >= sizeof(uint16_t))
                to = mnl_attr_get_u16(tb[BRIDGE_VLANDB_ENTRY_RANGE]);
        tunnel = tunnel_of(tb[BRIDGE_VLANDB_ENTRY_TUNNEL_INFO]);
        for (unsigned vid = info.vid; vid <= to && vid < VLANS_N; vid++)
                ret->at[vid] = (Vlan){.there = true,
                                      .pvid = info.flags & BRIDGE_VLAN_INFO_PVID,
                                      .untagged = info.flags & BRIDGE_VLAN_INFO_UNTAGGED,
                                      .tunnel = tunnel ? tunnel + vid - info.vid : 0};
        return 0;
}

static int read_entries(const struct nlmsghdr *message, VlanTable *ret) {
        const struct nlattr *attr;
        int r = 0;

        if (mnl_nlmsg_get_payload_len(message) < sizeof(struct br_vlan_msg))
                return -EBADMSG;
        mnl_attr_for_each(attr, message, sizeof(struct br_vlan_msg)) {
                if (r == 0 && mnl_attr_get_type(attr) == BRIDGE_VLANDB_ENTRY)
                        r = read_entry(attr, ret);
        }
        return r;
}

int decode_vlans(Link *link, const struct nlmsghdr *message) {
        VlanTable *table = calloc(1, sizeof(VlanTable));
        Value list;
        int r = table ? 0 : -ENOMEM;

        if (r == 0 && !link->vlans.schema)
                r = link_set_vlans(link);
        if (r == 0 && link->vlans.present)
                vlans_read(&link->vlans.values[0], table);
        if (r == 0)
                r = read_entries(message, table);
        if (r == 0)
                r = vlans_list(table, &link->netns->network->arena, &list);
        if (r == 0)
                attrset_set(&link->vlans, 0, list);
        free(table);
        return r;
}

int vlans_settle(Link *link) {
        int r = link->vlans.schema ? 0 : link_set_vlans(link);

        if (r == 0 && !link->vlans.present)
                attrset_set(&link->vlans, 0, (Value){});
        return r;
}

/* Writing. */

typedef struct Writing {
        Applier *applier;
        int ifindex;
        bool self; /* the bridge itself */
        const VlanTable *wanted;
        VlanTable have;
        struct nlattr *spec; /* open in the request, or NULL */
} Writing;

static int take_vlans(const struct nlmsghdr *message, void *userdata) {
        const struct br_vlan_msg *header = mnl_nlmsg_get_payload(message);
        Writing *writing = userdata;

        if (message->nlmsg_type != RTM_NEWVLAN)
                return 0;
        if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
                return -EBADMSG;
        return (int)header->ifindex == writing->ifindex ? read_entries(message, &writing->have) : 0;
}

static int flush(Writing *writing) {
        if (!writing->spec)
                return 0;
        put_nest_end(&writing->applier->request.scope, writing->spec);
        writing->spec = NULL;
        return applier_send(writing->applier, 0);
}

/* Opens a message that has room for a range and its tunnels. */
static int make_room(Writing *writing, uint16_t type) {
        Request *request = &writing->applier->request;
        uint16_t flags = BRIDGE_FLAGS_SELF;
        int r = 0;

        if (writing->spec && request->scope.size - request->scope.message->nlmsg_len > 256)
                return 0;
        r = flush(writing);
        if (r < 0)
                return r;
        r = encode_bridge(applier_request(writing->applier), type, writing->ifindex);
        if (r == 0)
                writing->spec = put_nest(&request->scope, IFLA_AF_SPEC);
        if (!writing->spec)
                return -EMSGSIZE;
        return writing->self
                ? put_attr(&request->scope, IFLA_BRIDGE_FLAGS, &flags, sizeof(flags)) : 0;
}

static int put_info(Writing *writing, uint16_t vid, uint16_t flags) {
        struct bridge_vlan_info info = {.flags = flags, .vid = vid};

        return put_attr(&writing->applier->request.scope, IFLA_BRIDGE_VLAN_INFO, &info,
                        sizeof(info));
}

static uint16_t info_flags(Vlan vlan) {
        return (uint16_t)((vlan.pvid ? BRIDGE_VLAN_INFO_PVID : 0) |
                          (vlan.untagged ? BRIDGE_VLAN_INFO_UNTAGGED : 0));
}

static int put_vlans(Writing *writing, uint16_t type, const VlanRange *range) {
        uint16_t flags = type == RTM_SETLINK ? info_flags(range->vlan) : 0;
        int r = make_room(writing, type);

        if (r < 0 || range->from == range->to)
                return r < 0 ? r : put_info(writing, range->from, flags);
        r = put_info(writing, range->from, flags | BRIDGE_VLAN_INFO_RANGE_BEGIN);
        return r < 0 ? r : put_info(writing, range->to, flags | BRIDGE_VLAN_INFO_RANGE_END);
}

static int put_tunnel(Writing *writing, uint16_t vid, uint32_t tunnel, uint16_t flags) {
        PutScope *scope = &writing->applier->request.scope;
        struct nlattr *nest = put_nest(scope, IFLA_BRIDGE_VLAN_TUNNEL_INFO);
        int r = nest ? put_attr(scope, IFLA_BRIDGE_VLAN_TUNNEL_ID, &tunnel, sizeof(tunnel))
                     : -EMSGSIZE;

        if (r == 0)
                r = put_attr(scope, IFLA_BRIDGE_VLAN_TUNNEL_VID, &vid, sizeof(vid));
        if (r == 0)
                r = put_attr(scope, IFLA_BRIDGE_VLAN_TUNNEL_FLAGS, &flags, sizeof(flags));
        if (r == 0)
                put_nest_end(scope, nest);
        return r;
}

static int put_tunnels(Writing *writing, uint16_t type, const VlanRange *range) {
        uint32_t last = range->vlan.tunnel + range->to - range->from;
        int r = make_room(writing, type);

        if (r < 0 || range->from == range->to)
                return r < 0 ? r : put_tunnel(writing, range->from, range->vlan.tunnel, 0);
        r = put_tunnel(writing, range->from, range->vlan.tunnel, BRIDGE_VLAN_INFO_RANGE_BEGIN);
        return r < 0 ? r : put_tunnel(writing, range->to, last, BRIDGE_VLAN_INFO_RANGE_END);
}

/* Which numbers a message is about. */

/* Also of VLANs that go: another one may get the id. */
static bool tunnel_goes(const VlanTable *have, unsigned vid, void *userdata) {
        const Writing *writing = userdata;

        return have->at[vid].tunnel && have->at[vid].tunnel != writing->wanted->at[vid].tunnel;
}

/* Said again, a VLAN takes the flags that are said now; its tunnel stays. */
static bool vlan_comes(const VlanTable *wanted, unsigned vid, void *userdata) {
        const Writing *writing = userdata;
        Vlan to = wanted->at[vid], is = writing->have.at[vid];

        return to.there && (!is.there || is.pvid != to.pvid || is.untagged != to.untagged);
}

static bool tunnel_comes(const VlanTable *wanted, unsigned vid, void *userdata) {
        const Writing *writing = userdata;

        return wanted->at[vid].tunnel && wanted->at[vid].tunnel != writing->have.at[vid].tunnel;
}

static bool vlan_goes(const VlanTable *have, unsigned vid, void *userdata) {
        const Writing *writing = userdata;

        return have->at[vid].there && !writing->wanted->at[vid].there;
}

/*
 * A tunnel id cannot be replaced (EEXIST), and is for VLANs that are there. What goes goes last:
 * another pvid takes over from the one that goes.
 */
static int write_all(Writing *writing) {
        const struct {
                const VlanTable *table;
                bool (*counts)(const VlanTable *table, unsigned vid, void *userdata);
                int (*put)(Writing *writing, uint16_t type, const VlanRange *range);
                uint16_t type;
        } parts[] = {
                {&writing->have, tunnel_goes, put_tunnels, RTM_DELLINK},
                {writing->wanted, vlan_comes, put_vlans, RTM_SETLINK},
                {writing->wanted, tunnel_comes, put_tunnels, RTM_SETLINK},
                {&writing->have, vlan_goes, put_vlans, RTM_DELLINK},
        };
        VlanRange range;
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTSOF(parts); i++) {
                if (i > 0 && parts[i].type != parts[i - 1].type)
                        r = flush(writing);
                for (unsigned vid = 1; r == 0 && vlans_next(parts[i].table, vid, parts[i].counts,
                                                            writing, &range);
                     vid = range.to + 1u)
                        r = parts[i].put(writing, parts[i].type, &range);
        }
        return r == 0 ? flush(writing) : r;
}

int vlans_apply(Applier *applier, int ifindex) {
        const Link *link = applier->op->link;
        VlanTable *wanted = calloc(1, sizeof(VlanTable));
        Writing *writing = calloc(1, sizeof(Writing));
        DumpRequest buffer;
        int r = wanted && writing ? 0 : -ENOMEM;

        if (r == 0) {
                vlans_read(&link->vlans.values[0], wanted);
                writing->applier = applier;
                writing->ifindex = ifindex;
                writing->self = link->kind && link->kind->filtering;
                writing->wanted = wanted;
                r = netlink_dump(applier->space->netlink, vlans_request(&buffer, ifindex),
                                 take_vlans, writing);
        }
        if (r > 0)
                r = -EAGAIN;
        if (r == 0)
                r = write_all(writing);
        else
                applier_fail(applier, r, "the VLANs can't be read");
        if (r < 0)
                applier->result->row = schema_row(&vlans_schema, 0);
        free(writing);
        free(wanted);
        return r;
}
