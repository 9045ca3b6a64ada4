//go:build !linux

package kernel

import (
	"net/netip"
	"time"
)

// Set is never made here.
type Set struct{}

// Open says that there is no nftables.
func Open(Options) (*Set, error) { return nil, ErrUnsupported }

// Add does nothing.
func (*Set) Add(netip.Prefix, time.Duration) {}

// Remove does nothing.
func (*Set) Remove(netip.Prefix) {}

// Stats are zero.
func (*Set) Stats() Stats { return Stats{} }

// Close does nothing.
func (*Set) Close() error { return nil }
