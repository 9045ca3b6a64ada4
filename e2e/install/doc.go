// Package install puts Ringfence on a machine as a newcomer does: "make install", the Debian package, and every command of
// docs/operating.md, in a copy of this machine that is thrown away (machine_test.go). It must not know the program's insides.
// Build tag: e2e.
package install
