// Package e2e drives the real binary, started on loopback with a folder of its own and set up by its own command line,
// with real clients: SIPp (scenarios/), baresip, linphone, and our own test phone where those are clumsy. It must not know the
// program's insides. Build tag: e2e. RINGFENCE_BINARY names the binary; without it, it is built.
package e2e
