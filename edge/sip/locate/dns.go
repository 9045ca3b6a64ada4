package locate

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// A stub resolver (RFC 1034 5.3.1): each question goes to servers that look up the rest. What they answer is not trusted further than it must be:
// records that were not asked for are not looked at, and everything is bounded.

// Bounds of a question, and of what is read of its answer.
const (
	firstWait  = time.Second // for one server; twice as long in the second round
	rounds     = 2
	maxServers = 3
	udpSize    = 1232 // that no path fragments (EDNS0)
	maxRecords = 128  // looked at in one answer
	maxAliases = 8    // CNAMEs that are followed, in all
)

var (
	errNone      = errors.New("there is no such record")
	errUnanswers = errors.New("the DNS does not answer")
)

const typeNAPTR = dnsmessage.Type(35)

type srv struct {
	priority, weight, port uint16
	target                 string
}

// answer are the records of a name.
type answer struct {
	addresses []netip.Addr
	srvs      []srv
	naptrs    []naptr
	alias     string        // where the records are instead
	life      time.Duration // the shortest of them
}

func (a *answer) empty() bool { return len(a.addresses) == 0 && len(a.srvs) == 0 && len(a.naptrs) == 0 }

func (f *Finder) naptr(ctx context.Context, name string) ([]naptr, time.Duration, error) {
	a, err := f.ask(ctx, name, typeNAPTR)
	if err != nil {
		return nil, 0, err
	}
	byOrder(a.naptrs)
	return a.naptrs, a.life, nil
}

func (f *Finder) srv(ctx context.Context, name string) ([]srv, time.Duration, error) {
	a, err := f.ask(ctx, name, dnsmessage.TypeSRV)
	if err != nil {
		return nil, 0, err
	}
	return a.srvs, a.life, nil
}

// hostsFile is Go's resolver without the DNS: the system's own file is all that it can ask.
var hostsFile = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errUnanswers }}

// addresses are those of a host, IPv6 first where we have a route (RFC 6724).
func (f *Finder) addresses(ctx context.Context, name string) ([]netip.Addr, time.Duration, error) {
	if a, err := netip.ParseAddr(name); err == nil { // no target of an SRV record, but no harm
		return []netip.Addr{a.Unmap()}, maxLife, nil
	}
	if all, err := hostsFile.LookupNetIP(ctx, "ip", name); err == nil && len(all) > 0 {
		return usable(all), absentLife, nil
	}
	var both [2]answer
	var faults [2]error
	var each sync.WaitGroup
	for i, t := range []dnsmessage.Type{dnsmessage.TypeAAAA, dnsmessage.TypeA} {
		each.Go(func() { both[i], faults[i] = f.ask(ctx, name, t) })
	}
	each.Wait()
	life, all := maxLife, []netip.Addr(nil)
	for i := range both {
		if faults[i] == nil {
			life, all = min(life, both[i].life), append(all, both[i].addresses...)
		} else {
			life = min(life, absentLife)
		}
	}
	if all = usable(all); len(all) > 0 {
		return all, life, nil
	}
	if len(f.Servers) == 0 {
		if more, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name); err == nil && len(usable(more)) > 0 {
			return usable(more), absentLife, nil
		}
	}
	return nil, 0, cmp.Or(notNone(faults[1]), notNone(faults[0]), errNone)
}

func notNone(err error) error {
	if errors.Is(err, errNone) {
		return nil
	}
	return err
}

// usable are the addresses that a server can have, each once, at most maxPerHost, those that we have a route to first.
func usable(all []netip.Addr) (out []netip.Addr) {
	for _, a := range all {
		a = a.Unmap()
		if !a.IsUnspecified() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255}) && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	out = out[:min(len(out), 2*maxPerHost)]
	routed := map[netip.Addr]bool{}
	for _, a := range out {
		if c, err := net.Dial("udp", netip.AddrPortFrom(a, 5060).String()); err == nil { // sends nothing
			routed[a] = true
			c.Close()
		}
	}
	slices.SortStableFunc(out, func(a, b netip.Addr) int {
		switch {
		case routed[a] != routed[b]:
			return map[bool]int{true: -1, false: 1}[routed[a]]
		case a.Is4() != b.Is4():
			return map[bool]int{true: 1, false: -1}[a.Is4()]
		}
		return 0
	})
	return out[:min(len(out), maxPerHost)]
}

// ask asks for the records of a name, and of the names that it is an alias of. An answer has at least one.
func (f *Finder) ask(ctx context.Context, name string, t dnsmessage.Type) (answer, error) {
	life := maxLife
	for range maxAliases {
		a, err := f.question(ctx, name, t)
		if err != nil {
			return answer{}, err
		}
		life = min(life, a.life)
		if !a.empty() {
			a.life = life
			return a, nil
		}
		if a.alias == "" {
			return answer{}, errNone
		}
		name = a.alias
	}
	return answer{}, errors.New("aliases of aliases without end")
}

// question asks the servers in turn until one answers.
func (f *Finder) question(ctx context.Context, name string, t dnsmessage.Type) (answer, error) {
	servers := f.Servers
	if len(servers) == 0 {
		servers = systemServers()
	}
	servers = servers[:min(len(servers), maxServers)]
	last := errUnanswers
	for round := range rounds {
		for _, s := range servers {
			if ctx.Err() != nil {
				return answer{}, last
			}
			a, err := exchange(ctx, s, name, t, firstWait<<round)
			if err == nil || errors.Is(err, errNone) {
				return a, err
			}
			last = err
		}
	}
	return answer{}, last
}

// exchange asks one server: over UDP, and over TCP when the answer has no room in a datagram.
func exchange(ctx context.Context, server netip.AddrPort, name string, t dnsmessage.Type, wait time.Duration) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	q, err := newQuery(name, t)
	if err != nil {
		return answer{}, err
	}
	b, err := q.overUDP(ctx, server)
	if err != nil {
		return answer{}, fmt.Errorf("%w: %s", errUnanswers, plain(err))
	}
	a, cut, err := q.read(b)
	if !cut {
		return a, err
	}
	if b, err = q.overTCP(ctx, server); err != nil {
		return answer{}, fmt.Errorf("%w: %s", errUnanswers, plain(err))
	}
	a, _, err = q.read(b)
	return a, err
}

// query is one question on its way.
type query struct {
	id   uint16
	name dnsmessage.Name
	t    dnsmessage.Type
	text []byte
}

func newQuery(name string, t dnsmessage.Type) (*query, error) {
	n, err := dnsmessage.NewName(strings.TrimSuffix(name, ".") + ".")
	if err != nil {
		return nil, fmt.Errorf("%q is no name of the DNS", name)
	}
	var id [2]byte
	_, _ = rand.Read(id[:]) // never fails
	q := &query{id: binary.BigEndian.Uint16(id[:]), name: n, t: t}
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: q.id, RecursionDesired: true})
	var edns dnsmessage.ResourceHeader
	err = errors.Join(b.StartQuestions(), b.Question(dnsmessage.Question{Name: n, Type: t, Class: dnsmessage.ClassINET}), b.StartAdditionals(),
		edns.SetEDNS0(udpSize, dnsmessage.RCodeSuccess, false), b.OPTResource(edns, dnsmessage.OPTResource{}))
	if err != nil {
		return nil, fmt.Errorf("%q is no name of the DNS: %w", name, err)
	}
	q.text, err = b.Finish()
	return q, err
}

// overUDP asks from a port of its own, so that an answer that is made up must guess it too, and takes the first answer to this question.
func (q *query) overUDP(ctx context.Context, server netip.AddrPort) ([]byte, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "udp", server.String())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	if _, err := c.Write(q.text); err != nil {
		return nil, err
	}
	b := make([]byte, 4096)
	for {
		n, err := c.Read(b)
		if err != nil {
			return nil, err
		}
		if q.answeredBy(b[:n]) {
			return b[:n], nil
		}
	}
}

func (q *query) overTCP(ctx context.Context, server netip.AddrPort) ([]byte, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", server.String())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(q.text))), q.text...)); err != nil {
		return nil, err
	}
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(c, b); err != nil {
		return nil, err
	}
	if !q.answeredBy(b) {
		return nil, errors.New("it answers another question")
	}
	return b, nil
}

// answeredBy says that a message answers this question.
func (q *query) answeredBy(b []byte) bool {
	var p dnsmessage.Parser
	h, err := p.Start(b)
	if err != nil || !h.Response || h.ID != q.id {
		return false
	}
	asked, err := p.Question()
	return err == nil && asked.Type == q.t && asked.Class == dnsmessage.ClassINET && sameName(asked.Name, q.name)
}

func sameName(a, b dnsmessage.Name) bool { return strings.EqualFold(a.String(), b.String()) }

// read reads the records of an answer. cut says that it has been shortened.
func (q *query) read(b []byte) (a answer, cut bool, err error) {
	var p dnsmessage.Parser
	h, err := p.Start(b)
	switch {
	case err != nil:
		return a, false, errUnread
	case h.Truncated:
		return a, true, nil
	case h.RCode == dnsmessage.RCodeNameError:
		return a, false, errNone
	case h.RCode != dnsmessage.RCodeSuccess:
		return a, false, fmt.Errorf("%w: it reports a fault (%s)", errUnanswers, strings.TrimPrefix(h.RCode.String(), "RCode"))
	}
	if err := p.SkipAllQuestions(); err != nil {
		return a, false, errUnread
	}
	records, err := q.records(&p)
	if err != nil {
		return a, false, errUnread
	}
	return q.follow(records), false, nil
}

var errUnread = errors.New("an answer of the DNS that cannot be read")

// record is one of an answer that may count.
type record struct {
	owner dnsmessage.Name
	life  time.Duration
	body  any // netip.Addr, srv, naptr, or alias
}

type alias dnsmessage.Name

// records reads what an answer has of the type that was asked for, and the aliases. One NAPTR record that cannot be read spoils none of the others.
func (q *query) records(p *dnsmessage.Parser) (all []record, err error) {
	for range maxRecords {
		h, err := p.AnswerHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if h.Class != dnsmessage.ClassINET || h.Type != q.t && h.Type != dnsmessage.TypeCNAME {
			if err := p.SkipAnswer(); err != nil {
				return nil, err
			}
			continue
		}
		r := record{owner: h.Name, life: time.Duration(min(h.TTL, 1<<31-1)) * time.Second}
		if r.body, err = readBody(p, h.Type); err != nil {
			return nil, err
		}
		if r.body != nil {
			all = append(all, r)
		}
	}
	return all, nil
}

// readBody reads the body of the next record; nil: it cannot be used.
func readBody(p *dnsmessage.Parser, t dnsmessage.Type) (any, error) {
	switch t {
	case dnsmessage.TypeA:
		r, err := p.AResource()
		return netip.AddrFrom4(r.A), err
	case dnsmessage.TypeAAAA:
		r, err := p.AAAAResource()
		return netip.AddrFrom16(r.AAAA), err
	case dnsmessage.TypeSRV:
		r, err := p.SRVResource()
		target := strings.ToLower(r.Target.String())
		return srv{r.Priority, r.Weight, r.Port, cmp.Or(strings.TrimSuffix(target, "."), ".")}, err
	case dnsmessage.TypeCNAME:
		r, err := p.CNAMEResource()
		return alias(r.CNAME), err
	}
	r, err := p.UnknownResource()
	if err != nil {
		return nil, err
	}
	if n, err := readNAPTR(r.Data); err == nil {
		return n, nil
	}
	return nil, nil
}

// follow takes the records of the name that was asked for, or of what it is an alias of within the same answer.
func (q *query) follow(all []record) (a answer) {
	a.life = maxLife
	name := q.name
	for range maxAliases {
		var next dnsmessage.Name
		for _, r := range all {
			if !sameName(r.owner, name) {
				continue
			}
			switch body := r.body.(type) {
			case netip.Addr:
				a.addresses = append(a.addresses, body)
			case srv:
				a.srvs = append(a.srvs, body)
			case naptr:
				a.naptrs = append(a.naptrs, body)
			case alias:
				next = dnsmessage.Name(body)
			}
			a.life = min(a.life, r.life)
		}
		if !a.empty() || next.Length == 0 {
			break
		}
		name, a.alias = next, strings.TrimSuffix(next.String(), ".")
	}
	return a
}

// systemServers are those of the system, in their order.
func systemServers() (all []netip.AddrPort) {
	f, err := os.Open("/etc/resolv.conf")
	if err == nil {
		defer f.Close()
		for lines := bufio.NewScanner(io.LimitReader(f, 1<<16)); lines.Scan() && len(all) < maxServers; {
			word := strings.Fields(lines.Text())
			if len(word) < 2 || word[0] != "nameserver" {
				continue
			}
			if a, err := netip.ParseAddr(word[1]); err == nil {
				all = append(all, netip.AddrPortFrom(a, 53))
			}
		}
	}
	if len(all) == 0 {
		all = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53")}
	}
	return all
}

// plain is a network error without the addresses.
func plain(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err.Error()
	}
	return err.Error()
}
