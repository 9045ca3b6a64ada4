package app

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"net/mail"
	"slices"
	"strings"
	"time"

	"ringfence/flow/casefile"

	"ringfence/app/config"
	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/habit"
	"ringfence/core/secret"
	rfmail "ringfence/edge/mail"
	"ringfence/edge/web"
	"ringfence/edge/webhook"
	"ringfence/flow/notify"
	"ringfence/flow/records"
	"ringfence/flow/watch"
)

// pace is how often the journal is looked at: a call that passes a warning level is mailed about within three of these,
// and a busy store is not asked more often than people can tell.
const pace = time.Second

// openNotices builds what follows the journal: watch, and notify with its channels.
func (a *App) openNotices(context.Context) error {
	var err error
	a.watch, err = watch.New(watch.Options{Store: a.store, Book: a.book, Calls: a.gate.Running, Others: a.others(), Every: pace, Log: a.log})
	if err != nil {
		return err
	}
	if err := a.openReact(); err != nil {
		return err
	}
	channels, err := a.openChannels()
	if err != nil {
		return err
	}
	box, err := a.keys.box()
	if err != nil {
		return err
	}
	cfg := &a.cfg
	zone, err := time.LoadLocation(cfg.Provider.Zone)
	if err != nil {
		return fmt.Errorf("provider.zone: %w", err)
	}
	a.notices, err = notify.New(notify.Options{
		Store: a.store, Book: a.book, Mail: a.mailOf, Owner: a.ownerOf, BillFile: a.billFile, Channels: channels, Server: cfg.Mail.Server, Desk: cfg.Notify.Desk, Hooks: cfg.Notify.Webhooks, Help: help(cfg),
		LinksURL: cfg.LinksURL(), LinkKey: box.Derive("links"), LinkLife: cfg.Notify.LinkLife.Duration,
		Templates: cfg.Notify.Templates, From: senderDomain(cfg), Storm: cfg.Notify.Storm, DigestAt: cfg.Notify.Digest.Duration,
		Zone: zone, Every: pace, Act: a.answers.Act, Checkpoint: a.checkpointMark, Log: a.log,
	})
	if err != nil {
		return err
	}
	if err := a.openStatus(channels[account.Mail]); err != nil {
		return err
	}
	return a.openWeb()
}

// openChannels makes the channels that are configured. Mails without a server are kept and shown.
func (a *App) openChannels() (map[string]notify.Send, error) {
	hook, err := a.openHooks()
	if err != nil {
		return nil, fmt.Errorf("webhooks: %w", err)
	}
	a.onStop("webhooks", func(context.Context) error { return hook.Close() })
	channels := map[string]notify.Send{account.Webhook: hook.Send}
	m := &a.cfg.Mail
	if m.Server == "" {
		a.log.Info("there is no mail server: mails are kept and shown, not sent", "show", "ringfence notice list", "set", "mail.server")
		return channels, nil
	}
	sender, err := rfmail.New(rfmail.Options{
		Server: m.Server, TLS: m.TLS, User: m.User, Password: secret.NewPassword(string(m.Password)), From: m.From, ReplyTo: a.cfg.Provider.Help.Mail,
		CA: m.CAFile, DKIM: rfmail.DKIM{Domain: m.DKIMDomain, Selector: m.DKIMSelector, Key: m.DKIMKey},
	})
	if err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	a.onStop("mail", func(context.Context) error { return sender.Close() })
	channels[account.Mail] = sender.Send
	return channels, nil
}

func (a *App) openHooks() (*webhook.Sender, error) {
	key, err := a.hookKey()
	if err != nil {
		return nil, err
	}
	allow, err := a.cfg.Notify.HookNets()
	if err != nil {
		return nil, err
	}
	return webhook.New(webhook.Options{Key: key, Hooks: a.cfg.Notify.Webhooks, Allow: allow})
}

// hookKey signs webhooks: the operator's, or one that comes of the key that seals passwords, so that all nodes have the same.
func (a *App) hookKey() (webhook.Key, error) {
	id := "ringfence-" + a.cfg.Node
	if path := a.cfg.Notify.WebhookKeyFile; path != "" {
		return webhook.ReadKey(id, path)
	}
	box, err := a.keys.box()
	if err != nil {
		return webhook.Key{}, err
	}
	return webhook.Ed25519("ringfence", ed25519.NewKeyFromSeed(box.Derive("webhooks")))
}

func help(cfg *config.Config) notify.Help {
	h := &cfg.Provider.Help
	out := notify.Help{Provider: cfg.Provider.Name, Mail: h.Mail, Phone: h.Phone, Text: h.Text, Hours: h.Hours, Page: h.Page, Holidays: h.Holidays}
	for _, text := range h.Departments {
		if d, err := notify.ParseDepartment(text); err == nil { // the configuration was checked
			out.Departments = append(out.Departments, d)
		}
	}
	return out
}

// senderDomain is what Message-IDs end with.
func senderDomain(cfg *config.Config) string {
	if from, err := mail.ParseAddress(cfg.Mail.From); err == nil {
		if _, domain, ok := strings.Cut(from.Address, "@"); ok {
			return domain
		}
	}
	return cfg.SIP.Realm
}

// openWeb builds the pages, where they are asked for.
func (a *App) openWeb() error {
	w := &a.cfg.Web
	if !w.Listen.IsValid() {
		return nil
	}
	proxy, err := account.ParseNets(w.Proxy)
	if err != nil {
		return fmt.Errorf("web.proxy: %w", err)
	}
	past, err := records.New(records.Options{Gate: a.gate, Store: a.money, Book: a.book})
	if err != nil {
		return err
	}
	a.web, err = web.New(web.Deps{
		Genuine: a.notices.Genuine, Link: a.notices.Link, Use: a.notices.Use, Sent: a.notices.SentTo, Help: help(&a.cfg), Status: a.public, Evidence: a.evidence, Security: a.protections, Zone: a.book.Zone(""), Plan: a.book.Plan(),
		People: a.people, SignIn: a.signInLink, ZoneOf: a.book.Zone,
		SIP: phonesTo(&a.cfg.SIP), Book: a.book, Exposure: a.exposure, Fit: a.fit, Cooling: a.cooling, Proof: a.proof, Desk: a.desk, Cases: a.cases, Casefile: func() *casefile.Casefile { return a.casefile }, Devices: a.shield.devices, Watch: a.watch, Calls: a.gate.InProgress, Others: a.others(), Cut: a.cutCall,
		Purses: a.gate.Purses, Phones: a.location.Lookup, Facts: a.money.Facts, Vouch: a.vouch,
		Records: past, Billing: a.billing, Settle: a.settling,
		Export: func(ctx context.Context, w io.Writer, customer, actor string) error {
			return a.privacy.Export(ctx, w, customer, actor)
		},
	}, web.Options{
		Listen: w.Listen, Cert: w.TLSCert, Key: w.TLSKey, TrustProxy: proxy, URL: a.cfg.LinksURL(), StatusCopy: w.StatusCopy, Hue: w.Hue, Logo: w.Logo, Log: a.log,
	})
	if err != nil {
		return fmt.Errorf("web: %w", err)
	}
	return nil
}

// phonesTo is what phones are told about where to register.
func phonesTo(c *config.SIP) web.SIP {
	advertised, _, _ := strings.Cut(c.Advertise, ",")
	to := web.SIP{Server: cmp.Or(c.Name, strings.TrimSpace(advertised))}
	if to.Server == "" && strings.Contains(c.Realm, ".") {
		to.Server = c.Realm
	}
	if len(c.UDP) > 0 {
		to.UDP = c.UDP[0].Port()
	}
	if len(c.TCP) > 0 {
		to.TCP = c.TCP[0].Port()
	}
	if listens := append(slices.Clone(c.UDP), c.TCP...); to.Server == "" && len(listens) > 0 && !listens[0].Addr().IsUnspecified() {
		to.Server = listens[0].Addr().String()
	}
	return to
}

// protections are what the public page about security says is in force.
func (a *App) protections() web.Protections {
	cfg := a.config()
	e := account.Resolve(time.Now(), a.book.Provider())
	return web.Protections{
		Premium: e.Values[account.Premium] > 0, Satellite: e.Values[account.Satellite] > 0, Watched: cfg.Watch.Calls == habit.Live.String(), Lockout: cfg.Login.Lockout != "off",
		Mail: cfg.Mail.Server != "", Pages: true, PanicCode: cfg.Provider.LockCode(), Promise: cfg.Provider.ExposurePromise, LateFree: cfg.Provider.LateAnswers == "free",
	}
}

// others lists the calls of other nodes; nil: there are none on this engine.
func (a *App) others() func(context.Context) ([]call.Open, error) {
	if a.cfg.Store.Engine != "postgres" {
		return nil
	}
	return a.gate.Others
}

// startNotices follows the journal from where it was left.
func (a *App) startNotices() error {
	a.background("findings and notices", nil, a.watch.Run, a.notices.Run)
	a.background("what a thief could cost", nil, a.figures.Run)
	a.background("bills", nil, a.billing.Follow)
	a.background("people", nil, a.people.Run, a.cooling.Run)
	a.background("settling cases", nil, a.settling.Run, func(ctx context.Context) { a.cases.Run(ctx, a.log) })
	if a.react != nil {
		a.background("watching calls", nil, a.react.Run)
	}
	a.background("the seal of the journal", func(ctx context.Context) error { _, err := a.evidence.Seal(ctx); return err }, a.evidence.Run, a.evidence.Watch)
	a.background("the public status", nil, a.public.Run, a.public.Follow)
	if a.web == nil {
		return nil
	}
	if err := a.web.Start(); err != nil {
		return fmt.Errorf("web.listen: %w", err)
	}
	a.onStop("the pages", a.web.Stop)
	if folder := a.cfg.Web.StatusFolder; folder != "" {
		a.background("the copy of the status pages", nil, func(ctx context.Context) { a.web.Copy(ctx, folder) })
	}
	a.log.Info("pages", "listen", a.web.Addr().String(), "url", a.cfg.LinksURL())
	return nil
}
