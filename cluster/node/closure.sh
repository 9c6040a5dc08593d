#!/bin/bash
# Runs inside the base container: writes to standard output, as a tar, what kube-proxy executes and what that loads.
# The container is thus the same iptables as its node's, and smaller than a second root file system.
set -euo pipefail
programs=(/usr/sbin/xtables-nft-multi /usr/sbin/nft /usr/sbin/chroot)
mapfile -t modules < <(find /usr/lib/*/xtables -name '*.so')
mapfile -t libraries < <(ldd "${programs[@]}" "${modules[@]}" | grep -o '/[^ :]*\.so[^ :]*' | sort -u)

root=$(mktemp -d)
for file in "${programs[@]}" "${modules[@]}" "${libraries[@]}"; do
  mkdir -p "$root${file%/*}"
  cp -L "$file" "$root$file"
done
for name in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
  ln -s xtables-nft-multi "$root/usr/sbin/$name"
done
mkdir -p "$root"/{run,tmp}
tar -C "$root" -c .
