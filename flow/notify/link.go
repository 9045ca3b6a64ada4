package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/policy"
	"ringfence/flow/guard"
	"ringfence/state/store"
)

// A link's token is 33 bytes in base64url: an id, what pressing the button does, and a code that binds the two.
//
//	id   = HMAC-SHA256(LinkKey, "id", key of the notice, person, which pair, when it ends), 16 bytes
//	code = HMAC-SHA256(LinkKey, "code", id, action), 16 bytes
//
// Both follow from the notice and LinkKey, so that every try of a message carries the same links and nothing that opens
// anything is stored: the store has SHA-256 of the id. "mine" and "not-mine" share an id and thereby one row of the store,
// whose one conditional write says which of them was first. A token that is not ours costs no look into the store.
// Another LinkKey ends all links not yet used.

// Actions of links.
const (
	Mine    = "mine"
	NotMine = "not-mine"
	Off     = "off"
	Admit   = "admit" // the login that was held

	answer = "answer" // stored for the pair of mine and not-mine
)

var actions = []string{Mine, NotMine, Off, Admit}

const (
	idSize    = 16
	tokenSize = idSize + 1 + idSize
	offLife   = 90 * 24 * time.Hour // people switch notices off in old mails
	actFor    = 30 * time.Second    // the longest that doing what a link asks for takes
)

// mac is HMAC-SHA256 over parts, each with its length before it, cut to 16 bytes.
func (n *Notifier) mac(parts ...string) []byte {
	h := hmac.New(sha256.New, n.o.LinkKey)
	h.Write([]byte("ringfence answer link"))
	for _, p := range parts {
		var size [4]byte
		binary.BigEndian.PutUint32(size[:], uint32(len(p)))
		h.Write(size[:])
		h.Write([]byte(p))
	}
	return h.Sum(nil)[:idSize]
}

func pairOf(action string) string {
	if action == Off || action == Admit {
		return action
	}
	return answer
}

// token of a link; the same for the same arguments.
func (n *Notifier) token(notice, person, action string, ends time.Time) string {
	id := n.mac("id", notice, person, pairOf(action), ends.UTC().Format(time.RFC3339))
	return base64.RawURLEncoding.EncodeToString(slices.Concat(id, []byte{byte(slices.Index(actions, action))}, n.mac("code", string(id), action)))
}

// open reads a token: what is stored for it, and its action.
func (n *Notifier) open(token string) (hash, action string, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(strings.TrimRight(token, "=."))
	if err != nil || len(b) != tokenSize || int(b[idSize]) >= len(actions) || len(n.o.LinkKey) == 0 {
		return "", "", ErrLink
	}
	action = actions[b[idSize]]
	if !hmac.Equal(b[idSize+1:], n.mac("code", string(b[:idSize]), action)) {
		return "", "", ErrLink
	}
	return hashOf(b[:idSize]), action, nil
}

// Genuine says whether a token is one that was made here, whatever has become of its link. It looks into no store.
func (n *Notifier) Genuine(token string) bool {
	_, _, err := n.open(token)
	return err == nil
}

func hashOf(id []byte) string {
	sum := sha256.Sum256(id)
	return hex.EncodeToString(sum[:])
}

// linksTo are the links of a notice to one person, as the store keeps them.
func (n *Notifier) linksTo(d *draft, person string) []store.Link {
	var out []store.Link
	add := func(action string, ends time.Time, about About) {
		b, _ := json.Marshal(about) // plain texts
		id := n.mac("id", d.key, person, action, ends.UTC().Format(time.RFC3339))
		out = append(out, store.Link{Hash: hashOf(id), Person: person, Action: action, Line: d.line, Data: b, Expires: ends})
	}
	if n.o.LinksURL == "" || !strings.HasPrefix(person, "customer/") {
		return nil
	}
	if d.info.Answers && d.line != "" {
		add(answer, d.Until, d.about())
	}
	if d.info.Kind == LoginHeld && d.line != "" {
		add(Admit, d.at.Add(guard.HeldFor).UTC().Truncate(time.Second), d.about())
	}
	if !d.critical() && d.info.Kind != Test {
		add(Off, d.Until.Add(offLife), About{Kind: d.info.Kind})
	}
	return out
}

// About is the data of a link: what the notice was about.
type About struct {
	Kind    Kind   `json:"kind"`
	Finding string `json:"finding,omitempty"` // key
	Address string `json:"address,omitempty"`
	Agent   string `json:"agent,omitempty"`
	Family  string `json:"family,omitempty"`
	Place   string `json:"place,omitempty"`
	Network string `json:"network,omitempty"` // in words, of a login that is held
	Account string `json:"account,omitempty"`
}

func (d *draft) about() About {
	text := func(key string) string { s, _ := d.Evidence[key].(string); return s }
	a := About{Kind: d.info.Kind, Finding: d.Finding, Agent: text("agent"), Family: text("family"), Place: text("place"), Account: d.account, Address: d.Source}
	if a.Address == "" {
		a.Address = text("address")
	}
	if d.info.Kind == LoginHeld {
		a.Network = networkOf(d.Evidence)
	}
	return a
}

// urls of a notice's links to a person, by action. None without LinksURL, and for a person that gets none.
func (n *Notifier) urls(d *draft, person string) map[string]string {
	out := map[string]string{}
	for _, l := range n.linksTo(d, person) {
		for _, action := range actions {
			if pairOf(action) == l.Action {
				out[action] = n.o.LinksURL + LinkPath + n.token(d.key, person, action, l.Expires)
			}
		}
	}
	return out
}

// Link is what a link is about. It changes nothing. Errors: ErrLink, or the store is unavailable. A link that was used or
// has expired is no error here: the view says so, and of a used one what it did.
func (n *Notifier) Link(ctx context.Context, token string) (LinkView, error) {
	hash, action, err := n.open(token)
	if err != nil {
		return LinkView{}, err
	}
	l, err := n.o.Store.Link(ctx, hash)
	if errors.Is(err, store.ErrNotFound) {
		return LinkView{}, ErrLink
	}
	if err != nil {
		return LinkView{}, err
	}
	v := n.linkView(&l, action, n.now())
	if !v.Used && !n.entitled(&l) {
		v.gone(&n.o.Help)
	}
	return v, nil
}

// entitled says that a link is still its person's to use: they are a contact, and for an answer, one of the line's.
func (n *Notifier) entitled(l *store.Link) bool {
	customer, id, ok := customerOf(l.Person)
	c := n.contact(customer, id)
	if !ok || c == nil {
		return false
	}
	if l.Action == Off || l.Line == "" {
		return true
	}
	line, known := n.o.Book.Line(l.Line)
	return c.About(l.Line) && (!known || line.Customer() == customer)
}

// gone makes the view that of a link that is no longer valid.
func (v *LinkView) gone(h *Help) {
	v.Gone, v.Expired, v.Title, v.Button = true, true, "This link is no longer yours to use", ""
	v.Text = []string{
		"This link is no longer yours to use: since it was sent to you, the contacts for these notices have changed, and you are no longer one of them. Nothing was done.",
		"If something is wrong with the line, " + h.reach() + ".",
	}
}

// Use does what a link asks for, once: it is marked used before anything is done, so that a crash in between does nothing
// twice. A further use does nothing; it gets ErrUsed, or ErrExpired, with the view that says what the first one did. Who is
// no contact any more gets ErrGone.
// The action continues when ctx ends: a person who closes the page has still pressed the button.
func (n *Notifier) Use(ctx context.Context, token string, from netip.Addr) (LinkView, error) {
	v, err := n.Link(ctx, token)
	switch {
	case err != nil:
		return v, err
	case v.Used:
		return v, ErrUsed
	case v.Gone:
		return v, ErrGone
	case v.Expired:
		return v, ErrExpired
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), actFor)
	defer cancel()
	hash, action, _ := n.open(token)
	l, err := n.o.Store.Link(ctx, hash)
	if err != nil {
		return v, err
	}
	err = n.o.Store.UseLink(ctx, hash, n.now(), linkFact(&l, &fact.LinkUsed{Action: action, Source: fact.FromAddr(from), Notice: l.Notice, Person: l.Person}))
	if errors.Is(err, store.ErrInUse) { // another request was quicker
		if v, err = n.Link(ctx, token); err == nil {
			err = ErrUsed
		}
		return v, err
	}
	if err != nil {
		return v, err
	}
	v.Used = true
	v.Result = n.act(ctx, &l, action)
	if err := n.o.Store.LinkResult(ctx, hash, v.Result); err != nil {
		n.log.Warn("what a link did could not be recorded", "notice", l.Notice, "action", action, "error", err)
	}
	return v, nil
}

func linkFact(l *store.Link, f fact.Body) store.Fact {
	account, _, _ := customerOf(l.Person)
	return f.Row(time.Now().UTC(), fact.Subject{Line: l.Line, Account: account})
}

// act performs it and returns the result in words. A failure is reported to the person immediately, with what to do instead.
func (n *Notifier) act(ctx context.Context, l *store.Link, action string) string {
	a := Answer{Action: action, Person: l.Person, Line: l.Line}
	done, err := "", json.Unmarshal(l.Data, &a.About)
	if a.Kind == Digest { // which has all kinds in it
		a.Kind = "*"
	}
	if err == nil && n.o.Act != nil {
		done, err = n.o.Act(ctx, a)
	}
	said := map[string]string{Mine: "You answered: that was me.", NotMine: "You answered: that was not me.", Off: "You switched this notice off.", Admit: "You answered: let this phone in."}[action]
	switch {
	case err != nil:
		n.log.Error("what a link asks for failed", "notice", l.Notice, "action", action, "line", account.Handle(l.Line), "error", err)
		done = "Your answer is recorded, but what it asks for could not be done just now. Please do not wait: " + n.o.Help.reach() + "."
	case done == "":
		done = "Your answer is recorded."
	}
	result := said + " " + Clean(done, 2000)
	f := linkFact(l, &fact.LinkDone{Action: action, Failed: err != nil, Notice: l.Notice, Person: l.Person, Result: result})
	if _, err := n.o.Store.Advance(ctx, store.Step{Stage: Stage, Facts: []store.Fact{f}}); err != nil {
		n.log.Warn("what a link did could not be written to the journal", "notice", l.Notice, "action", action, "error", err)
	}
	return result
}

// reach is how to get help, as part of a sentence.
func (h *Help) reach() string {
	switch {
	case h.Phone != "":
		return "call " + h.provider() + " on " + h.Phone
	case h.Mail != "":
		return "write to " + h.provider() + " at " + h.Mail
	}
	return "contact " + h.provider()
}

func (h *Help) provider() string {
	if h.Provider == "" {
		return "your telephone provider"
	}
	return h.Provider
}

func (n *Notifier) linkView(l *store.Link, action string, now time.Time) LinkView {
	handle := account.Handle(l.Line)
	v := LinkView{Action: action, Line: handle, Used: !l.Used.IsZero(), Result: l.Result, Expired: l.Used.IsZero() && !l.Expires.After(now)}
	var a About
	if json.Unmarshal(l.Data, &a) == nil {
		v.Kind = a.Kind
	}
	info, _ := infoOf(v.Kind)
	what := info.Title
	if l.Line != "" {
		what += " – line " + handle
	}
	switch action {
	case Mine:
		v.Title, v.Button = "Was this you?", "That was me"
		v.Text = []string{what + ".", "If you press the button, we note that this was you or one of your people. We will not ask about the same phone at the same place again."}
		if v.Kind == UsageLevel {
			v.Title, v.Button = "Are these your calls?", "These are our calls"
			v.Text[1] = "If you press the button, we note that these calls are yours. Nothing changes: we still notify you at the next level."
		}
		if v.Kind == ForwardSet {
			v.Text[1] = "If you press the button, we note that you or one of your people forwarded these calls. Nothing changes: we still notify you of the next forward."
		}
	case NotMine:
		v.Title, v.Button = "This was not you?", "Not me: lock the line"
		if v.Kind == UsageLevel {
			v.Title, v.Button = "Are these not your calls?", "Not ours: lock the line"
		}
		v.Text = []string{what + ".", "If you press the button, we lock line " + handle + " at once: it can make no calls except to emergency numbers, and its phones are logged out. We show you what was done, and you can have the line unlocked again."}
		if v.Kind == ForwardSet {
			v.Text = append(v.Text, "All forwards of the line end too, those that wait are called off, and none comes back when it is unlocked.")
		}
	case Admit:
		v.Title, v.Button = "Is this your phone?", "Let this phone in"
		v.Known = []Known{{"Line", handle}, {"Address", a.Address}, {"Network", a.Network}, {"Calls itself", a.Agent}}
		v.Known = slices.DeleteFunc(v.Known, func(k Known) bool { return k.Value == "" })
		v.Text = []string{
			"Somebody at this address used the right password of your line and was refused, as if the password were wrong: somebody is guessing the line's password, or wrong passwords came from that very address.",
			"If you press the button, this one address may log in once within an hour. For a day from then its phone can take calls, and call ordinary national numbers for " +
				moneyText(policy.ProbationCap()) + " in all, two calls at a time. Nothing else changes.",
			"Press it only if you are setting up or using a phone there at this moment. If not, somebody has guessed or stolen the password: use “Not me” in the message.",
		}
	case Off:
		v.Title, v.Button = "Switch this notice off?", "Switch it off"
		v.Text = []string{"If you press the button, you get no more notices of this kind: " + offWords(v.Kind) + ". Serious warnings still reach you. You can have it switched on again at any time."}
	}
	if v.Used && v.Result == "" {
		v.Result = "This was answered, but the outcome was not recorded. To be sure, " + n.o.Help.reach() + "."
	}
	if v.Expired {
		v.Text = append(v.Text[:1:1], "This link has expired. If it still matters, "+n.o.Help.reach()+".")
	}
	return v
}

// offWords names what an "off" link switches off.
func offWords(k Kind) string {
	info, _ := infoOf(k)
	if k == Digest {
		return "all that is not urgent"
	}
	return "“" + info.Title + "”"
}

// customerOf takes "customer/ID/contact" apart.
func customerOf(person string) (customer, contact string, ok bool) {
	rest, ok := strings.CutPrefix(person, "customer/")
	if !ok {
		return "", "", false
	}
	customer, contact, ok = strings.Cut(rest, "/")
	return customer, contact, ok
}
