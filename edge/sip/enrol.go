package sip

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/bits"
	mathrand "math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/icholy/digest"

	"ringfence/core/account"
	"ringfence/edge/sip/challenge"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transport"
	"ringfence/flow/door"
)

// Some carriers send their calls only to who has registered (RFC 3261 10.2). Such a trunk has a registrar, and each of them has one
// goroutine in here, which keeps us registered there. It never asks twice with credentials that were refused, except after a pause.

// Enrolment is how our registration at the carrier of a trunk stands.
type Enrolment struct {
	Trunk   string // identity
	State   EnrolmentState
	Until   time.Time // registered until; zero: it is not
	Next    time.Time // when the carrier is asked again
	Contact string    // where the carrier sends its calls
	Fault   string    // why the last attempt failed; "" is none
}

// EnrolmentState says what the last attempt came to.
type EnrolmentState string

// What an attempt comes to.
const (
	Enrolling EnrolmentState = "trying"     // no attempt is over yet
	Enrolled  EnrolmentState = "registered" // the carrier accepted it
	Refused   EnrolmentState = "refused"    // the carrier does not accept the user or its password
	Failed    EnrolmentState = "failed"     // no answer, or a fault of the carrier
)

// How long we wait until another attempt: twice as long after each, and up to a fifth longer, so that many of us do not ask together.
const (
	failedPause, maxFailedPause   = 30 * time.Second, 10 * time.Minute
	refusedPause, maxRefusedPause = 5 * time.Minute, time.Hour
	followEvery                   = time.Second // how soon a change of a trunk is seen
)

// enrolments are the trunks that we register at. Safe for concurrent use; the zero value is ready.
type enrolments struct {
	mu   sync.Mutex // owns all below
	all  map[string]*enrolment
	asks map[string]*enrolment // by their Call-IDs, also those that leave

	some atomic.Bool // there is one: packets of strangers need no lock when there is none
}

// enrolment keeps one trunk registered.
type enrolment struct {
	e       *Edge
	trunk   account.Trunk // as it was when this began: a change begins another
	callID  string
	answers chan *transport.Packet
	unsent  chan error // what could not be delivered
	stop    context.CancelFunc
	done    chan struct{} // closed when it is over
	before  chan struct{} // the done of the one that this takes the place of; nil: there is none

	seq   uint32 // owned by run
	fails int    // owned by run: how many attempts in a row failed

	mu sync.Mutex // owns all below
	is Enrolment
	at transport.Dest
}

// enrols keeps the trunks registered that want to be, until the edge stops.
func (e *Edge) enrols() {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		e.enrolled.follow(e, e.o.Trunks())
		select {
		case <-tick.C:
		case <-e.ctx.Done():
			return
		}
	}
}

// follow begins and ends registrations as the trunks say.
func (s *enrolments) follow(e *Edge, trunks []account.Trunk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all, s.asks = map[string]*enrolment{}, map[string]*enrolment{}
	}
	wanted := map[string]bool{}
	for i := range trunks {
		t := &trunks[i]
		if t.Registrar == "" {
			continue
		}
		wanted[t.Name] = true
		was := s.all[t.Name]
		if was != nil && sameEnrolment(&was.trunk, t) {
			continue
		}
		r := &enrolment{
			e: e, trunk: *t, callID: "reg-" + rand.Text(), answers: make(chan *transport.Packet, 8), unsent: make(chan error, 1), done: make(chan struct{}),
			is: Enrolment{Trunk: t.Name, State: Enrolling},
		}
		if was != nil {
			r.before = was.done
			was.stop()
		}
		var ctx context.Context
		ctx, r.stop = context.WithCancel(e.ctx)
		s.all[t.Name], s.asks[r.callID] = r, r
		go r.run(ctx)
	}
	for name, r := range s.all {
		if !wanted[name] {
			r.stop()
			delete(s.all, name)
		}
	}
	s.some.Store(len(s.all) > 0)
}

func sameEnrolment(a, b *account.Trunk) bool {
	return a.Registrar == b.Registrar && a.Expiry == b.Expiry && a.User == b.User && a.Transport == b.Transport && slices.Equal(a.Sealed, b.Sealed)
}

// take hands an answer to a REGISTER of ours to who waits for it.
func (s *enrolments) take(p *transport.Packet) {
	s.mu.Lock()
	r := s.asks[string(p.Msg.CallID())]
	s.mu.Unlock()
	if r == nil {
		return
	}
	if q := keep(p); q != nil {
		select {
		case r.answers <- q:
		default: // more than anybody can have asked for
		}
	}
}

// undelivered takes the transport's report that a message to an address was not sent.
func (s *enrolments) undelivered(d transport.Dest, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.asks {
		r.mu.Lock()
		to := r.at
		r.mu.Unlock()
		if to.Addr != d.Addr || to.Proto != d.Proto {
			continue
		}
		select {
		case r.unsent <- err:
		default:
		}
	}
}

// from is the trunk that we are registered at and whose registrar has an address, which may be one of several; "" is none.
func (s *enrolments) from(src netip.Addr, now time.Time) string {
	if !s.some.Load() {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	src = src.Unmap().WithZone("")
	found := ""
	for name, r := range s.all {
		r.mu.Lock()
		at, valid := r.at.Addr.Addr(), now.Before(r.is.Until)
		r.mu.Unlock()
		if valid && (found == "" || name < found) && (at == src || r.e.names.standFor([]string{r.trunk.Registrar}, r.trunk.Transport, src)) {
			found = name
		}
	}
	return found
}

// Enrolments are the registrations at carriers, by trunk.
func (e *Edge) Enrolments() map[string]Enrolment {
	e.enrolled.mu.Lock()
	defer e.enrolled.mu.Unlock()
	out := map[string]Enrolment{}
	for name, r := range e.enrolled.all {
		r.mu.Lock()
		out[name] = r.is
		r.mu.Unlock()
		if is := out[name]; !time.Now().Before(is.Until) {
			is.Until = time.Time{}
			out[name] = is
		}
	}
	return out
}

// trunkFrom is the trunk whose calls come from an address: by its list, or because it is that of a carrier which we are registered at.
func (e *Edge) trunkFrom(src netip.AddrPort) (trunk string, is door.Peer) {
	if is = e.door.Peer(src, ""); is.Trunk != "" {
		return is.Trunk, is
	}
	return e.enrolled.from(src.Addr(), time.Now()), is
}

// run registers and renews until ctx ends. A registration of a trunk that is no longer wanted is then withdrawn; one of a process that ends
// is left to the next, which uses the same Contact.
func (r *enrolment) run(ctx context.Context) {
	defer close(r.done)
	defer r.e.enrolled.forget(r)
	if r.before != nil {
		<-r.before
	}
	for ctx.Err() == nil {
		wait := r.renew(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	if r.e.ctx.Err() == nil && time.Now().Before(r.is.Until) {
		leaving, cancel := context.WithTimeout(r.e.ctx, r.e.o.Silence)
		defer cancel()
		_, _ = r.register(leaving, 0) // it ends by itself
	}
}

func (s *enrolments) forget(r *enrolment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.asks, r.callID)
}

// renew makes one attempt, and says how long to wait until the next.
func (r *enrolment) renew(ctx context.Context) time.Duration {
	granted, err := r.register(ctx, time.Duration(r.trunk.Expiry)*time.Second)
	if ctx.Err() != nil {
		return 0
	}
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	log, was := r.e.log.With("trunk", account.Handle(r.trunk.Name), "registrar", r.trunk.Registrar), r.is
	var wait time.Duration
	if err == nil {
		r.fails = 0
		wait = granted * 4 / 5
		r.is.State, r.is.Until, r.is.Fault = Enrolled, now.Add(granted), ""
	} else {
		wait = r.pause(err)
		r.is.State, r.is.Fault = Failed, err.Error()
		if refused := (*refusedThere)(nil); errors.As(err, &refused) && refused.login {
			r.is.State = Refused
		}
	}
	r.is.Next = now.Add(wait)
	switch {
	case err != nil && was.Fault != r.is.Fault:
		log.Warn("the registration at a carrier failed", "err", err, "again_in", wait.Round(time.Second))
	case err == nil && was.State != Enrolled:
		log.Info("registered at a carrier", "for", granted, "contact", r.is.Contact)
	}
	return wait
}

// pause is how long to wait after an attempt that failed.
func (r *enrolment) pause(err error) time.Duration {
	least, most := failedPause, maxFailedPause
	refused := (*refusedThere)(nil)
	if errors.As(err, &refused) && refused.login {
		least, most = refusedPause, maxRefusedPause
	}
	wait := min(least<<min(r.fails, bits.Len(uint(most/least))), most)
	r.fails++
	if refused != nil {
		wait = max(wait, min(refused.after, maxRefusedPause))
	}
	return wait + mathrand.N(wait/5)
}

// refusedThere is a final answer of a registrar other than 2xx.
type refusedThere struct {
	status int
	text   string
	login  bool          // it is about who we are: asking again soon could lock us out there
	after  time.Duration // Retry-After
}

func (f *refusedThere) Error() string { return f.text }

var errNoAnswer = errors.New("the carrier does not answer")

// register makes one attempt: at the registrar's servers in their order, until one answers (RFC 3263 4.3).
func (r *enrolment) register(ctx context.Context, expires time.Duration) (granted time.Duration, err error) {
	all, err := r.find(ctx)
	if err != nil {
		return 0, err
	}
	for _, to := range all {
		r.mu.Lock()
		r.at = to
		r.mu.Unlock()
		granted, err = r.registerAt(ctx, to, expires)
		if refused := (*refusedThere)(nil); err == nil || ctx.Err() != nil || errors.As(err, &refused) && refused.status != 503 {
			break
		}
	}
	return granted, err
}

// registerAt asks one server, and asks again with the login, or with the interval that the carrier insists on.
func (r *enrolment) registerAt(ctx context.Context, to transport.Dest, expires time.Duration) (granted time.Duration, err error) {
	var login *challenge.Credentials
	for range 4 {
		m, err := r.ask(ctx, to, expires, login)
		if err != nil {
			return 0, err
		}
		switch status := m.Status(); {
		case status < 300:
			if granted = r.grantedBy(m, expires); granted == 0 && expires > 0 {
				return 0, &refusedThere{status: status, text: "the carrier accepts the registration for no time at all"}
			}
			return granted, nil
		case status == 423 && expires > 0:
			least, _ := strconv.ParseUint(string(m.Get(message.HMinExpires)), 10, 31)
			if longer := time.Duration(least) * time.Second; longer > expires && longer <= 24*time.Hour {
				expires = longer
				continue
			}
			return 0, refusedBy(m, false)
		case status == 401 || status == 407:
			again, err := r.answer(m)
			if err != nil {
				return 0, err
			}
			if login != nil && !again.Stale {
				return 0, refusedBy(m, true)
			}
			login = again
		default:
			return 0, refusedBy(m, status == 403 || status == 404)
		}
	}
	return 0, errors.New("the carrier asks for the login again and again")
}

// refusedBy is a carrier's answer in words.
func refusedBy(m *message.Message, login bool) error {
	f := &refusedThere{status: m.Status(), login: login}
	said := strconv.Itoa(m.Status()) + " " + clipText(cleanText(string(m.Phrase()), 80), 80)
	f.text = "the carrier answers " + said
	if login {
		f.text = "the carrier does not accept the user or the password: it answers " + said
	}
	if after, ok := m.RetryAfter(); ok {
		f.after = time.Duration(after) * time.Second
	}
	return f
}

// answer answers a registrar's challenge.
func (r *enrolment) answer(m *message.Message) (*challenge.Credentials, error) {
	password, has := r.e.door.Reach(door.Party{Trunk: r.trunk.Name}, time.Now()).Password()
	if !has {
		return nil, &refusedThere{text: "the carrier asks for a login, and the trunk's password cannot be read", login: true}
	}
	c, ok := challenge.Answer(m, digest.Options{Method: message.REGISTER.String(), URI: r.uri(), Username: r.trunk.User, Password: password, Count: 1})
	if !ok {
		return nil, &refusedThere{text: "the carrier asks for a kind of login that is not supported", login: true}
	}
	return &c, nil
}

// uri is the domain that we register at.
func (r *enrolment) uri() string {
	uri := "sip:" + r.trunk.Registrar
	if proto := transport.ProtoOf(r.trunk.Transport); proto != transport.UDP {
		uri += ";transport=" + proto.Small()
	}
	return uri
}

// find is where the registrar's servers are, in the order for this attempt: one at least, unless there is an error.
func (r *enrolment) find(ctx context.Context) (all []transport.Dest, err error) {
	name, over := r.trunk.Registrar, r.trunk.Transport
	servers, known := r.e.names.known(name, over, time.Now())
	if !known || servers == nil {
		ctx, cancel := context.WithTimeout(ctx, r.e.o.Silence)
		defer cancel()
		if servers, err = r.e.names.resolve(ctx, name, over, time.Now()); err != nil {
			return nil, err
		}
	}
	for _, t := range servers.Order(mathrand.IntN) {
		if here, _ := r.e.localAddr(transport.Dest{Addr: t.Addr, Proto: t.Proto}); here.IsValid() && len(all) < maxTargets {
			all = append(all, destOf(t, name))
		}
	}
	if len(all) == 0 {
		return nil, errors.New("the carrier has no address of a kind that this server listens on")
	}
	return all, nil
}

// ask sends one REGISTER and waits for its final answer (RFC 3261 17.1.2).
func (r *enrolment) ask(ctx context.Context, to transport.Dest, expires time.Duration, login *challenge.Credentials) (*message.Message, error) {
	r.seq++
	branch := branchPrefix + rand.Text()
	out := r.write(to, branch, expires, login)
	timers := &r.e.o.Timers
	gap, limit := timers.T1, time.NewTimer(timers.Patience())
	defer limit.Stop()
	if to.Proto != transport.UDP {
		gap = timers.Patience()
	}
	repeat := time.NewTimer(gap)
	defer repeat.Stop()
	select {
	case <-r.unsent: // of an earlier request
	default:
	}
	r.e.send(to, out, 0)
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-limit.C:
			return nil, errNoAnswer
		case err := <-r.unsent:
			return nil, fmt.Errorf("the carrier cannot be reached: %w", err)
		case <-repeat.C:
			r.e.send(to, out, 0)
			gap = min(2*gap, timers.T2)
			repeat.Reset(gap)
		case p := <-r.answers:
			if string(p.Msg.Via().Branch) == branch && p.Src.Addr() == to.Addr.Addr() && p.Msg.Status() >= 200 {
				return &p.Msg, nil
			}
		}
	}
}

// write is one REGISTER.
func (r *enrolment) write(to transport.Dest, branch string, expires time.Duration, login *challenge.Credentials) []byte {
	here, over := r.e.localAddr(to)
	us, contact := "sip:"+r.trunk.User+"@"+hostIn(r.trunk.Registrar), "sip:"+r.trunk.User+"@"+here.String()
	if over != transport.UDP {
		contact += ";transport=" + over.Small()
	}
	r.mu.Lock()
	r.is.Contact = contact
	r.mu.Unlock()
	var w message.Writer
	w.Begin(nil)
	w.Request(message.REGISTER, []byte(r.uri()))
	w.Via(to.Proto.String(), here.String(), []byte(branch))
	w.AddInt(message.HMaxForwards, 70)
	w.Addr(message.HFrom, nil, []byte(us), []byte(rand.Text()[:16]))
	w.Addr(message.HTo, nil, []byte(us), nil)
	w.AddString(message.HCallID, r.callID)
	w.CSeq(r.seq, message.REGISTER)
	w.Addr(message.HContact, nil, []byte(contact), nil)
	w.AddInt(message.HExpires, int64(expires/time.Second))
	w.AddString(message.HUserAgent, agent)
	w.AddString(message.HAllow, allowed)
	if login != nil {
		w.AddString(login.Header, login.Value)
	}
	return w.End("", nil)
}

// grantedBy is for how long the carrier registered us: what it says of our Contact, else of all, else what we asked for, which is also the most that
// it may grant (RFC 3261 10.3): an operator who asks for ten minutes does not want a carrier that has forgotten us to go unnoticed for a day. 0: it did not.
func (r *enrolment) grantedBy(m *message.Message, asked time.Duration) time.Duration {
	r.mu.Lock()
	ours := r.is.Contact
	r.mu.Unlock()
	seconds, ok := m.Expires()
	for a := range m.Addrs(message.HContact) {
		if !message.SameURI(string(a.URI), ours) {
			continue
		}
		if n, has := a.Expires(); has {
			seconds, ok = n, true
		}
	}
	switch {
	case !ok:
		return asked
	case seconds == 0:
		return 0
	}
	return min(max(time.Duration(seconds)*time.Second, minEnrolment), asked)
}

// minEnrolment is the shortest time that we take from a carrier: one that says less would make us ask without end.
const minEnrolment = 20 * time.Second
