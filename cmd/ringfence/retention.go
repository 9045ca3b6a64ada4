package main

import "ringfence/edge/rest/api"

type holdCmd struct {
	remote
	List list[api.LegalHold, api.LegalHoldFilter] `cmd:"" set:"limit=50" eg:"; --all; --limit 0 --json"`
	Add  act[api.LegalHoldNew, api.LegalHold]     `cmd:"" help:"Hold a call, a line, a customer or a time: nothing of it is deleted until the hold is lifted." route:"POST /v1/holds" says:"Hold {{.ID}} is in force." eg:"\"The police asked for it.\" --line 2001 --from 2026-11-01 --until 2026-12-01; \"A claim at court.\" --customer acme; \"A complaint.\" --call 01JD8Z6Q4N8T7R5V3X1B9C7D5F; \"An audit.\" --from 2026-01-01 --until 2026-02-01" detail:"With a call or a line, the facts that explain it are held too: settings, prices and promises."`
	Lift act[api.LegalHoldEnd, api.LegalHold]     `cmd:"" help:"Lift a hold." route:"POST /v1/holds/{id}/lift" says:"Hold {{.ID}} is lifted." eg:"3 \"The proceedings are over.\""`
}

type retentionCmd struct {
	Status retentionStatus `cmd:"" help:"Show how long things are kept, what goes next, and what holds what back." eg:"; --json"`
}

type retentionStatus struct{ remote }

func (c *retentionStatus) Run(s *session) error {
	return perform(s, "GET /v1/retention", func(r *api.Retention) error {
		s.table(rows(r.Kinds...), 0)
		last := "This node has not looked for what is old since it started."
		if !r.Last.IsZero() {
			last = "Last look: " + r.Last.Format("2006-01-02 15:04:05 MST") + "."
		}
		return s.say("%s\nDeleted: in the last seven days, by all nodes.\nArchives: %d, with %d calls. Holds in force: %d. Live cases: %d.", last, r.Archives, r.Archived, r.Holds, r.Cases)
	})
}
