package main

import "ringfence/edge/rest/api"

type incidentCmd struct {
	remote
	List  list[api.Incident, struct{}]        `cmd:"" set:"limit=50" eg:"; --limit 0 --json"`
	Show  incidentShow                        `cmd:"" help:"Show an incident with its entries." eg:"3"`
	Add   act[api.IncidentNew, api.Incident]  `cmd:"" help:"Publish an incident or planned work." route:"POST /v1/incidents" says:"Incident {{.ID}} is on the status pages: {{.Title}}." eg:"\"Some mails are late\" \"Our mail server is slow. Notices arrive within the hour.\" --component mail; \"New version\" \"Calls go on. A phone may log in again once.\" --from \"sunday 02:00\" --until \"sunday 02:30\"" detail:"Everybody can read it, and subscribers are sent it by mail. Entries are never changed or removed."`
	Note  act[api.IncidentNote, api.Incident] `cmd:"" help:"Add an entry to an incident." route:"POST /v1/incidents/{id}/notes" says:"Incident {{.ID}} has {{count (len .Updates) \"entry\" \"entries\"}}." eg:"3 \"We are moving traffic to another carrier.\""`
	Close act[api.IncidentEnd, api.Incident]  `cmd:"" help:"End an incident that staff wrote, or call planned work off." route:"POST /v1/incidents/{id}/close" says:"Incident {{.ID}} is over." eg:"3; 4 \"The new version waits for another week.\"" detail:"What measurement found ends by itself, when it works again."`
}

type incidentShow struct{ api.IncidentID }

func (c *incidentShow) Run(s *session) error {
	return perform(s, "GET /v1/incidents/{id}", func(i *api.Incident) error {
		s.table(card(i), 0)
		return s.section("Entries", rows(i.Updates...))
	}, c)
}
