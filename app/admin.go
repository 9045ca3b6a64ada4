package app

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/check"
	"ringfence/core/detect"
	"ringfence/core/policy"
	"ringfence/edge/feed"
	"ringfence/edge/rest"
	"ringfence/edge/rest/api"
	"ringfence/edge/sip"
	"ringfence/edge/sip/probe"
	"ringfence/flow/ban"
	"ringfence/flow/casefile"
	"ringfence/flow/desk"
	"ringfence/flow/evidence"
	"ringfence/flow/notify"
	"ringfence/flow/privacy"
	"ringfence/flow/retention"
	"ringfence/flow/status"
	"ringfence/flow/watch"
	"ringfence/state/store"
)

// adminDeps is what the admin API asks of the rest of the program.
func (a *App) adminDeps() rest.Deps {
	return rest.Deps{
		Book: a.book, Decide: a.gate.Decide, Calls: a.gate.InProgress, Others: a.others(), Cut: a.cutCall, Vouch: a.vouch, Rules: a.rules, Agree: a.agree, Habits: a.habits,
		Phones: a.location.Lookup, Registrations: a.location.Len,
		CDRs: a.cdrs, CDR: a.gate.CDR, Journal: a.journal, Purses: a.gate.Purses,
		TrunkTest: a.testTrunk, Enrolled: a.enrolled, TrunksNow: a.trunksNow, Trace: a.trace,
		Check: a.check, Status: a.status, Rotate: a.rotate,
		People: a.people, Cooling: a.cooling, Proof: a.proof, SignIn: a.signInLink,
		Billing: a.billing, Settle: a.settling, Exposure: a.exposure, Fit: a.fit, Guard: a.door.Guard, Devices: a.shield.devices, Geo: a.place, HookKey: a.webhookKey, Feeds: a.feeds, Refresh: a.refreshFeed,
		Bans:      func() *ban.List { return a.shield.bans },
		Cases:     func() *desk.Cases { return a.cases },
		Desk:      func() *desk.Desk { return a.desk },
		Watch:     func() *watch.Watch { return a.watch },
		Notices:   func() *notify.Notifier { return a.notices },
		Public:    func() *status.Status { return a.public },
		Casefile:  func() *casefile.Casefile { return a.casefile },
		Evidence:  func() *evidence.Evidence { return a.evidence },
		Privacy:   func() *privacy.Privacy { return a.privacy },
		Retention: func() *retention.Retention { return a.retention },
	}
}

// signInLink is the address that signs somebody in once; without pages, what their address would end with.
func (a *App) signInLink(token string) string {
	cfg := a.config()
	if url := cfg.LinksURL(); url != "" {
		return strings.TrimSuffix(url, "/") + "/in/link/" + token
	}
	return token
}

// place is what the files of countries and networks say of an address, and if asked for, which files they are.
func (a *App) place(addr netip.Addr, files bool) api.Place {
	p := a.shield.geo.Lookup(addr)
	out := api.Place{Country: p.Country, ASN: p.ASN, Network: p.Network, Hosting: detect.Hosting(p.ASN, p.Network)}
	if !files {
		return out
	}
	for _, f := range a.shield.geo.Files() {
		out.Files = append(out.Files, api.GeoFile{
			Path: f.Path, Type: f.Type, Built: f.Built, Records: f.Records, Countries: f.Countries, Networks: f.Networks,
		})
	}
	return out
}

// testTrunk asks each address of a trunk, from the address that calls to it leave by.
func (a *App) testTrunk(ctx context.Context, t *account.Trunk) []api.TrunkAnswer {
	target := probe.Target{Addresses: t.Addresses, Transport: t.Transport, DNS: a.config().SIP.DNS, Security: a.security, User: t.User}
	target.Password, target.Login = a.book.TrunkPassword(t.Name)
	if listeners := a.config().SIP.UDP; len(listeners) > 0 {
		target.From = listeners[0].Addr()
	}
	out := []api.TrunkAnswer{}
	for _, x := range probe.Ask(ctx, &target) {
		v := api.TrunkAnswer{
			Address: x.Address, Transport: cmp.Or(x.Over, t.Transport), OK: x.OK(), Status: x.Status, Phrase: x.Phrase, Server: x.Server, Login: string(x.Login),
			Took: x.Took.Milliseconds(), Fault: x.Fault,
		}
		if x.At.IsValid() {
			v.At = x.At.String()
		}
		out = append(out, v)
	}
	return out
}

// enrolled is how our registration at the carrier of a trunk stands; nil: there is none.
func (a *App) enrolled(trunk string) *api.TrunkRegistration {
	is, ok := a.sip.Enrolments()[trunk]
	if !ok {
		return nil
	}
	out := &api.TrunkRegistration{State: string(is.State), Contact: is.Contact, Fault: is.Fault}
	if !is.Until.IsZero() {
		out.Until = new(is.Until.UTC())
	}
	if !is.Next.IsZero() {
		out.Next = new(is.Next.UTC())
	}
	return out
}

// unregistered are the trunks whose carriers have not registered us, each with the reason.
func (a *App) unregistered() map[string]string {
	out := map[string]string{}
	for name, is := range a.sip.Enrolments() {
		if is.Until.IsZero() || is.State != sip.Enrolled {
			out[account.Handle(name)] = cmp.Or(is.Fault, string(is.State))
		}
	}
	return out
}

func (a *App) webhookKey() (api.WebhookKey, error) {
	k, err := a.hookKey()
	return api.WebhookKey{ID: k.ID, Algorithm: "ed25519", PEM: k.Public()}, err
}

func (a *App) feeds() []api.Feed {
	var out []api.Feed
	for _, f := range a.shield.feeds.Status() {
		of := "bans"
		if f.Numbers {
			of = "numbers"
		}
		out = append(out, api.Feed{
			Name: f.Name, Of: of, From: f.From, Entries: f.Entries, Taken: f.Taken.UTC(), Asked: f.Asked.UTC(), Summary: f.Summary, Notes: f.Notes, Fault: f.Error,
		})
	}
	return out
}

func (a *App) refreshFeed(ctx context.Context, name string) error {
	err := a.shield.feeds.Fetch(ctx, name)
	if errors.Is(err, feed.ErrNoFeed) {
		return rest.ErrNoFeed
	}
	return err
}

func (a *App) cutCall(id call.ID, reason policy.Reason, note string) bool {
	return a.gate.Cut(id, reason, policy.Figures{}, note)
}

// cdrs are call records; unstored are also those of calls that wait for a phone to confirm that they are over.
func (a *App) cdrs(ctx context.Context, q rest.CDRQuery, unstored bool) ([]call.CDR, error) {
	f := store.CDRFilter{
		Line: q.Line, Account: q.Account, Called: q.Called, Country: q.Country, Number: q.Number, Reason: q.Reason, Direction: q.Direction,
		From: q.From, Until: q.Until, Before: q.Before, Limit: q.Limit,
	}
	if unstored {
		return a.gate.CDRs(ctx, &f)
	}
	return a.money.CDRs(ctx, f)
}

func (a *App) journal(ctx context.Context, q rest.JournalQuery) ([]api.Fact, error) {
	facts, err := a.money.Facts(ctx, store.FactFilter{
		After: q.After, Before: q.Before, Line: q.Line, Call: q.Call, Kind: q.Kind, From: q.From, Until: q.Until, Limit: q.Limit,
	})
	if err != nil {
		return nil, err
	}
	out := make([]api.Fact, len(facts))
	for i, f := range facts {
		out[i] = api.Fact{
			Seq: f.Seq, At: f.At, Kind: f.Kind, Line: account.Handle(f.Line), LineID: account.FullIdentity(f.Line),
			Customer: account.Handle(f.Account), Account: account.FullIdentity(f.Account), Call: string(f.Call), Body: f.Body,
		}
	}
	return out, nil
}

func (a *App) status(ctx context.Context) api.Status {
	cfg := a.config()
	s := api.Status{
		Version: Version, Node: cfg.Node, Started: a.began.UTC(), Uptime: int64(time.Since(a.began) / time.Second),
		Ready: a.monitor.ready.Load() && a.storeFault() == "", Store: "ok", Engine: cfg.Store.Engine,
		Registrations: a.location.Len(), Calls: a.gate.OpenCalls(),
	}
	if f := a.storeFault(); f != "" {
		s.Store = f
	}
	if out := a.unregistered(); len(out) > 0 {
		s.Unregistered = out
	}
	if out := a.silentTrunks(); len(out) > 0 {
		s.Silent = out
	}
	s.Watching, _ = a.watching(ctx)
	for p, n := range a.location.Transports() {
		if s.Over == nil {
			s.Over = map[string]int{}
		}
		s.Over[p] = n
	}
	return s
}

// checkEnrolments says which carriers have not registered us.
func (a *App) checkEnrolments() (out check.Findings) {
	for name, why := range a.unregistered() {
		out.Warn("trunks", "trunk %s is not registered at its carrier: %s", name, why)
	}
	return out
}

// check asks every stage what an operator should know.
func (a *App) check(ctx context.Context) check.Findings {
	now := time.Now()
	all := []check.Findings{a.health.Check(ctx), a.book.Check(now), a.checkSecurity(now), a.checkEnrolments()}
	if _, rules := a.watching(ctx); len(rules) > 0 {
		all = append(all, rules)
	}
	if a.config().Provider.Plan == "uk" {
		all = append(all, a.numbering.table.Load().Check(now))
	}
	return slices.Concat(append(all, a.shield.bans.Check(), a.shield.feeds.Check(), a.door.Guard.CheckCounters(ctx), a.shield.devices.Check(), a.notices.Check())...)
}

// rotate puts a new key in force: it is durable in the key file before anything is sealed with it.
func (a *App) rotate(ctx context.Context, actor string) (api.Rotated, error) {
	box, err := a.keys.add()
	if err != nil {
		return api.Rotated{}, err
	}
	n, err := a.book.Rekey(ctx, actor, box)
	go a.book.JudgePasswords(context.WithoutCancel(ctx)) // what was judged and not stored yet was of the old seals
	if err != nil {
		return api.Rotated{}, err
	}
	return api.Rotated{Key: box.Newest().String(), Secrets: n}, nil
}
