package main

import (
	"ringfence/cmd/ringfence/table"
	"ringfence/core/money"
	"ringfence/edge/rest/api"
)

// done answers a command whose outcome is that it was done.
func (s *session) done(format string, args ...any) error {
	return s.emit(map[string]any{"done": true}, func() error { return s.say(format, args...) })
}

// cutList is list, and says when there is more.
func (s *session) cutList(t *table.Table, more bool, empty string) error {
	if err := s.list(t, empty); err != nil || !more {
		return err
	}
	return s.say("There are more: --limit 0 shows all.")
}

func amount(micro int64) string { return api.Amount(money.Micro(micro)) }

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// section puts a title and a table under what was printed before, or nothing when the table is empty.
func (s *session) section(title string, t *table.Table) error {
	if t.Len() == 0 {
		return nil
	}
	s.say("\n%s", s.out.Paint(table.Bold, title))
	return s.table(t, 2)
}

// settings shows every field with where it came from.
func (s *session) settings(settings []api.Setting) error {
	t := table.New(table.Left("setting"), table.Right("value"), table.Left("set by"), table.Wrap(""))
	for _, x := range settings {
		note := ""
		if x.Granted {
			note = "granted"
			if !x.Until.IsZero() {
				note += " until " + api.End(x.Until)
			}
		}
		from := table.Cell{Text: x.From}
		if !x.Own {
			from.Style = table.Dim
		}
		t.Row(x.Field, x.Text, from, note)
	}
	return s.section("Settings in force", t)
}

// purses shows what was spent and what is left.
func (s *session) purses(purses []api.Purse) error {
	t := table.New(table.Left("purse"), table.Left("period"), table.Right("spent"), table.Right("held"), table.Right("cap"), table.Right("left"))
	for _, p := range purses {
		left := table.Cell{Text: amount(p.Left)}
		if p.Left <= 0 {
			left.Style = table.Bad
		} else if p.Cap > 0 && p.Left < p.Cap/5 {
			left.Style = table.Warn
		}
		t.Row(p.Owner, p.Which, amount(p.Spent), amount(p.Held), amount(p.Cap), left)
	}
	return s.section("Money", t)
}

// password shows a secret, this once.
func (s *session) password(line, password string) error {
	if password == "" {
		return nil
	}
	return s.say("\n  user name  %s\n  password   %s\n\nThe password is shown this once: put it in the phone now, or make another with\n  ringfence line password %s", line, s.out.Paint(table.Bold, password), line)
}
