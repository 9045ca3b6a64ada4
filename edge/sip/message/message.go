package message

import "iter"

// Limits on what Parse accepts.
const (
	MaxSize    = 65535 // bytes of a whole message
	MaxHeaders = 128   // header lines
	MaxURI     = 2048  // bytes of a Request-URI
	maxName    = 255   // bytes of a header name
)

// field locates one header line inside Message.buf.
type field struct {
	value   uint16 // offset of the value
	length  uint16 // of the value
	name    uint16 // offset of the name
	nameLen uint8
	id      HeaderID
}

// Message is a parsed SIP message. All slices that its methods return point into the buffer given to Parse, and live as
// long as that. The zero value is ready for Parse; a Message can be parsed into again and again. It is not safe for
// concurrent use while Parse runs; after that any number of readers may share it.
type Message struct {
	buf        []byte
	start      []byte // method or, in a response, nil
	uri        []byte
	phrase     []byte
	callID     []byte
	cseqText   []byte
	body       []byte
	via        Via
	ruri       URI
	from, to   Addr
	fault      *fault
	bodyLen    int32 // Content-Length, -1 when absent
	cseq       uint32
	status     uint16
	maxFwd     int16  // -1 when absent
	viaNext    uint16 // length of the top Via within its header line
	viaCount   uint8
	n          uint8 // header lines in use
	method     Method
	cseqMethod Method
	request    bool
	broken     bool              // the fault is in its lines, and mend may correct it
	bodyTwice  bool              // there are two different lengths
	noCode     bool              // a response with an invalid status
	meant      uint8             // which combination of Call-IDs and tags is taken: see Another
	first      [numHeaders]uint8 // index of the first line with the id, plus one
	fields     [MaxHeaders]field
}

// Reset forgets the message and its buffer.
func (m *Message) Reset() {
	m.first = [numHeaders]uint8{}
	m.buf, m.start, m.uri, m.phrase, m.callID, m.cseqText, m.body = nil, nil, nil, nil, nil, nil, nil
	m.via, m.ruri, m.from, m.to = Via{}, URI{}, Addr{}, Addr{}
	m.fault, m.bodyLen, m.cseq, m.status, m.maxFwd = nil, -1, 0, 0, -1
	m.viaNext, m.viaCount, m.n, m.method, m.cseqMethod, m.request = 0, 0, 0, Other, Other, false
	m.broken, m.bodyTwice, m.noCode, m.meant = false, false, false, 0
}

// Bytes returns the whole message as parsed, without what followed it in the datagram.
func (m *Message) Bytes() []byte { return m.buf }

// IsRequest tells requests from responses.
func (m *Message) IsRequest() bool { return m.request }

// Method returns the request method, Other for unknown ones and for responses.
func (m *Message) Method() Method { return m.method }

// MethodText returns the request method as sent, nil for responses.
func (m *Message) MethodText() []byte { return m.start }

// RequestURI returns the Request-URI as sent.
func (m *Message) RequestURI() []byte { return m.uri }

// URI returns the parsed Request-URI; zero for responses.
func (m *Message) URI() *URI { return &m.ruri }

// Status returns the status code of a response, 0 for requests.
func (m *Message) Status() int { return int(m.status) }

// Uncoded is the fault of a response whose status is not one of 100 to 699 and counts as 500, since no other answer will come.
// Nil: it has none.
func (m *Message) Uncoded() *Fault {
	if !m.noCode {
		return nil
	}
	return &faultStatus.drop
}

// Phrase returns the reason phrase of a response.
func (m *Message) Phrase() []byte { return m.phrase }

// Via returns the topmost Via.
func (m *Message) Via() *Via { return &m.via }

// ViaCount returns how many Via values there are. A client drops responses with more than one (section 8.1.3.3).
func (m *Message) ViaCount() int { return int(m.viaCount) }

// From returns the From header.
func (m *Message) From() *Addr { return &m.from }

// To returns the To header.
func (m *Message) To() *Addr { return &m.to }

// CallID returns the Call-ID.
func (m *Message) CallID() []byte { return m.callID }

// PreferCallID takes the first of several Call-IDs that is ours, so that an answer with a duplicated header still finds its call.
func (m *Message) PreferCallID(ours func([]byte) bool) {
	for v := range m.All(HCallID) {
		if ours(v) && all(v, cVisible) {
			m.callID = v
			return
		}
	}
}

// CSeq returns the sequence number.
func (m *Message) CSeq() uint32 { return m.cseq }

// CSeqMethod returns the method in CSeq: for a response, the method of its request.
func (m *Message) CSeqMethod() Method { return m.cseqMethod }

// CSeqMethodText returns the method in CSeq as sent.
func (m *Message) CSeqMethodText() []byte { return m.cseqText }

// MaxForwards returns the Max-Forwards value, -1 when absent.
func (m *Message) MaxForwards() int { return int(m.maxFwd) }

// Body returns the body, empty when there is none.
func (m *Message) Body() []byte { return m.body }

// NumHeaders returns the number of header lines.
func (m *Message) NumHeaders() int { return int(m.n) }

// Header returns the i-th header line: its id, its name as sent and its value, unfolded and trimmed.
func (m *Message) Header(i int) (id HeaderID, name, value []byte) {
	f := &m.fields[i]
	return f.id, m.buf[f.name : int(f.name)+int(f.nameLen)], m.value(f)
}

func (m *Message) value(f *field) []byte {
	return m.buf[f.value : int(f.value)+int(f.length) : int(f.value)+int(f.length)]
}

// Has tells whether there is such a header line.
func (m *Message) Has(id HeaderID) bool { return m.first[id] != 0 }

// Get returns the value of the first header line with the id: nil when absent, empty but not nil when it has no value.
func (m *Message) Get(id HeaderID) []byte {
	at := m.first[id]
	if at == 0 {
		return nil
	}
	return m.value(&m.fields[at-1])
}

// Count returns the number of header lines with the id.
func (m *Message) Count(id HeaderID) int {
	n := 0
	for range m.All(id) {
		n++
	}
	return n
}

// All yields the value of each header line with the id, in order.
func (m *Message) All(id HeaderID) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		at := int(m.first[id])
		if at == 0 {
			return
		}
		for i := at - 1; i < int(m.n); i++ {
			if m.fields[i].id == id && !yield(m.value(&m.fields[i])) {
				return
			}
		}
	}
}

// Addrs yields each address of the header lines with the id, comma lists split. An address that cannot be read is left out. The *Addr is reused between steps: copy it to keep it.
func (m *Message) Addrs(id HeaderID) iter.Seq[*Addr] {
	return func(yield func(*Addr) bool) {
		var a Addr
		for v := range m.All(id) {
			if len(v) == 1 && v[0] == '*' {
				continue
			}
			for i := 0; i < len(v); i++ {
				next, ok := a.parse(v, i)
				if ok && !yield(&a) || !ok && len(v) > maxOdd {
					return
				}
				i = next
			}
		}
	}
}

// List yields each element of the header lines with the id: comma lists are split outside of quotes and angle brackets.
func (m *Message) List(id HeaderID) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for v := range m.All(id) {
			for i := 0; i < len(v); i++ {
				end := elementEnd(v, i)
				if one := trim(v[i:end]); len(one) > 0 && !yield(one) {
					return
				}
				i = end
			}
		}
	}
}

// ContactStar tells whether the Contact is "*", which asks to remove all bindings (section 10.2.2).
func (m *Message) ContactStar() bool {
	v := m.Get(HContact)
	return len(v) == 1 && v[0] == '*'
}
