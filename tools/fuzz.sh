#!/bin/sh
# Runs every fuzz target of the module for a short while, one after the other: tools/fuzz.sh [TIME]
set -eu
time=${1:-5s}
n=0
for pkg in $(go list ./...); do
	dir=$(go list -f '{{.Dir}}' "$pkg")
	for target in $(grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go 2>/dev/null | sed 's/^func //'); do
		echo "fuzz $pkg $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$pkg" >/tmp/ringfence-fuzz.$$ 2>&1 || {
			cat /tmp/ringfence-fuzz.$$
			rm -f /tmp/ringfence-fuzz.$$
			exit 1
		}
		n=$((n + 1))
	done
done
rm -f /tmp/ringfence-fuzz.$$
echo "$n fuzz targets, $time each: nothing found"
