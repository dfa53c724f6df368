#!/usr/bin/env bash
# The worker of examples/worker.py with curl: `examples/worker.sh charge ship` works jobs of these topics until Ctrl-C.
#   TIDEGATE_URL     the gate, http://127.0.0.1:8080 unless said
#   TIDEGATE_TOKEN   a token with the scope jobs:work
#   JOBS             stop after so many jobs
set -euo pipefail

url=${TIDEGATE_URL:-http://127.0.0.1:8080}
url=${url%/}
worker=$(hostname)-$$
[ $# -gt 0 ] || set -- charge ship
topics=$(printf ',"%s"' "$@")
answer=$(mktemp)
trap 'rm -f "$answer" "$answer.head"' EXIT

# post PATH BODY: the answer's body in $answer, its status in $status. Waits and tries again while the gate is away.
# The token goes in on standard input: a command's arguments can be read by everybody on the machine.
post() {
  local pause=1 wait
  while true; do
    status=$(printf 'header = "Authorization: Bearer %s"\n' "${TIDEGATE_TOKEN:-}" |
      curl -sS --config - --max-time 45 -o "$answer" -D "$answer.head" -w '%{http_code}' \
        -H 'Content-Type: application/json' --data "$2" "$url$1") || status=000
    case $status in 000 | 429 | 503) ;; *) return ;; esac
    wait=$(sed -n 's/^[Rr]etry-[Aa]fter: *\([0-9]\{1,3\}\).*/\1/p' "$answer.head" 2>/dev/null | head -n 1)
    echo "the gate is away, next try in ${wait:-$pause} s" >&2
    sleep "${wait:-$pause}"
    pause=$((pause < 30 ? pause * 2 : 30))
  done
}

# field NAME: the first text of that name in the answer. Enough for ids and topics, which hold no quotes, as long as no
# variable is asked for that bears such a name; a worker that reads variables wants a JSON parser.
field() { grep -o "\"$1\" *: *\"[^\"]*\"" "$answer" | head -n 1 | sed 's/.*"\([^"]*\)"$/\1/'; }

worked=0
while [ "${JOBS:-0}" -eq 0 ] || [ "$worked" -lt "$JOBS" ]; do
  post /api/jobs/activate \
    "{\"topics\":[${topics#,}],\"worker\":\"$worker\",\"variables\":[\"amount\"],\"maxJobs\":1,\"lockInSec\":60,\"timeoutInSec\":30}"
  [ "$status" = 200 ] || { echo "worker: $status $(cat "$answer")" >&2; exit 1; }
  job=$(field id) || continue # nothing came within the poll
  topic=$(field topic)
  lock=$(field lockToken)

  case $topic in
    charge) result="{\"receipt\":\"R-${job: -8}\"}" ;;
    ship) result="{\"parcel\":\"P-${job: -8}\"}" ;;
    *) result='{}' ;;
  esac

  post "/api/jobs/$job/complete" "{\"worker\":\"$worker\",\"lockToken\":\"$lock\",\"variables\":$result}"
  worked=$((worked + 1))
  case $status in
    204) echo "$topic $job → $result" ;;
    404 | 409) echo "$topic $job: $(field code), somebody else has it" >&2 ;; # our lock ran out meanwhile
    *) echo "worker: $status $(cat "$answer")" >&2; exit 1 ;;
  esac
done
