# The host in the node's name.
#
# In Kubernetes a StatefulSet and its headless Service provide a stable name, which ERLANG_HOSTNAME holds. Without them
# (a Deployment, a bare pod) other pods cannot resolve a pod's name, but its address has a name in the cluster's DNS:
# 10-1-2-3.NAMESPACE.pod.DOMAIN. KUBERNETES_HOSTNAME_FIX=true makes that the node's host.
# /etc/hosts and /etc/hostname belong to root and do not change: Erlang reads the name from a file of its own.

# Sets $host from the pod's address, namespace and cluster domain, which are found in the pod or given:
# POD_IP and POD_NAMESPACE (e.g. from the downward API), CLUSTER_DOMAIN.
pod_host() {
  local search
  # The kubelet writes "search NAMESPACE.svc.DOMAIN svc.DOMAIN DOMAIN …".
  search=$(sed -n 's/^search[[:blank:]]*\([^[:blank:]]*\).*/\1/p' /etc/resolv.conf 2>/dev/null | tail -n 1)
  if [[ $search == *.svc.* ]]; then
    [[ -n ${POD_NAMESPACE-} ]] || POD_NAMESPACE=${search%%.svc.*}
    [[ -n ${CLUSTER_DOMAIN-} ]] || CLUSTER_DOMAIN=${search#*.svc.}
  fi
  [[ -n ${POD_IP-} ]] || POD_IP=$(own_address)
  POD_NAMESPACE=${POD_NAMESPACE-} CLUSTER_DOMAIN=${CLUSTER_DOMAIN-}
  normalize_host POD_NAMESPACE
  normalize_host CLUSTER_DOMAIN

  local wanted='for KUBERNETES_HOSTNAME_FIX, since the pod does not say it'
  is_ipv4 "$POD_IP" || refuse POD_IP "the pod's IPv4 address $wanted"
  if ! is_host "$POD_NAMESPACE" || [[ $POD_NAMESPACE == *.* ]]; then
    refuse POD_NAMESPACE "the pod's namespace $wanted"
  fi
  is_host "$CLUSTER_DOMAIN" || refuse CLUSTER_DOMAIN "the cluster's domain $wanted"
  host=${POD_IP//./-}.$POD_NAMESPACE.pod.$CLUSTER_DOMAIN
}

own_address() {
  local address
  for address in $(hostname -i 2>/dev/null); do
    if is_ipv4 "$address" && [[ $address != 127.* ]]; then
      echo "$address"
      return
    fi
  done
}

# forget_host DIR: removes what an earlier start in the same container left.
forget_host() {
  rm -f "$1/inetrc" "$1/hostname"
}

# agree_on_host DIR: makes the container resolve its own name to the node's host, if it does not yet.
# Kazoo compares the host in config.ini with what `inet:gethostbyname` gives for the machine's name, and silently falls
# back to another zone and another broker when they differ.
agree_on_host() {
  local own short address
  own=$(hostname -f 2>/dev/null) || own=''
  [[ $own != "$host" ]] || return 0

  short=$(uname -n)
  short=${short%%.*}
  address=${POD_IP:-$(own_address)}
  [[ -n $address ]] || address=127.0.0.1
  # For people and scripts in the container: bin/hostname answers from it.
  printf '%s %s\n' "$host" "$address" >"$1/hostname"
  {
    echo '{lookup, [file, native]}.'
    printf '{host, {%s}, ["%s", "%s"]}.\n' "${address//./, }" "$host" "$short"
  } >"$1/inetrc"
}
