package sip

import (
	"encoding/json"
	"net/netip"
	"time"

	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/transaction"
	"ringfence/edge/sip/transport"
	"ringfence/flow/gate"
)

// legRecord is what of a leg must outlive the process.
type legRecord struct {
	CallID    string         `json:"id"`
	LocalTag  string         `json:"lt"`
	RemoteTag string         `json:"rt"`
	Local     string         `json:"l"`
	Remote    string         `json:"r"`
	Target    string         `json:"t"`
	Routes    []string       `json:"rs,omitempty"`
	Addr      netip.AddrPort `json:"a"`
	TCP       bool           `json:"tcp,omitempty"`
	LocalSeq  uint32         `json:"ls"`
	RemoteSeq uint32         `json:"rq"`
	UAS       bool           `json:"uas,omitempty"`
	Trunk     string         `json:"tr,omitempty"`
	Line      string         `json:"li,omitempty"`
	Help      bool           `json:"h,omitempty"`  // an emergency call,
	HelpLine  string         `json:"hl,omitempty"` // of this line; the call is held to none
	Updates   bool           `json:"up,omitempty"`
	SDP       []byte         `json:"s,omitempty"`
	SDPType   string         `json:"st,omitempty"`
	Interval  int64          `json:"se,omitempty"` // of the session timer, seconds
	Ours      bool           `json:"ro,omitempty"` // we refresh
}

// snapshot is both dialogs of an answered call.
func (b *bridge) snapshot() []byte {
	legs := [2]legRecord{b.a.record(), b.peer.record()}
	legs[0].HelpLine, legs[0].Help = b.isHelp()
	out, err := json.Marshal(legs)
	if err != nil {
		panic(err) // plain text and numbers: cannot fail
	}
	return out
}

func (l *leg) record() legRecord {
	return legRecord{
		CallID: l.callID, LocalTag: l.localTag, RemoteTag: l.remoteTag, Local: l.local, Remote: l.remote, Target: l.target,
		Routes: l.routes, Addr: l.dest.Addr, TCP: l.dest.Proto != transport.UDP, LocalSeq: l.localSeq, RemoteSeq: l.remoteSeq,
		UAS: l.uas, Trunk: l.trunk, Line: l.line, Updates: l.updates, SDP: l.sdp, SDPType: l.sdpType,
		Interval: int64(l.timer.interval / time.Second), Ours: l.timer.ours,
	}
}

// seqJump goes over the numbers that requests after the last snapshot may have used.
const seqJump = 1000

// How soon after a restart both ends are asked whether they are still there, and how far that is spread. A phone whose
// connection went with the old process is given time to make a new one.
const (
	proveAlive  = time.Second
	proveTCP    = time.Minute
	proveSpread = 10 * time.Second
)

func (s *shard) proveAt(d transport.Dest) time.Duration {
	wait := proveAlive
	if d.Proto != transport.UDP {
		wait = proveTCP
	}
	return s.now + wait + time.Duration(s.random.Uint64()%uint64(proveSpread))
}

// restore takes back the calls of before a restart. One whose dialogs cannot be read is ended in the books: nobody could
// hang it up.
func (e *Edge) restore(calls []gate.Recovered) {
	for _, r := range calls {
		var legs [2]legRecord
		if err := json.Unmarshal(r.Snapshot, &legs); err != nil || legs[0].CallID == "" || legs[1].CallID == "" {
			e.log.Error("a call of before the restart cannot be taken back", "call", r.ID, "err", err)
			e.d.Ended(r.ID, gate.End{By: call.System, Reason: policy.Fault, Status: 200, At: time.Now()})
			continue
		}
		s := e.shardOf([]byte(legs[0].CallID))
		s.post(func() { s.takeBack(r.ID, &legs) })
	}
}

func (s *shard) takeBack(id call.ID, legs *[2]legRecord) {
	b := &bridge{s: s, id: id, state: talking, joined: true}
	b.a, b.peer = legs[0].leg(b), legs[1].leg(b)
	b.all = []*leg{b.a, b.peer}
	s.uas[b.a.callID], s.uac[b.peer.callID], s.byID[id] = b.a, b.peer, b
	s.e.calls.Add(1)
	b.sitDown(&legs[0])
	s.cur = b
}

func (r *legRecord) leg(b *bridge) *leg {
	d := transport.Dest{Addr: r.Addr, Proto: transport.UDP}
	if r.TCP {
		d.Proto = transport.TCP
	}
	return &leg{
		b: b, callID: r.CallID, localTag: r.LocalTag, remoteTag: r.RemoteTag, local: r.Local, remote: r.Remote,
		target: r.Target, routes: r.Routes, dest: d, localSeq: r.LocalSeq + seqJump, remoteSeq: r.RemoteSeq, uas: r.UAS,
		trunk: r.Trunk, line: r.Line, updates: r.Updates, state: up, acked: true, sdp: r.SDP, sdpType: r.SDPType,
		// Whatever was agreed, ask at once: an end that was gone before, or never heard the answer, says so (481).
		timer: sessionTimer{
			interval: time.Duration(r.Interval) * time.Second, ours: r.Ours, prove: true,
			refreshAt: b.s.proveAt(d), expireAt: transaction.Never,
		},
	}
}
