package detect

import (
	_ "embed"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Place is the network that an address counts as: its AS where that is known ("AS64500"), so that a phone that roams in
// one network stays in one place; else, and in hosting networks, where neighbours are unrelated, its /24 or /56
// ("192.0.2.0/24"). "" is no address.
func Place(addr netip.Addr, asn uint32) string {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() {
		return ""
	}
	if asn != 0 && !Hosting(asn, "") {
		return "AS" + strconv.FormatUint(uint64(asn), 10)
	}
	return Net(addr).String()
}

// Net is the network that one customer of an access provider usually has, or shares: /24 or /56.
func Net(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := 24
	if addr.Is6() {
		bits = 56
	}
	p, _ := addr.Prefix(bits) // fails for no address alone, and is no network then
	return p
}

// Hosting says that a network lets servers, where telephones seldom are and attackers often: by its AS number, or by the
// name of its holder, either of which may be unknown (0, "").
func Hosting(asn uint32, network string) bool {
	if _, found := slices.BinarySearch(hostingASNs, asn); found {
		return true
	}
	return network != "" && namesHosting(network)
}

// namesHosting looks for whole words, for "Colorado Telephone" has no colo.
func namesHosting(name string) bool {
	words := strings.FieldsFunc(strings.ToLower(name[:min(len(name), maxAgent)]), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for i, w := range words {
		if hostingWords[w] || strings.HasSuffix(w, "hosting") {
			return true
		}
		if w == "data" && i+1 < len(words) && (strings.HasPrefix(words[i+1], "center") || strings.HasPrefix(words[i+1], "centre")) {
			return true
		}
	}
	return false
}

//go:embed hosting.txt
var hostingText string

// hostingWords are in names of companies that let servers, or are such names; hostingASNs are AS numbers of networks that mainly
// let servers, ascending.
var hostingWords, hostingASNs = func() (words map[string]bool, asns []uint32) {
	words = map[string]bool{}
	for line := range strings.Lines(hostingText) {
		first, _, _ := strings.Cut(line, " ")
		if asn, err := strconv.ParseUint(first, 10, 32); err == nil {
			asns = append(asns, uint32(asn))
		} else if first != "#" {
			for _, w := range strings.Fields(line) {
				words[w] = true
			}
		}
	}
	return words, asns
}()
