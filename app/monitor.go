package app

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"ringfence/core/account"
	"ringfence/edge/sip"
	"ringfence/edge/sip/transport"
	"ringfence/flow/react"
)

// monitor is what watches the program from outside: metrics, liveness, readiness.
type monitor struct {
	ready    atomic.Bool
	handlers map[string]http.Handler
}

func (a *App) openMonitor() {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &collector{a})
	a.monitor.handlers = map[string]http.Handler{
		"GET /metrics": promhttp.HandlerFor(reg, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second}),
		"GET /healthz": http.HandlerFunc(a.healthz),
		"GET /readyz":  http.HandlerFunc(a.readyz),
	}
}

// healthz says that the program lives: 200 always; the body says what is wrong.
func (a *App) healthz(w http.ResponseWriter, _ *http.Request) {
	a.writeHealth(w, http.StatusOK)
}

// readyz says whether paid calls can be taken: 503 while the store cannot be written, or while starting and stopping.
func (a *App) readyz(w http.ResponseWriter, _ *http.Request) {
	code := http.StatusOK
	if !a.monitor.ready.Load() || a.storeFault() != "" {
		code = http.StatusServiceUnavailable
	}
	a.writeHealth(w, code)
}

func (a *App) writeHealth(w http.ResponseWriter, code int) {
	body := map[string]any{"ready": a.monitor.ready.Load() && a.storeFault() == "", "store": "ok", "calls": a.gate.OpenCalls()}
	if f := a.storeFault(); f != "" {
		body["store"] = f
		body["effect"] = "new paid calls are refused; emergency calls connect; calls in progress run to the end of their paid time"
	}
	if out := a.unregistered(); len(out) > 0 {
		body["unregistered_trunks"] = out
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // a prober that went away is no fault
}

// serveMonitor serves the handlers on their own address, for monitoring that has no access to the admin socket.
func (a *App) serveMonitor() error {
	at := a.cfg.Metrics.Listen
	if !at.IsValid() {
		return nil
	}
	mux := http.NewServeMux()
	for pattern, h := range a.monitor.handlers {
		mux.Handle(pattern, h)
	}
	l, err := net.Listen("tcp", at.String())
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	go func() {
		if err := srv.Serve(l); err != http.ErrServerClosed {
			a.fail(err)
		}
	}()
	a.onStop("metrics", srv.Shutdown)
	return nil
}

// storeFault is "" while the store is well.
func (a *App) storeFault() string { return a.health.Fault() }

func (a *App) fail(err error) {
	select {
	case a.failed <- err:
	default: // one is enough to stop for
	}
}

// collector reads every stage's own counts when it is scraped; nothing is counted twice.
type collector struct{ a *App }

// Describe sends nothing: which reasons occur is known only as they do.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect reads the counts.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	m := metrics{out}
	g := c.a.gate.Counts()
	m.count("calls_admitted_total", "Calls admitted, outbound and inbound.", float64(g.Admitted))
	m.count("calls_answered_total", "Calls answered.", float64(g.Answered))
	m.count("calls_cut_total", "Calls ended by Ringfence.", float64(g.Cut))
	m.count("slices_held_total", "Further slices of talk time reserved during calls.", float64(g.Extended))
	for reason, n := range g.Refused {
		m.count("calls_refused_total", "Calls refused, by reason.", float64(n), "reason", reason)
	}
	for reason, n := range g.Ended {
		m.count("calls_ended_total", "Calls ended, by reason.", float64(n), "reason", reason)
	}
	for trunk, n := range byHandle(g.Unconfirmed) {
		m.count("legs_unconfirmed_total", "Legs whose end the far end never confirmed, so it may continue to charge. By name of trunk; empty is a phone.", float64(n), "trunk", trunk)
	}
	m.gauge("calls_adrift", "Calls in the books without a leg. Any value above 0 is a fault.", float64(g.Adrift))
	m.gauge("calls_open", "Calls in progress.", float64(c.a.gate.OpenCalls()))
	m.gauge("registrations", "Phones registered.", float64(c.a.location.Len()))
	book := c.a.book.Counts()
	m.gauge("customers", "Customers in the book.", float64(book.Customers))
	m.gauge("lines", "Lines in the book.", float64(book.Lines))
	m.gauge("lines_locked", "Locked lines.", float64(book.Locked))
	m.gauge("ready", "1 when calls are taken.", flag(c.a.monitor.ready.Load()))
	m.gauge("store_ok", "1 while the store can be written.", flag(c.a.storeFault() == ""))
	m.gauge("start_time_seconds", "Time of the program's start, in seconds since 1970.", float64(c.a.began.Unix()))
	c.sip(m)
	c.ledger(m)
	c.logins(m)
	c.bans(m)
	c.notices(m)
	c.retention(m)
}

// byHandle sums counts by what people call the identities: two trunks may have had one name, and a label may come but once.
func byHandle(counts map[string]uint64) map[string]uint64 {
	sums := map[string]uint64{}
	for id, n := range counts {
		sums[account.Handle(id)] += n
	}
	return sums
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

type metrics struct{ out chan<- prometheus.Metric }

func (m metrics) count(name, help string, v float64, labels ...string) {
	m.send(prometheus.CounterValue, name, help, v, labels)
}

func (m metrics) gauge(name, help string, v float64, labels ...string) {
	m.send(prometheus.GaugeValue, name, help, v, labels)
}

// send takes labels as name, value pairs.
func (m metrics) send(kind prometheus.ValueType, name, help string, v float64, labels []string) {
	var names, values []string
	for i := 0; i+1 < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, labels[i+1])
	}
	m.out <- prometheus.MustNewConstMetric(prometheus.NewDesc("ringfence_"+name, help, names, nil), kind, v, values...)
}

// carriers are the results of calls out over each trunk within the last hour, on all nodes, as the journal has them.
func (c *collector) carriers(m metrics) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	all, err := c.a.desk.Trunks(ctx, time.Now())
	if err != nil {
		return // the store's own metrics say so
	}
	for i := range all {
		q := all[i].Sum(4)
		m.gauge("trunk_hour_calls", "Calls out over a trunk in the present quarter of an hour and the three before it, on all nodes.", float64(q.Tried), "trunk", all[i].Name)
		m.gauge("trunk_hour_failed", "Of these, calls that the carrier failed: no answer of it, or 5xx.", float64(q.Failed), "trunk", all[i].Name)
		if r, ok := q.Ratio(); ok {
			m.gauge("trunk_hour_answer_ratio", "Of these, the share that was answered, 0 to 1.", r, "trunk", all[i].Name)
		}
		if d, ok := q.Average(); ok {
			m.gauge("trunk_hour_delay_seconds", "Post-dial delay of these calls: from their beginning to the first ringing or answer, on average.", d.Seconds(), "trunk", all[i].Name)
		}
	}
}

// sip are the counts of the SIP edge and its sockets.
func (c *collector) sip(m metrics) {
	for name, is := range c.a.sip.Enrolments() {
		m.gauge("trunk_registered", "1 while the carrier has registered us, and accepted our last REGISTER. Only trunks with a registrar.", flag(is.State == sip.Enrolled && !is.Until.IsZero()), "trunk", account.Handle(name))
	}
	left, all := c.a.sip.LeftOut(), c.a.book.AllTrunks()
	for i := range all {
		n, _ := c.a.sip.TrunkCalls(&all[i])
		m.gauge("trunk_calls", "Calls out over a trunk, on this node.", float64(n), "trunk", account.Handle(all[i].Name))
		m.gauge("trunk_servers_left_out", "Servers of a trunk that do not answer, and are passed over by this node.", float64(len(left[all[i].Name])), "trunk", account.Handle(all[i].Name))
	}
	c.carriers(m)
	s := c.a.sip.Stats()
	m.count("sip_malformed_total", "Malformed or non-SIP packets.", float64(s.Malformed))
	m.count("sip_scanners_total", "Requests from attack tools, left unanswered.", float64(s.Scanners))
	m.count("sip_elsewhere_total", "Requests and responses inside calls from addresses that the IP lock or the trunk does not allow.", float64(s.Elsewhere))
	m.count("sip_strangers_total", "Requests without a login that were challenged; nothing is stored for them.", float64(s.Strangers))
	m.count("sip_registers_total", "REGISTER requests accepted.", float64(s.Registers))
	m.count("sip_registers_refused_total", "REGISTER requests refused.", float64(s.RefusedRegisters))
	m.count("sip_invites_total", "INVITE requests from a known line or trunk.", float64(s.Invites))
	m.count("sip_failovers_total", "Routes abandoned for the next one.", float64(s.Failovers))
	m.count("sip_repeats_total", "Retransmissions, received or sent.", float64(s.Repeats))
	m.count("sip_unmatched_total", "Packets that belong to no call.", float64(s.Unmatched))
	m.count("sip_wrong_tags_total", "Of these, requests for a dialog that does not exist.", float64(s.WrongTags))
	m.count("sip_ends_elsewhere_total", "Calls ended by a party from an unexpected address.", float64(s.EndsElsewhere))
	m.count("sip_strays_total", "Answers to calls of a previous process, which were hung up.", float64(s.Strays))
	m.count("sip_timeouts_total", "Requests that were never answered.", float64(s.Timeouts))
	m.count("sip_unsent_total", "Packets that the system did not accept for sending.", float64(s.Unsent))
	m.count("sip_full_total", "Calls refused because the node was full.", float64(s.Full))
	m.count("sip_panics_total", "Faults in this program that ended one call each.", float64(s.Panics))
	m.count("sip_unbooked_total", "Calls that were not in the books and were hung up. Any value above 0 is a fault.", float64(s.Unbooked))
	m.count("sip_no_seat_total", "Calls of any kind refused because there was no room.", float64(s.NoSeat))
	m.count("sip_inbound_bound_total", "Inbound calls that reached the limit of a trunk or a line.", float64(s.InboundMet))
	m.count("sip_inbound_forged_total", "Inbound calls ended because the carrier does not know them.", float64(s.Forged))
	m.gauge("sip_calls", "Calls in setup or in progress.", float64(s.Calls))
	m.gauge("sip_emergency_calls", "Of these, emergency calls.", float64(s.Emergencies))
	m.gauge("sip_inbound_calls", "Of these, calls that came in over trunks.", float64(s.Inbound))
	t := c.a.sip.Transport()
	for _, p := range transport.Protocols() {
		by := t.By[p]
		m.count("sip_messages_in_total", "Messages received, by transport.", float64(by.In), "transport", p.Small())
		m.count("sip_messages_out_total", "Messages sent, by transport.", float64(by.Out), "transport", p.Small())
		m.gauge("sip_connections_open", "Connections, by transport.", float64(by.Conns), "transport", p.Small())
	}
	for over, n := range c.a.location.Transports() {
		m.gauge("registrations_over", "Phones registered, by transport.", float64(n), "transport", over)
	}
	for _, cert := range c.a.security.Certificates() {
		m.gauge("sip_certificate_end_seconds", "When a certificate of SIP expires, in seconds since 1970.", float64(cert.Expires.Unix()), "name", cert.Names[0])
	}
	m.count("sip_handshakes_total", "TLS handshakes of those who connected, by outcome.", float64(t.Shaken), "outcome", "done")
	m.count("sip_handshakes_total", "TLS handshakes of those who connected, by outcome.", float64(t.Unshaken), "outcome", "failed")
	m.count("sip_stun_total", "STUN binding requests answered.", float64(t.STUN))
	m.count("sip_packets_in_total", "Packets received.", float64(t.PacketsIn))
	m.count("sip_packets_out_total", "Packets sent.", float64(t.PacketsOut))
	m.gauge("sip_connections", "Connections (TCP, TLS and WSS).", float64(t.Conns))
	m.gauge("sip_connections_strange", "Connections without a login.", float64(t.Strangers))
	m.count("sip_connections_evicted_total", "Connections closed to make room for others.", float64(t.Evicted))
	m.count("sip_connections_refused_total", "Connections refused.", float64(t.Refused))
	m.count("sip_packets_banned_total", "Packets dropped because their source is banned.", float64(t.Banned))
}

// ledger are the counts of the group commit.
func (c *collector) ledger(m metrics) {
	s := c.a.ledger.Stats()
	m.count("ledger_transactions_total", "Transactions committed.", float64(s.Groups))
	m.count("ledger_operations_total", "Operations in them.", float64(s.Ops))
	m.count("ledger_refused_total", "Reservations refused because a cap was reached.", float64(s.Refused))
	m.count("ledger_failures_total", "Transactions that failed.", float64(s.Failures))
	m.count("ledger_lost_total", "Operations dropped because a queue was full; each should be investigated.", float64(s.Lost))
	m.count("ledger_facts_dropped_total", "Journal rows dropped because a queue was full.", float64(s.FactsDropped))
	m.count("ledger_commit_seconds_total", "Time spent in transactions, in seconds.", s.CommitTime.Seconds())
	m.gauge("ledger_waiting", "Reservations waiting for their transaction.", float64(s.Waiting))
	m.gauge("ledger_posted", "Settlements that are not durable yet.", float64(s.Posted))
}

// logins are the counts of the guard and of the devices.
func (c *collector) logins(m metrics) {
	s := c.a.door.Guard.Stats()
	m.count("login_failures_total", "Wrong logins with a valid challenge, without retransmissions.", float64(s.Failures))
	m.count("login_refused_right_total", "Right logins refused because of a lock-out.", float64(s.RefusedRight))
	m.count("login_probations_total", "Logins from new places, admitted with tight limits.", float64(s.Probations))
	m.count("login_held_total", "Attempts by right logins that are waiting for their owner's confirmation.", float64(s.Held))
	for scope, n := range s.Lockouts {
		m.count("login_lockouts_total", "Lock-outs, by what was locked out.", float64(n), "scope", scope)
	}
	m.count("login_bans_total", "Bans caused by wrong logins.", float64(s.Bans))
	m.count("login_stale_total", "Logins with a former password.", float64(s.Stale))
	m.count("login_sprays_total", "Sources that tried many lines.", float64(s.Sprays))
	m.count("login_sieges_total", "Lines guessed at from many places.", float64(s.Distributed))
	m.count("login_honeypots_total", "Logins to honeypot lines.", float64(s.Honeypots))
	m.count("login_moved_nonces_total", "Right answers to challenges given to other addresses.", float64(s.MovedNonces))
	m.count("login_sampled_total", "Wrong logins compared with lists of common passwords.", float64(s.Sampled))
	m.count("login_matched_total", "Of these, found in a list.", float64(s.Matched))
	m.count("login_unshared_total", "Rounds in which lock-outs could not be shared with other nodes.", float64(s.Unshared))
	m.count("login_evicted_total", "Entries removed from the tables of failures to make room.", float64(s.Evicted))
	m.gauge("devices", "Devices remembered.", float64(c.a.shield.devices.Len()))
}

// bans are the counts of the ban list, and of the kernel's part in it.
func (c *collector) bans(m metrics) {
	s := c.a.shield.bans.Stats()
	m.gauge("bans", "Bans in force, by origin.", float64(s.Manual), "by", "manual")
	m.gauge("bans", "Bans in force, by origin.", float64(s.Auto), "by", "auto")
	m.gauge("bans", "Bans in force, by origin.", float64(s.Feed), "by", "feed")
	m.count("bans_spared_total", "Automatic bans withheld because the source is exempt.", float64(s.Exempt))
	m.count("bans_evicted_total", "Bans removed because the list was full.", float64(s.Evicted))
	m.count("bans_lost_total", "Automatic bans lost because their queue was full.", float64(s.Lost))
	m.gauge("bans_unsaved", "Bans that are not stored yet.", float64(s.Unsaved))
	if k := c.a.shield.kernel; k != nil {
		d := k.Stats()
		m.gauge("kernel_bans", "Networks that the kernel drops.", float64(d.Networks))
		m.count("kernel_packets_dropped_total", "Packets that the kernel dropped.", float64(d.Packets))
		m.gauge("kernel_failing", "1 while the kernel takes no changes.", flag(d.Failing))
	}
}

// unusual is how the stage that watches calls is doing.
func (c *collector) unusual(m metrics, s react.Stats) {
	m.count("unusual_calls_total", "Findings about unusual calls by this node.", float64(s.Found))
	m.count("unusual_calls_closed_total", "Findings about unusual calls that closed something.", float64(s.Closed))
	m.gauge("unusual_calls_memories", "Lines and customers whose usual calls are in memory.", float64(s.Lines))
	m.gauge("unusual_calls_reaction_seconds", "Longest time from a call's fact to what it closed, since the start.", s.Reaction.Seconds())
}

// notices are the counts of findings and of what was sent.
func (c *collector) notices(m metrics) {
	w := c.a.watch.Stats()
	m.count("findings_total", "Findings raised by this node.", float64(w.Raised))
	m.count("journal_followed_total", "Journal rows read.", float64(w.Facts))
	lags := map[string]time.Duration{"watch": w.Lag, "notify": c.a.notices.Lag(), "book": c.a.following.Lag()}
	if r := c.a.react; r != nil {
		s := r.Stats()
		lags["react"] = s.Lag
		c.unusual(m, s)
	}
	for name, lag := range lags {
		m.gauge("journal_lag_seconds", "Age of the last journal row read, while others are waiting, in seconds.", lag.Seconds(), "follower", name)
	}
	m.count("journal_bad_total", "Journal rows whose body could not be read.", float64(w.Bad))
	m.gauge("usage_subjects", "Lines and customers with un-billed usage.", float64(w.Subjects))
	for _, n := range c.a.notices.Stats() {
		m.count("notices_total", "Deliveries of notices by this node, by kind and outcome.", float64(n.N), "kind", string(n.Kind), "state", n.State)
	}
}
