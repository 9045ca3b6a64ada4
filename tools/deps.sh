#!/bin/sh
# Checks that the programs which the tests (or the benchmarks) need are there. As root on Debian or Ubuntu it installs what is
# missing; otherwise it says exactly what to install, and stops.
set -eu

postgres() { # initdb is not on the PATH in Debian
	command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}

need() { # need PROGRAM PACKAGE...
	program=$1
	shift
	command -v "$program" >/dev/null 2>&1 || missing="$missing $*"
}

look() { # look WHAT: which packages are missing
	missing=""
	case "$1" in
	test)
		need sipp sip-tester
		need sqlite3 sqlite3 # reads beside a server that writes
		need baresip baresip
		need linphone-daemon linphone-cli
		need svcrack sipvicious
		need nft nftables
		need python3 python3 # runs the verifier that a case file carries
		need openssl openssl # stamps the time of checkpoints
		need ip iproute2 # network namespaces of the kernel tests
		need chromium chromium # looks at the mails and pages of docs/screenshots
		command -v valkey-server >/dev/null 2>&1 || need redis-server redis-server
		need systemd-analyze systemd # looks at the service's unit; nothing of it is started
		need kamailio kamailio # a carrier whose customers register
		need gcc gcc libc6-dev # for the race detector only: the product has no cgo
		postgres || missing="$missing postgresql"
		;;
	bench)
		need sipp sip-tester
		need kamailio kamailio
		postgres || missing="$missing postgresql"
		;;
	*)
		echo "usage: $0 test|bench" >&2
		exit 2
		;;
	esac
}

what=${1:-test}
look "$what"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
	echo "These packages are missing. Install them (names as in Debian), then try again:" >&2
	echo "  sudo apt-get update && sudo apt-get install --no-install-recommends$missing" >&2
	exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
# A server that starts at installation would take ports the tests do not need: policy-rc.d says no for the moment.
policy=/usr/sbin/policy-rc.d
made=""
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
	made=1
fi
status=0
"$(dirname "$0")/progress.sh" plain "installing packages" "a few minutes" \
	sh -c "{ apt-get update && apt-get install -y --no-install-recommends $missing; } >'$log' 2>&1" || status=$?
[ -z "$made" ] || rm -f "$policy"
if [ "$status" != 0 ]; then
	tail -40 "$log" >&2
	echo "apt-get failed; install by hand:$missing" >&2
	rm -f "$log"
	exit "$status"
fi
rm -f "$log"
look "$what"
if [ -n "$missing" ]; then # Ubuntu's chromium is a package that only asks for a snap
	echo "apt-get was content, but these are still not there; install them another way:$missing" >&2
	exit 1
fi
