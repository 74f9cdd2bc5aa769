# SPDX-License-Identifier: MIT
# What the stories share. A story runs as root in a world of its own (tests/vm/host or uml or qemu):
# it may do to the network whatever it likes.
#
# Every check prints a line, `ok NAME` or `FAIL NAME` with the reason; the last line counts them.

set -u
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${MVNET_BUILD:-$top/build}
mvnetctl=$build/mvnetctl
work=$(mktemp -d)
passed=0
failed=0
skipped=0
trap 'rm -rf "$work"' EXIT

[ -n "${MVNET_KIND:-}" ] || { echo "stories run in tests/vm/host, uml or qemu" >&2; exit 2; }

ok() {
        passed=$((passed + 1))
        echo "ok $1"
}

fail() {
        failed=$((failed + 1))
        echo "FAIL $1"
        shift
        printf '        %s\n' "$@"
}

skip() {
        skipped=$((skipped + 1))
        echo "skip $1: $2"
}

# check NAME COMMAND...: it succeeds. Its output is shown only if it does not.
check() {
        local name=$1
        shift
        if "$@" >"$work/check" 2>&1; then
                ok "$name"
        else
                fail "$name" "exit $?: $*" "$(tail -n 20 "$work/check")"
        fi
}

# check_exit NAME CODE COMMAND...: it ends with that code.
check_exit() {
        local name=$1 want=$2 got
        shift 2
        "$@" >"$work/check" 2>&1
        got=$?
        if [ $got -eq "$want" ]; then
                ok "$name"
        else
                fail "$name" "exit $got, not $want: $*" "$(tail -n 20 "$work/check")"
        fi
}

# check_equal NAME WANT GOT
check_equal() {
        if [ "$2" = "$3" ]; then
                ok "$1"
        else
                fail "$1" "$(diff <(echo "$2") <(echo "$3"))"
        fi
}

finish() {
        echo "$passed passed, $failed failed, $skipped skipped"
        [ $failed -eq 0 ]
}

# Whether somebody makes /dev/tapN.
has_tap_files() {
        [ "$(awk '$2 == "/dev" { type = $3 } END { print type }' /proc/mounts)" = devtmpfs ]
}

has_kind() {
        case $1 in
        vlan) ip link add name probe0 type bridge && ip link add link probe0 name probe1 type vlan id 9 ;;
        filtering) ip link add name probe0 type bridge vlan_filtering 1 ;;
        ipvlan) ip link add name probe0 type bridge && ip link add link probe0 name probe1 type ipvlan mode l2 ;;
        macsec) ip link add name probe0 type bridge && ip link add link probe0 name probe1 type macsec ;;
        tun | tap) [ -c /dev/net/tun ] ;;
        wireguard) ip link add name probe0 type wireguard ;;
        vrf) ip link add name probe0 type vrf table 999 ;;
        geneve) ip link add name probe0 type geneve id 999 remote 192.0.2.1 ;;
        gretap) ip link add name probe0 type gretap remote 192.0.2.1 ;;
        vxlan) ip link add name probe0 type vxlan id 999 dstport 4789 ;;
        bond | team | dummy | ifb) ip link add name probe0 type "$1" ;;
        esac >/dev/null 2>&1
        local r=$?
        ip link del probe0 2>/dev/null
        return $r
}

# Everything there is, without what changes by itself: indexes, counters, carrier, random MACs of
# links that have no say in it.
snapshot() {
        local netns
        ip netns list | awk '{print "netns", $1}' | sort
        for netns in "" $(ip netns list | awk '{print $1}' | sort); do
                echo "== ${netns:-host}"
                ip ${netns:+-n "$netns"} -d -o link | sed -E 's/^[0-9]+: //; s/@if[0-9]+/@/; s/ (state|qdisc|qlen) [A-Za-z0-9]+//g; s/<[^>]*>//; s/(hello|tcn|topology_change|gc|hold|message_age|forward_delay)_timer +[0-9.]+//g; s/link-netnsid [0-9]+//; s/tso_max_(size|segs) [0-9]+//g' | sort
                ip ${netns:+-n "$netns"} -o addr show scope global | awk '{print $2, $3, $4}' | sort
        done
}

# How many requests a command sends that could change something: netlink messages other than GET,
# sysctls and anything below the runtime folder opened for writing. On sockets opened in another
# namespace strace shows bare numbers: GET types are 2 mod 4.
count_writes() {
        strace -f -qq -s 64 -o "$work/strace" -e trace=sendto,sendmsg,sendmmsg,open,openat,mkdir,mkdirat,unlink,unlinkat,rename,renameat,renameat2,mount,umount2,ftruncate,truncate \
                "$@" >"$work/traced" 2>&1
        local code=$?
        writes_in "$work/strace"
        return $code
}

# writes_in FILE: the same, of what strace has written there. Which they are is in $work/writes.
writes_in() {
        awk '
                # Generic netlink: dumps, who is who (CTRL_CMD_GETFAMILY), TEAM_CMD_OPTIONS_GET.
                /NLMSG_\?\?\?/ && (/nlmsg_flags=NLM_F_REQUEST\|0x300/ || /"\\x0[32]\\x01\\x00\\x00/) { next }
                {
                        line = $0
                        while (match(line, /nlmsg_type=[A-Za-z0-9_x]+/)) {
                                type = substr(line, RSTART + 11, RLENGTH - 11)
                                line = substr(line, RSTART + RLENGTH)
                                if (type ~ /^0x/) {
                                        if (hex(type) % 4 != 2) { n++; print $0 > "/dev/stderr" }
                                } else if (type ~ /^[0-9]/) {
                                        if (type % 4 != 2) { n++; print $0 > "/dev/stderr" }
                                } else if (type !~ /GET/) { n++; print $0 > "/dev/stderr" }
                        }
                }
                /open(at)?\(/ && /O_WRONLY|O_RDWR|O_CREAT/ && /\/proc\/sys|\/run\// { n++; print $0 > "/dev/stderr" }
                /^[0-9]* *(mkdir|mkdirat|unlink|unlinkat|rename|renameat|renameat2|mount|umount2|ftruncate|truncate)\(/ { n++; print $0 > "/dev/stderr" }
                function hex(s,   i, v) {
                        v = 0
                        for (i = 3; i <= length(s); i++)
                                v = v * 16 + index("0123456789abcdef", tolower(substr(s, i, 1))) - 1
                        return v
                }
                END { print n + 0 }
        ' "$1" 2>"$work/writes"
}

# Secrets are nobody's to read, so no repository can hold them as files.
make_keys() {
        mkdir -p "$work/keys"
        (
                umask 077
                echo dwdtCnMYpX08FsFyUbJmRd9ML5LrwJkqwXf7pR25LCo= >"$work/keys/left.key"
                echo XasIfmJKikt54X+Lg4AO5m87sSkmGLb9HC+LJ/+I4Os= >"$work/keys/right.key"
                echo ERERERERERERERERERERERERERERERERERERERERERE= >"$work/keys/both.key"
        )
}

# reaches NAMESPACE ADDRESS: something there answers, within two seconds.
reaches() {
        ip netns exec "$1" ping -n -q -c 1 -W 2 "$2" >/dev/null 2>&1
}

# eventually COMMAND...: it succeeds within some seconds.
eventually() {
        local end=$((SECONDS + patience))
        until "$@"; do
                [ $SECONDS -lt $end ] || return 1
                sleep 0.1
        done
}

# Where nothing is to answer there is nothing to wait for but silence.
reaches_not() {
        ! ip netns exec "$1" ping -n -q -c 1 -W 1 "$2" >/dev/null 2>&1
}

# Somebody else's things, which must come out of every story as they went in.
make_foreign() {
        ip netns add theirs
        ip link add foreign0 type bridge
        ip link add foreign1 type veth peer name eth9 netns theirs
        ip link set foreign1 master foreign0
        ip addr add 172.31.0.1/24 dev foreign0
        ip link set foreign0 up
        ip link set foreign1 up
        ip -n theirs link set eth9 up
}

# The daemon. What it prints is in $work/mvnetd.log, and its number in $daemon.
mvnetd=$build/mvnetd
observe=$build/tests/observe
meddle=$build/tests/meddle
daemon=
[ "$MVNET_KIND" = host ] && patience=5 || patience=20 # seconds that a slow guest may need

# start_daemon ARGUMENT...: and wait until it has done what there is to do.
start_daemon() {
        "$mvnetd" "$@" >>"$work/mvnetd.log" 2>&1 &
        daemon=$!
        wait_settled
}

# How the daemon itself is: starting, settling, settled; nothing if it does not answer.
daemon_state() {
        "$mvnetctl" status --json 2>/dev/null | sed -nE 's/^  "state": ?"([a-z]+)".*/\1/p'
}

wait_settled() {
        local end=$((SECONDS + patience + 5))
        until [ "$(daemon_state)" = settled ]; do
                kill -0 "$daemon" 2>/dev/null || return 1
                [ $SECONDS -lt $end ] || { echo "not settled"; tail -n 5 "$work/mvnetd.log"; return 1; }
                sleep 0.02
        done
}

# stop_daemon [SIGNAL]
stop_daemon() {
        [ -n "$daemon" ] || return 0
        kill -"${1:-TERM}" "$daemon" 2>/dev/null
        { wait "$daemon"; } 2>/dev/null
        daemon=
}

# verdict PATH: of what is declared there, as the daemon sees it.
verdict() {
        "$mvnetctl" status --json 2>/dev/null | awk -v path="$1" -F'"' '
                $2 == "path" { here = $4 == path }
                here && $2 == "verdict" { print $4; exit }'
}

# until_verdict PATH VERDICT [SECONDS]
until_verdict() {
        local end=$((SECONDS + ${3:-$patience}))
        until [ "$(verdict "$1")" = "$2" ]; do
                [ $SECONDS -lt $end ] || { echo "$1 is $(verdict "$1"), not $2"; return 1; }
                sleep 0.05
        done
}

# All is well; that somebody fought over it is said for some seconds more.
all_ok() {
        local end=$((SECONDS + patience + 5))
        until "$mvnetctl" status --exit-code; do
                [ $SECONDS -lt $end ] || return 1
                sleep 0.2
        done
}

# CPU time that the daemon has used, in milliseconds: user's and kernel's are counted in 10 ms.
cpu_ms() {
        awk '{ print ($14 + $15) * 10 }' "/proc/$daemon/stat"
}

# The same, and what it sends is written to $work/sent: see sent(). Only what is sent stops it.
start_traced_daemon() {
        strace -f --seccomp-bpf -qq -s 64 -o "$work/sent" -e trace=sendto,sendmsg,sendmmsg \
                "$mvnetd" "$@" >>"$work/mvnetd.log" 2>&1 &
        local tracer=$! end=$((SECONDS + patience))
        daemon=
        until [ -n "$daemon" ]; do
                [ $SECONDS -lt $end ] || return 1
                daemon=$(pgrep -P $tracer -x mvnetd)
        done
        wait_settled
}

# sent [LINE]: how many requests a traced daemon has sent, from that line on, that change something.
sent() {
        tail -n "+${1:-1}" "$work/sent" >"$work/sent.part"
        writes_in "$work/sent.part"
}

sent_lines() {
        echo $(($(wc -l <"$work/sent") + 1))
}
