#!/bin/sh
# Makes a Debian package of bin/ringfence: deploy/deb.sh FOLDER. It needs nothing but dpkg-deb.
set -eu
cd "$(dirname "$0")/.."
to=${1:-dist}
command -v dpkg-deb >/dev/null 2>&1 || {
	echo "dpkg-deb is needed to make a Debian package: apt-get install dpkg (or use make install)" >&2
	exit 1
}
umask 022
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -m 755 "$root"
version=$(bin/ringfence --version | cut -d' ' -f2 | tr -d , | tr - '~')
architecture=$(dpkg --print-architecture)
DESTDIR=$root PREFIX=/usr MAKE="" deploy/install.sh install >/dev/null

doc=$root/usr/share/doc/ringfence
rm "$doc/LICENSE"
gzip -9n "$root/usr/share/man/man1/ringfence.1"
maintainer="${DEBFULLNAME:-Ringfence} <${DEBEMAIL:-ringfence@example.net}>"
gzip -9n >"$doc/changelog.gz" <<END
ringfence ($version) unstable; urgency=medium

  * What is new is in CHANGELOG.md beside this file.

 -- $maintainer  $(date -uR)
END
cat >"$doc/copyright" <<'END'
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: Ringfence

Files: *
Copyright: 2026 the authors of Ringfence
License: Apache-2.0
 On Debian systems, the full text of the Apache License version 2.0 is in
 /usr/share/common-licenses/Apache-2.0. What Ringfence contains of others
 is named in /usr/share/doc/ringfence/NOTICE.
END

mkdir -p "$root/usr/share/lintian/overrides"
cat >"$root/usr/share/lintian/overrides/ringfence" <<'END'
# Go's programs are static.
ringfence: statically-linked-binary
# Configuration and data have secrets in them.
ringfence: non-standard-dir-perm * [etc/ringfence/]
ringfence: non-standard-dir-perm * [var/lib/ringfence/]
ringfence: non-standard-file-perm * [etc/ringfence/ringfence.toml]
# Only where systemd runs; the administrator enables the service, so it is systemd's to disable.
ringfence: maintainer-script-calls-systemctl *
END

mkdir "$root/DEBIAN"
cat >"$root/DEBIAN/control" <<END
Package: ringfence
Version: $version
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f1)
Depends: adduser
Recommends: ca-certificates
Suggests: nftables, postgresql, postgresql-client
Section: comm
Priority: optional
Description: SIP front door of a telephony provider, with spending caps
 Phones log in to Ringfence. It decides on each call, connects it through a
 carrier, meters it, and ends it when the money runs out. A line can never cost
 more than its cap: the money for a call is held before it is connected, and in
 slices while it lasts. This holds under races, crashes and restarts.
END
echo /etc/ringfence/ringfence.toml >"$root/DEBIAN/conffiles"
(cd "$root" && find usr -type f -exec md5sum {} + | sort -k2 >DEBIAN/md5sums)
for script in postinst prerm postrm; do
	install -m 755 "deploy/deb/$script" "$root/DEBIAN/$script"
done

mkdir -p "$to"
file=$to/ringfence_${version}_$architecture.deb
dpkg-deb --root-owner-group -Zgzip -z5 --build "$root" "$file" >/dev/null
echo "$file is made. Install it with: dpkg -i $file"
