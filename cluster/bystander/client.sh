# Runs in the bystander's pod: two clients ask Postgres ten times a second until /tmp/stop exists, each over a kept
# connection and over new ones. Prints a line per query: second, client, connection, milliseconds, what went wrong.
# shellcheck shell=bash
set -u
query='select count(*) from users where id < 100;'

# told CLIENT CONNECTION FROM MILLISECONDS ANSWER: what is no number is an error.
told() {
  local error=${5//$'\n'/ }
  [[ $error =~ ^[0-9]+\ *$ ]] && error=
  printf '%s %s %s %s %s\n' "$(($3 / 1000000))" "$1" "$2" "$4" "$error"
}

now() { printf '%s' "${EPOCHREALTIME/./}"; }

# One line of answer, or psql's three lines about a connection that was lost and made again.
kept_answer() {
  local line
  answer=
  while IFS= read -r -t 10 line <&"${kept[0]}"; do
    answer+="$line "
    [[ $line =~ ^[0-9]+$ || $line == *Succeeded* || $line == *Failed* ]] && return
  done
  answer+="no whole answer"
  renewed=-60 # psql ends with its connection
}

# A connection of before the run never meets the agents, so the kept one is a new one every minute.
renew() { # URL
  if [[ -n ${kept_PID:-} ]]; then
    printf '\\q\n' >&"${kept[1]}"
    wait "$kept_PID"
  fi 2>/dev/null
  coproc kept { exec psql "$1" -qAt 2>&1; }
  renewed=$SECONDS
}

client() { # NAME URL
  local from answer renewed=-60
  while [[ ! -e /tmp/stop ]]; do
    ((SECONDS - renewed < 60)) || renew "$2"
    from=$(now)
    printf '%s\n' "$query" >&"${kept[1]}" || return
    kept_answer
    told "$1" kept "$from" $((($(now) - from) / 1000)) "$answer"
    from=$(now)
    answer=$(PGCONNECT_TIMEOUT=10 psql "$2" -qAt -c "$query" 2>&1)
    told "$1" new "$from" $((($(now) - from) / 1000)) "$answer"
    sleep 0.1
  done
}

client service "$SERVICE_URL" &
client direct "$DIRECT_URL" &
wait
