#!/bin/sh
# Makes sure that the tests find Postgres, Redis and PgBouncer: silent if they are there, installs them as root on Debian if not.
# No cluster is created and no server started; the tests start their own on free ports.
set -eu

has_postgres() { command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; }
has_redis() { command -v redis-server >/dev/null; }
has_pgbouncer() { command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ]; }

if has_postgres && has_redis && has_pgbouncer; then exit 0; fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "backends.sh: needs initdb (postgresql), redis-server and pgbouncer; install them or run this as root on Debian" >&2
    exit 1
fi

# Debian's packages create a cluster and start the servers unless told otherwise.
mkdir -p /etc/postgresql-common/createcluster.d
echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.d/golive.conf
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq -o DPkg::Lock::Timeout=300 update
apt-get -qq -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends postgresql redis-server pgbouncer >/dev/null
