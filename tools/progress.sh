#!/bin/sh
# Runs a command and prints what it is doing, how long that usually takes, and every few seconds how far it is. The output of the
# command is passed on, and its exit code is this script's. It needs no terminal: CI's log gets a line at intervals.
#   tools/progress.sh build DOING HOW-LONG COMMAND...    for "go build -v": its list of packages becomes a count
#   tools/progress.sh tests DOING HOW-LONG COMMAND...    for "go test": which tests -v begins, and which parts of one pass, is left out
#   tools/progress.sh plain DOING HOW-LONG COMMAND...    nothing is left out
# PROGRESS_EVERY is the number of seconds between two lines; without it 5 on a terminal, 15 elsewhere.
set -u
kind=$1 doing=$2 long=$3
shift 3
every=${PROGRESS_EVERY:-}
if [ -z "$every" ]; then
	every=15
	[ ! -t 1 ] || every=5
fi
state=$(mktemp -d) || exit 1
began=$(date +%s)

idle="at work"
[ "$kind" != tests ] || idle="compiling; each package is named when it is done"

elapsed() {
	passed=$(($(date +%s) - began))
	printf '%d:%02d' $((passed / 60)) $((passed % 60))
}

# The ticker's sleep must not hold our output open: its reader waits for the end of all its writers.
(
	while sleep "$every" >/dev/null 2>&1 </dev/null; do
		[ -d "$state" ] || exit 0
		printf '  %s  %s: %s\n' "$(elapsed)" "$doing" "$(cat "$state/now" 2>/dev/null || echo "$idle")"
	done
) &
ticker=$!
leave() {
	kill "$ticker" 2>/dev/null
	rm -rf "$state"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

package() { # package LINE: what "go build -v" prints is a package's path, and nothing else it says is one word
	case "$1" in
	'' | *[!A-Za-z0-9./_~-]*) return 1 ;;
	esac
}

pass() { # reads what the command prints
	n=0
	while IFS= read -r line || [ -n "$line" ]; do
		case "$kind $line" in
		"build go: downloading "*)
			echo "fetching ${line#go: downloading }" >"$state/now"
			continue
			;;
		"build "*)
			if package "$line"; then
				n=$((n + 1))
				echo "package $n compiled, $line" >"$state/now"
				continue
			fi
			;;
		"tests === RUN "* | "tests === PAUSE "* | "tests === CONT "* | "tests  "*"--- PASS: "*) continue ;;
		"tests ok "* | "tests --- "*)
			n=$((n + 1))
			echo "$n done, last $(echo "$line" | sed 's/^ok[[:space:]]*//; s/^--- [A-Z]*: //; s/[[:space:]].*//')" >"$state/now"
			;;
		esac
		printf '%s\n' "$line"
	done
}

echo "$doing ($long) …"
{
	"$@" 2>&1 </dev/null
	echo $? >"$state/status"
} | pass
status=$(cat "$state/status" 2>/dev/null || echo 1)
if [ "$status" = 0 ]; then
	echo "$doing: done in $(elapsed)"
else
	echo "$doing: failed after $(elapsed), exit code $status" >&2
fi
exit "$status"
