package api

import (
	"encoding/json"
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

// Delivery is a notice to one person over one channel.
type Delivery struct {
	Person    string    `json:"person" doc:"customer/ID/CONTACT, or desk/ADDRESS"`
	Channel   string    `json:"channel" doc:"mail, webhook"`
	Address   string    `json:"address"`
	State     string    `json:"state" enum:"queued,sending,sent,kept,digest,bundled,bounced,failed,off"`
	Tries     int64     `json:"tries"`
	Next      time.Time `json:"next,omitzero" doc:"of the next try"`
	Sent      time.Time `json:"sent,omitzero"`
	Error     string    `json:"error,omitempty" doc:"of the last try"`
	MessageID string    `json:"message_id,omitempty"`
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
	Person string `json:"person,omitempty" maxLength:"400" doc:"one of its people; absent: all"`
}

// NoticeTest sends a test.
type NoticeTest struct {
	To string `json:"to" minLength:"1" maxLength:"500" doc:"a mail address, or the URL of a webhook"`
}

// NoticeKind is a kind of notice.
type NoticeKind struct {
	Kind     string `json:"kind"`
	Title    string `json:"title"`
	Text     string `json:"text" doc:"what it tells, in a sentence"`
	Owner    bool   `json:"owner" doc:"the customer's contacts get it"`
	Desk     bool   `json:"desk" doc:"the fraud desk gets it"`
	Critical bool   `json:"critical" doc:"comes whatever the person wishes"`
	Answers  bool   `json:"answers" doc:"can be answered with a link: that was me, not me"`
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
