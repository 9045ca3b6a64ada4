package geo

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// maxRanges bounds the rows of a file: 12 bytes each for IPv4, 36 for IPv6.
const maxRanges = 8 << 20

// ranges is a file of rows "first address, last address, AS number, name" or "first, last, country", as ip-location-db
// publishes them; immutable. A heading may come first.
type ranges struct {
	info    FileInfo
	v4      []span[uint32]
	v6      []span[wide]
	records []Place
}

// span is a range of addresses, both ends included, and which of the records is about it.
type span[A any] struct {
	first, last A
	record      uint32
}

// wide is an IPv6 address, to be compared.
type wide [16]byte

func (w wide) compare(other wide) int { return bytes.Compare(w[:], other[:]) }

func readRanges(path string, data []byte) (*ranges, error) {
	f := &ranges{info: FileInfo{Path: path, Type: "ranges"}}
	rows := csv.NewReader(bytes.NewReader(data))
	rows.ReuseRecord, rows.FieldsPerRecord = true, -1
	seen := map[Place]uint32{}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, &FileError{path, "is not comma-separated text", err}
		}
		if line, _ := rows.FieldPos(0); !f.add(row, seen) && line > 1 {
			return nil, &FileError{path, fmt.Sprintf("line %d: %.60q: want first and last address, then a country, or an AS number and its name", line, strings.Join(row, ",")), nil}
		}
		if len(f.v4)+len(f.v6) > maxRanges {
			return nil, &FileError{path, "holds more ranges than the Internet has networks", nil}
		}
	}
	slices.SortFunc(f.v4, func(a, b span[uint32]) int { return cmp.Compare(a.first, b.first) })
	slices.SortFunc(f.v6, func(a, b span[wide]) int { return a.first.compare(b.first) })
	f.v4, f.v6 = slices.Clip(f.v4), slices.Clip(f.v6)
	if f.info.Records = len(f.records); f.info.Records == 0 {
		return nil, &FileError{path, "holds nothing, want country or asn", nil}
	}
	return f, nil
}

// add takes one row; false: it is not one.
func (f *ranges) add(row []string, seen map[Place]uint32) bool {
	if len(row) != 3 && len(row) != 4 {
		return false
	}
	first, err1 := netip.ParseAddr(row[0])
	last, err2 := netip.ParseAddr(row[1])
	if err1 != nil || err2 != nil || first.BitLen() != last.BitLen() || last.Less(first) || first.Zone() != "" {
		return false
	}
	var p Place
	if len(row) == 3 {
		p.Country = cleanCountry(row[2])
		f.info.Countries = f.info.Countries || p.Country != ""
	} else {
		n, err := strconv.ParseUint(row[2], 10, 32)
		if err != nil {
			return false
		}
		if p.ASN = uint32(n); n != 0 {
			p.Network = clean(row[3])
			f.info.Networks = true
		}
	}
	if p == (Place{}) {
		return len(row) == 4 || len(row[2]) <= 3 // an unassigned range
	}
	record, there := seen[p]
	if !there {
		record = uint32(len(f.records))
		p.Network = strings.Clone(p.Network) // not the whole row
		p.Country = strings.Clone(p.Country)
		f.records = append(f.records, p)
		seen[p] = record
	}
	if first.Is4() {
		f.v4 = append(f.v4, span[uint32]{number(first), number(last), record})
	} else {
		f.v6 = append(f.v6, span[wide]{first.As16(), last.As16(), record})
	}
	return true
}

func number(a netip.Addr) uint32 {
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

func (f *ranges) about() FileInfo { return f.info }

func (f *ranges) lookup(addr netip.Addr) Place {
	record, ok := uint32(0), false
	if addr.Is4() {
		record, ok = find(f.v4, number(addr), cmp.Compare)
	} else {
		record, ok = find(f.v6, wide(addr.As16()), wide.compare)
	}
	if !ok {
		return Place{}
	}
	return f.records[record]
}

// find is the record of the last range that begins at or before an address, if the range includes the address.
func find[A any](list []span[A], at A, compare func(a, b A) int) (record uint32, ok bool) {
	i, found := slices.BinarySearchFunc(list, at, func(s span[A], at A) int { return compare(s.first, at) })
	if !found {
		i--
	}
	if i < 0 || compare(at, list[i].last) > 0 {
		return 0, false
	}
	return list[i].record, true
}
