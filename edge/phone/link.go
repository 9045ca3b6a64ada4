package phone

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// link carries messages: a UDP socket, or one TCP connection to the server.
type link struct {
	udp   *net.UDPConn
	tcp   net.Conn
	write sync.Mutex // tcp: one message at a time
}

// listenUDP opens a socket on an address; port 0 takes a free one.
func listenUDP(at netip.AddrPort) (*link, error) {
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	_ = c.SetReadBuffer(4 << 20) // a burst of calls must not drop their answers; the kernel may allow less
	return &link{udp: c}, nil
}

// dialTCP connects to a server, from a local address if one is named.
func dialTCP(ctx context.Context, from netip.Addr, server netip.AddrPort) (*link, error) {
	d := net.Dialer{Timeout: 10 * time.Second}
	if from.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	c, err := d.DialContext(ctx, "tcp", server.String())
	if err != nil {
		return nil, err
	}
	return &link{tcp: c}, nil
}

func (l *link) transport() string {
	if l.tcp != nil {
		return "TCP"
	}
	return "UDP"
}

func (l *link) local() netip.AddrPort {
	if l.tcp != nil {
		return addrPort(l.tcp.LocalAddr().(*net.TCPAddr).AddrPort())
	}
	return addrPort(l.udp.LocalAddr().(*net.UDPAddr).AddrPort())
}

func addrPort(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

func (l *link) send(data []byte, to netip.AddrPort) error {
	if l.udp != nil {
		_, err := l.udp.WriteToUDPAddrPort(data, to)
		return err
	}
	l.write.Lock()
	defer l.write.Unlock()
	_, err := l.tcp.Write(data)
	return err
}

// receive gives every message to handle until the link is closed. What is no SIP message is left out.
func (l *link) receive(handle func(*packet)) {
	if l.tcp != nil {
		l.receiveTCP(handle)
		return
	}
	buf := make([]byte, maxPacket)
	for {
		n, from, err := l.udp.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if p, err := parse(buf[:n]); err == nil {
			p.from, p.body = addrPort(from), bytes.Clone(p.body)
			handle(p)
		}
	}
}

func (l *link) receiveTCP(handle func(*packet)) {
	r := bufio.NewReaderSize(l.tcp, maxPacket)
	from := addrPort(l.tcp.RemoteAddr().(*net.TCPAddr).AddrPort())
	for {
		p, err := readFrame(r)
		if err != nil {
			return
		}
		p.from = from
		handle(p)
	}
}

// readFrame takes one message off a stream: headers up to the empty line, then Content-Length of body (RFC 3261 section 18.3).
func readFrame(r *bufio.Reader) (*packet, error) {
	var frame []byte
	length := 0
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if len(frame) == 0 && strings.TrimSpace(line) == "" {
			continue // keep-alive between messages
		}
		frame = append(frame, line...)
		if len(frame) > maxPacket {
			return nil, errNotSIP
		}
		if line == "\r\n" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); strings.EqualFold(name, "Content-Length") || strings.EqualFold(name, "l") {
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil || length < 0 || length > maxPacket {
				return nil, fmt.Errorf("%w: bad Content-Length", errNotSIP)
			}
		}
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, err
	}
	return parse(append(frame, body...))
}

func (l *link) close() error {
	if l.tcp != nil {
		return l.tcp.Close()
	}
	return l.udp.Close()
}
