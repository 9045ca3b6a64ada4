package book

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/state/store"
)

// parts is what a fact says of an entry, by name. Passwords, sealed or not, are never in it.
type parts map[string]json.RawMessage

// changed is what every fact of the book says: who, and what differs.
type changed = struct {
	By            string
	Before, After json.RawMessage
}

// factOf records a change as a fact of a kind: of two states only the parts that differ, of one all of it.
func factOf[T ~changed, F interface {
	*T
	fact.Body
}](now time.Time, actor, line, customer string, before, after parts,
) store.Fact {
	if before != nil && after != nil {
		before, after = differs(before, after), differs(after, before)
	}
	f := T(changed{By: clip(actor), Before: before.raw(), After: after.raw()})
	return F(&f).Row(now, fact.Subject{Line: line, Account: customer})
}

// differs is what of p the other has not, or has otherwise.
func differs(p, other parts) parts {
	own := parts{}
	for k, v := range p {
		if !bytes.Equal(v, other[k]) {
			own[k] = v
		}
	}
	return own
}

// raw is nothing for no parts.
func (p parts) raw() json.RawMessage {
	if len(p) == 0 {
		return nil
	}
	return raw(p)
}

// raw cannot fail: every value given is made of strings, numbers, times and networks.
func raw(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage(`{}`)
	}
	return b
}

func customerFacts(c account.Customer) parts {
	p := settingsFacts(c.Settings)
	p.text("name", c.Name)
	p.text("zone", c.Zone)
	p.text("tariff", c.Tariff)
	p.text("courtesy", string(c.Courtesy))
	if c.Cooling != (account.Cooling{}) {
		p["cooling_off"] = raw(map[string]any{"wait_s": int64(c.Cooling.Wait.Seconds()), "note": c.Cooling.Note != ""})
	}
	if len(c.Numbers) > 0 {
		p["numbers"] = raw(c.Numbers)
	}
	p.text("reseller", account.Handle(c.Reseller))
	if c.Resale.Sells {
		p["resale"] = raw(c.Resale)
	}
	if len(c.Contacts) > 0 {
		ids := make([]string, len(c.Contacts))
		for i, k := range c.Contacts {
			ids[i] = account.Handle(k.ID)
		}
		p["contacts"] = raw(ids)
	}
	return p
}

func lineFacts(l account.Line) parts {
	p := settingsFacts(l.Settings)
	p.text("customer", account.Handle(l.Customer))
	p.text("number", l.Number)
	p.text("name", l.Name)
	p.text("lock_why", l.LockWhy)
	p["locked"] = raw(l.Locked)
	if l.Locked {
		p["lock_calls"] = raw(l.LockCalls.String())
	}
	p.text("courtesy", string(l.Courtesy))
	if l.Honeypot {
		p["honeypot"] = raw(true)
	}
	if l.Forwards != (account.Forwards{}) {
		p["forwards"] = raw(l.Forwards)
	}
	if !l.Reach.IsZero() {
		p["reach"] = raw(reachFacts(&l.Reach))
	}
	return p
}

func contactFacts(c account.Contact) parts {
	p := parts{}
	p.text("contact", account.Handle(c.ID))
	p.text("name", c.Name)
	if to := account.ChannelCalled(c.Channel); to.Shown != nil {
		p.text(to.Part, to.Shown(c.Address))
	}
	if len(c.Lines) > 0 {
		handles := make([]string, len(c.Lines))
		for i, id := range c.Lines {
			handles[i] = account.Handle(id)
		}
		p["lines"] = raw(handles)
	}
	if len(c.Kinds) > 0 {
		p["kinds"] = raw(c.Kinds)
	}
	return p
}

func trunkFacts(t account.Trunk) parts {
	p := parts{
		"addresses": raw(t.Addresses), "sources": raw(netTexts(t.Sources)), "priority": raw(t.Priority),
		"emergency": raw(t.Emergency), "disabled": raw(t.Disabled), "login": raw(len(t.Sealed) > 0),
	}
	p.text("name", account.Handle(t.Name))
	p.text("identity", t.Name)
	p.text("transport", t.Transport)
	p.text("user", t.User)
	p.text("deck", t.Deck)
	p.text("format", t.Format)
	p.text("withheld", t.Withheld)
	p.text("headers", t.Headers)
	p.text("privacy", t.Privacy)
	p.text("from_abroad", t.Abroad)
	if t.Registrar != "" {
		p["registrar"], p["expiry"] = raw(t.Registrar), raw(t.Expiry)
	}
	if t.MaxCalls > 0 || t.MaxRate > 0 {
		p["max_calls"], p["max_rate"] = raw(t.MaxCalls), raw(t.MaxRate)
	}
	return p
}

func requestFacts(r account.Request) parts {
	p := parts{"request": raw(r.ID), "field": raw(r.Field.String()), "n": raw(r.N)}
	p.text("why", r.Why)
	p.text("note", r.Note)
	if !r.Until.IsZero() {
		p["until"] = raw(r.Until)
	}
	return p
}

// settingsFacts is each field by its own name, and "nets".
func settingsFacts(s account.Settings) parts {
	p := parts{}
	if err := json.Unmarshal(raw(s), &p); err != nil {
		return parts{}
	}
	return p
}

func (p parts) text(name, value string) {
	if value != "" {
		p[name] = raw(value)
	}
}

func netTexts(nets []netip.Prefix) []string {
	if len(nets) == 0 {
		return []string{}
	}
	return strings.Split(account.FormatNets(nets), ", ")
}
