package web

import (
	"errors"
	"html/template"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/restrict"
	"ringfence/core/secret"
	"ringfence/flow/book"
	"ringfence/flow/cooling"
)

func idText(id int64) string { return strconv.FormatInt(id, 10) }

// lineOperations are those of the API that the forms of a line's page are.
var lineOperations = map[string]string{
	"settings": "change-line", "name": "change-line", "nets": "change-line", "here": "change-line", "forwards": "change-line", "reach": "change-line", "close": "add-restriction", "lift": "delete-restriction", "lift-all": "delete-restriction",
	"mine": "judge-device", "not-mine": "judge-device", "password": "set-password", "own": "set-password", "unlock": "unlock-line",
}

// changeLine does what a form of a line's page asks. What tightens is done at once.
func (s *Server) changeLine(q *query) (page, error) {
	l, err := s.ours(q)
	if err != nil {
		return page{}, err
	}
	do := q.form.Get("do")
	if err := q.may(lineOperations[do]); err != nil {
		return page{}, err
	}
	back := linePath(l)
	switch do {
	case "settings":
		return s.saveSettings(q, l)
	case "name":
		text := q.form.Get("name")
		return s.saved(q, l, book.LineEdit{Name: &text}, "name", back)
	case "nets":
		return s.saveNets(q, l)
	case "here":
		nets := s.herePlaces(l, q.now)
		if len(nets) == 0 {
			return s.linePage(q, l, nil, q.t("line.no-phone-here"))
		}
		return s.saved(q, l, book.LineEdit{Nets: &nets}, "nets", back+"#from")
	case "forwards":
		return s.saveForwards(q, l)
	case "reach":
		return s.saveReach(q, l)
	case "close":
		return s.closeTo(q, l)
	case "lift":
		return s.lift(q, l, back)
	case "lift-all":
		return s.lift(q, nil, back)
	case "mine", "not-mine":
		return s.judge(q, l, do)
	case "unlock":
		return s.unlock(q, l)
	}
	return s.newPassword(q, l, do)
}

// saveSettings sets what differs from what is in force.
func (s *Server) saveSettings(q *query, l *book.Line) (page, error) {
	e, bad := l.Effective(q.now), map[string]string{}
	var set []book.Setting
	for f := range account.NumFields {
		text, typed := q.form[f.String()]
		if !typed || f.OfAccount() {
			continue
		}
		n, err := account.ParseValue(f, text[0])
		switch {
		case err != nil:
			bad[f.String()] = s.wanted(q, f)
		case n != e.Values[f]:
			set = append(set, book.Setting{Field: f, N: n})
		}
	}
	if len(bad) > 0 {
		return s.linePage(q, l, bad, "")
	}
	if len(set) == 0 {
		return page{see: linePath(l) + "#limits"}, nil
	}
	return s.saved(q, l, book.LineEdit{Set: set}, "", linePath(l)+"#limits")
}

// wanted says what to type.
func (s *Server) wanted(q *query, f account.Field) string {
	switch f.Unit() {
	case account.UnitRate:
		return q.t("line.want-rate")
	case account.UnitAmount:
		if f.Free() {
			return q.t("line.want-warning")
		}
		return q.t("line.want-amount")
	case account.UnitSeconds:
		return q.t("line.want-time")
	case account.UnitSwitch:
		return q.t("line.want-switch")
	case account.UnitChoice:
		return q.t("line.want-choice")
	case account.UnitNone, account.UnitCount:
	}
	least, most := f.Range()
	return q.t("line.want-count", "least", account.Format(f, least), "most", account.Format(f, most))
}

// saved changes a line. What loosens asks for a factor first, and keeps what was typed; after that it may wait.
func (s *Server) saved(q *query, l *book.Line, edit book.LineEdit, at, back string) (page, error) {
	if s.loosens(l, &edit, q) {
		typed := url.Values{}
		for key, values := range q.form {
			if key != "do" && len(values[0]) < 500 {
				typed.Set(key, values[0])
			}
		}
		path, part, _ := strings.Cut(back, "#")
		if see := q.fresh(path + "?" + typed.Encode() + "#" + part); see != "" {
			return page{see: see}, nil
		}
	}
	_, err := s.d.Cooling.Line(q.Context(), &q.Who, l.ID(), edit)
	var looser *book.Looser
	var invalid *book.Invalid
	switch {
	case errors.As(err, &looser):
		return s.linePage(q, l, map[string]string{looser.Field.String(): q.t("line.looser", "above", account.Format(looser.Field, looser.Above))}, "")
	case errors.As(err, &invalid) && (at == "forwards" || at == "reach"): // which have several fields
		return s.linePage(q, l, map[string]string{invalid.Field: q.t("line.want", "want", invalid.Want)}, "")
	case errors.As(err, &invalid) && at != "":
		return s.linePage(q, l, map[string]string{at: q.t("line.want", "want", invalid.Want)}, "")
	case errors.As(err, &invalid):
		return s.linePage(q, l, nil, invalid.Error())
	}
	return page{see: back}, err
}

// loosens says that an edit allows more than before, or has calls go somewhere else.
func (s *Server) loosens(l *book.Line, edit *book.LineEdit, q *query) bool {
	was, is := l.Settings(), l.Settings()
	for _, x := range edit.Set {
		is.Values[x.Field] = account.Value{Set: true, N: x.N}
	}
	if edit.Nets != nil {
		is.Nets = *edit.Nets
	}
	forwards := slices.ContainsFunc(edit.Forward, func(f book.Forward) bool { return f.To != "" })
	return forwards || len(account.Loosens(&was, &is, q.now, l.Above()...)) > 0
}

func (s *Server) saveNets(q *query, l *book.Line) (page, error) {
	nets, err := account.ParseNets(q.form.Get("nets"))
	if err != nil {
		return s.linePage(q, l, map[string]string{"nets": q.t("line.want-nets")}, "")
	}
	if nets == nil {
		nets = []netip.Prefix{}
	}
	return s.saved(q, l, book.LineEdit{Nets: &nets}, "nets", linePath(l)+"#from")
}

// saveForwards sets where calls go that the line does not take, as far as that differs.
func (s *Server) saveForwards(q *query, l *book.Line) (page, error) {
	is := l.Forwards()
	var set []book.Forward
	for _, cause := range account.ForwardCauses {
		to, typed := q.form[account.ForwardKeys[cause]]
		if !typed {
			continue
		}
		if number := strings.TrimSpace(to[0]); number != is.To(cause) {
			set = append(set, book.Forward{Cause: cause, To: number})
		}
	}
	after, bad := ringTime(q, "forward_after", is.Rings())
	if bad != nil {
		return s.linePage(q, l, bad, "")
	}
	if after != is.Rings() {
		set = append(set, book.Forward{After: after})
	}
	back := linePath(l) + "#forwards"
	if len(set) == 0 {
		return page{see: back}, nil
	}
	return s.saved(q, l, book.LineEdit{Forward: set}, "forwards", back)
}

// ringTime reads for how many seconds phones ring; what is not typed is as before.
func ringTime(q *query, key string, was time.Duration) (d time.Duration, bad map[string]string) {
	text := strings.TrimSpace(q.form.Get(key))
	if text == "" {
		return was, nil
	}
	n, err := strconv.Atoi(text)
	least, most := int(account.MinRing/time.Second), int(account.MaxRing/time.Second)
	if err != nil || n < least || n > most {
		return was, map[string]string{key: q.t("line.want-ring", "least", least, "most", most)}
	}
	return time.Duration(n) * time.Second, nil
}

// saveReach sets the short number of a line, and the lines that ring for its calls.
func (s *Server) saveReach(q *query, l *book.Line) (page, error) {
	was := l.Reach()
	each, bad := ringTime(q, "ring_each", was.Rings())
	if bad != nil {
		return s.linePage(q, l, bad, "")
	}
	short, turn := strings.TrimSpace(q.form.Get("short")), q.form.Get("ring") == "in-turn"
	members := strings.FieldsFunc(q.form.Get("rings"), func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' })
	return s.saved(q, l, book.LineEdit{Reach: book.Reach{Short: &short, Members: &members, InTurn: &turn, Each: &each}}, "reach", linePath(l)+"#reach")
}

// closeTo closes destinations, always or at hours.
func (s *Server) closeTo(q *query, l *book.Line) (page, error) {
	r := restrict.Restriction{By: q.ID, Why: q.t("line.close-why")}
	var err error
	if r.Names, err = restrict.ParseSet(q.form.Get("closes")); err != nil || r.Names.Idle() != "" {
		return s.linePage(q, l, map[string]string{"closes": q.t("line.want-closes")}, "")
	}
	if r.Hours, err = restrict.ParseHours(q.form.Get("hours")); err != nil {
		return s.linePage(q, l, map[string]string{"hours": q.t("line.want-hours")}, "")
	}
	back := linePath(l) + "#where"
	if q.form.Get("back") == "countries" {
		back = linePath(l) + "/countries"
	}
	return s.saved(q, l, book.LineEdit{Restrict: &r}, "closes", back)
}

// judge records whose a device is. One that is not the owner's leads to the lock.
func (s *Server) judge(q *query, l *book.Line, verdict string) (page, error) {
	back := linePath(l) + "#phones"
	if verdict == "mine" {
		if see := q.fresh(back); see != "" {
			return page{see: see}, nil
		}
	}
	err := s.d.Devices.SetVerdict(q.Context(), l.ID(), q.form.Get("place"), q.form.Get("family"), verdict, q.ID)
	if verdict == "not-mine" && err == nil {
		back = "/lock?line=" + url.QueryEscape(l.Handle())
	}
	if errors.Is(err, book.ErrNotFound) {
		err = nil // it was forgotten meanwhile
	}
	return page{see: back}, err
}

// unlock opens a line that its own people, or nobody in particular, had locked.
func (s *Server) unlock(q *query, l *book.Line) (page, error) {
	if !l.Locked() {
		return page{see: linePath(l)}, nil
	}
	by, err := s.lockers(q.Context(), l)
	if err != nil {
		return page{}, err
	}
	if !cooling.MayUnlock(&q.Who, by) {
		return page{}, &fault{status: http.StatusForbidden, title: "lines.not-yours", text: "lines.not-yours-what"}
	}
	if see := q.fresh(linePath(l)); see != "" {
		return page{see: see}, nil
	}
	_, err = s.d.Book.Unlock(q.Context(), q.ID, l.ID())
	return page{see: linePath(l)}, err
}

// newPassword gives a line one of ours, which is shown this once, or its owner's.
func (s *Server) newPassword(q *query, l *book.Line, do string) (page, error) {
	given := ""
	if do == "own" {
		if given = q.form.Get("password"); given == "" {
			return s.linePage(q, l, map[string]string{"password": q.t("line.want-password")}, "")
		}
	}
	if see := q.fresh(linePath(l) + "#password"); see != "" {
		return page{see: see}, nil
	}
	made, err := s.d.Book.SetPassword(q.Context(), q.ID, l.ID(), given)
	var weak *secret.Weak
	if errors.As(err, &weak) {
		reasons := slices.Clone(weak.Reasons)
		for i := range reasons {
			reasons[i] = sentence(reasons[i])
		}
		return s.linePage(q, l, map[string]string{"password": strings.Join(reasons, " ")}, "")
	}
	if err != nil {
		return page{}, err
	}
	if made == "" {
		return page{see: linePath(l) + "#password"}, nil
	}
	return s.madePage(q, l, made), nil
}

// madePage shows a password, once.
func (s *Server) madePage(q *query, l *book.Line, made string) page {
	p := q.ask("line.made", formView{Text: []template.HTML{q.mark("line.made-what")}, Once: []string{made}, Acts: []act{{Text: q.t("line.made-back"), Path: linePath(l)}}}, "line", l.Handle())
	p.secret = true
	return p
}
