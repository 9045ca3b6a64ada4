package api

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Notice is a message to people, and what became of it with each of them.
type Notice struct {
	ID         int64      `json:"id"`
	Kind       string     `json:"kind" doc:"new-device, usage-level, …"`
	Title      string     `json:"title"`
	Line       string     `json:"line,omitempty"`
	LineID     string     `json:"line_identity,omitempty"`
	Customer   string     `json:"customer,omitempty"`
	Account    string     `json:"customer_identity,omitempty"`
	At         time.Time  `json:"at"`
	State      string     `json:"state" doc:"of all deliveries: queued, sending, sent, kept, digest, bundled, bounced, failed, off, or mixed"`
	Deliveries []Delivery `json:"deliveries"`
}

// Resource describes notices.
func (Notice) Resource() Resource[Notice] {
	return Resource[Notice]{
		Name: "notice", Path: "notices", Next: "before", List: "List notices, newest first", Get: "Show a notice with its message, without the person's links",
		Columns: "notice: id, at, kind, line, customer, state, to~, what: title~",
		Fields:  "notice!, kind: kind and title, line?, customer?, at, state",
		Empty:   "No such notices. To receive them: ringfence customer contact add CUSTOMER ID --mail ADDRESS; to test an address: ringfence notice test ADDRESS",
		Cells: map[string]func(*Notice) Cell{
			"notice":         func(n *Notice) Cell { return Cell{Text: strconv.FormatInt(n.ID, 10)} },
			"kind and title": func(n *Notice) Cell { return Cell{Text: n.Kind + " (" + n.Title + ")"} },
			"state":          func(n *Notice) Cell { return stateCell(n.State) },
			"to":             func(n *Notice) Cell { return Cell{Text: n.To()} },
		},
		Named: func(n *Notice) (string, string) { return strconv.FormatInt(n.ID, 10), n.Title },
	}
}

// To is where a notice goes, in a few words.
func (n *Notice) To() string {
	switch more := len(n.Deliveries) - 1; {
	case more < 0:
		return "nobody"
	case more > 0:
		return fmt.Sprintf("%s and %d more", n.Deliveries[0].Address, more)
	}
	return n.Deliveries[0].Address
}

func stateCell(state string) Cell {
	return Cell{state, map[string]string{
		"sent": "good", "bundled": "good", "bounced": "bad", "failed": "bad", "kept": "warn", "mixed": "warn", "off": "dim",
	}[state]}
}

// NoticeID says which.
type NoticeID struct {
	ID int64 `path:"id" minimum:"1" arg:"" help:"Notice." predict:"notice"`
}

// NoticeFilter selects notices.
type NoticeFilter struct {
	Line     string `query:"line" maxLength:"80" help:"Only about this line." placeholder:"LINE" predict:"line"`
	Customer string `query:"customer" maxLength:"60" help:"Only about this customer." placeholder:"CUSTOMER" predict:"customer"`
	Kind     string `query:"kind" maxLength:"40" help:"Only this kind." placeholder:"KIND" predict:"notice-kind"`
	State    string `query:"state" enum:"queued,sending,sent,kept,digest,bundled,bounced,failed,off" doc:"of any delivery" kong:"enum=',queued,sending,sent,kept,digest,bundled,bounced,failed,off',default=''" help:"Only with a delivery in this state: queued, sending, sent, kept, digest, bundled, bounced, failed or off." placeholder:"STATE"`
}

// Delivery is a notice to one person over one channel.
type Delivery struct {
	Person    string    `json:"person" doc:"customer/ID/CONTACT, or desk/ADDRESS"`
	Channel   string    `json:"channel" doc:"mail, webhook"`
	Address   string    `json:"address"`
	State     string    `json:"state" enum:"queued,sending,sent,kept,digest,bundled,bounced,failed,off"`
	Tries     int64     `json:"tries"`
	Next      time.Time `json:"next,omitzero" doc:"of the next attempt"`
	Sent      time.Time `json:"sent,omitzero"`
	Error     string    `json:"error,omitempty" doc:"of the last attempt"`
	MessageID string    `json:"message_id,omitempty"`
}

// Resource describes deliveries.
func (Delivery) Resource() Resource[Delivery] {
	return Resource[Delivery]{
		Columns: "person, over: channel, address~, state, tries, sent, next try: next, last error: error~",
		Cells:   map[string]func(*Delivery) Cell{"state": func(d *Delivery) Cell { return stateCell(d.State) }},
	}
}

// NoticeDetail is a notice with its message as its first person got it, without that person's links.
type NoticeDetail struct {
	Notice
	Subject string `json:"subject"`
	Text    string `json:"text"`
	HTML    string `json:"html"`
}

// Resend sends a notice again.
type Resend struct {
	Person string `json:"person,omitempty" maxLength:"400" doc:"one of its recipients; absent: all" help:"Only to this recipient, as notice show names it (default: all)." placeholder:"PERSON"`
}

// NoticeResend says which.
type NoticeResend struct {
	NoticeID
	Body Resend `embed:""`
}

// NoticeTest sends a test.
type NoticeTest struct {
	To string `json:"to" minLength:"1" maxLength:"500" doc:"a mail address, or the URL of a webhook" arg:"" name:"address" help:"A mail address, or the URL of a webhook."`
}

// NoticeKind is a kind of notice.
type NoticeKind struct {
	Kind     string `json:"kind"`
	Title    string `json:"title"`
	Text     string `json:"text" doc:"its meaning, in a sentence"`
	Owner    bool   `json:"owner" doc:"the customer's contacts get it"`
	Desk     bool   `json:"desk" doc:"the fraud desk gets it"`
	Critical bool   `json:"critical" doc:"sent whatever the recipient's preference"`
	Answers  bool   `json:"answers" doc:"can be answered with a link: that was me, not me"`
}

// Resource describes kinds of notice.
func (NoticeKind) Resource() Resource[NoticeKind] {
	yes := func(of func(*NoticeKind) bool) func(*NoticeKind) Cell {
		return func(k *NoticeKind) Cell { return Cell{Text: map[bool]string{true: "yes"}[of(k)]} }
	}
	return Resource[NoticeKind]{
		Name: "notice-kind", Path: "notices/kinds",
		Columns: "kind, goes to, always, answers: can be answered, what it says: text~",
		Cells: map[string]func(*NoticeKind) Cell{
			"goes to": func(k *NoticeKind) Cell {
				return Cell{Text: map[[2]bool]string{{true, true}: "owner, desk", {true, false}: "owner", {false, true}: "desk"}[[2]bool{k.Owner, k.Desk}]}
			},
			"always":          yes(func(k *NoticeKind) bool { return k.Critical }),
			"can be answered": yes(func(k *NoticeKind) bool { return k.Answers }),
		},
		Named: func(k *NoticeKind) (string, string) { return k.Kind, k.Title },
	}
}

// KindOfNotice says which.
type KindOfNotice struct {
	Kind string `path:"kind" maxLength:"40" arg:"" optional:"" help:"Kind of notice; --list shows them." predict:"notice-kind"`
}

// NoticePreview is a kind of notice with made-up data.
type NoticePreview struct {
	Kind    string          `json:"kind"`
	Subject string          `json:"subject"`
	Text    string          `json:"text"`
	HTML    string          `json:"html"`
	JSON    json.RawMessage `json:"json" doc:"what a webhook gets"`
}

// WebhookKey is what receivers of webhooks check signatures with (RFC 9421).
type WebhookKey struct {
	ID        string `json:"id" doc:"keyid of the signatures"`
	Algorithm string `json:"algorithm" enum:"ed25519"`
	PEM       string `json:"pem" doc:"the public key"`
}
