#!/bin/sh
# Fetches Ofcom's tables of telephone numbers (which blocks are allocated and which are free: S1 geographic, S3 03, S5 055 and 056,
# S7 07, S8 08, S9 09) and joins them into one file for provider.numbering. An existing file is replaced only when all tables have been fetched.
# Run it again at least every three months, and send SIGHUP (systemctl reload ringfence). OFCOM names another place to fetch from.
set -eu

usage() {
	echo "usage: $0 [FILE]" >&2
	exit 2
}
fail() {
	echo "numbering.sh: $*" >&2
	exit 1
}

[ $# -le 1 ] || usage
case "${1:-}" in -*) usage ;; esac
to=${1:-ringfence-data/numbering.csv}
from=${OFCOM:-https://www.ofcom.org.uk/siteassets/resources/documents/phones-telecoms-and-internet/information-for-industry/numbering/regular-updates/telephone-numbers}
command -v curl >/dev/null || fail "curl is needed to fetch the tables: apt-get install curl"
folder=$(dirname "$to")
if ! mkdir -p "$folder" || ! [ -w "$folder" ]; then
	fail "$folder cannot be written"
fi
to=$(cd "$folder" && pwd)/$(basename "$to")
work=$(mktemp -d)
trap 'rm -rf "$work"; rm -f "$to.new"' EXIT
trap 'exit 1' HUP INT TERM

for sheet in s1 s3 s5 s7 s8 s9; do
	if ! curl -fsSL --retry 2 --max-time 300 --max-filesize 67108864 -o "$work/$sheet.csv" "$from/$sheet.csv"; then
		fail "$sheet.csv could not be fetched from $from. What was there before stays. Ofcom's page of numbering data may say where it is now."
	fi
	head -n 1 "$work/$sheet.csv" | grep -qi 'number block.*block status' || fail "$from/$sheet.csv is no table of number blocks. What was there before stays."
	echo "$sheet.csv $(grep -c . "$work/$sheet.csv") lines"
done
for sheet in s1 s3 s5 s7 s8 s9; do
	cat "$work/$sheet.csv"
	echo # a last line without its end, and the next table's header
done >"$to.new" || fail "$folder has no room. What was there before stays."
chmod 644 "$to.new"
mv "$to.new" "$to"
cat <<END

In the configuration:

[provider]
numbering = "$to"

Contains Ofcom's numbering data, under the Open Government Licence v3.0.
END
