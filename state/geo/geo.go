// Package geo says where an address is: country and network, from files that the operator names: MaxMind DB (.mmdb), or
// ranges as comma-separated text (.csv). It must not know what is concluded from it.
package geo

import (
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"
)

// Place is what is known of an address; zero fields are unknown.
type Place struct {
	Country string // ISO 3166-1 alpha-2, upper case
	ASN     uint32
	Network string // name of the AS's holder, cleaned: printable, at most 80 runes
}

// Lookup is what DB does; nil func values stand for knowing nothing.
type Lookup func(netip.Addr) Place

// FileError says which file was refused, and why.
type FileError struct {
	Path string
	Why  string
	Err  error // the reader's error, if any
}

// Error names the file and what is wrong with it.
func (e *FileError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%s %s", e.Path, e.Why)
	}
	return fmt.Sprintf("%s %s: %v", e.Path, e.Why, e.Err)
}

// Unwrap returns the reader's error.
func (e *FileError) Unwrap() error { return e.Err }

// FileInfo is a file in use.
type FileInfo struct {
	Path      string
	Type      string    // as the file names itself
	Built     time.Time // zero where the file does not say
	Records   int       // different answers it can give
	Countries bool
	Networks  bool
}

// DB answers from files that are held in memory whole, so that replacing one on disk has no effect until Reload. Safe for concurrent
// use; a nil *DB knows nothing.
type DB struct {
	files atomic.Pointer[[]source]
}

// Open reads files; of an address the first file that knows a field gives it. An error is a *FileError.
func Open(paths []string) (*DB, error) {
	db := &DB{}
	return db, db.Reload(paths)
}

// Reload reads files and replaces the old ones with them, all or none. An error is a *FileError.
func (db *DB) Reload(paths []string) error {
	files := make([]source, 0, len(paths))
	for _, path := range paths {
		f, err := read(path)
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	db.files.Store(&files)
	return nil
}

// Close forgets the files. Look-ups know nothing afterwards.
func (db *DB) Close() error {
	db.files.Store(nil)
	return nil
}

// Files are those in use, in order.
func (db *DB) Files() []FileInfo {
	out := []FileInfo{}
	if files := db.load(); files != nil {
		for _, f := range files {
			out = append(out, f.about())
		}
	}
	return out
}

// Lookup is what the files know of an address: some 100 ns a file, no allocation. Addresses outside the public
// Internet (private, shared, loopback, link-local, multicast) are unknown, even if a file has them.
func (db *DB) Lookup(addr netip.Addr) Place {
	files := db.load()
	if len(files) == 0 {
		return Place{}
	}
	if addr = addr.Unmap().WithZone(""); !public(addr) {
		return Place{}
	}
	var p Place
	for _, f := range files {
		got := f.lookup(addr)
		if p.Country == "" {
			p.Country = got.Country
		}
		if p.ASN == 0 { // the name goes with the number: two files may name one network differently
			p.ASN = got.ASN
			p.Network = got.Network
		}
	}
	return p
}

func (db *DB) load() []source {
	if db == nil {
		return nil
	}
	if files := db.files.Load(); files != nil {
		return *files
	}
	return nil
}

// shared is for customers behind their provider's address translation (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")

func public(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.IsPrivate() && !shared.Contains(a)
}
