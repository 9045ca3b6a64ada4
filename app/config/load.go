package config

import (
	"bytes"
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// Environment variables that Ringfence reads. There are no others, but for NO_COLOR, which the command line honours.
const (
	EnvConfig = "RINGFENCE_CONFIG"    // the configuration file
	EnvKey    = "RINGFENCE_KEY"       // the key that seals secrets, before secret.key-file
	EnvDSN    = "RINGFENCE_STORE_DSN" // how to reach PostgreSQL, before store.dsn and store.dsn-file
	EnvSocket = "RINGFENCE_SOCKET"    // the admin socket, before admin.socket
)

// Places where a configuration file is looked for when none is named.
var standard = []string{"ringfence.toml", "/etc/ringfence/ringfence.toml"}

const (
	maxFile       = 1 << 20
	maxSecretFile = 4096
)

// Find is the configuration file to read: path if given, else RINGFENCE_CONFIG, else ringfence.toml here or in
// /etc/ringfence. "" means that there is none, and that defaults apply.
func Find(path string) string {
	if path != "" {
		return path
	}
	if path = os.Getenv(EnvConfig); path != "" {
		return path
	}
	for _, p := range standard {
		if _, err := os.Stat(p); !errors.Is(err, os.ErrNotExist) {
			return p
		}
	}
	return ""
}

// Load reads the file that Find names, completes and validates it, and applies the environment. Its error lists every
// fault found, one a line, each as "file:line: key: what is wrong".
func Load(path string) (Config, error) {
	path = Find(path)
	var c Config
	at := map[string]place{}
	if path != "" {
		data, err := readFile(path, maxFile)
		if err != nil {
			return Config{}, err
		}
		if c, at, err = parse(data, path); err != nil {
			return Config{}, err
		}
		c.anchor(filepath.Dir(path))
	}
	if err := c.environment(); err != nil {
		return Config{}, err
	}
	c = Complete(c)
	if faults := c.faults(); len(faults) > 0 {
		return Config{}, faults.in(path, at)
	}
	return c, nil
}

// Parse reads a configuration from text, completes and validates it, without looking at the environment; name stands
// for the file in errors.
func Parse(text []byte, name string) (Config, error) {
	c, at, err := parse(text, name)
	if err != nil {
		return Config{}, err
	}
	c = Complete(c)
	faults := c.faults()
	if len(faults) > 0 {
		return Config{}, faults.in(name, at)
	}
	return c, nil
}

// place is where a key stands in a file, and what kind of value it has there.
type place struct {
	line int
	kind unstable.Kind
}

// in adds to each fault where it is.
func (fs Faults) in(file string, at map[string]place) Faults {
	for i := range fs {
		fs[i].File, fs[i].Line = file, at[fs[i].Key].line
	}
	return fs
}

// parse decodes strictly and says on which line each key stands.
func parse(text []byte, name string) (Config, map[string]place, error) {
	c := Config{File: name}
	text = renamed(text)
	err := toml.NewDecoder(strings.NewReader(string(text))).DisallowUnknownFields().Decode(&c)
	at := keyPlaces(text)
	var unknown *toml.StrictMissingError
	var bad *toml.DecodeError
	switch {
	case err == nil:
		return c, at, nil
	case errors.As(err, &unknown):
		var faults Faults
		for _, e := range unknown.Errors {
			row, _ := e.Position()
			faults = append(faults, unknownKey(name, row, strings.Join(e.Key(), ".")))
		}
		return Config{}, nil, faults
	case errors.As(err, &bad):
		row, _ := bad.Position()
		return Config{}, nil, Faults{decodeFault(name, row, at, bad.Error())}
	}
	return Config{}, nil, Faults{unplaced(name, at, err.Error())}
}

// renamed puts today's keys in the place of those that earlier versions had.
func renamed(text []byte) []byte {
	at := keyPlaces(text)
	lines := bytes.SplitAfter(text, []byte("\n"))
	for _, f := range allFields {
		p, found := at[f.Former]
		if f.Former == "" || !found {
			continue
		}
		former := f.Former[strings.LastIndexByte(f.Former, '.')+1:]
		lines[p.line-1] = bytes.Replace(lines[p.line-1], []byte(former), []byte(f.name()), 1)
	}
	return bytes.Join(lines, nil)
}

// unplaced is a complaint that the decoder made without saying where: a value that should have been in quotes.
func unplaced(name string, at map[string]place, message string) Fault {
	for key, p := range at {
		f, ok := fieldOf(key)
		if ok && p.kind != unstable.String && reflect.PointerTo(f.typ).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) &&
			f.typ != reflect.TypeFor[Setting]() {
			return Fault{File: name, Line: p.line, Key: key, Problem: "not in quotes", Want: f.want()}
		}
	}
	return Fault{File: name, Problem: strings.TrimPrefix(message, "toml: ")}
}

// decodeFault puts the decoder's complaint about a value into our words: the field on that line and what it wants.
func decodeFault(name string, row int, at map[string]place, message string) Fault {
	message = strings.TrimPrefix(message, "toml: ")
	for key, p := range at {
		f, ok := fieldOf(key)
		if p.line != row || !ok {
			continue
		}
		fault := Fault{File: name, Line: row, Key: key, Problem: message}
		if strings.Contains(message, "cannot decode") || strings.Contains(message, "type mismatch") {
			fault.Problem = "wrong kind of value"
		}
		if !strings.Contains(message, "want ") && !strings.Contains(message, "already defined") {
			fault.Want = f.want()
		}
		return fault
	}
	return Fault{File: name, Line: row, Problem: message}
}

// finder finds each key of a text, as far as it parses.
type finder struct {
	parser unstable.Parser
	ends   []int // where lines end
	places map[string]place
}

func keyPlaces(text []byte) map[string]place {
	f := finder{places: map[string]place{}}
	for i, b := range text {
		if b == '\n' {
			f.ends = append(f.ends, i)
		}
	}
	f.parser.Reset(text)
	table := ""
	for f.parser.NextExpression() {
		switch e := f.parser.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			key, line := f.key(e)
			table = key + "."
			f.places[key] = place{line: line}
		case unstable.KeyValue:
			f.keyValue(e, table)
		}
	}
	return f.places
}

// keyValue takes in a line, and what an inline table on it holds.
func (f *finder) keyValue(n *unstable.Node, prefix string) {
	key, line := f.key(n)
	value := n.Value()
	f.places[prefix+key] = place{line, value.Kind}
	if value.Kind != unstable.InlineTable {
		return
	}
	for it := value.Children(); it.Next(); {
		f.keyValue(it.Node(), prefix+key+".")
	}
}

// key is the dotted key of a node and the line it begins on.
func (f *finder) key(n *unstable.Node) (string, int) {
	var parts []string
	offset := 0
	for it := n.Key(); it.Next(); {
		if len(parts) == 0 {
			offset = int(it.Node().Raw.Offset)
		}
		parts = append(parts, string(it.Node().Data))
	}
	line, _ := slices.BinarySearch(f.ends, offset)
	return strings.Join(parts, "."), line + 1
}

// anchor makes relative paths count from the folder of the file.
func (c *Config) anchor(folder string) {
	c.Data = cmp.Or(c.Data, defaults().Data)
	absolute := func(path string) string {
		if path == "" || filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(folder, path)
	}
	for _, f := range allFields {
		if f.Form != "path" {
			continue
		}
		if v := f.of(c); v.Kind() == reflect.String {
			v.SetString(absolute(v.String()))
		} else {
			for i := range v.Len() {
				v.Index(i).SetString(absolute(v.Index(i).String()))
			}
		}
	}
	for _, feeds := range [][]string{c.Shield.Feeds, c.Shield.NumberFeeds} {
		for i, f := range feeds {
			if name, path, ok := strings.Cut(f, "="); ok && !strings.Contains(path, "://") {
				feeds[i] = name + "=" + absolute(path)
			}
		}
	}
}

// environment applies the variables that override a file, and the files that hold secrets.
func (c *Config) environment() error {
	c.Secret.Key = Secret(os.Getenv(EnvKey))
	if s := os.Getenv(EnvSocket); s != "" {
		c.Admin.Socket = s
	}
	if c.Store.DSN != "" && c.File != "" {
		if err := notForEveryone(c.File, "store.dsn holds a password"); err != nil {
			return err
		}
	}
	if c.Counters.URL != "" && c.File != "" {
		if err := notForEveryone(c.File, "counters.url may hold a password"); err != nil {
			return err
		}
	}
	if dsn := os.Getenv(EnvDSN); dsn != "" {
		c.Store.DSN = Secret(dsn)
	}
	for _, s := range []struct {
		key, path string
		into      *Secret
	}{
		{"store.dsn-file", c.Store.DSNFile, &c.Store.DSN},
		{"counters.url-file", c.Counters.URLFile, &c.Counters.URL},
		{"mail.password-file", c.Mail.PasswordFile, &c.Mail.Password},
		{"billing.webhook-secret-file", c.Billing.WebhookSecretFile, &c.Billing.WebhookSecret},
	} {
		if err := secretFile(s.key, s.path, s.into); err != nil {
			return err
		}
	}
	return nil
}

// secretFile reads a secret from the file that is named for it, unless it is known already.
func secretFile(key, path string, into *Secret) error {
	if path == "" || *into != "" {
		return nil
	}
	if err := notForEveryone(path, key+" holds a password"); err != nil {
		return err
	}
	data, err := readFile(path, maxSecretFile)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	*into = Secret(strings.TrimSpace(string(data)))
	return nil
}

func notForEveryone(path, reason string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o007 != 0 {
		return fmt.Errorf("%s: %s and everyone on this machine may read it: chmod o= %s", path, reason, path)
	}
	return nil
}

func readFile(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("%s: longer than %d bytes: not a file of this kind", path, most)
	}
	return data, nil
}

// Change is a field that two configurations differ in.
type Change struct {
	Key      string
	Old, New string // as TOML; secrets hidden
	Live     bool   // a reload applies it; else it needs a restart
}

// Diff lists the fields that differ, in the order of the file.
func Diff(old, new Config) []Change {
	var changes []Change
	for _, f := range allFields {
		a, b := f.of(&old), f.of(&new)
		if !reflect.DeepEqual(a.Interface(), b.Interface()) {
			changes = append(changes, Change{f.Key, show(a), show(b), f.Live})
		}
	}
	return changes
}

// Reload is the configuration to run with after a SIGHUP: old with the changes that may be made without a restart, and
// the names of the fields that differ and need one. A file that does not load changes nothing: call Load first.
func Reload(old, new Config) (next Config, applied, restart []Change) {
	next = old
	for _, ch := range Diff(old, new) {
		if !ch.Live {
			restart = append(restart, ch)
			continue
		}
		f, _ := fieldOf(ch.Key)
		f.of(&next).Set(f.of(&new))
		applied = append(applied, ch)
	}
	return next, applied, restart
}
