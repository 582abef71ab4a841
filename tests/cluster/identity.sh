# Keys, certificates and kubeconfigs. One authority signs everything; it lives as long as the cluster.
# Sourced by `up`.
# shellcheck shell=bash

# certificate FILE SUBJECT [SUBJECT_ALT_NAME]
certificate() {
    local file="$state/pki/$1"
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$file.key" \
        -subj "$2" -out "$file.csr" 2>/dev/null
    openssl x509 -req -in "$file.csr" -CA "$state/pki/ca.crt" -CAkey "$state/pki/ca.key" -CAcreateserial \
        -days 30 -out "$file.crt" -extfile <(
            echo "keyUsage=critical,digitalSignature"
            echo "extendedKeyUsage=serverAuth,clientAuth"
            [[ -z ${3:-} ]] || echo "subjectAltName=$3"
        ) 2>/dev/null
    rm "$file.csr"
}

make_certificates() {
    local pki="$state/pki" names
    mkdir -m 700 "$pki"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=em-cluster-ca" \
        -addext keyUsage=critical,keyCertSign,digitalSignature -keyout "$pki/ca.key" -out "$pki/ca.crt" 2>/dev/null
    names="DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:localhost"
    certificate apiserver "/CN=kube-apiserver" "$names,IP:$node_ip,IP:$service_ip,IP:127.0.0.1"
    certificate kubelet "/O=system:nodes/CN=system:node:$node" "DNS:$node,IP:$node_ip"
    certificate admin "/O=system:masters/CN=admin"
    # Which user a request came from is told apart in the audit log; that they all may everything is not judged here.
    certificate apiserver-client "/O=system:masters/CN=kube-apiserver-client"
    certificate controller-manager "/CN=system:kube-controller-manager"
    certificate scheduler "/CN=system:kube-scheduler"
    certificate proxy "/CN=system:kube-proxy"
    certificate aggregator "/CN=aggregator"
    openssl genrsa -out "$pki/accounts.key" 2048 2>/dev/null
    openssl rsa -in "$pki/accounts.key" -pubout -out "$pki/accounts.pub" 2>/dev/null
}

# kubeconfig FILE CERTIFICATE CONTEXT...: the first context is the current one.
kubeconfig() {
    local file=$1 pki="$state/pki" certificate=$2 context
    shift 2
    {
        echo "apiVersion: v1"
        echo "kind: Config"
        echo "current-context: $1"
        echo "clusters:"
        echo "- name: $name"
        echo "  cluster:"
        echo "    server: https://$node_ip:6443"
        echo "    certificate-authority-data: $(base64 -w0 "$pki/ca.crt")"
        echo "users:"
        echo "- name: $certificate"
        echo "  user:"
        echo "    client-certificate-data: $(base64 -w0 "$pki/$certificate.crt")"
        echo "    client-key-data: $(base64 -w0 "$pki/$certificate.key")"
        echo "contexts:"
        for context in "$@"; do
            echo "- name: $context"
            echo "  context: {cluster: $name, user: $certificate, namespace: default}"
        done
    } >"$file"
    chmod 600 "$file"
}

make_kubeconfigs() {
    local part
    # Two names for one cluster: a guard against the wrong context is tested with the second.
    kubeconfig "$state/kubeconfig" admin em-test em-prod
    for part in kubelet controller-manager scheduler proxy; do
        kubeconfig "$state/pki/$part.kubeconfig" "$part" "$part"
    done
}
