#!/bin/sh
# Makes sure that Postgres, Redis and PgBouncer are found: silent if they are there, installs them as root on Debian if not.
#   service/tests/backends.sh        what the tests need
#   service/tests/backends.sh gate   what the gate needs on this machine: no PgBouncer
# No cluster is created and no server started; whoever needs one starts his own on a free port.
set -eu

has_postgres() { command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; }
has_redis() { command -v redis-server >/dev/null; }
has_pgbouncer() { command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ]; }

case ${1:-tests} in
    tests) packages="postgresql redis-server pgbouncer" ;;
    gate) packages="postgresql redis-server" ;;
    *) echo "backends.sh: $1: expected gate, or nothing" >&2; exit 2 ;;
esac

has_all() { has_postgres && has_redis && { [ "${1:-}" = gate ] || has_pgbouncer; }; }
if has_all "$@"; then exit 0; fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "backends.sh: needs what these packages of Debian have: $packages; install it, or run this as root on Debian" >&2
    exit 1
fi

# Debian's packages create a cluster and start the servers unless told otherwise: by files of ours, which go however this ends.
made=
unmake() { for file in $made; do rm -f "$file"; done; }
trap unmake EXIT
# A shell that a signal ends runs no EXIT trap of its own accord (dash).
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

clusters=/etc/postgresql-common/createcluster.d/golive.conf
if [ ! -e "$clusters" ]; then
    mkdir -p "${clusters%/*}"
    made="$made $clusters"
    echo 'create_main_cluster = false' > "$clusters"
fi
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    made="$made $policy"
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq -o DPkg::Lock::Timeout=300 update
# shellcheck disable=SC2086 # a word each
apt-get -qq -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends $packages >/dev/null
