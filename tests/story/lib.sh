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

has_kind() {
        case $1 in
        vlan) ip link add name probe0 type bridge && ip link add link probe0 name probe1 type vlan id 9 ;;
        ipvlan) ip link add name probe0 type bridge && ip link add link probe0 name probe1 type ipvlan mode l2 ;;
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
        awk '
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
        ' "$work/strace" 2>"$work/writes"
        return $code
}

# reaches NAMESPACE ADDRESS: something there answers, within two seconds.
reaches() {
        ip netns exec "$1" ping -n -q -c 1 -W 2 "$2" >/dev/null 2>&1
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
