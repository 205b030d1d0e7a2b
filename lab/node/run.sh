#!/bin/bash
# Inside the node's root: the network, then the daemons of a one-node cluster.
set -uo pipefail
export PATH=/opt/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
config=/lab/config pki=/lab/pki log=/lab/log address=172.30.0.10 services=10.96.0.0/16 pods=10.244.0.0/16

ip link set lo up
until ip link show eth0 >/dev/null 2>&1; do sleep 0.05; done # node.ts plugs it in
ip addr add $address/24 dev eth0
ip addr add 172.30.0.11/24 dev eth0 # a second one, at which node ports answer as well
ip link set eth0 up
ip route add default via 172.30.0.1
sysctl --quiet --write net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1
addresses=$address
if [ -n "$DUAL" ]; then
  addresses+=,fd00:30::10 services+=,fd00:96::/112 pods+=,fd00:244::/56
  ip addr add fd00:30::10/64 dev eth0 nodad
  ip route add default via fd00:30::1
  sed -i 's/^  clusterIP: \(.*\)/&\n  clusterIPs: [\1, "fd00:96::a"]\n  ipFamilyPolicy: RequireDualStack/' $config/coredns.yaml
  sysctl --quiet --write net.ipv6.conf.all.forwarding=1 net.bridge.bridge-nf-call-ip6tables=1
fi
printf '127.0.0.1 localhost\n%s lab-node\n' $address >/etc/hosts
: >/etc/resolv.conf

# Runs a daemon for ever, with a log of its own.
daemon() {
  while :; do
    "$@" >>"$log/$1.log" 2>&1
    echo "$(date +%T) $1 ended with status $?" >>$log/restarts.log
    sleep 1
  done &
}

daemon etcd --data-dir=/lab/etcd --unsafe-no-fsync --log-level=warn \
  --listen-client-urls=http://127.0.0.1:2379 --advertise-client-urls=http://127.0.0.1:2379 \
  --listen-peer-urls=http://127.0.0.1:2380 --initial-advertise-peer-urls=http://127.0.0.1:2380 \
  --initial-cluster=default=http://127.0.0.1:2380

daemon containerd --config $config/containerd.toml

front_proxy=("--requestheader-client-ca-file=$pki/front-ca.crt")
daemon kube-apiserver --etcd-servers=http://127.0.0.1:2379 --advertise-address=$address --secure-port=6443 \
  --service-cluster-ip-range=$services --allow-privileged \
  --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
  --client-ca-file=$pki/ca.crt --tls-cert-file=$pki/apiserver.crt --tls-private-key-file=$pki/apiserver.key \
  --kubelet-certificate-authority=$pki/ca.crt --kubelet-preferred-address-types=InternalIP \
  --kubelet-client-certificate=$pki/apiserver-kubelet.crt --kubelet-client-key=$pki/apiserver-kubelet.key \
  --service-account-issuer=https://kubernetes.default.svc.cluster.local \
  --service-account-key-file=$pki/service-accounts.pub --service-account-signing-key-file=$pki/service-accounts.key \
  "${front_proxy[@]}" --requestheader-allowed-names=front-proxy-client \
  --requestheader-extra-headers-prefix=X-Remote-Extra- --requestheader-group-headers=X-Remote-Group \
  --requestheader-username-headers=X-Remote-User \
  --proxy-client-cert-file=$pki/front-client.crt --proxy-client-key-file=$pki/front-client.key

# Images are there before the first pod. The mark says which are in containerd's store already.
until [ -S /run/containerd/containerd.sock ]; do sleep 0.05; done
if [ "$(cat /lab/imported 2>/dev/null)" != "$IMAGES" ]; then
  ctr --namespace k8s.io images import /opt/images/images.tar >$log/import.log 2>&1 &&
    echo "$IMAGES" >/lab/imported
fi

until kubectl --kubeconfig=$pki/admin.kubeconfig get --raw=/readyz >/dev/null 2>&1; do sleep 0.1; done

daemon kube-controller-manager --kubeconfig=$pki/controller-manager.kubeconfig \
  --authentication-kubeconfig=$pki/controller-manager.kubeconfig \
  --authorization-kubeconfig=$pki/controller-manager.kubeconfig "${front_proxy[@]}" --client-ca-file=$pki/ca.crt \
  --cluster-cidr=$pods --allocate-node-cidrs --service-cluster-ip-range=$services \
  --root-ca-file=$pki/ca.crt --cluster-signing-cert-file=$pki/ca.crt --cluster-signing-key-file=$pki/ca.key \
  --service-account-private-key-file=$pki/service-accounts.key --use-service-account-credentials \
  --leader-elect=false --bind-address=127.0.0.1

daemon kube-scheduler --kubeconfig=$pki/scheduler.kubeconfig --authentication-kubeconfig=$pki/scheduler.kubeconfig \
  --authorization-kubeconfig=$pki/scheduler.kubeconfig --leader-elect=false --bind-address=127.0.0.1

daemon kubelet --config=$config/kubelet.yaml --kubeconfig=$pki/kubelet.kubeconfig \
  --hostname-override=lab-node --node-ip=$addresses

daemon kube-proxy --config=$config/kube-proxy.yaml

kubectl --kubeconfig=$pki/admin.kubeconfig apply --filename=$config/coredns.yaml >$log/coredns.yaml.log 2>&1
wait
