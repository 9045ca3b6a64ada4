// Package process starts the programs that the end-to-end tests drive, so that they die with the tests, and finds free
// ports for them. It must not know what it starts.
package process

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
)

// launches are done by one goroutine that never leaves its thread.
var launches = func() chan<- func() {
	do := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range do {
			f()
		}
	}()
	return do
}()

// Launch starts a program that dies with the tests, should they be killed. Linux means by that the thread which started it:
// any other may end with whichever goroutine was tied to it last.
func Launch(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	started := make(chan error)
	launches <- func() { started <- cmd.Start() }
	return <-started
}

// lastPort is where the search for ports goes on: below the ports that the kernel gives to sockets of their own choice, and
// each one once, so that nobody takes one between this look and its use.
var lastPort atomic.Uint32

// FreePort finds a loopback port that is free on UDP and TCP.
func FreePort() (netip.AddrPort, error) {
	for range 1000 {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(10_000+(lastPort.Add(1)+uint32(os.Getpid())*128)%10_000))
		l, err := net.Listen("tcp", at.String())
		if err != nil {
			continue
		}
		u, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		l.Close()
		if err == nil {
			u.Close()
			return at, nil
		}
	}
	return netip.AddrPort{}, errors.New("no port of 127.0.0.1 between 10000 and 19999 is free on both UDP and TCP")
}
