package device_test

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"ringfence/flow/device"
	"ringfence/state/geo"
	"ringfence/state/store"
)

// many is a store of devices made as they are read: two of each line, in networks and with addresses of their own.
type many struct {
	store.Stages
	lines int
}

func (m many) Devices(_ context.Context, yield func(store.Device) error) error {
	now := time.Now()
	for i := range m.lines {
		a, b := address(i, 0), address(i, 1)
		for _, r := range []store.Device{
			{Place: fmt.Sprint("AS", 64500+i%500), Address: a.String(), ASN: int64(64500 + i%500), Family: "yealink sip-t46s", Agent: fmt.Sprint("Yealink SIP-T46S 66.84.0.", i%50), Country: "GB", Network: fmt.Sprint("Example Network ", i%500)},
			{Place: netip.PrefixFrom(b, 24).Masked().String(), Address: b.String(), Family: "linphone", Agent: fmt.Sprint("Linphone/4.", i%50), Country: "GB"},
		} {
			r.Line, r.First, r.Last, r.Count = name(i), now.Add(-48*time.Hour), now, 2
			if err := yield(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m many) SaveDevices(context.Context, []store.Device, []store.Device, ...store.Fact) error {
	return nil
}

func name(i int) string { return fmt.Sprintf("line-%06d", i) }

func address(i, which int) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(11 + which), byte(i >> 16), byte(i >> 8), byte(i)})
}

// TestBytesALine holds 100,000 lines of two devices each to their share of memory.
func TestBytesALine(t *testing.T) {
	if testing.Short() {
		t.Skip("measures memory over 200,000 devices")
	}
	const lines = 100_000
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	d := load(t, device.Options{Store: many{lines: lines}})
	loaded := heap()
	now := time.Now().Add(2 * time.Hour) // so that every one is to be written
	for i := range lines {
		d.Seen(device.Login{Line: name(i), Addr: address(i, 0), Agent: fmt.Sprint("Yealink SIP-T46S 66.84.0.", i%50), At: now})
	}
	if err := d.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	used := heap()
	t.Logf("%d bytes a line of two devices loaded, %d after every line has logged in and been written", (loaded-before)/lines, (used-before)/lines)
	if got := (used - before) / lines; got > 500 {
		t.Errorf("%d bytes a line of two devices, want at most 500", got)
	}
	if d.Len() != 2*lines || !d.Trusted(address(77, 1)) {
		t.Error("they were not read")
	}
	runtime.KeepAlive(d)
}

func TestKnownDeviceAllocatesNothing(t *testing.T) {
	d := load(t, device.Options{Store: many{lines: 10}, Place: func(netip.Addr) geo.Place { return geo.Place{} }})
	l := device.Login{Line: name(7), Addr: address(7, 0), Agent: "Yealink SIP-T46S 66.84.0.7", At: time.Now()}
	n := testing.AllocsPerRun(100, func() {
		d.Seen(l)
		d.Usual(l.Line, l.Addr)
		d.Usual(l.Line, address(9, 0))
		d.Trusted(l.Addr)
		d.TrustedIn(netip.PrefixFrom(l.Addr, 24))
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDevices(b *testing.B) {
	const lines = 10_000
	d := load(b, device.Options{Store: many{lines: lines}})
	logins := make([]device.Login, lines)
	for i := range logins {
		logins[i] = device.Login{Line: name(i), Addr: address(i, 0), Agent: fmt.Sprint("Yealink SIP-T46S 66.84.0.", i%50), At: time.Now()}
	}
	for what, do := range map[string]func(l *device.Login){
		"seen-known":          func(l *device.Login) { d.Seen(*l) },
		"usual":               func(l *device.Login) { d.Usual(l.Line, l.Addr) },
		"trusted":             func(l *device.Login) { d.Trusted(l.Addr) },
		"trusted-in-24":       func(l *device.Login) { d.TrustedIn(netip.PrefixFrom(l.Addr, 24)) },
		"trusted-in-6-absent": func(*device.Login) { d.TrustedIn(netip.MustParsePrefix("128.0.0.0/6")) },
	} {
		b.Run(what, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				do(&logins[i%lines])
				i++
			}
		})
	}
}
