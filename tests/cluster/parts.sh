# The parts of Kubernetes and how each is started. Sourced by `up`.
# shellcheck shell=bash

start_containerd() {
    cat >"$state/containerd.toml" <<TOML
version = 2
root = "$state/containerd/root"
state = "$state/containerd/state"
# The first makes a folder in /opt; the others want programs and file systems that are not here.
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]
[grpc]
  address = "$socket"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  # Without CAP_SYS_RESOURCE nobody may lower a score, and runc dies of it without a word.
  restrict_oom_score_adj = true
  disable_tcp_service = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$state/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
TOML
    start containerd containerd --config "$state/containerd.toml"
    until_true 20 containerd "containerd answered" ctr --address "$socket" version
}

start_etcd() {
    start etcd etcd --name "$name" --data-dir "$state/etcd" --unsafe-no-fsync \
        --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
        --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
        --initial-cluster "$name=http://127.0.0.1:2380"
}

start_apiserver() {
    local pki="$state/pki"
    start apiserver kube-apiserver --etcd-servers=http://127.0.0.1:2379 \
        --bind-address="$node_ip" --advertise-address="$node_ip" --secure-port=6443 \
        --service-cluster-ip-range="$service_range" --allow-privileged=true \
        --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
        --client-ca-file="$pki/ca.crt" \
        --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" \
        --kubelet-certificate-authority="$pki/ca.crt" --kubelet-preferred-address-types=InternalIP \
        --kubelet-client-certificate="$pki/apiserver-client.crt" --kubelet-client-key="$pki/apiserver-client.key" \
        --service-account-issuer=https://kubernetes.default.svc \
        --service-account-key-file="$pki/accounts.pub" --service-account-signing-key-file="$pki/accounts.key" \
        --requestheader-client-ca-file="$pki/ca.crt" --requestheader-allowed-names=aggregator \
        --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
        --requestheader-extra-headers-prefix=X-Remote-Extra- --enable-aggregator-routing=true \
        --proxy-client-cert-file="$pki/aggregator.crt" --proxy-client-key-file="$pki/aggregator.key"
}

# With the usual 20 requests a second the controllers, not the pods, would set the pace of a thousand clones.
start_controllers() {
    local pki="$state/pki"
    start controller-manager kube-controller-manager --kubeconfig="$pki/controller-manager.kubeconfig" \
        --leader-elect=false --use-service-account-credentials --kube-api-qps=200 --kube-api-burst=400 \
        --root-ca-file="$pki/ca.crt" --service-account-private-key-file="$pki/accounts.key" \
        --cluster-signing-cert-file="$pki/ca.crt" --cluster-signing-key-file="$pki/ca.key"
    start scheduler kube-scheduler --kubeconfig="$pki/scheduler.kubeconfig" \
        --leader-elect=false --kube-api-qps=200 --kube-api-burst=400
}

# Nothing is reserved and nothing evicted: a full disk of the machine is not what a test is about, and an
# image that was collected as garbage could not be fetched again.
start_kubelet() {
    local pki="$state/pki"
    cat >"$state/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: "$pki/ca.crt"}
authorization: {mode: Webhook}
tlsCertFile: "$pki/kubelet.crt"
tlsPrivateKeyFile: "$pki/kubelet.key"
address: "$node_ip"
healthzBindAddress: 127.0.0.1
containerRuntimeEndpoint: "unix://$socket"
cgroupDriver: cgroupfs
cgroupRoot: "/$cgroup"
enforceNodeAllocatable: []
failSwapOn: false
evictionHard: {memory.available: "0%", nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%", imagefs.inodesFree: "0%"}
imageGCHighThresholdPercent: 100
localStorageCapacityIsolation: true
podLogsDir: "$state/log/pods"
volumePluginDir: "$state/kubelet/volumeplugins"
staticPodPath: "$state/manifests"
resolvConf: ""
YAML
    # --containerd is for the cAdvisor within: with another socket it would silently leave the containers out.
    start kubelet kubelet --config="$state/kubelet.yaml" --kubeconfig="$pki/kubelet.kubeconfig" \
        --root-dir="$state/kubelet" --cert-dir="$state/kubelet/pki" --containerd="$socket" \
        --hostname-override="$node" --node-ip="$node_ip"
}

# 0 leaves the limits of connection tracking as they are: they belong to the machine.
start_proxy() {
    start proxy kube-proxy --kubeconfig="$state/pki/proxy.kubeconfig" --hostname-override="$node" \
        --proxy-mode=iptables --cluster-cidr="$pod_range" --healthz-bind-address=127.0.0.1:10256 \
        --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 --conntrack-tcp-timeout-close-wait=0
}
