#!/usr/bin/env bash
# Makes the Postgres and the Redis image out of one root file system: backends/build.sh IMAGE RECIPE
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

image=${1:?usage: backends/build.sh IMAGE RECIPE}
recipe=${2:?usage: backends/build.sh IMAGE RECIPE}
# Postgres' orderly stop is SIGINT (SIGTERM waits for every client); importing knows no STOPSIGNAL, building does.
case $image in
  # Its socket folder is made here, because mmdebstrap empties /run.
  "$postgres_image") entrypoint=postgres-entrypoint port=5432 signal=SIGINT run='install -d -o 999 -g 999 -m 2777 /run/postgresql' ;;
  "$redis_image") entrypoint=redis-entrypoint port=6379 signal=SIGTERM run=true ;;
  *) die "no recipe for $image" "one of $postgres_image $redis_image" ;;
esac
DOCKER_BUILDKIT=0 timeout 300 docker build --pull=false -t "$image" - <<DOCKERFILE
FROM golive/backends-rootfs:bookworm
LABEL golive.recipe=$recipe
ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
RUN $run
EXPOSE $port
STOPSIGNAL $signal
ENTRYPOINT ["$entrypoint"]
DOCKERFILE
