package geo

import (
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	maxminddb "github.com/oschwald/maxminddb-golang/v2"
)

// Bounds of a file: its bytes, and its different records, which are held decoded at some 100 bytes each.
const (
	maxFile    = 512 << 20
	maxRecords = 1 << 20
	maxNetwork = 80 // runes of a network's name
)

// file is one database, immutable.
type file struct {
	info   FileInfo
	reader *maxminddb.Reader
	places map[uintptr]Place // by where in the file the record is
}

// source is a file in use: *file or *ranges.
type source interface {
	lookup(addr netip.Addr) Place // of a public address in plain form
	about() FileInfo
}

// read chooses the format by the end of the file's name.
func read(path string) (source, error) {
	data, err := readAll(path)
	if err != nil {
		var fe *FileError
		if errors.As(err, &fe) {
			return nil, fe
		}
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err // the path is named already
		}
		return nil, &FileError{path, "cannot be read", err}
	}
	if strings.EqualFold(filepath.Ext(path), ".csv") {
		return readRanges(path, data)
	}
	return readFile(path, data)
}

func readFile(path string, data []byte) (*file, error) {
	r, err := maxminddb.OpenBytes(data)
	if err != nil {
		return nil, &FileError{path, "is not a MaxMind DB", err}
	}
	f := &file{reader: r, places: map[uintptr]Place{}, info: FileInfo{
		Path: path, Type: clean(r.Metadata.DatabaseType), Built: time.Unix(int64(min(r.Metadata.BuildEpoch, 1<<40)), 0).UTC(),
	}}
	if err := f.walk(); err != nil {
		return nil, err
	}
	return f, nil
}

// readAll reads a regular file of bounded size. The file is not mapped: a mapped file that another program shortens would
// end this one.
func readAll(path string) ([]byte, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, &FileError{path, "is not a regular file", nil}
	}
	if st.Size() > maxFile {
		return nil, &FileError{path, "is larger than any country or ASN file (512 MiB)", nil}
	}
	data := make([]byte, st.Size())
	_, err = io.ReadFull(in, data)
	return data, err
}

// walk visits the whole tree, so that a damaged file is refused as a whole and now, and decodes each record once.
func (f *file) walk() error {
	leaves := 2*uint64(f.reader.Metadata.NodeCount) + 2 // a tree has fewer nodes; one with more has a cycle
	for res := range f.reader.Networks(maxminddb.IncludeNetworksWithoutData()) {
		if err := res.Err(); err != nil {
			return &FileError{f.info.Path, "is damaged", err}
		}
		if leaves--; leaves == 0 {
			return &FileError{f.info.Path, "is damaged: its index goes in circles", nil}
		}
		if !res.Found() {
			continue
		}
		if _, seen := f.places[res.Offset()]; seen {
			continue
		}
		p, err := f.decode(res)
		if err != nil {
			return err
		}
		if f.places[res.Offset()] = p; len(f.places) > maxRecords {
			return &FileError{f.info.Path, "holds more different records than any country or ASN file", nil}
		}
		f.info.Countries = f.info.Countries || p.Country != ""
		f.info.Networks = f.info.Networks || p.ASN != 0
	}
	f.info.Records = len(f.places)
	if !f.info.Countries && !f.info.Networks {
		return &FileError{f.info.Path, "holds " + f.holds() + ", want country or asn", nil}
	}
	return nil
}

// decode reads the fields as they are named in GeoLite2 files and in those of ip-location-db.
func (f *file) decode(res maxminddb.Result) (Place, error) {
	var record map[string]any
	if err := res.Decode(&record); err != nil {
		var mistyped maxminddb.UnmarshalTypeError
		if errors.As(err, &mistyped) {
			return Place{}, &FileError{f.info.Path, "holds no records with names, want country or asn", nil}
		}
		return Place{}, &FileError{f.info.Path, "is damaged", err}
	}
	for _, name := range []string{"city", "location", "postal"} {
		if _, there := record[name]; there {
			return Place{}, &FileError{f.info.Path, "holds cities, want country or asn", nil}
		}
	}
	code, _ := record["country_code"].(string)
	if country, ok := record["country"].(map[string]any); ok && code == "" {
		code, _ = country["iso_code"].(string)
	}
	org, _ := record["autonomous_system_organization"].(string)
	p := Place{Country: cleanCountry(code), ASN: asNumber(record["autonomous_system_number"])}
	if p.ASN != 0 {
		p.Network = clean(org)
	}
	return p, nil
}

func (f *file) holds() string {
	if f.info.Type == "" {
		return "neither"
	}
	return `"` + f.info.Type + `"`
}

func (f *file) about() FileInfo { return f.info }

func (f *file) lookup(addr netip.Addr) Place {
	res := f.reader.Lookup(addr)
	if res.Err() != nil || !res.Found() {
		return Place{}
	}
	return f.places[res.Offset()]
}

func asNumber(v any) uint32 {
	switch n := v.(type) {
	case uint64:
		if n < 1<<32 {
			return uint32(n)
		}
	case uint32:
		return n
	case int32:
		return uint32(max(n, 0))
	case uint16:
		return uint32(n)
	}
	return 0
}

func cleanCountry(s string) string {
	s = strings.ToUpper(s)
	if len(s) != 2 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" || s == "ZZ" || s == "XX" { // how some files write "unknown"
		return ""
	}
	return s
}

// clean makes a name from a file safe to show: printable, single spaces, at most maxNetwork runes.
func clean(s string) string {
	if len(s) > 8*maxNetwork {
		s = s[:8*maxNetwork]
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == utf8.RuneError || !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) > maxNetwork {
		s = strings.TrimSpace(string([]rune(s)[:maxNetwork]))
	}
	return s
}
