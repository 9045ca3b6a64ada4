package app

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/detect"
	"ringfence/core/engine"
	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/edge/feed"
	"ringfence/edge/rest"
	"ringfence/edge/rest/api"
	"ringfence/edge/sip/probe"
	"ringfence/flow/ban"
	"ringfence/flow/book"
	"ringfence/flow/gate"
	"ringfence/flow/notify"
	"ringfence/flow/watch"
	"ringfence/state/store"
)

// adminDeps is what the admin API asks of the rest of the program.
func (a *App) adminDeps() rest.Deps {
	return rest.Deps{
		Book: a.book, Decide: a.decide, Calls: a.liveCalls, Others: a.othersCalls, Cut: a.cutCall,
		Phones: a.location.Lookup, Registrations: a.location.Len,
		CDRs: a.cdrs, CDR: a.gate.CDR, Journal: a.journal, Purses: a.purses,
		TrunkTest: a.testTrunk, Trace: a.trace,
		Check: a.check, Status: a.status, Rotate: a.rotate,
		Guard: a.door.Guard, Devices: a.shield.devices, Geo: a.place, HookKey: a.webhookKey, Feeds: a.feeds, Refresh: a.refreshFeed,
		Bans:    func() *ban.List { return a.shield.bans },
		Watch:   func() *watch.Watch { return a.watch },
		Notices: func() *notify.Notifier { return a.notices },
	}
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
	target := probe.Target{Addresses: t.Addresses, Transport: t.Transport, User: t.User}
	target.Password, target.Login = a.book.TrunkPassword(t.Name)
	if listeners := a.config().SIP.UDP; len(listeners) > 0 {
		target.From = listeners[0].Addr()
	}
	out := []api.TrunkAnswer{}
	for _, x := range probe.Ask(ctx, &target) {
		v := api.TrunkAnswer{
			Address: x.Address, Transport: t.Transport, OK: x.OK(), Status: x.Status, Phrase: x.Phrase, Server: x.Server, Login: string(x.Login),
			Took: x.Took.Milliseconds(), Fault: x.Fault,
		}
		if x.At.IsValid() {
			v.At = x.At.String()
		}
		out = append(out, v)
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
		out = append(out, api.Feed{
			Name: f.Name, From: f.From, Entries: f.Entries, Taken: f.Taken.UTC(), Asked: f.Asked.UTC(), Summary: f.Summary, Notes: f.Notes, Fault: f.Error,
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

// decide explains a call without making it, with the purses as they are at this moment.
func (a *App) decide(ctx context.Context, line, to string, from netip.Addr, at time.Time) (*gate.Explanation, error) {
	x, err := a.gate.Decide(ctx, line, to, from, at)
	if err == nil && !x.Known {
		err = book.ErrNotFound
	}
	return &x, err
}

func (a *App) liveCalls() []rest.Live {
	var out []rest.Live
	priced := map[call.ID]bool{}
	for _, r := range a.gate.Records() {
		priced[r.ID] = true
	}
	for _, c := range a.gate.Calls() {
		out = append(out, rest.Live{Open: c, Cutting: a.gate.Cutting(c.ID), Priced: priced[c.ID]})
	}
	return out
}

func (a *App) cutCall(id call.ID, why policy.Reason, note string) bool {
	return a.gate.Cut(id, why, policy.Figures{}, note)
}

// cdrs are call records; unstored are also those of calls that wait for a phone to confirm that they are over.
func (a *App) cdrs(ctx context.Context, q rest.CDRQuery, unstored bool) ([]call.CDR, error) {
	f := store.CDRFilter(q)
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

var purseKinds = [policy.Probation]struct {
	account, month bool
	cap            account.Field
}{
	policy.LineDay: {false, false, account.LineDayCap}, policy.LineMonth: {false, true, account.LineMonthCap},
	policy.AccountDay: {true, false, account.AccountDayCap}, policy.AccountMonth: {true, true, account.AccountMonthCap},
}

// purses are the four of a line, or the two of a customer, as they are now.
func (a *App) purses(ctx context.Context, customer, line string, now time.Time) ([]rest.Purse, error) {
	caps, zone := account.Effective{}, time.UTC
	if l, ok := a.book.Line(line); ok {
		caps, zone = *l.Effective(now), l.Zone()
	} else if c, ok := a.book.Customer(customer); ok {
		caps = c.Effective
		if z, err := time.LoadLocation(c.ZoneInForce); err == nil {
			zone = z
		}
	}
	ids := engine.PurseIDs(line, customer, zone, now)
	all, err := a.money.Purses(ctx, ids[:])
	if err != nil {
		return nil, err
	}
	var out []rest.Purse
	for i, k := range purseKinds {
		if line == "" && !k.account {
			continue
		}
		out = append(out, rest.Purse{
			Account: k.account, Month: k.month, Which: ids[i],
			Cap: money.Micro(caps.Values[k.cap]), Spent: all[i].Spent, Held: all[i].Held,
		})
	}
	return out, nil
}

func (a *App) status(context.Context) api.Status {
	cfg := a.config()
	s := api.Status{
		Version: Version, Node: cfg.Node, Started: a.began.UTC(), Uptime: int64(time.Since(a.began) / time.Second),
		Ready: a.monitor.ready.Load() && a.storeFault() == "", Store: "ok", Engine: cfg.Store.Engine,
		Registrations: a.location.Len(), Calls: a.gate.OpenCalls(),
	}
	if f := a.storeFault(); f != "" {
		s.Store = f
	}
	return s
}

// check looks for what an operator should know: a store that does not add up, secrets that do not open, calls without price.
func (a *App) check(ctx context.Context) api.Check {
	var c api.Check
	add := func(what, level, text string) {
		c.Items = append(c.Items, api.CheckItem{What: what, Level: level, Text: text})
	}
	a.checkStore(ctx, add)
	a.checkBook(add)
	if a.config().Provider.Plan == "uk" {
		a.numbering.check(time.Now(), add)
	}
	a.checkShield(ctx, add)
	a.checkNotices(add)
	c.OK = true
	for _, i := range c.Items {
		c.OK = c.OK && i.Level != "error"
	}
	return c
}

func (a *App) checkStore(ctx context.Context, add func(what, level, text string)) {
	if err := a.store.Ping(ctx); err != nil {
		add("store", "error", fmt.Sprintf("cannot be written: %v. Paid calls are refused until it can", err))
	} else {
		add("store", "ok", a.config().Store.Engine+" answers and can be written")
	}
	faults, err := a.money.Check(ctx)
	switch {
	case err != nil:
		add("money", "error", fmt.Sprintf("could not be checked: %v", err))
	case len(faults) == 0:
		add("money", "ok", "every purse holds exactly what its open calls hold")
	}
	for _, f := range faults {
		add("money", "error", f)
	}
}

func (a *App) checkBook(add func(what, level, text string)) {
	n := a.book.Counts()
	opened, failed := a.book.CheckSecrets()
	if failed > 0 {
		add("book", "error", fmt.Sprintf("%d of %d passwords do not open with the present key: restore the key file that sealed them", failed, opened+failed))
	} else {
		add("book", "ok", api.Count(n.Customers, "customer", "customers")+", "+api.Count(n.Lines, "line", "lines")+"; every password opens")
	}
	if len(a.book.Trunks()) == 0 {
		add("trunks", "warning", "there is no trunk, so no call can leave: ringfence trunk add NAME HOST:PORT")
	} else {
		add("trunks", "ok", api.Count(len(a.book.Trunks()), "trunk in use", "trunks in use"))
	}
	add("decks", "ok", api.Count(n.Decks, "deck", "decks")+" in force")
	if a.config().Store.Money == "memory" {
		add("configuration", "warning", "store.money is \"memory\": caps and calls are forgotten when the program ends")
	}
}

// checkShield checks the protection.
func (a *App) checkShield(ctx context.Context, add func(what, level, text string)) {
	cfg := a.config()
	switch {
	case a.shield.kernel != nil:
		add("bans", "ok", "banned sources are dropped in the kernel")
	case cfg.Shield.Kernel == "off":
		add("bans", "ok", "banned sources are dropped by this program (shield.kernel is off)")
	default:
		add("bans", "warning", "banned sources are dropped by this program, not by the kernel: the log of the start says why; it needs CAP_NET_ADMIN")
	}
	if s := a.shield.bans.Stats(); s.Lost+s.Evicted > 0 {
		add("bans", "warning", api.Count(int(s.Lost+s.Evicted), "ban", "bans")+" were dropped since the start because the list was full: raise shield.max-bans")
	}
	for _, f := range a.shield.feeds.Status() {
		if f.Error != "" {
			add("feeds", "warning", f.Error+"; the previous list stays in force")
		} else if !f.Taken.IsZero() {
			add("feeds", "ok", f.Name+": "+api.Count(f.Entries, "entry", "entries"))
		}
	}
	a.checkCounters(ctx, add)
	if files := a.shield.geo.Files(); len(files) == 0 {
		add("geo", "warning", "no files of countries and networks: distant logins and hosting networks are not recognised; set geo.files")
	} else {
		add("geo", "ok", api.Count(len(files), "file", "files")+" of countries and networks")
	}
}

func (a *App) checkCounters(ctx context.Context, add func(what, level, text string)) {
	cfg := a.config()
	_, err := a.shield.counters.Marks(ctx, "check", time.Now()) // a table that nobody uses
	switch {
	case err != nil:
		add("counters", "warning", fmt.Sprintf("not reached: %v. Until it can, lock-outs and bans of other nodes are unknown here", err))
	case cfg.Counters.URL != "":
		add("counters", "ok", "reached; nodes share lock-outs and bans")
	case cfg.Store.Engine == "postgres":
		add("counters", "warning", "nodes on one store do not share lock-outs and bans: set counters.url")
	default:
		add("counters", "ok", "kept in this process, for one node")
	}
}

// checkNotices checks that notices can be sent.
func (a *App) checkNotices(add func(what, level, text string)) {
	cfg := a.config()
	if cfg.Mail.Server == "" {
		add("mail", "warning", "there is no mail server: mails are kept, not sent (ringfence notice list shows them); set mail.server")
	} else {
		add("mail", "ok", "mails go to "+cfg.Mail.Server+"; test it with: ringfence notice test ADDRESS")
	}
	if len(cfg.Notify.Desk) == 0 {
		add("notices", "warning", "the fraud desk has no address for notices: set notify.desk")
	}
	if cfg.LinksURL() == "" {
		add("notices", "warning", "notices carry no answer links: set web.listen and web.url")
	}
}

// rotate puts a new key in force: it is durable in the key file before anything is sealed with it.
func (a *App) rotate(ctx context.Context, by string) (api.Rotated, error) {
	box, err := a.keys.add()
	if err != nil {
		return api.Rotated{}, err
	}
	n, err := a.book.Rekey(ctx, by, box)
	go a.book.JudgePasswords(context.WithoutCancel(ctx)) // what was judged and not stored yet was of the old seals
	if err != nil {
		return api.Rotated{}, err
	}
	return api.Rotated{Key: box.Newest().String(), Secrets: n}, nil
}
