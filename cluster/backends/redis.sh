#!/bin/bash
# The contract of the well-known redis image: listens on every address, unprotected; options go to the server.
set -euo pipefail
if [[ ${1:-redis-server} != redis-server && ${1:0:1} != - ]]; then exec "$@"; fi
if [[ ${1:-} == redis-server ]]; then shift; fi
exec redis-server --bind 0.0.0.0 --protected-mode no --save '' "$@"
