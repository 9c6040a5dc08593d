#!/bin/sh
# Makes sure that the benchmarks find callgrind: silent if it is there, installs valgrind as root on Debian if not.
set -eu

if command -v valgrind >/dev/null && command -v vgdb >/dev/null; then exit 0; fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "valgrind.sh: needs valgrind; install it or run this as root on Debian" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq -o DPkg::Lock::Timeout=300 update
apt-get -qq -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends valgrind >/dev/null
