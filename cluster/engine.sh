# Sourced: the Docker engine. One that answers is used as it is; else ours is started, and `down` can stop it.
# shellcheck shell=bash disable=SC2034,SC2154
# When this run started the engine; 0 if it found one.
engine_started=0
engine_pid_file=$cache/run/dockerd.pid
engine_log=$cache/log/dockerd.log
sysctl_file=$cache/run/sysctl.saved
runtime_file=/usr/local/sbin/golive-runc
daemon_file=/etc/docker/daemon.json
# What kubelet changes on the host when it starts.
sysctls=(vm.overcommit_memory kernel.panic kernel.panic_on_oops)

engine_answers() { timeout 10 docker info -f '{{.ServerVersion}}' >/dev/null 2>&1; }

# Prints our dockerd's pid if it runs. A number alone proves nothing: it may have been reused.
engine_pid() {
  local pid
  pid=$(cat "$engine_pid_file" 2>/dev/null) && [[ $(cat "/proc/$pid/comm" 2>/dev/null) == dockerd ]] && echo "$pid"
}

engine_up() {
  sysctl_save
  if ! engine_answers; then
    ((EUID == 0)) || die "no Docker engine answers" "start Docker, or run this as root so that it can start one"
    if ! type dockerd docker iptables >/dev/null 2>&1; then
      step "Docker engine from Debian" "install Docker by hand" apt_install docker.io iptables
    fi
    runtime_wrap
    engine_started=$EPOCHSECONDS
    step "start the Docker engine" "read $engine_log" engine_start
  fi
  runtime_wrap
}

engine_start() {
  local pid
  # One of ours that does not answer is starting, or stopping, which takes as long as its containers.
  if pid=$(engine_pid); then await 60 engine_settled "$pid"; fi
  if engine_answers; then return; fi
  rm -f "$engine_pid_file"
  if [[ -e $engine_log ]]; then mv -f "$engine_log" "$engine_log.old"; fi
  # Detached, because the engine outlives this script.
  setsid dockerd --pidfile "$engine_pid_file" </dev/null >"$engine_log" 2>&1 &
  await 60 engine_settled $!
  if ! engine_answers; then
    tail -n 20 "$engine_log"
    return 1
  fi
}

# engine_settled PID: it answers, or it has ended and never will.
engine_settled() { engine_answers || [[ ! -d /proc/$1 ]]; }

engine_down() {
  local pid
  pid=$(engine_pid) || return 0
  step "stop the Docker engine" "kill -9 $pid" engine_stop "$pid"
}

engine_stop() {
  kill "$1"
  await 60 test ! -d "/proc/$1"
  rm -f "$engine_pid_file"
}

# Saved once, before any kubelet of ours could have run: starting dockerd may revive an old cluster.
sysctl_save() {
  if [[ ! -e $sysctl_file ]] && ((EUID == 0)); then sysctl "${sysctls[@]}" | tr -d ' ' >"$sysctl_file"; fi
}

sysctl_restore() {
  [[ -e $sysctl_file ]] || return 0
  sysctl -q -p "$sysctl_file"
  rm -f "$sysctl_file"
}

lacks_sys_resource() {
  local bounding
  bounding=$(awk '/^CapBnd/ { print $2 }' /proc/self/status)
  ((!((16#$bounding >> 24) & 1)))
}

# runtime_wrap: makes runc.sh the default runtime. In the file rather than by flag, so that an engine
# started by hand later can still run the containers made now.
runtime_wrap() {
  lacks_sys_resource || return 0
  ((EUID == 0)) || return 0
  cmp -s "$cluster_dir/runc.sh" "$runtime_file" || install -D -m 0755 "$cluster_dir/runc.sh" "$runtime_file"
  if ! grep -qs golive-runc "$daemon_file"; then
    apt_install jq >"$cache/log/jq.log" 2>&1
    mkdir -p "${daemon_file%/*}"
    [[ -s $daemon_file ]] || echo '{}' >"$daemon_file"
    jq --arg path "$runtime_file" '.runtimes["golive-runc"].path = $path | .["default-runtime"] = "golive-runc"' \
      "$daemon_file" >"$daemon_file.new"
    mv "$daemon_file.new" "$daemon_file"
    say "CAP_SYS_RESOURCE is missing here: $runtime_file is Docker's default runtime now ($daemon_file)"
  fi
  if ! engine_answers || runtime_wrapped; then return 0; fi
  pidof dockerd | xargs -r -n1 kill -HUP
  await 10 runtime_wrapped
}

runtime_wrapped() { [[ $(timeout 10 docker info -f '{{.DefaultRuntime}}') == golive-runc ]]; }
