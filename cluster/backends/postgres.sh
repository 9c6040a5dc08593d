#!/bin/bash
# The contract of the well-known postgres image, as far as a demo needs it: POSTGRES_USER, POSTGRES_PASSWORD,
# POSTGRES_DB and PGDATA; a first start makes the database; arguments that begin with a dash go to the server.
set -euo pipefail
PGDATA=${PGDATA:-/var/lib/postgresql/data}
user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}
export PGDATA

if [[ ${1:-postgres} != postgres && ${1:0:1} != - ]]; then exec "$@"; fi
if [[ ${1:-} == postgres ]]; then shift; fi

if ((EUID == 0)); then
  mkdir -p "$PGDATA"
  chown -R postgres:postgres "$PGDATA"
  exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi

if [[ ! -s $PGDATA/PG_VERSION ]]; then
  mkdir -p "$PGDATA"
  initdb --no-sync --username="$user" --pwfile=<(printf '%s\n' "${POSTGRES_PASSWORD:?must be set for the first start}") \
    --auth-host=scram-sha-256 --auth-local=trust --encoding=UTF8 --locale=C.UTF-8
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  if [[ $database != postgres ]]; then
    echo "CREATE DATABASE \"$database\"" | postgres --single -j -D "$PGDATA" postgres >/dev/null
  fi
fi
exec postgres -c listen_addresses='*' "$@"
