package notify

import (
	"encoding/json"
	"maps"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/state/store"
)

// forwardKinds are the forwards of a line: how evidence names them, as the API does, and what a notice says of them.
var forwardKinds = []struct {
	cause     call.Cause
	key, text string
}{
	{call.ForwardAlways, "forward_always", "Every call to line LINE goes to NUMBER."},
	{call.ForwardBusy, "forward_busy", "Calls that find line LINE busy go to NUMBER."},
	{call.ForwardNoAnswer, "forward_no_answer", "Calls to line LINE that nobody answers within SECONDS seconds go to NUMBER."},
	{call.ForwardUnreachable, "forward_unreachable", "Calls that reach no phone of line LINE go to NUMBER."},
}

// forwardedPart is what facts have of the forwards of a line.
type forwardedPart struct {
	Forwards account.Forwards `json:"forwards"`
	From     string           `json:"from"` // address of the phone that dialled a code
}

// readForwards is of calls that go somewhere new. A thief who forwards a line to his own number hears the owner's calls, and has the owner pay. That a forward
// ended harms nobody.
func (n *Notifier) readForwards(f *store.Fact) (draft, bool) {
	var b fact.LineChanged
	var was, is forwardedPart
	if b.Decode(f.Body) != nil || len(b.After) == 0 || json.Unmarshal(b.After, &is) != nil || b.By == fact.ByAnswer {
		return draft{}, false
	}
	if len(b.Before) > 0 && json.Unmarshal(b.Before, &was) != nil {
		return draft{}, false
	}
	d := n.drafted(f, ForwardSet)
	d.By, d.Source, d.Evidence = Clean(b.By, 80), Clean(is.From, 60), map[string]any{}
	for _, k := range forwardKinds {
		if to := is.Forwards.To(k.cause); to != "" && to != was.Forwards.To(k.cause) {
			d.Evidence[k.key] = strange(to, 60)
		}
	}
	if len(d.Evidence) == 0 {
		return draft{}, false
	}
	if d.Evidence["forward_no_answer"] != nil {
		d.Evidence["forward_after"] = strconv.FormatInt(int64(is.Forwards.Rings()/time.Second), 10)
	}
	d.Text = forwardsText(d.line, d.Evidence)
	return d, true
}

// forwardsText says in words which calls go where.
func forwardsText(line string, e map[string]any) string {
	var texts []string
	for _, k := range forwardKinds {
		to := scalar(e[k.key])
		if to == "" {
			continue
		}
		texts = append(texts, strings.NewReplacer("LINE", account.Handle(line), "SECONDS", scalar(e["forward_after"]), "NUMBER", to).Replace(k.text))
	}
	return strings.Join(texts, " ")
}

// sameForwards says that two drafts are of forwards that one person set at one time: each is a fact of its own where some of them loosen, or where a script sets
// them one by one.
func sameForwards(a, b *draft) bool {
	return a.info.Kind == ForwardSet && b.info.Kind == ForwardSet && a.line == b.line && a.By == b.By && a.Source == b.Source && a.at.Sub(b.at).Abs() <= together
}

// alsoForwarded is an earlier draft with a later one, whose word counts.
func alsoForwarded(was *draft, d draft) draft {
	all := maps.Clone(was.Evidence)
	maps.Copy(all, d.Evidence)
	d.Evidence, d.Text = all, forwardsText(d.line, all)
	return d
}
