#!/usr/bin/env bash
# Packs the validator for krew, the package manager of kubectl plugins, so that it is `kubectl golive`: an archive for each platform, and the
# manifest that names them.
#   examples/krew.sh URL FOLDER OS-ARCH=BINARY...
#   examples/krew.sh https://example.com/golive/v0.1.0 out linux-amd64=target/x86_64-unknown-linux-gnu/release/validator
# Serve FOLDER/*.tar.gz below URL; then `kubectl krew install --manifest=FOLDER/golive.yaml`. The same binary gives the same archive.
set -euo pipefail
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
  echo "krew: $1; usage: examples/krew.sh URL FOLDER OS-ARCH=BINARY..., such as linux-amd64=target/release/validator" >&2
  exit 2
}

(($# >= 3)) || usage 'too few arguments'
url=${1%/} out=$2
shift 2
[[ $url =~ ^https://[^[:space:]\"]+$ ]] || usage "URL $url: expected https://..."
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$repo/Cargo.toml" | head -1)
mkdir -p "$out"
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
install -m 0644 "$repo/LICENSE" "$stage/LICENSE"

platforms=
for given in "$@"; do
  platform=${given%%=*} binary=${given#*=}
  [[ $given == *=* && $platform =~ ^(linux|darwin)-(amd64|arm64)$ ]] || usage "$given: expected OS-ARCH=BINARY"
  [[ -f $binary ]] || usage "$given: there is no file $binary"
  install -m 0755 "$binary" "$stage/validator"
  archive=golive-$platform.tar.gz
  tar -C "$stage" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -c LICENSE validator | gzip -n >"$out/$archive"
  sum=$(sha256sum "$out/$archive")
  platforms+="
    - selector: { matchLabels: { os: ${platform%-*}, arch: ${platform#*-} } }
      uri: $url/$archive
      sha256: ${sum%% *}
      bin: validator"
done

cat >"$out/golive.yaml" <<MANIFEST
apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata: { name: golive }
spec:
  version: v$version
  homepage: $url
  shortDescription: Prove that a deployment is ready for production
  description: |
    Rolls a deployment under load, stands in the middle of every arrow that leaves the service, breaks the dependencies on purpose, and says
    GO or NO-GO with the evidence for each line.
  caveats: |
    A run breaks what the target file declares as dependencies: see what it would do with kubectl golive plan -f golive.yaml.
  platforms:$platforms
MANIFEST
