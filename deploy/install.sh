#!/bin/sh
# What "make install" and "make uninstall" do, and "make deb" with DESTDIR and PREFIX=/usr.
#   PREFIX   where programs go (/usr/local)
#   DESTDIR  a folder to put everything under instead of /; then nothing of this machine is changed, no user is made
# Configuration and data are never overwritten or removed.
set -eu
cd "$(dirname "$0")/.."
prefix=${PREFIX:-/usr/local}
dest=${DESTDIR:-}
case "$prefix" in
/*) ;;
*)
	echo "PREFIX must be an absolute path, not $prefix" >&2
	exit 2
	;;
esac
# Where systemd looks: beside the programs in /usr and /usr/local, else in /etc.
case "$prefix" in
/usr | /usr/local) lib=$prefix/lib ;;
*) lib=/etc ;;
esac
units=$lib/systemd/system
doc=$prefix/share/doc/ringfence
bash=$prefix/share/bash-completion/completions
zsh=$prefix/share/zsh/site-functions
[ "$prefix" != /usr ] || zsh=/usr/share/zsh/vendor-completions # site-functions is the administrator's in Debian
fish=$prefix/share/fish/vendor_completions.d
share=$prefix/share/ringfence

put() { # put MODE FILE PLACE: a file under DESTDIR, its folder made
	install -D -m "$1" "$2" "$dest$3"
}

own() { # own MODE FILE PLACE: the same, with /usr/local in it replaced by PREFIX
	sed "s|/usr/local/|$prefix/|g" "$2" >"$work/own"
	put "$1" "$work/own" "$3"
}

say() { # say WORDS...: what a shell command prints, as a file
	"$@" >"$work/said"
	echo "$work/said"
}

# program sees that there is a binary to install, and that it is of this source.
program() {
	if [ -n "${MAKE:-}" ] && [ -z "${SUDO_UID:-}" ] && command -v "${GO:-go}" >/dev/null 2>&1; then
		"$MAKE" --no-print-directory build
	elif [ ! -x bin/ringfence ]; then # sudo's PATH seldom has Go, and root need not compile
		echo "There is no bin/ringfence yet: run \"make build\" first, then this again." >&2
		exit 1
	fi
}

install_files() {
	ringfence=bin/ringfence
	put 755 $ringfence "$prefix/bin/ringfence"
	own 644 deploy/ringfence.service "$units/ringfence.service"
	put 644 deploy/ringfence.sysusers "$lib/sysusers.d/ringfence.conf"
	put 644 deploy/ringfence.tmpfiles "$lib/tmpfiles.d/ringfence.conf"
	put 644 "$(say $ringfence man)" "$prefix/share/man/man1/ringfence.1"
	put 644 "$(say $ringfence completion bash)" "$bash/ringfence"
	put 644 "$(say $ringfence completion zsh)" "$zsh/_ringfence"
	put 644 "$(say $ringfence completion fish)" "$fish/ringfence.fish"
	for file in README.md CHANGELOG.md LICENSE NOTICE; do
		put 644 $file "$doc/$file"
	done
	find docs -type f ! -name '*.go' ! -name '*.js' | while read -r file; do
		put 644 "$file" "$doc/$file"
	done
	put 644 "$(say $ringfence config reference)" "$doc/ringfence.toml"
	for script in geo.sh numbering.sh; do
		[ ! -f tools/$script ] || put 755 tools/$script "$share/$script"
	done
	install -d -m 750 "$dest/etc/ringfence"
	install -d -m 700 "$dest/var/lib/ringfence"
	if [ -e "$dest/etc/ringfence/ringfence.toml" ]; then
		kept="Your configuration in $dest/etc/ringfence was kept."
	else
		put 640 deploy/ringfence.toml /etc/ringfence/ringfence.toml
	fi
}

# make_user makes the service's user and gives it its folders.
make_user() {
	if ! getent passwd ringfence >/dev/null; then
		if command -v systemd-sysusers >/dev/null 2>&1; then
			systemd-sysusers "$lib/sysusers.d/ringfence.conf"
		elif command -v useradd >/dev/null 2>&1; then
			useradd --system --user-group --home-dir /var/lib/ringfence --no-create-home --shell /usr/sbin/nologin --comment Ringfence ringfence
		else
			echo "Make a system user and group \"ringfence\" (home /var/lib/ringfence, no shell), then run this again." >&2
			exit 1
		fi
	fi
	chown root:ringfence /etc/ringfence /etc/ringfence/ringfence.toml
	chown ringfence:ringfence /var/lib/ringfence
}

# service tells systemd, where it runs, about the unit.
service() { # service WORDS...
	[ ! -d /run/systemd/system ] || systemctl "$@"
}

next() {
	cat <<END

Ringfence $("$dest$prefix/bin/ringfence" --version | cut -d' ' -f2 | tr -d ,) is installed. ${kept:-}
Next:
  1. edit /etc/ringfence/ringfence.toml   (every field: ringfence config reference, or $doc/ringfence.toml)
  2. ringfence config check /etc/ringfence/ringfence.toml
  3. systemctl enable --now ringfence     (after an upgrade: systemctl restart ringfence; calls in progress continue)
  4. ringfence status
$doc/docs/operating.md goes from there to a first call; man ringfence has every command.
END
}

installs() {
	if [ -z "$dest" ] && [ "$(id -u)" != 0 ]; then
		echo "Installing on this machine needs root: sudo make install. Or name a folder: make install DESTDIR=/tmp/ringfence" >&2
		exit 1
	fi
	program
	install_files
	if [ -n "$dest" ]; then
		echo "Everything is under $dest. The user and the folders of the service are made at boot by what is in $lib/sysusers.d and $lib/tmpfiles.d."
		return
	fi
	make_user
	service daemon-reload
	next
}

uninstalls() {
	if [ -z "$dest" ]; then
		if [ "$(id -u)" != 0 ]; then
			echo "This needs root: sudo make uninstall" >&2
			exit 1
		fi
		service disable --now ringfence || true # it may never have been enabled
	fi
	rm -f "$dest$prefix/bin/ringfence" "$dest$units/ringfence.service" "$dest$lib/sysusers.d/ringfence.conf" \
		"$dest$lib/tmpfiles.d/ringfence.conf" "$dest$prefix/share/man/man1/ringfence.1" "$dest$bash/ringfence" \
		"$dest$zsh/_ringfence" "$dest$fish/ringfence.fish"
	rm -rf "$dest$doc" "$dest$share"
	[ -n "$dest" ] || service daemon-reload
	echo "Ringfence is off this machine. Kept: $dest/etc/ringfence, $dest/var/lib/ringfence (book, money, records and the key) and the user ringfence."
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022
case "${1:-}" in
install) installs ;;
uninstall) uninstalls ;;
*)
	echo "usage: $0 install|uninstall" >&2
	exit 2
	;;
esac
