# The walls around a cluster: a network, a tree of mounts and a control group of its own.
# What is made inside them vanishes with the last process, so going down has nothing to look for.
# Sourced by `up`.
# shellcheck shell=bash

make_cgroup() {
    local hierarchy file
    while read -r hierarchy; do
        mkdir -p "$hierarchy/$cgroup"
        for file in cpuset.cpus cpuset.mems; do
            # On version 1 a new set is empty and takes no process.
            [[ ! -e $hierarchy/tasks || ! -e $hierarchy/$file ]] || cat "$hierarchy/$file" >"$hierarchy/$cgroup/$file"
        done
        # The pods together weigh what they would at the top: 1024 for each processor.
        [[ ! -e $hierarchy/$cgroup/cpu.shares ]] || echo $((1024 * $(nproc))) >"$hierarchy/$cgroup/cpu.shares"
        mkdir -p "$hierarchy/$cgroup/parts"
    done < <(cgroup_hierarchies)
}

# Runs as the holder, in its new mounts: hides the machine's variable files, keeps the cluster's own folder.
# The kubelet, containerd and the CNI plugins write to /run, /var/lib and /var/log whatever they are told.
# shellcheck disable=SC2016
holder_script='
set -euo pipefail
state=$1
exec 3<"$state"
for hidden in /run /var/lib /var/log; do mount -t tmpfs -o mode=755 em-cluster "$hidden"; done
mkdir -p "$state"
# The descriptor still leads to the folder; its name, which mount would look up, does not.
mount --no-canonicalize --bind /proc/self/fd/3 "$state"
exec 3<&-
# The kubelet sets these for the whole machine. It gets copies to set.
for sysctl in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops \
    kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
    copy="$state/sysctl/${sysctl//\//.}"
    cat "/proc/sys/$sysctl" >"$copy"
    mount --bind "$copy" "/proc/sys/$sysctl"
done
mount --make-rshared /
touch "$state/held"
exec -a "holder of $state" sleep infinity
'

make_namespaces() {
    local deadline=$((SECONDS + 10))
    mkdir -p "$state"/{pids,log,sysctl,etcd,containerd,kubelet,cni,manifests}
    (
        join_cgroup
        exec setsid unshare --mount --propagation private --net bash -c "$holder_script" holder "$state"
    ) </dev/null >"$state/log/holder" 2>&1 &
    echo $! >"$state/pids/holder"
    disown
    until [[ -e $state/held ]]; do
        kill -0 "$(cat "$state/pids/holder")" 2>/dev/null || blame holder "no namespaces"
        ((SECONDS < deadline)) || blame holder "no namespaces in 10 s"
        sleep 0.05
    done
}

# A bridge without ports carries the address of the node: not every kernel has the type `dummy`, and the
# kubelet refuses a loopback address. Without a default route nobody finds an address to send from.
make_network() {
    inside ip link set lo up
    inside ip link add node0 type bridge
    inside ip address add "$node_ip/32" dev node0
    inside ip link set node0 up
    inside ip route add default dev node0
    inside sysctl -qw net.ipv4.ip_forward=1
    # Point to point: all traffic of pods is routed, so Services answer to pods without bridge filters in the kernel.
    cat >"$state/cni/10-pods.conflist" <<JSON
{
  "cniVersion": "0.4.0",
  "name": "pods",
  "plugins": [
    {
      "type": "ptp",
      "ipMasq": false,
      "ipam": {
        "type": "host-local",
        "ranges": [[{ "subnet": "$pod_range" }]],
        "routes": [{ "dst": "0.0.0.0/0" }],
        "dataDir": "$state/addresses"
      }
    },
    { "type": "portmap", "capabilities": { "portMappings": true } }
  ]
}
JSON
}
