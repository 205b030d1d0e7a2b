#!/bin/bash
# pki.sh FOLDER: the cluster's keys, certificates and kubeconfigs, made once for a lab.
set -euo pipefail
umask 077
cd "$1"
address=172.30.0.10 node=lab-node

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }

# authority FILE NAME
authority() {
  key "$1"
  openssl req -x509 -new -key "$1.key" -out "$1.crt" -days 3650 -subj "/CN=$2" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
}

# certificate FILE AUTHORITY SUBJECT [NAMES]: a server's if it has names, else a client's.
# Kubernetes reads CN as the user's name and O as its group.
certificate() {
  local names=${4:-} use=clientAuth
  [ -z "$names" ] || use=serverAuth
  key "$1"
  openssl req -new -key "$1.key" -subj "$3" -out request
  {
    echo "keyUsage=critical,digitalSignature"
    echo "extendedKeyUsage=$use"
    [ -z "$names" ] || echo "subjectAltName=$names"
  } >extensions
  openssl x509 -req -in request -CA "$2.crt" -CAkey "$2.key" -CAcreateserial -days 3650 -extfile extensions -out "$1.crt"
  rm request extensions
}

# kubeconfig NAME SUBJECT
kubeconfig() {
  certificate "$1" ca "$2"
  cat >"$1.kubeconfig" <<END
apiVersion: v1
kind: Config
clusters: [{ name: lab, cluster: { server: "https://$address:6443", certificate-authority-data: $(base64 -w0 ca.crt) } }]
users: [{ name: $1, user: { client-certificate-data: $(base64 -w0 "$1.crt"), client-key-data: $(base64 -w0 "$1.key") } }]
contexts: [{ name: lab, context: { cluster: lab, user: $1 } }]
current-context: lab
END
}

service=kubernetes.default.svc
authority ca lab-ca
authority front-ca lab-front-proxy-ca
certificate apiserver ca /CN=kube-apiserver \
  "DNS:kubernetes,DNS:kubernetes.default,DNS:$service,DNS:$service.cluster.local,DNS:localhost,IP:10.96.0.1,IP:127.0.0.1,IP:$address"
certificate apiserver-kubelet ca /O=system:masters/CN=kube-apiserver-kubelet-client
certificate front-client front-ca /CN=front-proxy-client
certificate kubelet-serving ca "/O=system:nodes/CN=system:node:$node" "DNS:$node,IP:$address"
kubeconfig admin /O=system:masters/CN=admin
kubeconfig kubelet "/O=system:nodes/CN=system:node:$node"
kubeconfig controller-manager /CN=system:kube-controller-manager
kubeconfig scheduler /CN=system:kube-scheduler
kubeconfig kube-proxy /CN=system:kube-proxy
openssl genrsa -out service-accounts.key 2048
openssl rsa -in service-accounts.key -pubout -out service-accounts.pub
