# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What the runners host, uml and qemu share: the command line, the hand-over of
# COMMAND to the guest, the time limit and cleaning up.  A runner sources this,
# calls `read_arguments "$@"`, and ends with `run_box FUNCTION ARGUMENTS...`,
# where FUNCTION boots the guest inside fresh namespaces.
#
# The hand-over is a folder on the host, $MVNET_JOB, which the guest sees too:
#   command   shell script: the caller's environment, directory and COMMAND
#   setup     shell script that runs before that, and before systemd
#   out       FIFO, what COMMAND prints
#   rc        the exit code of COMMAND; while empty, it has not ended
#   console   what the guest's kernel and the runner's own helpers print

set -euo pipefail

runner=$(basename "$0")
MVNET_HERE=$(dirname "$(readlink -f "$0")")
MVNET_CACHE=$(realpath -m "${MVNET_CACHE:-/var/cache/mvnet-tests}")
MVNET_PID1=shell
export MVNET_HERE MVNET_CACHE MVNET_PID1

flavour=cloud
suite=
seconds=120
setup=:
command=()
environment=("MVNET_KIND=$runner") # what the guest sets, whatever the caller has
box=
timer=
printer=

usage() {
    cat >&2 <<END
usage: $runner [-t SECONDS] [--systemd] [--setup SHELL] -- COMMAND...
Run COMMAND as root in a disposable guest that sees this machine's files.
  -t SECONDS      give up after this time (default: $seconds), exit code 124
  --systemd       systemd is PID 1 in the guest, COMMAND starts when it is up
  --setup SHELL   shell commands to run before that (with --systemd: before boot)
  --flavour NAME  qemu only: Debian's kernel "cloud" (default) or "amd64"
  --suite NAME    qemu only: of that part of Debian, such as trixie-backports
The exit code is COMMAND's; 124: time is up; 125: the guest died.
END
    exit 2
}

read_arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
            -t) seconds=${2:?}; shift 2 ;;
            --systemd) MVNET_PID1=systemd; shift ;;
            --setup) setup=${2:?}; shift 2 ;;
            --flavour) flavour=${2:?}; shift 2 ;;
            --suite) suite=${2:?}; shift 2 ;;
            --) shift; command=("$@"); break ;;
            *) usage ;;
        esac
    done
    [ ${#command[@]} -gt 0 ] || usage
    [[ $seconds =~ ^[0-9]+$ ]] || usage
    case $flavour in cloud | amd64) ;; *) usage ;; esac
    [[ $suite =~ ^[a-z-]*$ ]] || usage
}

die() {
    echo "$runner: $*" >&2
    exit 125
}

# need PACKAGE FILE...: each FILE is there, or say which package has it
need() {
    local package=$1 file
    shift
    for file; do
        [ -e "$file" ] || die "$file is missing: apt-get install $package"
    done
}

quoted() {
    printf " '%s'" "${@//\'/\'\\\'\'}"
}

# Write down COMMAND for the guest.
write_job() {
    trap clean_up EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    MVNET_JOB=$(mktemp -d "${TMPDIR:-/tmp}/mvnet-vm.XXXXXX")
    case $MVNET_JOB in
        /run/* | /dev/*) die "TMPDIR=$TMPDIR is not what the guest sees there" ;;
    esac
    export MVNET_JOB
    mkfifo "$MVNET_JOB/out"
    : >"$MVNET_JOB/rc"
    {
        /bin/sh -c 'export -p'
        printf "export%s\n" "$(quoted "${environment[@]}")"
        echo unset MVNET_HERE MVNET_JOB MVNET_PID1 MVNET_OUT MVNET_RC MVNET_MODULES MVNET_MOUNTS MVNET_CGROUP
        echo "cd$(quoted "$PWD")"
    } >"$MVNET_JOB/setup"
    cp "$MVNET_JOB/setup" "$MVNET_JOB/command"
    printf '%s\n' "$setup" >>"$MVNET_JOB/setup"
    printf 'exec%s\n' "$(quoted "${command[@]}")" >>"$MVNET_JOB/command"
}

clean_up_runner() { :; } # a runner may have something of its own

# Everything the guest consists of lives in one pid namespace, so it all ends with its
# first process; and that ends with us, even if we are killed.
clean_up() {
    trap - EXIT
    exec 2>/dev/null # bash would tell whom we kill
    for pid in $box $timer $printer; do
        kill -KILL "$pid" || true
    done
    wait
    clean_up_runner
    [ -z "${MVNET_JOB-}" ] || rm -rf "$MVNET_JOB"
}

# For the functions that boot: whatever the guest does, in here the host's files are
# read-only, but for the job and a tmpfs on /dev/shm.
# shellcheck disable=SC2317 # called from there
protect_host() {
    local folder
    mount -t tmpfs tmpfs /dev/shm
    mount --bind "$MVNET_JOB" "$MVNET_JOB"
    while read -r _ folder _; do
        case $folder in
            /dev/shm | "$MVNET_JOB") ;;
            *) mount -o remount,bind,ro "$folder" || true ;;
        esac
    done </proc/self/mounts
}

# run_box FUNCTION ARGUMENTS...: in fresh namespaces, call FUNCTION, which boots the guest;
# wait for its end; exit as COMMAND did
run_box() {
    local boot=$1 ended code
    shift
    export -f protect_host "${boot?}"
    cat "$MVNET_JOB/out" &
    printer=$!
    setpriv --pdeathsig KILL \
        unshare --mount --net --pid --ipc --uts --cgroup --fork --kill-child=KILL \
        bash -euc "$boot \"\$@\"" "$boot" "$@" </dev/null >"$MVNET_JOB/console" 2>&1 &
    box=$!
    setpriv --pdeathsig KILL sleep "$seconds" &
    timer=$!
    wait -n -p ended "$box" "$timer" || true
    if [ "$ended" = "$timer" ]; then
        timer=
        kill -KILL "$box" 2>/dev/null || true
        wait "$box" 2>/dev/null || true
    fi
    box=

    : <>"$MVNET_JOB/out" # in case nobody has opened it, so that the printer ends
    wait "$printer" || true
    printer=

    code=$(tr -cd 0-9 <"$MVNET_JOB/rc")
    [ -z "$code" ] || exit "$code"
    if [ -z "$timer" ]; then
        echo "$runner: time is up after $seconds s" >&2
        exit 124
    fi
    echo "$runner: the guest died; the end of its console:" >&2
    tail -n 40 "$MVNET_JOB/console" | tr -cd '[:print:]\n\t' >&2
    exit 125
}
