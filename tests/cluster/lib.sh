# What the scripts of the test cluster share: where things are, and what belongs to a cluster.
# Sourced by each of them, never run. The caller has set -euo pipefail.
# shellcheck shell=bash

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cache_root="${EM_CLUSTER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/experiment-manager/cluster}"
version=$(awk '$1 == "require" && $2 == "k8s.io/kubernetes" { print $3; exit }
    $1 == "k8s.io/kubernetes" { print $2; exit }' "$here/go/kubernetes/go.mod")

# The version alone is not enough: other dependencies are other binaries.
key=$(cat "$here"/go/*/go.mod "$here"/go/*/go.sum | sha256sum | cut -c1-12)
binaries="$cache_root/$version-$key"

# All in one network of its own, so the same addresses serve every cluster.
node_ip=10.88.0.1
pod_range=10.244.0.0/24
service_range=10.96.0.0/16
service_ip=10.96.0.1

say() { echo "cluster: $*" >&2; }
fail() {
    say "$*"
    exit 1
}

need_root() {
    ((EUID == 0)) || fail "this needs root: it makes namespaces, cgroups and mounts"
}

# select_cluster NAME: sets what depends on the name.
select_cluster() {
    name=$1
    [[ $name =~ ^[a-z][a-z0-9-]{0,30}$ ]] || fail "a name is a-z, 0-9 and -, at most 31 characters, not \"$name\""
    state="${EM_CLUSTER_STATE:-/var/lib/em-cluster}/$name"
    node="$name-node"
    cgroup="em-cluster-$name"
    socket="$state/containerd.sock"
}

# The hierarchies of control groups: one on version 2, one for each controller on version 1.
cgroup_hierarchies() {
    if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
        echo /sys/fs/cgroup
    else
        find /sys/fs/cgroup -mindepth 1 -maxdepth 1 -type d
    fi
}

# Everything that belongs to the cluster by its control group, whoever its parent is now. The kernel keeps this list;
# a pid file may be stale, and its number may be somebody else's by now.
members() {
    local hierarchy
    while read -r hierarchy; do
        [[ -d $hierarchy/$cgroup ]] || continue
        find "$hierarchy/$cgroup" -name cgroup.procs -exec cat {} + 2>/dev/null || true
    done < <(cgroup_hierarchies) | sort -un
}

# pid_of PART: its number if it still runs and is ours.
pid_of() {
    local pid
    pid=$(cat "$state/pids/$1" 2>/dev/null) || return 1
    # The command line of every part names the folder of the cluster.
    [[ -n $pid ]] && tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF "$state" || return 1
    echo "$pid"
}

# inside CMD...: runs it in the network of the cluster. Not `ip netns exec`: that hides the control groups.
inside() {
    local holder
    holder=$(pid_of holder) || fail "cluster \"$name\" is not up (tests/cluster/up $name)"
    nsenter --target "$holder" --net -- env KUBECONFIG="$state/kubeconfig" PATH="$binaries:$PATH" "$@"
}

kubectl() { inside kubectl "$@"; }

# images CMD...: containerd's images as the kubelet sees them.
images() { ctr --address "$socket" --namespace k8s.io images "$@"; }

# start PART CMD...: starts it in the namespaces of the cluster, as a member of its control group, with a log.
start() {
    local part=$1 holder
    shift
    holder=$(pid_of holder) || fail "the holder of the namespaces is gone"
    (
        join_cgroup
        exec setsid nsenter --target "$holder" --net --mount --wd="$state" -- \
            env HOME="$state" PATH="$binaries:$PATH" "$@"
    ) </dev/null >"$state/log/$part" 2>&1 &
    echo $! >"$state/pids/$part"
    # Else the shell would report its end as that of a job.
    disown
}

# The caller becomes a member. Not of `cpu`: on version 1 the parts would share the processors with
# the pods below one weight. Not of `cpuset`, which wants to be set up first.
join_cgroup() {
    local hierarchy
    while read -r hierarchy; do
        case "${hierarchy##*/}" in cpu | cpuacct | cpu,cpuacct | cpuset) continue ;; esac
        echo "$BASHPID" >"$hierarchy/$cgroup/parts/cgroup.procs"
    done < <(cgroup_hierarchies)
}

# until_true SECONDS PART WHAT CMD...: waits for CMD to succeed; gives up at once when PART has ended.
until_true() {
    local seconds=$1 part=$2 what=$3 deadline
    shift 3
    deadline=$((SECONDS + seconds))
    until "$@" >/dev/null 2>&1; do
        pid_of "$part" >/dev/null || blame "$part" "$part ended before $what"
        ((SECONDS < deadline)) || blame "$part" "$what did not come to pass in $seconds s"
        sleep 0.1
    done
}

# blame PART MESSAGE: fails with the end of the part's log.
blame() {
    say "$2; the end of its log:"
    tail -n 25 "$state/log/$1" | cut -c1-400 | sed 's/^/    /' >&2
    exit 1
}
