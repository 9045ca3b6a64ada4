package desk

import (
	"cmp"
	"context"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/detect"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/flow/book"
	"ringfence/flow/exposure"
	"ringfence/flow/watch"
	"ringfence/state/store"
)

// Kinds of the store that pages see.
type (
	CDR     = call.CDR
	CallID  = call.ID
	Finding = store.Finding
	Request = account.Request
	Fact    = store.Fact
)

// The queue looks at so many open findings and requests, the newest; more cannot be worked through in a day.
const (
	maxQueue    = 500
	maxRequests = 100
	foldOver    = 25 // entries, from which on those with a shared cause are shown as one
)

// Entry is a finding or, where Request has an ID, a raise request.
type Entry struct {
	Finding Finding
	Request Request
	Subject
	Risk money.Micro // what it could cost tonight, or of a request what granting it adds to that
}

// IsRequest says that the entry is a raise request.
func (e *Entry) IsRequest() bool { return e.Request.ID != 0 }

// Age is since when it waits.
func (e *Entry) Age() time.Time {
	if e.IsRequest() {
		return e.Request.Made
	}
	return e.Finding.At
}

// Group is what findings of one network have in common.
type Group struct {
	Net  netip.Prefix
	N    int
	Risk money.Micro
}

// Queue is what waits for staff, by money at risk.
type Queue struct {
	Entries  []Entry
	Groups   []Group // of entries that are left out for them
	Open     int     // findings
	Requests int
	More     bool        // there are older findings than the queue looks at
	Risk     money.Micro // of all lines and customers in it, each once
	Closed   *Finding    // the last that was closed, where nothing is open
}

// Queue reads what waits. cause selects the findings of one network; the zero one is everything, with those of one network
// together where there are many.
func (d *Desk) Queue(ctx context.Context, cause netip.Prefix) (*Queue, error) {
	open, err := d.o.Store.Findings(ctx, store.FindingFilter{Open: true, Limit: maxQueue + 1})
	if err != nil {
		return nil, err
	}
	asked, err := d.o.Book.Requests(ctx, book.Asked)
	if err != nil {
		return nil, err
	}
	q := &Queue{More: len(open) > maxQueue}
	for _, f := range open[:min(len(open), maxQueue)] {
		q.Entries = append(q.Entries, Entry{Finding: f, Subject: Subject{f.Line, f.Account}})
	}
	q.Open = len(q.Entries)
	for _, r := range asked[:min(len(asked), maxRequests)] {
		e := Entry{Request: r, Subject: Subject{Line: r.Line}}
		if l, ok := d.o.Book.Line(r.Line); ok {
			e.Customer = l.Customer()
			q.Entries = append(q.Entries, e)
		}
	}
	q.Requests = len(q.Entries) - q.Open
	if err := d.weigh(ctx, q); err != nil {
		return nil, err
	}
	slices.SortStableFunc(q.Entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(b.Risk, a.Risk), cmp.Compare(gravity(&b), gravity(&a)), b.Age().Compare(a.Age()))
	})
	q.fold(cause)
	if len(q.Entries)+len(q.Groups) == 0 {
		err = d.lastClosed(ctx, q)
	}
	return q, err
}

func gravity(e *Entry) int {
	s, _ := detect.ParseSeverity(e.Finding.Severity)
	return int(s)
}

// weigh works out what each entry puts at risk, and the whole.
func (d *Desk) weigh(ctx context.Context, q *Queue) error {
	var subjects []Subject
	for i := range q.Entries {
		if e := &q.Entries[i]; !e.IsRequest() && atRisk(e.Finding.Kind) != nothing && (e.Line != "" || e.Customer != "") {
			subjects = append(subjects, e.Subject)
		}
	}
	risks, err := d.risksOf(ctx, subjects)
	if err != nil {
		return err
	}
	all := map[string]money.Micro{}
	for i := range q.Entries {
		e := &q.Entries[i]
		if e.IsRequest() {
			if e.Risk, err = d.raise(ctx, &e.Request); err != nil {
				return err
			}
			continue
		}
		switch r := risks[e.key()]; atRisk(e.Finding.Kind) {
		case nothing:
			continue
		case fromElsewhere:
			e.Risk = r.elsewhere
		case fromAnywhere:
			e.Risk = r.retail
		}
		all[e.key()] = max(all[e.key()], e.Risk)
	}
	for _, r := range all {
		q.Risk = q.Risk.Add(r)
	}
	return nil
}

// raise is what granting a request adds to what a thief could cost tonight.
func (d *Desk) raise(ctx context.Context, r *Request) (money.Micro, error) {
	l, ok := d.o.Book.Line(r.Line)
	if !ok {
		return 0, nil
	}
	a, err := d.o.Exposure.Line(ctx, l, exposure.Tonight, []exposure.Change{{Field: r.Field, N: r.N}})
	if err != nil || len(a.With) == 0 {
		return 0, err
	}
	return max(a.With[0].Retail-a.Retail, 0), nil
}

// threat is who could cost something, by what a finding says.
type threat uint8

const (
	nothing       threat = iota // nobody has the login, as far as the finding says
	fromElsewhere               // somebody else may have the login
	fromAnywhere                // the calls themselves are odd: they may come from a phone of the customer's own
)

var threats = map[detect.Kind]threat{
	detect.UnusualCalls: fromAnywhere, detect.UsageLevel: fromAnywhere, detect.HostingLogin: fromElsewhere, detect.AfterLockout: fromElsewhere, detect.TwoPlaces: fromElsewhere,
	detect.Travel: fromElsewhere, detect.NonceMoved: fromElsewhere, detect.UnusualTrial: fromAnywhere,
}

func atRisk(kind string) threat {
	k, _ := detect.ParseKind(kind)
	return threats[k]
}

// fold leaves the findings of one network, or puts those of each network together where there are many.
func (q *Queue) fold(cause netip.Prefix) {
	if cause.IsValid() {
		q.Entries = slices.DeleteFunc(q.Entries, func(e Entry) bool { return e.IsRequest() || causeOf(&e.Finding) != cause })
		return
	}
	if len(q.Entries) <= foldOver {
		return
	}
	count := map[netip.Prefix]*Group{}
	seen := map[string]money.Micro{} // of a line in a group, so that it counts once
	for i := range q.Entries {
		e := &q.Entries[i]
		net := causeOf(&e.Finding)
		if e.IsRequest() || !net.IsValid() {
			continue
		}
		g := count[net]
		if g == nil {
			g = &Group{Net: net}
			count[net] = g
		}
		g.N++
		key := net.String() + e.key()
		if more := e.Risk - seen[key]; more > 0 {
			g.Risk, seen[key] = g.Risk.Add(more), e.Risk
		}
	}
	q.Entries = slices.DeleteFunc(q.Entries, func(e Entry) bool {
		g := count[causeOf(&e.Finding)]
		return !e.IsRequest() && g != nil && g.N > 1
	})
	for _, g := range count {
		if g.N > 1 {
			q.Groups = append(q.Groups, *g)
		}
	}
	slices.SortFunc(q.Groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Risk, a.Risk), cmp.Compare(b.N, a.N), a.Net.Addr().Compare(b.Net.Addr()))
	})
}

// causeOf is the network that a finding is about; the zero one is none.
func causeOf(f *Finding) netip.Prefix {
	if a, err := netip.ParseAddr(f.Source); err == nil {
		return detect.Net(a.Unmap().WithZone(""))
	}
	net, err := netip.ParsePrefix(f.Source)
	if err != nil {
		return netip.Prefix{}
	}
	return net.Masked()
}

// lastClosed is the newest finding that somebody closed, for an empty queue.
func (d *Desk) lastClosed(ctx context.Context, q *Queue) error {
	facts, err := d.o.Store.Facts(ctx, store.FactFilter{Before: math.MaxInt64, Kinds: []string{fact.KindFindingClosed}, Limit: 1})
	if err != nil || len(facts) == 0 {
		return err
	}
	var b fact.FindingClosed
	if b.Decode(facts[0].Body) != nil {
		return nil
	}
	f, err := d.o.Store.Finding(ctx, b.Finding)
	if err == nil {
		q.Closed = &f
	}
	return nil //nolint:nilerr // an empty queue without its last finding is still one
}

// watched is the list of findings that the desk closes and notes in.
func (d *Desk) watched() *watch.Watch {
	if d.o.Watch == nil {
		return nil
	}
	return d.o.Watch()
}

// number reads a number as it was stored or typed; the zero one is none.
func (d *Desk) number(text string) phone.Number {
	dest, _ := d.o.Book.Plan().Parse(text)
	return dest.Number
}

// Version changes when a finding is raised, noted or closed. It is cheap.
func (d *Desk) Version(ctx context.Context) (string, error) {
	facts, err := d.o.Store.Facts(ctx, store.FactFilter{Before: math.MaxInt64, Kinds: []string{fact.KindFindingRaised, fact.KindFindingNoted, fact.KindFindingClosed, fact.KindRequestMade}, Limit: 1})
	if err != nil || len(facts) == 0 {
		return "", err
	}
	return strconv.FormatInt(facts[0].Seq, 10), nil
}
