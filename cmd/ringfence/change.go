package main

import "ringfence/edge/rest/api"

type changeCmd struct {
	remote
	List  whole[api.HeldChange, api.ChangeFilter] `cmd:"" help:"List changes that wait because they loosen something." eg:"; --customer acme"`
	Stop  act[api.ChangeStop, api.HeldChange]     `cmd:"" help:"Call off a change that waits." route:"DELETE /v1/changes/{id}" says:"Called off: {{.Text}}." eg:"7k2m9qpx --why \"it was not us\""`
	Hurry act[api.ChangeHurry, api.Hurried]       `cmd:"" help:"Let a change that waits happen early." route:"POST /v1/changes/{id}/hurry" says:"{{if .Made}}Made.{{else}}A second member of staff is needed.{{end}}" eg:"7k2m9qpx --why \"called back on the number of the contract\"" detail:"Two members of staff do so, each after a check of identity."`
}
