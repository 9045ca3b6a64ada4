package main

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
)

type noticeCmd struct {
	remote
	List       list[api.Notice, api.NoticeFilter] `cmd:"" set:"limit=50" eg:"; --customer acme --kind new-device; --state bounced --limit 0 --json"`
	Show       noticeShow                         `cmd:"" help:"Show a notice: its message and its deliveries." eg:"17; 17 --html > notice.html" detail:"Links in the message are left out: they are for the recipient only."`
	Resend     act[api.NoticeResend, api.Notice]  `cmd:"" help:"Send a notice again." route:"POST /v1/notices/{id}/resend" says:"{{sent .}}" eg:"17; 17 --person customer/acme/office" detail:"It goes to the present addresses, whatever the recipient's preferences: you asked for it."`
	Preview    noticePreview                      `cmd:"" help:"Show what a kind of notice looks like, with sample data." eg:"--list; new-device; usage-level --html > mail.html; --out previews" detail:"Uses the templates of the configuration, if any, so that you can try them."`
	Test       act[noticeTest, api.Notice]        `cmd:"" help:"Send a test to a mail address or webhook." route:"POST /v1/notices/test" says:"{{sent .}}" eg:"you@example.com; https://example.com/hook"`
	WebhookKey act[struct{}, api.WebhookKey]      `cmd:"" help:"Print the public key that verifies webhooks." route:"GET /v1/webhook-key" says:"keyid: {{.ID}}\n{{trim .PEM}}" eg:"> ringfence-webhook.pem; --json | jq -r .id" detail:"Webhooks are signed as in RFC 9421, with Ed25519. Only the public key is shown. Programs that read PEM skip the line before the block."`
}

type noticeTest struct {
	Body api.NoticeTest `embed:""`
}

type noticeShow struct {
	api.NoticeID
	HTML bool `help:"Only the HTML part." name:"html" xor:"part"`
	Text bool `help:"Only the text part." xor:"part"`
}

func (c *noticeShow) Run(s *session) error {
	return perform(s, "GET /v1/notices/{id}", func(n *api.NoticeDetail) error {
		switch {
		case c.HTML:
			return s.say("%s", n.HTML)
		case c.Text:
			return s.say("%s", n.Text)
		}
		s.table(card(&n.Notice), 0)
		s.section("Deliveries", rows(n.Deliveries...))
		return s.say("\n%s\n\n%s", s.out.Paint(table.Bold, n.Subject), n.Text)
	}, c)
}

type noticePreview struct {
	api.KindOfNotice
	List bool   `help:"List the kinds." xor:"what"`
	HTML bool   `help:"The HTML part." name:"html" xor:"what"`
	Text bool   `help:"The text part." xor:"what"`
	Hook bool   `help:"What a webhook gets." xor:"what"`
	Out  string `help:"Folder for text, HTML and JSON; without a kind, of every kind." placeholder:"DIR" xor:"what" type:"path"`
}

func (c *noticePreview) Run(s *session) error {
	if c.Kind == "" && !c.List && c.Out == "" {
		return usagef("name a kind of notice, or say --list to see them, or --out DIR to write all")
	}
	if c.List || c.Kind == "" {
		if c.Out == "" {
			return listAll[api.NoticeKind](s, nil)
		}
		page, err := fetch[api.List[api.NoticeKind]](s, "GET /v1/notices/kinds")
		if err != nil {
			return err
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

func (s *session) preview(kind string) (*api.NoticePreview, error) {
	p, err := fetch[api.NoticePreview](s, "GET /v1/notices/kinds/{kind}", api.KindOfNotice{Kind: kind})
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
	return s.done("%s written to %s: text, HTML and JSON each.", api.Count(len(kinds), "kind of notice is", "kinds of notice are"), displayPath(c.Out))
}
