package rest

import (
	"context"
	"net/http"

	"ringfence/core/habit"
	"ringfence/edge/rest/api"
	"ringfence/flow/react"
)

var _ = serves(func(s *Server) {
	listed[api.Rule](s, need(s.d.Rules != nil, "the list of rules", s.listRules))
	route(s, op(http.MethodPost, "/v1/rules/{name}/agree", "agree-rule", "findings", "Let a rule act although it would have stopped many of last month's calls"), need(s.d.Agree != nil, "agreeing to a rule", s.agreeRule))
})

func (s *Server) listRules(ctx context.Context, _ *struct{}) (out api.List[api.Rule], err error) {
	all, err := s.d.Rules(ctx)
	return api.List[api.Rule]{Items: views(all, ruleView)}, err
}

func ruleView(r *react.Rule) api.Rule {
	v := api.Rule{Name: r.Name, Life: r.Life.String(), Set: r.Set.String(), Why: r.Why, Stages: []api.RuleStage{}}
	for _, life := range habit.Lives() {
		if f, ok := r.Stages[life.String()]; ok {
			v.Stages = append(v.Stages, api.RuleStage{Life: life.String(), Fired: f.Fired, True: f.True, Honest: f.Honest, Stopped: f.Stopped, Wrong: f.Wrong, Saved: int64(f.Saved)})
		}
	}
	return v
}

func (s *Server) agreeRule(ctx context.Context, in *api.RuleName) (out api.Rule, err error) {
	if !s.d.Agree(by(ctx), in.Name) {
		return out, missing("rule that waits", in.Name)
	}
	all, err := s.d.Rules(ctx)
	for i := range all {
		if all[i].Name == in.Name {
			out = ruleView(&all[i])
		}
	}
	return out, err
}
