#!/bin/sh
# Prints the version of this source tree: 1.2.3 at the tag v1.2.3, 1.2.3+5.gabc1234 five commits later, and before the first
# tag 0.0.0+202611290712.gabc1234 (the commit's time in UTC). ".dirty" at the end says that something is not committed.
# In a tarball, where there is no repository, "git archive" has filled in the next line (.gitattributes). Fit for Debian.
set -eu
archived='$Format:%(describe:tags=true,match=v[0-9]*)|%ct|%h$'
cd "$(dirname "$0")/.."

named() { # named DESCRIBED SECONDS HASH DIRTY
	case "$1" in
	v*-*-g*) echo "${1#v}" | sed 's/-\([0-9]*\)-g\([0-9a-f]*\)$/+\1.g\2/' | tr -d '\n' ;;
	v*) printf '%s' "${1#v}" ;;
	*) printf '0.0.0+%s.g%s' "$(date -u -d "@$2" +%Y%m%d%H%M)" "$3" ;;
	esac
	printf '%s\n' "$4"
}

git() { command git -c safe.directory='*' "$@" 2>/dev/null; } # "sudo make install" looks into another user's checkout
case "$archived" in
'$'*)
	# Only a repository of our own: a tree that was copied into another project must not take its name.
	if [ -e .git ] && hash=$(git rev-parse --short=7 HEAD); then
		dirty=""
		[ -z "$(git status --porcelain --untracked-files=no)" ] || dirty=.dirty
		named "$(git describe --tags --match 'v[0-9]*' --abbrev=7 || true)" "$(git log -1 --format=%ct)" "$hash" "$dirty"
	else
		echo 0.0.0+unknown
	fi
	;;
*)
	described=${archived%%|*}
	rest=${archived#*|}
	named "$described" "${rest%%|*}" "${rest#*|}" ""
	;;
esac
