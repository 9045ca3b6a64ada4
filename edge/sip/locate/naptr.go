package locate

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"ringfence/edge/sip/transport"
)

// naptr is a record of RFC 3403 section 4.
type naptr struct {
	order, preference uint16
	flags, services   string
	replacement       string // without the last dot
}

var errNAPTR = errors.New("a NAPTR record that cannot be read")

// readNAPTR reads the data of a record. Its replacement must not be compressed (RFC 3403 4.1).
func readNAPTR(b []byte) (r naptr, err error) {
	if len(b) < 4 {
		return r, errNAPTR
	}
	r.order, r.preference = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	b = b[4:]
	var texts [3]string // flags, services, and an expression, which SIP does not use
	for i := range texts {
		if len(b) == 0 || len(b) < 1+int(b[0]) {
			return r, errNAPTR
		}
		texts[i] = string(b[1 : 1+int(b[0])])
		b = b[1+int(b[0]):]
	}
	r.flags, r.services = texts[0], texts[1]
	r.replacement, err = readName(b)
	return r, err
}

// readName reads a name that ends with the data.
func readName(b []byte) (string, error) {
	var labels []string
	for total := 0; ; {
		if len(b) == 0 || b[0] > 63 || len(b) < 1+int(b[0]) {
			return "", errNAPTR
		}
		label := b[1 : 1+int(b[0])]
		b = b[1+len(label):]
		if len(label) == 0 {
			break
		}
		if total += 1 + len(label); total > 253 || bytes.ContainsFunc(label, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '.' }) {
			return "", errNAPTR
		}
		labels = append(labels, string(label))
	}
	if len(b) != 0 {
		return "", errNAPTR
	}
	return strings.ToLower(strings.Join(labels, ".")), nil
}

// byOrder is the order in which the records of a domain are to be tried.
func byOrder(all []naptr) {
	slices.SortStableFunc(all, func(a, b naptr) int {
		return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.preference, b.preference))
	})
}

// service is the way in that a record leads to, if it is one of ours (RFC 3263 4.1). Only records that lead to SRV are followed, so that no
// chain of them can go on without end.
func (r naptr) service() (service, bool) {
	if !strings.EqualFold(r.flags, "s") || r.replacement == "" {
		return service{}, false
	}
	switch strings.ToUpper(r.services) {
	case "SIP+D2U":
		return service{transport.UDP, r.replacement}, true
	case "SIP+D2T":
		return service{transport.TCP, r.replacement}, true
	case "SIPS+D2T":
		return service{transport.TLS, r.replacement}, true
	}
	return service{}, false
}
