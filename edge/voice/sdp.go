package voice

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// ErrCodec says that a session description offers no audio that the voice speaks: G.711 over plain RTP.
var ErrCodec = errors.New("no G.711 audio over plain RTP is offered")

// Limits on a session description.
const (
	maxSDP   = 16 << 10
	maxMedia = 16
)

// heard is what a session description says of the audio that the voice takes part in.
type heard struct {
	media []string // each m= line but ours as it is refused: "video 0 RTP/AVP 96"; "" is ours
	to    netip.AddrPort
	codec byte // payload type of G.711
	alaw  bool
	keys  byte   // payload type of telephone events; 0: none
	way   string // direction as its party offers it
}

// section is one m= section as it is read.
type section struct {
	kind, proto string
	port        uint16
	formats     []string
	address     string
	way         string
	names       map[string]string // of formats, by rtpmap, in capitals
}

// readSDP reads an offer or an answer.
func readSDP(body []byte) (h heard, err error) {
	sections, err := sectionsOf(body)
	if err != nil {
		return h, err
	}
	chosen := -1
	for i := range sections {
		m := &sections[i]
		if chosen < 0 && h.takes(m) {
			chosen = i
			h.media = append(h.media, "")
			continue
		}
		h.media = append(h.media, m.kind+" 0 "+m.proto+" "+strings.Join(m.formats, " "))
	}
	if chosen < 0 {
		return h, ErrCodec
	}
	return h, nil
}

func sectionsOf(body []byte) (all []section, err error) {
	if len(body) > maxSDP {
		return nil, fmt.Errorf("%w: the description is longer than %d bytes", ErrCodec, maxSDP)
	}
	address, way := "", "sendrecv"
	for raw := range bytes.Lines(body) {
		line := strings.TrimSpace(string(raw))
		if len(line) < 2 || line[1] != '=' {
			continue
		}
		value := line[2:]
		if line[0] == 'm' {
			f := strings.Fields(value)
			if len(f) < 4 || len(all) >= maxMedia {
				return nil, fmt.Errorf("%w: a bad m= line, or more than %d", ErrCodec, maxMedia)
			}
			port, err := strconv.ParseUint(strings.SplitN(f[1], "/", 2)[0], 10, 16)
			if err != nil {
				return nil, fmt.Errorf("%w: port %.10q", ErrCodec, f[1])
			}
			all = append(all, section{kind: f[0], port: uint16(port), proto: f[2], formats: f[3:], address: address, way: way, names: map[string]string{}})
			continue
		}
		if len(all) == 0 {
			readInto(line[0], value, &address, &way, nil)
			continue
		}
		m := &all[len(all)-1]
		readInto(line[0], value, &m.address, &m.way, m.names)
	}
	return all, nil
}

// readInto reads one line into what it is about.
func readInto(kind byte, value string, address, way *string, names map[string]string) {
	switch {
	case kind == 'c':
		if f := strings.Fields(value); len(f) == 3 && f[0] == "IN" {
			*address, _, _ = strings.Cut(f[2], "/")
		}
	case kind != 'a':
	case value == "sendrecv", value == "sendonly", value == "recvonly", value == "inactive":
		*way = value
	case names != nil && strings.HasPrefix(value, "rtpmap:"):
		if format, name, ok := strings.Cut(value[len("rtpmap:"):], " "); ok && len(names) < 128 {
			names[format] = strings.ToUpper(strings.TrimSpace(name))
		}
	}
}

// takes reads the audio of a section, and says whether the voice speaks it.
func (h *heard) takes(m *section) bool {
	if m.kind != "audio" || m.proto != "RTP/AVP" || m.port == 0 {
		return false
	}
	addr, err := netip.ParseAddr(m.address)
	if err != nil {
		return false
	}
	found := false
	for _, format := range m.formats {
		n, err := strconv.ParseUint(format, 10, 7)
		if err != nil {
			continue
		}
		name, mapped := m.names[format]
		if !mapped {
			name = map[uint64]string{0: "PCMU/8000", 8: "PCMA/8000"}[n]
		}
		name = strings.TrimSuffix(name, "/1")
		switch {
		case !found && (name == "PCMU/8000" || name == "PCMA/8000"):
			found, h.codec, h.alaw = true, byte(n), name == "PCMA/8000"
		case name == "TELEPHONE-EVENT/8000" && h.keys == 0:
			h.keys = byte(n)
		}
	}
	h.to, h.way = netip.AddrPortFrom(addr.Unmap(), m.port), m.way
	return found
}

// silent says that its party wants to hear nothing: it is on hold.
func (h *heard) silent() bool {
	return h.way == "sendonly" || h.way == "inactive" || h.to.Addr().IsUnspecified()
}

// ours is our description: the answer to what was heard, or, when nothing was, an offer.
func ours(h *heard, here netip.AddrPort, id uint64, version int) []byte {
	family := "IP4"
	if here.Addr().Is6() {
		family = "IP6"
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "v=0\r\no=ringfence %d %d IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\n", id, version, family, here.Addr(), family, here.Addr())
	if h == nil {
		fmt.Fprintf(&b, "m=audio %d RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n", here.Port())
		return b.Bytes()
	}
	name := "PCMU"
	if h.alaw {
		name = "PCMA"
	}
	for _, m := range h.media {
		if m != "" {
			fmt.Fprintf(&b, "m=%s\r\n", m)
			continue
		}
		fmt.Fprintf(&b, "m=audio %d RTP/AVP %d", here.Port(), h.codec)
		if h.keys != 0 {
			fmt.Fprintf(&b, " %d", h.keys)
		}
		fmt.Fprintf(&b, "\r\na=rtpmap:%d %s/8000\r\n", h.codec, name)
		if h.keys != 0 {
			fmt.Fprintf(&b, "a=rtpmap:%d telephone-event/8000\r\na=fmtp:%d 0-15\r\n", h.keys, h.keys)
		}
		way := map[string]string{"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}[h.way]
		if way == "" {
			way = "sendrecv"
		}
		fmt.Fprintf(&b, "a=ptime:20\r\na=%s\r\n", way)
	}
	return b.Bytes()
}
