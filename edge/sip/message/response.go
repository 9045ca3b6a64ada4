package message

import (
	"net/netip"
	"strconv"
)

// Reply says what an answer to a request holds beside what it repeats from the request.
type Reply struct {
	Code        int
	Phrase      string         // "": the standard phrase
	ToTag       []byte         // put on To when the request's To has no tag and Code > 100
	Src         netip.AddrPort // where the request came from, for received and rport; zero: leave the Via as it is
	Contact     []byte         // raw URI, nil: none
	Lines       []byte         // ready header lines, CR LF after each; dropped when unsound
	ContentType string
	Body        []byte
}

// AppendResponse appends the answer to req (RFC 3261 section 8.2.6): Vias, From, To, Call-ID and CSeq as they came, the
// top Via completed with received (section 18.2.1) and rport (RFC 3581), Record-Route in 101–299, Timestamp in 100. req
// may be one that Parse faulted with a status.
func AppendResponse(dst []byte, req *Message, r Reply) []byte {
	var w Writer
	w.Begin(dst)
	w.Status(r.Code, r.Phrase)
	w.replyVias(req, r.Src)
	if r.Code > 100 && r.Code < 300 {
		w.Copy(req, HRecordRoute)
	}
	w.addFirst(req, HFrom)
	w.replyTo(req, &r)
	w.addFirst(req, HCallID)
	w.addFirst(req, HCSeq)
	if r.Code == 100 {
		w.addFirst(req, HTimestamp)
	}
	if r.Contact != nil {
		w.Addr(HContact, nil, r.Contact, nil)
	}
	w.Lines(r.Lines)
	return w.End(r.ContentType, r.Body)
}

// addFirst writes the first line with the id: of a refused message there may be more.
func (w *Writer) addFirst(m *Message, id HeaderID) {
	if v := m.Get(id); v != nil {
		w.Add(id, v)
	}
}

func (w *Writer) replyTo(req *Message, r *Reply) {
	v := req.Get(HTo)
	if v == nil {
		return
	}
	b := appendClean(w.name(HTo), v)
	if r.Code > 100 && len(r.ToTag) > 0 && req.to.Tag() == nil {
		b = appendToken(append(b, ";tag="...), r.ToTag)
	}
	w.b = append(b, "\r\n"...)
}

func (w *Writer) replyVias(req *Message, src netip.AddrPort) {
	top := true
	for i := range int(req.n) {
		f := &req.fields[i]
		if f.id != HVia {
			continue
		}
		v := req.value(f)
		if !top || !src.IsValid() || req.viaCount == 0 {
			w.Add(HVia, v)
			continue
		}
		top = false
		w.topVia(&req.via, src)
		if next := int(req.viaNext); next < len(v) { // further values on the same line
			w.Add(HVia, trim(v[next+1:]))
		}
	}
}

// topVia writes the top Via again with received and rport set from the source.
func (w *Writer) topVia(v *Via, src netip.AddrPort) {
	b := append(w.name(HVia), "SIP/2.0/"...)
	b = append(append(b, v.Transport...), ' ')
	if v.IPv6 {
		b = append(append(append(b, '['), v.Host...), ']')
	} else {
		b = append(b, v.Host...)
	}
	if v.Port != 0 {
		b = strconv.AppendUint(append(b, ':'), uint64(v.Port), 10)
	}
	for i := 0; i < len(v.Params) && v.Params[i] == ';'; {
		name, value, next := nextParam(v.Params, i)
		i = next
		if len(name) == 0 || equalFold(name, "received") || equalFold(name, "rport") {
			continue
		}
		b = append(append(b, ';'), name...)
		if value != nil {
			b = appendClean(append(b, '='), value)
		}
	}
	src = netip.AddrPortFrom(src.Addr().Unmap().WithZone(""), src.Port())
	var ip [48]byte
	if addr := src.Addr().AppendTo(ip[:0]); v.HasRPort || string(addr) != string(v.Host) {
		b = append(append(b, ";received="...), addr...)
	}
	if v.HasRPort {
		b = strconv.AppendUint(append(b, ";rport="...), uint64(src.Port()), 10)
	}
	w.b = append(b, "\r\n"...)
}
