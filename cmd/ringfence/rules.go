package main

import "ringfence/edge/rest/api"

type rulesCmd struct {
	remote
	List  whole[api.Rule, struct{}]   `cmd:"" default:"withargs" help:"List the rules that watch calls, and what each did in each of its lives." eg:"; --json"`
	Agree act[api.RuleName, api.Rule] `cmd:"" help:"Let a rule act although it would have stopped many of last month's calls." route:"POST /v1/rules/{name}/agree" says:"The rule {{.Name}} is {{.Life}}." eg:"pace" detail:"A rule that is to act, and as a shadow would have stopped more than 1 % of last month's paid calls, stays a shadow until somebody agrees."`
}
