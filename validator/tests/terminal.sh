#!/usr/bin/env bash
# A run from start to verdict as its user sees it, in a terminal of 80 x 24: gates our service on this machine inside tmux, keeps
# what stood on the screen each second in golive-out/terminal, and writes some of it to docs/terminal.md. Needs what `make try`
# has built. Usage: terminal.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
target=${CARGO_TARGET_DIR:-target}
out=golive-out/terminal
command -v tmux >/dev/null || { echo "terminal.sh: needs tmux: apt-get install tmux" >&2; exit 2; }
rm -rf "$out" && mkdir -p "$out"

# A server of its own, which ends with the run.
tmux=(tmux -L "golive-$$" -f /dev/null)
stop() { "${tmux[@]}" kill-server 2>/dev/null || true; }
trap stop EXIT
trap 'exit 130' INT TERM

PATH=$(realpath "$target/debug"):$PATH
"${tmux[@]}" new-session -d -x 80 -y 24 "PS1='\$ ' bash --norc"
"${tmux[@]}" set-option -g status off
"${tmux[@]}" send-keys "validator local -f examples/try.yaml -- users" Enter

# The prompt is back, below the command.
ended() { [[ $("${tmux[@]}" capture-pane -p -S - | grep -c '^\$') == 2 ]]; }

frame=0
until ended; do
  ((frame < 600)) || { echo "terminal.sh: no verdict after 600 s" >&2; exit 1; }
  "${tmux[@]}" capture-pane -p >"$out/$(printf %03d "$frame").txt"
  frame=$((frame + 1))
  sleep 1
done
"${tmux[@]}" capture-pane -p >"$out/last.txt"
"${tmux[@]}" capture-pane -p -S - >"$out/whole.txt"

# shown TITLE FILE: a screen as a part of the page.
shown() { printf '\n## %s\n```text\n%s\n```\n' "$1" "$(sed -e 's/[[:space:]]*$//' "$2")"; }

at() { printf '%s/%03d.txt' "$out" "$1"; }

{
  cat <<'PAGE'
# A run in a terminal
What stands on a screen of 80 x 24 while `validator local` gates our service, written by `validator/tests/terminal.sh` from inside
tmux: nothing here is typed by hand. Where stderr is no terminal, each step is a plain line instead.
PAGE
  shown "After 5 seconds" "$(at 5)"
  for quarter in 1 2 3; do
    second=$((frame * quarter / 4))
    shown "After $second seconds" "$(at "$second")"
  done
  shown "The verdict, after $frame seconds" "$out/last.txt"
  shown "All that it printed" "$out/whole.txt"
} >docs/terminal.md
