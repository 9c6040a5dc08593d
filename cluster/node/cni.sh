#!/bin/bash
# Joins this node's pods to the cluster: one route per other node, masquerading towards the outside, and the CNI
# configuration. Runs on the node (chroot) from default-cni.yaml, with that pod's environment and credentials.
set -uo pipefail

credentials=/run/golive-cni
api=https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT
conflist=/etc/cni/net.d/10-golive.conflist

nodes() {
  curl -fsS --max-time 5 --cacert "$credentials/ca.crt" -H "Authorization: Bearer $(<"$credentials/token")" "$api/api/v1/nodes"
}

routes() {
  jq -r --arg me "$NODE_NAME" '.items[] | select(.metadata.name != $me and .spec.podCIDR)
    | [.spec.podCIDR, (.status.addresses[] | select(.type == "InternalIP").address)] | @tsv' <<<"$1" |
    while read -r subnet gateway; do ip route replace "$subnet" via "$gateway"; done
}

masquerade() {
  local rule=(POSTROUTING -s "$POD_SUBNET" ! -d "$POD_SUBNET" -m addrtype ! --dst-type LOCAL -j MASQUERADE)
  iptables -w -t nat -C "${rule[@]}" 2>/dev/null || iptables -w -t nat -A "${rule[@]}"
}

# Written last: it makes the node Ready, and the API server has just answered through its Service address,
# so that kube-proxy has programmed this node. Pods started before that would wait 30 s for their first answer.
configure() {
  local subnet
  subnet=$(jq -r --arg me "$NODE_NAME" '.items[] | select(.metadata.name == $me).spec.podCIDR // empty' <<<"$1")
  if [[ -z $subnet ]]; then return 1; fi
  if grep -qs "\"$subnet\"" "$conflist"; then return 0; fi
  mkdir -p "${conflist%/*}"
  cat >"$conflist.new" <<JSON
{ "cniVersion": "0.3.1", "name": "golive", "plugins": [
  { "type": "ptp", "mtu": 1500, "ipam": { "type": "host-local", "dataDir": "/run/cni-ipam-state",
      "routes": [{ "dst": "0.0.0.0/0" }], "ranges": [[{ "subnet": "$subnet" }]] } },
  { "type": "portmap", "capabilities": { "portMappings": true } }
] }
JSON
  mv "$conflist.new" "$conflist"
}

while :; do
  if list=$(nodes) && routes "$list" && masquerade && configure "$list"; then sleep 5; else sleep 0.5; fi
done
