package config

import (
	"encoding"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"time"

	"ringfence/core/habit"
)

// processors is asked at the start: the program raises GOMAXPROCS later, and what was left out must not differ at a reload.
var processors = runtime.GOMAXPROCS(0)

// Names of the files in the data folder.
const (
	databaseFile = "ringfence.db"
	socketFile   = "ringfence.sock"
	keyFile      = "ringfence.key"
	lockFile     = "ringfence.lock"
)

// defaults are what the fields' tags say: the same everywhere. Complete adds those that depend on the machine.
func defaults() (c Config) {
	for _, f := range allFields {
		if f.Default == "" {
			continue
		}
		if err := setText(f.of(&c), f.Default); err != nil {
			panic("config: the default of " + f.Key + ": " + err.Error()) // a tag of this package; every test would see it
		}
	}
	c.Watch.say(habit.Default())
	return c
}

// setText gives a value what a tag says; the elements of a list stand between commas.
func setText(v reflect.Value, text string) (err error) {
	u, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
	switch {
	case ok:
		return u.UnmarshalText([]byte(text))
	case v.Kind() == reflect.Slice:
		for one := range strings.SplitSeq(text, ",") {
			element := reflect.New(v.Type().Elem()).Elem()
			err = errors.Join(err, setText(element, one))
			v.Set(reflect.Append(v, element))
		}
	case v.Kind() == reflect.Int:
		n, fault := strconv.ParseInt(text, 10, 64)
		v.SetInt(n)
		return fault
	default:
		v.SetString(text)
	}
	return err
}

// Default is the configuration without a file.
func Default() Config { return Complete(Config{}) }

// Complete fills what c leaves out. What it returns has no field that still needs a default; it may still be wrong:
// see Validate.
func Complete(c Config) Config {
	d := defaults()
	for _, f := range allFields {
		if v := f.of(&c); v.IsZero() {
			v.Set(f.of(&d))
		}
	}
	if c.Node == "" {
		c.Node = hostName()
	}
	if c.SIP.ReadSockets == 0 {
		c.SIP.ReadSockets = min(processors, 8)
	}
	if c.SIP.MaxEmergencyCalls == 0 {
		c.SIP.MaxEmergencyCalls = min(max(c.SIP.MaxCalls/2, 1000), 1_000_000)
	}
	if c.SIP.MaxInboundCalls == 0 {
		c.SIP.MaxInboundCalls = max(c.SIP.MaxCalls/2, 1)
	}
	if c.Admin.Socket == "" {
		c.Admin.Socket = filepath.Join(c.Data, socketFile)
	}
	if c.Secret.KeyFile == "" {
		c.Secret.KeyFile = filepath.Join(c.Data, keyFile)
	}
	return c
}

// DatabasePath is the SQLite file.
func (c *Config) DatabasePath() string { return filepath.Join(c.Data, databaseFile) }

// ArchiveFolder is where old calls go, in the data folder of each node.
func (c *Config) ArchiveFolder() string { return filepath.Join(c.Data, "archive") }

// LockPath is the file that keeps a second server out of the data folder.
func (c *Config) LockPath() string { return filepath.Join(c.Data, lockFile) }

// Demo is the configuration of `serve --demo`: everything on loopback, everything kept under dir ("" is DemoFolder).
func Demo(dir string) Config {
	if dir == "" {
		dir = DemoFolder
	}
	local := netip.MustParseAddrPort("127.0.0.1:5060")
	c := Config{Data: dir, Demo: true}
	c.SIP.UDP, c.SIP.TCP = []netip.AddrPort{local}, []netip.AddrPort{local}
	c.SIP.ReadSockets = 1
	c.SIP.TrunkOptions.Duration = 30 * time.Second // its own carriers answer
	c.Provider.Name = "Ringfence demo"
	c.Metrics.Listen = netip.MustParseAddrPort("127.0.0.1:9560")
	c.Web.Listen = netip.MustParseAddrPort("127.0.0.1:9561")
	c.Notify.Desk = []string{"desk@provider.invalid"}
	c.Provider.Help = Help{Mail: "help@provider.invalid", Phone: "020 7946 0999", Hours: "Monday to Friday, 9 to 17"}
	return Complete(c)
}

// DemoFolder is where the demonstration keeps its data: apart from the real one, because its passwords are printed.
const DemoFolder = "ringfence-data/demo"

// hostName is the host's name with everything that a node name may not have taken out.
func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return "node"
	}
	kept := make([]byte, 0, len(name))
	for i := range min(len(name), 64) {
		if isNameByte(name[i]) {
			kept = append(kept, name[i])
		}
	}
	if len(kept) == 0 {
		return "node"
	}
	return string(kept)
}

func isNameByte(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '.' || b == '_' || b == '-'
}
