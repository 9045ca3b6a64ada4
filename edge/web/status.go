package web

import (
	"cmp"
	"encoding/json"
	"encoding/xml"
	"errors"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"time"

	"ringfence/flow/status"
)

var _ = serves(func(s *Server) {
	if s.d.Status == nil {
		return
	}
	s.page("GET /status", public, s.status)
	s.page("GET /status/incidents", public, s.incidents)
	s.page("GET /status/incidents/{n}", public, s.incident)
	s.raw("GET /status/feed.atom", s.atom)
	s.raw("GET /status/feed.json", s.jsonFeed)
	s.stream("GET /live/status", public, func(*query) (string, error) { return s.d.Status.Version(), nil })
	if s.d.Status.CanSubscribe() {
		s.page("POST /status/mail", public, s.subscribe)
		s.page("GET /status/mail", public, s.subscribeForm)
		s.page("GET /status/mail/{token}", public, s.subscriber)
		s.page("POST /status/mail/{token}", public, s.confirm)
	}
})

// statusView is what the template shows.
type statusView struct {
	Look, Lead string // of the panel on top; a sentence
	Since      time.Time
	Measured   time.Time
	Stale      bool
	Parts      []partView
	Open       []incidentView
	Past       []incidentView
	Planned    []incidentView
	Protected  status.Protected
	Mail       *field
	Copied     bool   // it is a copy, for other computers
	Copy       string // the address of the copy elsewhere
	Sealed     string // mark of the newest checkpoint of the journal; "" is none
}

type partView struct {
	Name, Says, Look, Icon, Word string
	Share                        float64
	Known                        bool
	Days                         []template.HTML
	Says90                       string
}

type incidentView struct {
	status.Incident
	Path    string
	Look    string
	Open    bool
	Lasted  time.Duration
	Entries []status.Update // newest first
}

func (s *Server) status(q *query) (page, error) {
	v := s.statusView(q)
	if s.d.Status.CanSubscribe() {
		f := s.mailField(q, "", "")
		v.Mail = &f
	}
	return page{name: "status", title: v.title(q), about: q.t("status.about", "provider", s.help.Provider), shape: "middle", live: "/live/status", data: v}, nil
}

// statusView is the status in words.
func (s *Server) statusView(q *query) *statusView {
	now := s.reader.now()
	got := s.d.Status.View(now)
	v := &statusView{Measured: q.at(got.Measured), Stale: got.Stale, Protected: got.Protected, Copy: s.o.StatusCopy, Sealed: s.sealed()["checkpoint"]}
	for i := range got.Parts {
		v.Parts = append(v.Parts, partOf(q, &got.Parts[i], got.Stale))
	}
	for _, all := range []struct {
		to   *[]incidentView
		from []status.Incident
	}{{&v.Open, got.Open}, {&v.Planned, got.Planned}, {&v.Past, got.Past}} {
		for _, i := range all.from {
			*all.to = append(*all.to, incidentOf(q, i, now))
		}
	}
	v.Past = v.Past[:min(len(v.Past), 3)]
	for _, i := range got.Open {
		if v.Since.IsZero() || i.Began.Before(v.Since) {
			v.Since = q.at(i.Began)
		}
	}
	v.verdict(q, got.Parts)
	return v
}

// verdict is the look of the whole and the sentence below the title.
func (v *statusView) verdict(q *query, parts []status.Shown) {
	worst := status.Good
	for _, p := range parts {
		worst = max(worst, p.State)
	}
	switch {
	case v.Stale:
		v.Look, v.Lead = "warn", q.t("status.stale-lead")
	case worst == status.Down:
		v.Look, v.Lead = "grave", q.t("status.fails-lead")
	case worst == status.Part:
		v.Look, v.Lead = "warn", q.t("status.fails-lead")
	case len(v.Open) > 0:
		v.Look, v.Lead = "warn", q.t("status.recovering-lead")
	default:
		v.Look, v.Lead = "good", q.t("status.fine-lead")
	}
}

// title is the answer: is it you or is it me?
func (v *statusView) title(q *query) string {
	if v.Stale {
		if v.Measured.Year() < 2000 {
			return q.t("status.never")
		}
		return q.t("status.stale", "time", v.Measured.Format("15:04"))
	}
	var failing []string
	for _, p := range v.Parts {
		if p.Look == "warn" || p.Look == "grave" {
			failing = append(failing, p.Says90)
		}
	}
	switch {
	case len(failing) == 1 && len(v.Parts) > 1:
		return q.t("status.one-fails", "what", failing[0])
	case len(failing) > 0:
		return q.t("status.some-fail", "n", len(failing))
	case len(v.Open) > 0:
		return v.Open[0].Title
	}
	return q.t("status.fine")
}

func partOf(q *query, p *status.Shown, stale bool) partView {
	key := string(p.Component)
	v := partView{Name: q.t(word("status.can-" + key)), Share: p.Share, Known: !p.First.IsZero()}
	switch {
	case stale:
		v.Look, v.Icon, v.Word, v.Says = "warn", "ask", q.t("status.word-unknown"), q.t("status.says-stale")
	default:
		v.Says = q.t(word("status.how-" + key))
		v.Look, v.Icon, v.Word = map[status.State]string{status.Good: "good", status.Part: "warn", status.Down: "grave"}[p.State],
			map[status.State]string{status.Good: "check", status.Part: "warn", status.Down: "cross"}[p.State], q.t(word("status.word-"+p.State.String()))
		v.Icon = cmp.Or(v.Icon, "ask")
	}
	switch p.State {
	case status.Part:
		v.Says90 = q.t(word("status.part-" + key))
	case status.Down:
		v.Says90 = q.t(word("status.down-" + key))
	}
	v.Days = days(p.Days)
	return v
}

// days draws runs of days that were alike as one bar each, and gaps between days over them.
func days(all []status.State) (out []template.HTML) {
	for from := 0; from < len(all); {
		to := from + 1
		for to < len(all) && all[to] == all[from] {
			to++
		}
		out = append(out, template.HTML(`<rect class="d-`+all[from].String()+`" x="`+strconv.Itoa(from*10)+`" width="`+strconv.Itoa((to-from)*10-2)+`" height="20"/>`)) //nolint:gosec // numbers, and names of states
		from = to
	}
	return out
}

func incidentOf(q *query, i status.Incident, now time.Time) incidentView {
	v := incidentView{Incident: i, Open: i.Ended.IsZero(), Look: "good", Path: "/status/incidents/" + strconv.FormatInt(i.ID, 10)}
	if i.ID == 0 {
		v.Path = "" // it is not stored yet
	}
	end := i.Ended
	if v.Open {
		v.Look, end = "warn", now
	}
	v.Lasted = end.Sub(i.Began)
	v.Began, v.Ended = q.at(i.Began), i.Ended
	if !v.Ended.IsZero() {
		v.Ended = q.at(v.Ended)
	}
	for n := len(i.Updates) - 1; n >= 0; n-- {
		u := i.Updates[n]
		u.At = q.at(u.At)
		v.Entries = append(v.Entries, u)
	}
	return v
}

// incidents are all that there were.
func (s *Server) incidents(q *query) (page, error) {
	before, _ := strconv.ParseInt(q.form.Get("before"), 10, 64) // anything else is the first page
	all, err := s.d.Status.Incidents(q.Context(), max(0, before), 51)
	if err != nil {
		return page{}, err
	}
	var v struct {
		All   []incidentView
		Pager pager
	}
	for n, i := range all {
		if n == 50 {
			v.Pager.Next = "/status/incidents?before=" + strconv.FormatInt(all[49].ID, 10)
			break
		}
		v.All = append(v.All, incidentOf(q, i, s.reader.now()))
	}
	if before > 0 {
		v.Pager.Back = "/status/incidents"
	}
	return page{name: "incidents", title: q.t("status.incidents"), about: q.t("status.about", "provider", s.help.Provider), shape: "middle", crumbs: []crumb{{q.t("frame.status"), "/status"}}, data: v}, nil
}

func (s *Server) incident(q *query) (page, error) {
	n, err := strconv.ParseInt(q.PathValue("n"), 10, 64)
	if err != nil {
		return page{}, errMissing
	}
	i, err := s.d.Status.Incident(q.Context(), n)
	if errors.Is(err, status.ErrNotFound) {
		return page{}, errMissing
	}
	if err != nil {
		return page{}, err
	}
	return page{
		name: "incident", title: i.Title, about: q.t("status.about", "provider", s.help.Provider), shape: "middle", live: "/live/status",
		crumbs: []crumb{{q.t("frame.status"), "/status"}, {q.t("status.incident-n", "n", i.ID), ""}}, data: incidentOf(q, i, s.reader.now()),
	}, nil
}

func (s *Server) mailField(q *query, value, wrong string) field {
	return field{
		Name: "mail", Label: q.t("status.your-mail"), Value: value, Help: q.t("status.mail-help"), Error: wrong, Type: "email", Mode: "email", Complete: "email", Hint: "name@example.com", Most: 254, Needed: true,
	}
}

func (s *Server) subscribeForm(q *query) (page, error) {
	return s.mailPage(q, s.mailField(q, "", ""), 0), nil
}

func (s *Server) mailPage(q *query, f field, code int) page {
	return page{name: "mail", title: q.t("status.tell-me"), about: q.t("status.about", "provider", s.help.Provider), shape: "narrow", data: f, status: code}
}

// subscribe says the same to everyone, so that nobody learns who has subscribed.
func (s *Server) subscribe(q *query) (page, error) {
	address := harmless(q.form.Get("mail"), 254)
	err := s.d.Status.Subscribe(q.Context(), address, q.from, s.reader.now())
	invalid := (*status.Invalid)(nil)
	switch {
	case errors.As(err, &invalid):
		return s.mailPage(q, s.mailField(q, address, q.t("status.mail-wrong")), http.StatusUnprocessableEntity), nil
	case errors.Is(err, status.ErrTooMany):
		return page{}, &fault{status: http.StatusTooManyRequests, title: "error.too-many", text: "status.mail-many"}
	case err != nil:
		return page{}, err
	}
	return s.answerPage("status.mail-sent", "done", answerView{Text: []string{q.t("status.mail-sent-what", "mail", address)}}), nil
}

// subscriber is the page behind the link of a mail. It changes nothing, because mail scanners open links.
func (s *Server) subscriber(q *query) (page, error) {
	x, err := s.d.Status.Subscriber(q.Context(), q.PathValue("token"))
	if errors.Is(err, status.ErrNotFound) {
		return page{}, &fault{status: http.StatusNotFound, title: "status.mail-gone", text: "status.mail-gone-what"}
	}
	if err != nil {
		return page{}, err
	}
	v := answerView{Text: []string{q.t("status.mail-confirm-what", "mail", x.Mail)}, Do: "confirm", Button: q.t("status.mail-confirm")}
	title := word("status.mail-confirm-title")
	if !x.Confirmed.IsZero() {
		v = answerView{Text: []string{q.t("status.mail-leave-what", "mail", x.Mail)}, Do: "leave", Button: q.t("status.mail-leave")}
		title = "status.mail-leave-title"
	}
	return s.answerPage(title, "", v), nil
}

func (s *Server) confirm(q *query) (page, error) {
	token, do := q.PathValue("token"), q.form.Get("do")
	if q.form.Get("List-Unsubscribe") == "One-Click" { // RFC 8058
		do = "leave"
	}
	var err error
	title, text := word("status.mail-on"), word("status.mail-on-what")
	switch do {
	case "confirm":
		err = s.d.Status.Confirm(q.Context(), token, s.reader.now())
	case "leave":
		title, text = "status.mail-off", "status.mail-off-what"
		err = s.d.Status.Leave(q.Context(), token)
	default:
		return page{see: "/status/mail/" + token}, nil
	}
	if errors.Is(err, status.ErrNotFound) {
		return page{}, &fault{status: http.StatusNotFound, title: "status.mail-gone", text: "status.mail-gone-what"}
	}
	return s.answerPage(title, "done", answerView{Text: []string{q.t(text)}}), err
}

// entry is one update, as feeds have it.
type entry struct {
	ID, URL, Title, Text string
	At                   time.Time
}

// entries are the latest 50 updates, newest first.
func (s *Server) entries() (out []entry) {
	v := s.d.Status.View(s.reader.now())
	for _, all := range [][]status.Incident{v.Open, v.Planned, v.Past} {
		for _, i := range all {
			if i.ID == 0 {
				continue
			}
			url := s.o.URL + "/status/incidents/" + strconv.FormatInt(i.ID, 10)
			for n, u := range i.Updates {
				out = append(out, entry{url + "#" + strconv.Itoa(n+1), url, i.Title, u.Text, u.At})
			}
		}
	}
	out = append(out, s.newsEntries()...)
	slices.SortStableFunc(out, func(a, b entry) int { return b.At.Compare(a.At) })
	return out[:min(len(out), 50)]
}

type atomFeed struct {
	XMLName xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
	Title   string      `xml:"title"`
	Sealed  string      `xml:"subtitle,omitempty"`
	ID      string      `xml:"id"`
	Updated string      `xml:"updated"`
	Link    []atomLink  `xml:"link"`
	Author  string      `xml:"author>name"`
	Entries []atomEntry `xml:"entry"`
}

type atomLink struct {
	Rel  string `xml:"rel,attr,omitempty"`
	Href string `xml:"href,attr"`
}

type atomEntry struct {
	Title   string   `xml:"title"`
	ID      string   `xml:"id"`
	Updated string   `xml:"updated"`
	Link    atomLink `xml:"link"`
	Content string   `xml:"content"`
}

func (s *Server) atom(w http.ResponseWriter, r *http.Request) {
	body, err := s.atomBody()
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.feed(w, r, "application/atom+xml; charset=utf-8", body)
}

func (s *Server) atomBody() ([]byte, error) {
	f := atomFeed{
		Title: s.help.Provider + ": " + s.words.say("frame.status"), ID: s.o.URL + "/status", Author: s.help.Provider,
		Link: []atomLink{{"self", s.o.URL + "/status/feed.atom"}, {"alternate", s.o.URL + "/status"}}, Updated: time.Unix(0, 0).UTC().Format(time.RFC3339),
	}
	if mark := s.sealed()["checkpoint"]; mark != "" {
		f.Sealed = s.words.say("status.sealed", "mark", mark)
	}
	for n, e := range s.entries() {
		at := e.At.UTC().Format(time.RFC3339)
		if n == 0 {
			f.Updated = at
		}
		f.Entries = append(f.Entries, atomEntry{e.Title, e.ID, at, atomLink{Href: e.URL}, e.Text})
	}
	body, err := xml.MarshalIndent(f, "", " ")
	return append([]byte(xml.Header), body...), err
}

func (s *Server) jsonFeed(w http.ResponseWriter, r *http.Request) {
	body, err := s.jsonBody()
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.feed(w, r, "application/feed+json", body)
}

// jsonBody is the feed (jsonfeed.org, version 1.1) with the state of each component beside it.
func (s *Server) jsonBody() ([]byte, error) {
	type item struct {
		ID    string    `json:"id"`
		URL   string    `json:"url"`
		Title string    `json:"title"`
		Text  string    `json:"content_text"`
		At    time.Time `json:"date_published"`
	}
	v := s.d.Status.View(s.reader.now())
	parts := map[status.Component]string{}
	for _, p := range v.Parts {
		parts[p.Component] = p.State.String()
	}
	items := []item{}
	for _, e := range s.entries() {
		items = append(items, item{e.ID, e.URL, e.Title, e.Text, e.At.UTC()})
	}
	return json.MarshalIndent(map[string]any{
		"version": "https://jsonfeed.org/version/1.1", "title": s.help.Provider + ": " + s.words.say("frame.status"), "home_page_url": s.o.URL + "/status",
		"feed_url": s.o.URL + "/status/feed.json", "items": items, "_status": map[string]any{"measured": v.Measured.UTC().Truncate(time.Second), "stale": v.Stale, "components": parts},
		"_journal": s.sealed(),
	}, "", " ")
}

// sealed is the newest checkpoint of the journal, as it was signed, and the key that signs: what is published here cannot be taken back.
func (s *Server) sealed() map[string]string {
	if s.d.Evidence == nil {
		return map[string]string{}
	}
	c, note := s.d.Evidence.Latest()
	public, fingerprint := s.d.Evidence.PublicKey()
	out := map[string]string{"public_key": public, "fingerprint": fingerprint}
	if c.Number > 0 {
		out["checkpoint"], out["note"] = c.Mark(), string(note)
	}
	return out
}

func (s *Server) feed(w http.ResponseWriter, r *http.Request, kind string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "public, max-age=30")
	h.Set("Access-Control-Allow-Origin", "*") // it is public, and other pages may show it
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Del("X-Robots-Tag")
	h.Set("Vary", "Accept-Encoding")
	s.send(w, r, http.StatusOK, body, s.pack(body))
}
