# Runs in a pod: asks users for a user twice a second and prints when, the status, and `stale` for a copy.
# shellcheck shell=bash
request=$'GET /api/users/5 HTTP/1.1\r\nhost: users\r\nconnection: close\r\n\r\n'
export request
while true; do
  # shellcheck disable=SC2016 # the inner shell has it from its environment
  answer=$(timeout 4 bash -c 'exec 3<>/dev/tcp/users/8080 && printf %s "$request" >&3 && cat <&3' 2>/dev/null | tr -d '\r')
  head=${answer%%$'\n\n'*}
  status=${head#* }
  [[ ${head,,} == *"x-cache: stale"* ]] && stale=stale || stale=
  printf '%s %s %s\n' "$EPOCHSECONDS" "${status%% *}" "$stale"
  sleep 0.5
done
