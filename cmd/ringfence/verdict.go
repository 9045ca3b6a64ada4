package main

import (
	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
)

type cdrVerdict struct{ cdrID }

func (c *cdrVerdict) Run(s *session) error {
	return perform(s, "GET /v1/cdrs/{id}/verdict", s.showVerdict, c)
}

func (s *session) showVerdict(v *api.CallVerdict) error {
	s.say("%s: %s, %s", s.out.Paint(table.Bold, "Call "+string(v.Call)), v.Words(), v.Summary)
	if v.Retail != 0 {
		s.say("Charged %s.", v.RetailText)
	}
	if !v.Dated {
		s.say("No fact says what was promised on that day: these are the first words that are known.")
	}
	return s.section("Promises", rows(v.Promises()...))
}

type cdrJudge struct{ api.VerdictRequest }

func (c *cdrJudge) Run(s *session) error {
	return perform(s, "POST /v1/verdicts", s.showJudgement, c)
}

func (s *session) showJudgement(j *api.Judgement) error {
	if j.Calls == 0 {
		return s.say("There are no calls to judge: ringfence case dispute puts them into a case.")
	}
	if err := s.table(rows(j.Verdicts...), 0); err != nil {
		return err
	}
	return s.say("%s: %d owed (%s), %d free (%s), %d undetermined (%s).", api.Count(int(j.Calls), "call", "calls"),
		j.Owed, api.Amount(j.OwedMicro), j.Free, api.Amount(j.FreeMicro), j.Undetermined, api.Amount(j.UndeterminedMicro))
}
