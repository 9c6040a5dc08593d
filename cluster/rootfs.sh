#!/usr/bin/env bash
# Imports a Debian 12 root file system as golive/NAME-rootfs:bookworm: rootfs.sh node|backends|foreign
# Debian 12, whatever the host is: its systemd 252 is the last to boot under cgroup v1.
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The machine's own sources for bookworm's main, mirrors and all; none means mmdebstrap's default.
sources() {
  local file
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
    grep -Eqs '^(deb|Suites:)(.*[[:space:]])?bookworm([[:space:]]|$)' "$file" && grep -Eqs '[[:space:]]main([[:space:]]|$)' "$file" \
      && echo "$file"
  done
  true
}

# Docs and, in the backends, LLVM (Postgres' JIT, 150 MB): nobody reads the one or needs the other here.
exclude=(
  '/usr/share/doc/*' '/usr/share/man/*' '/usr/share/locale/*' '/usr/share/info/*'
  '/usr/lib/*/libLLVM*' '/usr/lib/*/libz3*' '/usr/lib/postgresql/*/lib/bitcode/*' '/usr/lib/postgresql/*/lib/llvmjit*'
)

build() {
  local name=$1 recipe=$2 tag=golive/$1-rootfs:bookworm hook=$cluster_dir/$1/customize.sh options=() list path
  apt_install mmdebstrap
  for path in "${exclude[@]}"; do options+=("--dpkgopt=path-exclude=$path"); done
  if [[ -x $hook ]]; then options+=("--customize-hook=$hook"); fi
  mapfile -t list < <(sources)
  timeout 900 mmdebstrap --mode=root --variant=minbase --aptopt='Acquire::Languages "none"' --dpkgopt=force-unsafe-io \
    --include="$(tr -s ' \n' ',' <"$cluster_dir/$name/packages" | sed 's/,$//')" "${options[@]}" \
    bookworm "$cache/$name-rootfs.tar" "${list[@]}"
  timeout 300 docker import --change "LABEL golive.recipe=$recipe" "$cache/$name-rootfs.tar" "$tag"
  rm -f "$cache/$name-rootfs.tar"
}

name=${1:?usage: rootfs.sh node|backends|foreign}
one_at_a_time "rootfs-$name"
inputs=("$cluster_dir/rootfs.sh" "$cluster_dir/$name/packages")
if [[ $name == backends ]]; then inputs+=("$cluster_dir"/backends/{customize,postgres,redis}.sh); fi
recipe=$(digest_of "${inputs[@]}")
[[ $(docker image inspect -f '{{index .Config.Labels "golive.recipe"}}' "golive/$name-rootfs:bookworm" 2>/dev/null) == "$recipe" ]] \
  || build "$name" "$recipe"
