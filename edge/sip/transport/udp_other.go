//go:build !linux

package transport

import (
	"net"
	"net/netip"
)

// listenUDP binds without batching and without sharing a port: those are Linux's.
func listenUDP(a netip.AddrPort, _, _, bufSize int) (datagrams, netip.AddrPort, error) {
	network := "udp4"
	if a.Addr().Is6() {
		network = "udp6"
	}
	conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(a))
	if err != nil {
		return nil, netip.AddrPort{}, err
	}
	_ = conn.SetReadBuffer(bufSize)
	_ = conn.SetWriteBuffer(bufSize)
	local, _ := addrPort(conn.LocalAddr())
	return newPlain(conn), local, nil
}
