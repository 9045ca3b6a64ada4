package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/app/adaptive"
	"ringfence/cmd/ringfence/table"
	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/core/rating"
	"ringfence/edge/rest/api"
	"ringfence/flow/play"
	"ringfence/flow/replay"
	"ringfence/sim"
)

// adapt has an attacker search.
func (c *drillCmd) adapt(s *session) error {
	switch {
	case c.Scenario != "":
		return usagef("--adaptive finds its own attacks: leave out %s", c.Scenario)
	case c.Strategies < 1 || c.Strategies > 1_000_000:
		return usagef("--strategies is %d, want 1 to 1000000", c.Strategies)
	case c.EveryKind && c.Kind != "":
		return usagef("--every-kind plays all kinds: leave out --kind")
	case !c.EveryKind && c.Kind == "" && (c.SettingsOf == "" || c.SettingsOf == "defaults"):
		return usagef("whose lines? --settings-of LINE plays a line with its own calls, --kind KIND an invented customer")
	}
	set, err := c.rules()
	if err != nil {
		return err
	}
	if c.EveryKind {
		return c.everyKind(s, &set)
	}
	of, err := c.victim(s, &set)
	if err != nil {
		return err
	}
	report, err := c.search(s, of)
	if errors.Is(err, adaptive.ErrNoCalls) {
		return fmt.Errorf("line %s has made no calls yet, so that nobody knows its habits: --kind KIND plays its settings with the calls of an invented customer", c.SettingsOf)
	}
	if err != nil {
		return err
	}
	return s.emit(report, func() error { return showFound(s, report) })
}

// victim is whose lines are attacked.
func (c *drillCmd) victim(s *session, set *replay.Set) (adaptive.Case, error) {
	if c.Kind == "" {
		return caseOf(s, c.SettingsOf, *set)
	}
	settings, err := c.settings(s, set)
	if err != nil {
		return adaptive.Case{}, err
	}
	return adaptive.Invented(c.Kind, c.Seed, *set, settings)
}

// search shows how far it is.
func (c *drillCmd) search(s *session, of adaptive.Case) (*adaptive.Report, error) {
	of.Earning = c.Earning
	to, began, shown := s.progressTo(), time.Now(), time.Time{}
	o := adaptive.Options{Strategies: c.Strategies, Seed: max(c.Seed, 1), Workers: c.Workers}
	o.Progress = func(played int, dearest money.Micro) {
		now := time.Now()
		if to == nil || now.Sub(shown) < 100*time.Millisecond {
			return
		}
		shown = now
		took := now.Sub(began)
		left := time.Duration(float64(took) / float64(played) * float64(c.Strategies-played)).Round(time.Second)
		_, _ = fmt.Fprintf(to, "\r\033[K%s: %d of %s, %.0f a second, %s left; the dearest costs %s", of.Name, played, api.Count(c.Strategies, "strategy", "strategies"),
			float64(played)/took.Seconds(), left, money.Billing().Shown(dearest))
		if played == c.Strategies {
			_, _ = fmt.Fprintf(to, "\r\033[K%s: the dearest strategies are played under other settings …", of.Name)
		}
	}
	report, err := adaptive.Search(s.ctx, of, o)
	if to != nil {
		_, _ = io.WriteString(to, "\r\033[K")
	}
	return report, err
}

// everyKind attacks a customer of each kind.
func (c *drillCmd) everyKind(s *session, set *replay.Set) error {
	settings, err := c.settings(s, set)
	if err != nil {
		return err
	}
	var all []*adaptive.Report
	for _, kind := range sim.Kinds() {
		of, err := adaptive.Invented(kind.Name, c.Seed, *set, settings)
		if err != nil {
			return err
		}
		report, err := c.search(s, of)
		if err != nil {
			if s.ctx.Err() != nil && len(all) > 0 {
				break
			}
			return fmt.Errorf("%s: %w", kind.Name, err)
		}
		if all = append(all, report); report.Stopped {
			break
		}
	}
	return s.emit(all, func() error { return showKinds(s, all) })
}

func showKinds(s *session, all []*adaptive.Report) error {
	t := table.New(table.Left("kind"), table.Right("lines used"), table.Right("own median week"), table.Right("dearest week"), table.Right("per line"), table.Right("if answered"), table.Right("bound"), table.Left(""),
		table.Left("setting"), table.Left("to"), table.Right("then"))
	exceed := 0
	for _, r := range all {
		mark, setting, to, then := "", "none", "", ""
		if r.Exceeds {
			mark = "exceeds"
			exceed++
		}
		if r.Advice != nil {
			setting, to, then = r.Advice.Setting, r.Advice.To, money.Billing().Shown(r.Advice.Loss)
		}
		t.Row(r.Name, strconv.Itoa(len(r.Best.Used)), money.Billing().Shown(r.MedianWeek), money.Billing().Shown(r.Best.Loss), money.Billing().Shown(r.PerLine()), money.Billing().Shown(r.Best.Answered), money.Billing().Shown(r.Allowance), mark, setting, to, then)
	}
	if err := s.table(t, 0); err != nil {
		return err
	}
	return s.say("\n%s played for each kind. Of %s, %d exceed the bound: %s for each line and week, or its own median week if that is more. If answered: had somebody locked the lines a day after the first notice of something closed.",
		api.Count(all[0].Played, "strategy", "strategies"), api.Count(len(all), "kind", "kinds"), exceed, money.Billing().Shown(money.Billing().Sum(25)))
}

// showFound says what the attacker found.
func showFound(s *session, r *adaptive.Report) error {
	if r.Stopped {
		_ = s.say("Stopped: this is the best so far.\n")
	}
	of := money.Billing()
	_ = s.say("%s: %s of %s, attacked from %s on for two weeks, after %s (%s go on meanwhile).", s.out.Paint(table.Bold, r.Name), api.Count(r.Played, "strategy", "strategies"),
		"an attacker who knows the rules", r.From.Format("2006-01-02 15:04"), api.Count(r.Honest, "honest call", "honest calls"), strconv.Itoa(r.Meanwhile))
	_ = s.say("\nThe dearest strategy:")
	for _, line := range r.Best.Words {
		_ = s.say("  %s", line)
	}
	verdict := "no more than"
	if r.Exceeds {
		verdict = "more than"
	}
	_ = s.say("\nIt cost %s in its dearest week, %s for each of %s: %s the bound of %s (%s for each line, or its own median week if that is more). Half of the strategies cost less than %s.",
		of.Shown(r.Best.Loss), of.Shown(r.PerLine()), api.Count(max(len(r.Best.Used), 1), "line", "lines"), verdict, of.Shown(r.Allowance), of.Shown(of.Sum(25)), of.Shown(r.Median))
	first := "none of its calls was stopped for what it did"
	if r.Best.First != nil {
		first = "the first was stopped after " + r.Best.First.Round(time.Second).String()
	}
	_ = s.say("Nobody answers the notices. Had somebody locked the lines a day after the first one that closed something, it would have cost %s.", of.Shown(r.Best.Answered))
	_ = s.say("%s connected, %d stopped for what the attacker did, %d by caps and limits; %s. Honest calls stopped meanwhile: %d.\n", api.Count(r.Best.Calls, "call", "calls"), r.Best.Stopped, r.Best.Capped, first, r.Best.Honest)
	for _, line := range r.Best.Story {
		_ = s.say("  %s", line)
	}
	return showRemedies(s, r)
}

func showRemedies(s *session, r *adaptive.Report) error {
	if len(r.Remedies) == 0 {
		return nil
	}
	of := money.Billing()
	t := table.New(table.Left("setting"), table.Left("is"), table.Cut("to"), table.Right("then costs"), table.Right("honest stopped"))
	for _, x := range r.Remedies {
		t.Row(x.Setting, x.Is, x.To, of.Shown(x.Loss), fmt.Sprintf("%d of %d", x.Honest, x.Of))
	}
	_ = s.say("\nThe dearest strategies again, under other settings:")
	if err := s.table(t, 0); err != nil {
		return err
	}
	if r.Advice == nil {
		return s.say("\nNo setting reduces the loss without stopping honest calls of the past.")
	}
	return s.say("\n%s from %s to %s would reduce the loss most: from %s to %s, after the attacker looked at %s more under it. Of %d paid calls of the past it would have stopped %d.",
		s.out.Paint(table.Bold, r.Advice.Setting), r.Advice.Is, r.Advice.To, of.Shown(r.Best.Loss), of.Shown(r.Advice.Loss), api.Count(r.Advice.Adapted, "strategy", "strategies"), r.Advice.Of, r.Advice.Honest)
}

// pastOf is how far back a line's own calls are asked for.
const pastOf = 180 * 24 * time.Hour

// caseOf asks the server for a line, the others of its customer, their calls and their prices. Nothing is changed.
func caseOf(s *session, id string, set replay.Set) (adaptive.Case, error) {
	of := adaptive.Case{Name: "line " + id, Set: set}
	line, err := fetch[api.LineDetail](s, "GET /v1/lines/{id}", api.LineID{ID: id})
	if err != nil {
		return of, err
	}
	of.Locked = len(line.Nets) > 0
	if of.Set.Deck, err = deckOf(s, line.Tariff); err != nil {
		return of, err
	}
	lines, _, err := all[api.Line](s, "/v1/lines", "after", 0, api.LineFilter{Customer: line.Customer})
	if err != nil {
		return of, err
	}
	if of.Lines, err = linesOf(s, lines, set); err != nil {
		return of, err
	}
	filter := api.CDRFilter{Customer: line.Customer, From: time.Now().Add(-pastOf).Format(time.RFC3339)}
	records, _, err := all[api.CDR](s, "/v1/cdrs", "before", 0, filter)
	if err != nil {
		return of, err
	}
	known := func(id string) bool { return slices.ContainsFunc(lines, func(l api.Line) bool { return l.ID == id }) }
	made := false
	for i := range records {
		if x := &records[i]; known(x.Line) {
			of.Calls = append(of.Calls, pastCall(x))
			made = made || x.Line == line.ID && x.Direction != call.In
		}
	}
	if !made {
		return of, fmt.Errorf("line %s has made no calls yet, so that nobody knows its habits: --kind KIND plays its settings with the calls of an invented customer", id)
	}
	slices.SortStableFunc(of.Calls, func(a, b play.Call) int { return a.At.Compare(b.At) })
	return of, nil
}

// pastCall is a record as the call that it was.
func pastCall(x *api.CDR) play.Call {
	c := play.Call{
		ID: x.ID, Account: x.Account, At: x.Begun.UTC(), Line: x.Line, Dialled: x.Dialled, Rings: x.Ring, Wants: x.Talk, Unanswered: x.AnsweredAt.IsZero(),
		Inbound: x.Direction == call.In, Place: replay.Place(x.Source), Device: replay.Device(x.UserAgent),
	}
	if c.Inbound {
		c.Dialled = ""
	}
	return c
}

func deckOf(s *session, name string) (*rating.Deck, error) {
	rows, _, err := all[api.Price](s, "/v1/decks/{name}/rows", "after", 0, api.DeckName{Name: name})
	if err != nil {
		return nil, err
	}
	prices, err := toRating(rows)
	if err != nil {
		return nil, err
	}
	return rating.Build(prices, nil)
}

// linesOf writes lines of the server as a lines file has them, and reads that.
func linesOf(s *session, lines []api.Line, set replay.Set) (*replay.Lines, error) {
	var file bytes.Buffer
	out := csv.NewWriter(&file)
	var head []string
	for _, l := range lines {
		d, err := fetch[api.LineDetail](s, "GET /v1/lines/{id}", api.LineID{ID: l.ID})
		if err != nil {
			return nil, err
		}
		names, row := []string{"line", "customer", "zone", "first_seen", "number"}, []string{d.ID, d.Customer, d.Zone, d.Created.Format(time.RFC3339), strings.TrimPrefix(d.Number, "+")}
		for _, x := range d.Settings {
			if f, err := account.ParseField(x.Field); err == nil {
				names, row = append(names, x.Field), append(row, inLines(f, x.N))
			}
		}
		if head == nil {
			head = names
			_ = out.Write(head)
		}
		_ = out.Write(row)
	}
	out.Flush()
	return replay.ReadLines(&file, set.Plan)
}
