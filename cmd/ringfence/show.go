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

func yesNo(yes bool) string { return map[bool]string{true: "yes", false: "no"}[yes] }

// section puts a title and a table under what was printed before, or nothing when the table is empty.
func (s *session) section(title string, t *table.Table) error {
	if t.Len() == 0 {
		return nil
	}
	s.say("\n%s", s.out.Paint(table.Bold, title))
	return s.table(t, 2)
}

// password shows a secret, this once.
func (s *session) password(line, password string) error {
	if password == "" {
		return nil
	}
	return s.say("\n  user name  %s\n  password   %s\n\nThe password is shown this once: put it in the phone now, or make another with\n  ringfence line password %s", line, s.out.Paint(table.Bold, password), line)
}
