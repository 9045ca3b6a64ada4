package liability

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
)

// word is what a line or customer set a setting to. A node that did not hear of it goes on with what it knew, and the gate's own word for the settings of a call says only what it
// believed: so the promises are judged by what was set, too.
type word struct {
	seq   int64
	at    time.Time
	value account.Value  // of a number; not Set: the line or customer says nothing of it any more
	nets  []netip.Prefix // of the addresses that calls may come from; none: any
}

// words are what a line or customer has set, by setting, in the order of the journal. A store that was restored makes them doubtful.
type words map[string][]word

const netsWord = "nets"

// judgedBy are the settings whose promises are judged by what was set as well.
var judgedBy = map[string]account.Field{
	account.NationalCeiling.String(): account.NationalCeiling, account.InternationalCeiling.String(): account.InternationalCeiling, account.Premium.String(): account.Premium,
}

// take notes what a fact says was set: what it has before and not after was taken back.
func (w words) take(row *fact.Row, before, after json.RawMessage) error {
	was, is := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	for _, x := range []struct {
		body json.RawMessage
		into *map[string]json.RawMessage
	}{{before, &was}, {after, &is}} {
		if len(x.body) == 0 {
			continue
		}
		if err := json.Unmarshal(x.body, x.into); err != nil {
			return err
		}
	}
	for _, name := range []string{netsWord, account.NationalCeiling.String(), account.InternationalCeiling.String(), account.Premium.String()} {
		body, set := is[name]
		if _, unset := was[name]; !set && !unset {
			continue
		}
		x := word{seq: row.Seq, at: row.At}
		if set {
			var s account.Settings
			if err := json.Unmarshal([]byte(`{"`+name+`":`+string(body)+`}`), &s); err != nil {
				return err
			}
			x.nets = s.Nets
			if f, ok := judgedBy[name]; ok {
				x.value = s.Values[f]
			}
		}
		w[name] = append(w[name], x)
	}
	return nil
}

// last is the latest word on a setting that every node must have heard of when a call began; nil: there is none.
func (w words) last(name string, s *story) *word {
	all := w[name]
	for i := len(all) - 1; i >= 0; i-- {
		if x := &all[i]; x.seq < s.seq && s.at.Sub(x.at) > moment {
			return x
		} else if x.seq < s.seq { // a node may have known this one, or the one before
			return nil
		}
	}
	return nil
}

// said are the words of a line and of its customer on a setting.
func (x *asked) said(name string) (line, customer *word) {
	line, customer = x.line.words.last(name, x.s), x.h.account(x.r.Account).last(name, x.s)
	for i := range x.h.lost { // what was set before a store was restored may not have been in it
		if g := &x.h.lost[i]; g.seq < x.s.seq {
			if line != nil && line.seq < g.seq {
				line = nil
			}
			if customer != nil && customer.seq < g.seq {
				customer = nil
			}
		}
	}
	return line, customer
}

// bound is what a line's or a customer's word leaves of a setting below the provider; nil: nothing is known of it. A word of staff that loosens holds whatever stands above it, any other
// only tightens.
func (x *asked) bound(f account.Field) (n int64, by *word) {
	line, customer := x.said(f.String())
	if line != nil {
		if v := line.value.At(x.s.at); v.Set {
			n, by = v.N, line
			if v.Granted {
				return n, by
			}
		}
	}
	if customer != nil && (by != nil || x.e.From[f] != account.LevelLine) { // else a word of the line that is not known may be above it
		if v := customer.value.At(x.s.at); v.Set && (by == nil || v.N < n) {
			n, by = v.N, customer
		}
	}
	return n, by
}

// staleNets finds a list of addresses that was set, and that the call did not come from: the node that let it in did not know it.
func (x *asked) staleNets(addr netip.Addr) *Ruling {
	line, customer := x.said(netsWord)
	for _, w := range []*word{line, customer} {
		if w == nil || len(w.nets) == 0 {
			continue
		}
		if !contains(w.nets, addr) {
			f := says(Broken, fmt.Sprintf("the call came from %s, which is not on the list %v that was set at %s; the node that let it in did not know it", addr, w.nets, utc(w.at)), w.seq)
			return &f
		}
	}
	return nil
}

func contains(list []netip.Prefix, addr netip.Addr) bool {
	for _, n := range list {
		if n.Contains(addr) {
			return true
		}
	}
	return false
}

// account is what a customer has set.
func (h *History) account(id string) words {
	w := h.accounts[id]
	if w == nil {
		w = words{}
		h.accounts[id] = w
	}
	return w
}
