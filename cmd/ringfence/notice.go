package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
)

type noticeCmd struct {
	remote
	List       noticeList    `cmd:"" help:"List notices, newest first."`
	Show       noticeShow    `cmd:"" help:"Show a notice: its message and what became of it."`
	Resend     noticeResend  `cmd:"" help:"Send a notice again."`
	Preview    noticePreview `cmd:"" help:"Show what a kind of notice looks like, with made-up data."`
	Test       noticeTest    `cmd:"" help:"Send a test to a mail address or webhook."`
	WebhookKey noticeKey     `cmd:"" help:"Print the public key that receivers check webhooks with."`
}

type noticeList struct {
	Line     string `query:"line" help:"Only about this line." placeholder:"LINE" predict:"line"`
	Customer string `query:"customer" help:"Only about this customer." placeholder:"CUSTOMER" predict:"customer"`
	Kind     string `query:"kind" help:"Only this kind." placeholder:"KIND" predict:"notice-kind"`
	State    string `query:"state" help:"Only with a delivery in this state: queued, sending, sent, kept, digest, bundled, bounced, failed or off." placeholder:"STATE" enum:",queued,sending,sent,kept,digest,bundled,bounced,failed,off" default:""`
	Limit    int    `help:"Show no more than this (0: all)." default:"50"`
}

func (noticeList) Help() string {
	return examples("ringfence notice list", "ringfence notice list --customer acme --kind new-device", "ringfence notice list --state bounced --limit 0 --json")
}

// Run lists them.
func (c *noticeList) Run(s *session) error {
	most := c.Limit
	items, more, err := all[api.Notice](s, pathOf("notices"), "before", most, c)
	if err != nil {
		return err
	}
	return s.emit(items, func() error {
		t := table.New(table.Right("notice"), table.Left("at"), table.Left("kind"), table.Left("line"), table.Left("customer"), table.Left("state"),
			table.Cut("to"), table.Cut("what"))
		for _, n := range items {
			t.Row(strconv.FormatInt(n.ID, 10), api.Moment(n.At), n.Kind, n.Line, n.Customer, stateCell(n.State), toText(n.Deliveries), n.Title)
		}
		return s.cutList(t, more, "No such notices. Who gets them: ringfence customer contact add CUSTOMER ID --mail ADDRESS; try the way with: ringfence notice test ADDRESS")
	})
}

func stateCell(state string) table.Cell {
	return table.Cell{Text: state, Style: map[string]table.Style{
		"sent": table.Good, "bundled": table.Good, "bounced": table.Bad, "failed": table.Bad, "kept": table.Warn, "mixed": table.Warn, "off": table.Dim,
	}[state]}
}

func toText(all []api.Delivery) string {
	if len(all) == 0 {
		return "nobody"
	}
	text := all[0].Address
	if len(all) > 1 {
		text += fmt.Sprintf(" and %d more", len(all)-1)
	}
	return text
}

type noticeShow struct {
	ID   int64 `arg:"" help:"Notice." predict:"notice"`
	HTML bool  `help:"Only the HTML part." name:"html" xor:"part"`
	Text bool  `help:"Only the text part." xor:"part"`
}

func (noticeShow) Help() string {
	return `Links in it are left out: they are the person's.

` + examples("ringfence notice show 17", "ringfence notice show 17 --html > notice.html")
}

// Run shows it.
func (c *noticeShow) Run(s *session) error {
	var out api.NoticeDetail
	if err := s.get(pathOf("notices", strconv.FormatInt(c.ID, 10)), &out); err != nil {
		return err
	}
	return s.emit(out, func() error {
		switch {
		case c.HTML:
			return s.say("%s", out.HTML)
		case c.Text:
			return s.say("%s", out.Text)
		}
		return s.showNotice(&out)
	})
}

func (s *session) showNotice(n *api.NoticeDetail) error {
	t := table.New(table.Left(""), table.Left(""))
	t.Row("notice", table.Cell{Text: strconv.FormatInt(n.ID, 10), Style: table.Bold})
	t.Row("kind", n.Kind+" ("+n.Title+")")
	for _, row := range [][2]string{{"line", n.Line}, {"customer", n.Customer}} {
		if row[1] != "" {
			t.Row(row[0], row[1])
		}
	}
	t.Row("at", api.Moment(n.At))
	t.Row("state", stateCell(n.State))
	if err := s.table(t, 0); err != nil {
		return err
	}
	if err := s.section("Deliveries", deliveryTable(n.Deliveries)); err != nil {
		return err
	}
	return s.say("\n%s\n\n%s", s.out.Paint(table.Bold, n.Subject), n.Text)
}

func deliveryTable(all []api.Delivery) *table.Table {
	t := table.New(table.Left("person"), table.Left("over"), table.Cut("address"), table.Left("state"), table.Right("tries"), table.Left("sent"),
		table.Left("next try"), table.Cut("last error"))
	for _, d := range all {
		t.Row(d.Person, d.Channel, d.Address, stateCell(d.State), strconv.FormatInt(d.Tries, 10), api.Moment(d.Sent), api.Moment(d.Next), d.Error)
	}
	return t
}

type noticeResend struct {
	ID     int64  `arg:"" help:"Notice." predict:"notice"`
	Person string `help:"Only to this one of its people, as notice show names them (default: all)." placeholder:"PERSON"`
}

func (noticeResend) Help() string {
	return `It goes to the addresses that hold now, whatever the person wishes: somebody has asked for it.

` + examples("ringfence notice resend 17", "ringfence notice resend 17 --person customer/acme/office")
}

// Run sends it.
func (c *noticeResend) Run(s *session) error {
	var out api.Notice
	if err := s.do(http.MethodPost, pathOf("notices", strconv.FormatInt(c.ID, 10), "resend"), api.Resend{Person: c.Person}, &out); err != nil {
		return err
	}
	return s.emit(out, func() error { return s.onItsWay(&out, "Notice "+strconv.FormatInt(c.ID, 10)) })
}

func (s *session) onItsWay(n *api.Notice, what string) error {
	if n.State == "kept" {
		return s.say("%s is kept as notice %d, for there is no mail server (mail.server). Read it with: ringfence notice show %d", what, n.ID, n.ID)
	}
	return s.say("%s is on its way to %s as notice %d. What became of it: ringfence notice show %d", what, toText(n.Deliveries), n.ID, n.ID)
}

type noticeTest struct {
	To string `arg:"" name:"address" help:"A mail address, or the URL of a webhook."`
}

func (noticeTest) Help() string {
	return examples("ringfence notice test you@example.com", "ringfence notice test https://example.com/hook")
}

// Run sends a test.
func (c *noticeTest) Run(s *session) error {
	var out api.Notice
	if err := s.do(http.MethodPost, pathOf("notices", "test"), api.NoticeTest{To: c.To}, &out); err != nil {
		return err
	}
	return s.emit(out, func() error { return s.onItsWay(&out, "The test") })
}

type noticePreview struct {
	Kind string `arg:"" optional:"" help:"Kind of notice; --list shows them." predict:"notice-kind"`
	List bool   `help:"List the kinds." xor:"what"`
	HTML bool   `help:"The HTML part." name:"html" xor:"what"`
	Text bool   `help:"The text part." xor:"what"`
	Hook bool   `help:"What a webhook gets." xor:"what"`
	Out  string `help:"Folder to write text, HTML and JSON to; without a kind, of every kind." placeholder:"DIR" xor:"what" type:"path"`
}

func (noticePreview) Help() string {
	return `Templates of the configuration are used where there are any, so that they can be tried.

` + examples("ringfence notice preview --list", "ringfence notice preview new-device", "ringfence notice preview usage-level --html > mail.html", "ringfence notice preview --out previews")
}

// Run shows or writes them.
func (c *noticePreview) Run(s *session) error {
	if c.Kind == "" && !c.List && c.Out == "" {
		return usagef("name a kind of notice, or say --list to see them, or --out DIR to write all")
	}
	if c.List || c.Kind == "" {
		var page api.List[api.NoticeKind]
		if err := s.get(pathOf("notices", "kinds"), &page); err != nil {
			return err
		}
		if c.Out == "" {
			return s.emit(append([]api.NoticeKind{}, page.Items...), func() error { return s.table(kindTable(page.Items), 0) })
		}
		return c.write(s, page.Items)
	}
	if c.Out != "" {
		return c.write(s, []api.NoticeKind{{Kind: c.Kind}})
	}
	p, err := s.preview(c.Kind)
	if err != nil {
		return err
	}
	return s.emit(p, func() error {
		switch {
		case c.HTML:
			return s.say("%s", p.HTML)
		case c.Hook:
			return s.say("%s", string(p.JSON))
		case c.Text:
			return s.say("%s", p.Text)
		}
		return s.say("%s\n\n%s", s.out.Paint(table.Bold, p.Subject), p.Text)
	})
}

func (s *session) preview(kind string) (p api.NoticePreview, err error) {
	err = s.get(pathOf("notices", "kinds", kind), &p)
	var problem *api.Problem
	if errors.As(err, &problem) && problem.Status == http.StatusNotFound {
		problem.Detail += "; those there are: ringfence notice preview --list"
	}
	return p, err
}

// write puts each kind's parts into files.
func (c *noticePreview) write(s *session, kinds []api.NoticeKind) error {
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return err
	}
	for _, k := range kinds {
		p, err := s.preview(k.Kind)
		if err != nil {
			return err
		}
		base := filepath.Join(c.Out, filepath.Base(p.Kind))
		for ending, text := range map[string]string{".txt": "Subject: " + p.Subject + "\n\n" + p.Text, ".html": p.HTML, ".json": string(p.JSON)} {
			err := s.writeTo(base+ending, func(w io.Writer) error {
				_, err := io.WriteString(w, text)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return s.done("%s written to %s: text, HTML and JSON each.", plural(len(kinds), "kind of notice is", "kinds of notice are"), displayPath(c.Out))
}

func kindTable(kinds []api.NoticeKind) *table.Table {
	t := table.New(table.Left("kind"), table.Left("goes to"), table.Left("always"), table.Left("answers"), table.Cut("what it tells"))
	for _, k := range kinds {
		var to []string
		if k.Owner {
			to = append(to, "owner")
		}
		if k.Desk {
			to = append(to, "desk")
		}
		t.Row(k.Kind, strings.Join(to, ", "), mark(k.Critical), mark(k.Answers), k.Text)
	}
	return t
}

func mark(yes bool) string { return map[bool]string{true: "yes"}[yes] }

type noticeKey struct{}

func (noticeKey) Help() string {
	return `Webhooks are signed as RFC 9421 says, with Ed25519. Only the public half is shown.

` + examples("ringfence notice webhook-key > ringfence-webhook.pem", "ringfence notice webhook-key --json | jq -r .id")
}

// Run prints it. Readers of PEM skip what stands before the block.
func (c *noticeKey) Run(s *session) error {
	var out api.WebhookKey
	if err := s.get(pathOf("webhook-key"), &out); err != nil {
		return err
	}
	return s.emit(out, func() error { return s.say("keyid: %s\n%s", out.ID, strings.TrimSuffix(out.PEM, "\n")) })
}
