#!/bin/sh
# mmdebstrap's hook: our entry points, and the user ids of the well-known images, on which charts rely.
set -eu
root=$1
here=$(dirname "$0")
install -m 0755 "$here/postgres.sh" "$root/usr/local/bin/postgres-entrypoint"
install -m 0755 "$here/redis.sh" "$root/usr/local/bin/redis-entrypoint"
chroot "$root" groupmod -g 999 postgres
chroot "$root" usermod -u 999 postgres
# The package made a database of its own.
rm -rf "$root/var/lib/postgresql/15"
mkdir -p "$root/var/lib/postgresql/data"
chroot "$root" chown -R 999:999 /var/lib/postgresql
ln -sf /usr/lib/postgresql/15/bin/* "$root/usr/local/bin/"
