# Runs in the bystander's pod: two clients ask Postgres until /tmp/stop exists, each ten times a second over one connection
# that is kept from the beginning to the end, and twice a second over new ones, of which each costs a process here and there. Writes a line per query to /tmp/answers: second, client,
# connection, milliseconds, what went wrong. Then makes /tmp/done and waits to be read.
# shellcheck shell=bash
set -u
query='select count(*) from users where id < 100;'

# told CLIENT CONNECTION FROM MILLISECONDS ANSWER: what is no number is an error.
told() {
  local error=${5//$'\n'/ }
  [[ $error =~ ^[0-9]+\ *$ ]] && error=
  printf '%s %s %s %s %s\n' "$(($3 / 1000000))" "$1" "$2" "$4" "$error" >>/tmp/answers
}

now() { printf '%s' "${EPOCHREALTIME/./}"; }

# One line of answer, or what psql says about a connection that was lost, with which it ends.
kept_answer() {
  local line
  answer=
  while IFS= read -r -t 10 line <&"$from_kept"; do
    answer+="$line "
    [[ $line =~ ^[0-9]+$ ]] && return
  done
  answer+="no whole answer"
}

client() { # NAME URL
  local from answer from_kept to_kept round=0
  coproc kept { exec psql "$2" -qAt 2>&1; }
  # Copies: Bash forgets its own when psql ends, which it does with its connection.
  exec {from_kept}<&"${kept[0]}" {to_kept}>&"${kept[1]}"
  while [[ ! -e /tmp/stop ]]; do
    from=$(now)
    printf '%s\n' "$query" >&"$to_kept" || break
    kept_answer
    told "$1" kept "$from" $((($(now) - from) / 1000)) "$answer"
    if ((round++ % 5 == 0)); then
      from=$(now)
      answer=$(PGCONNECT_TIMEOUT=10 psql "$2" -qAt -c "$query" 2>&1)
      told "$1" new "$from" $((($(now) - from) / 1000)) "$answer"
    fi
    sleep 0.1
  done
  [[ -e /tmp/stop ]] || told "$1" kept "$(now)" 0 "the kept connection ended"
}

trap '' PIPE
client service "$SERVICE_URL" &
client direct "$DIRECT_URL" &
wait
touch /tmp/done
sleep infinity
