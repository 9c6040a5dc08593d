#!/usr/bin/env bash
# Opens the reports of the real runs among the fixtures in headless Chromium (tests/browser/open.mjs says what is right), and
# keeps a picture of each. Installs Chromium and Node as root on Debian; where there are none, it is skipped and says so, and
# fails in CI: there nobody reads that.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
folder=${1:-golive-out/browser}

skip() {
  printf 'skipped: %s; the reports were not opened in a browser\n' "$1"
  [[ -z ${CI:-} ]]
  exit
}

browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; }

if ! type node npm >/dev/null 2>&1 || { [[ -z ${CHROMIUM:-} ]] && ! CHROMIUM=$(browser); }; then
  [[ $(id -u) == 0 ]] && type apt-get >/dev/null 2>&1 || skip "no Chromium with Node, and no right to install them"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq -o DPkg::Lock::Timeout=300 update || skip "no package mirror answers"
  # Not what is there: Node of another source cannot be beside Debian's npm.
  packages=()
  browser >/dev/null || packages+=(chromium fonts-dejavu-core)
  type node npm >/dev/null 2>&1 || packages+=(nodejs npm)
  timeout 600 apt-get -qq -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends "${packages[@]}" \
    >/dev/null || skip "Chromium and Node cannot be installed"
  CHROMIUM=$(browser)
fi
export CHROMIUM

cargo build --quiet --locked -p golive-validator --bin validator
validator=${CARGO_TARGET_DIR:-target}/debug/validator
mkdir -p "$folder"
pages=()
for evidence in validator/tests/fixtures/*.evidence.zst; do
  page=$folder/$(basename "$evidence" .evidence.zst).html
  rc=0
  "$validator" judge "$evidence" --quiet --report "html=$page" || rc=$?
  # 0, 1 and 3 are verdicts.
  ((rc == 0 || rc == 1 || rc == 3)) || exit "$rc"
  pages+=("$page")
done
(cd validator/tests/browser && timeout 300 npm ci --omit=dev --ignore-scripts --no-audit --no-fund >/dev/null)
timeout 600 node validator/tests/browser/open.mjs "$folder" "${pages[@]}"
