package main

import (
	"fmt"

	"ringfence/edge/rest/api"
)

type resellerCmd struct {
	remote
	Add    resellerAdd                                             `cmd:"" help:"Add a reseller." eg:"north --name \"North Telecom\"; north --day-cap £500 --month-cap £5000 international-ceiling=20p"`
	List   list[api.Reseller, struct{}]                            `cmd:"" help:"List resellers." eg:"; --json | jq -r '.[].id'"`
	Show   show[api.Reseller, api.ResellerID]                      `cmd:"" help:"Show a reseller with its settings and what its customers spent of its caps." eg:"north"`
	Set    change[api.Reseller, api.ResellerID, api.PatchReseller] `cmd:"" help:"Change a reseller or its settings." set:"fields=name, zone, tariff, day_cap and month_cap (an amount, or \"off\"), nets (\"none\" removes the IP lock), or a setting (\"inherit\" removes the reseller's own value)." eg:"north day_cap=£500 month_cap=off; north international-ceiling=50p --grant --until 2026-12-01"`
	Remove resellerRemove                                          `cmd:"" help:"Remove a reseller that has no customers." eg:"north; north --yes"`
}

type resellerAdd struct {
	Body api.NewReseller `embed:""`
	Set  []string        `arg:"" optional:"" name:"field=value" help:"Initial settings." predict:"setting"`
	grantFlags
}

func (c *resellerAdd) Run(s *session) error {
	if err := assign(&c.Body.PatchReseller, c.Set, c.grantFlags); err != nil {
		return err
	}
	return adding("reseller", c.Body.ID, perform(s, "POST /v1/resellers", func(v *api.Reseller) error {
		return s.say("Reseller %s added. Give it a customer: ringfence customer add CUSTOMER --reseller %s", v.ID, v.ID)
	}, c))
}

type resellerRemove struct {
	remove[api.Reseller, api.ResellerID]
}

// Run removes it; customers are counted first, for a word on them even without --yes.
func (c *resellerRemove) Run(s *session) error {
	v, err := fetch[api.Reseller](s, "GET /v1/resellers/{id}", &c.Which)
	if err != nil {
		return err
	}
	if v.Customers > 0 {
		return fmt.Errorf("reseller %s still has %s: move or remove them first (ringfence customer list --reseller %s)", v.ID, api.Count(v.Customers, "customer", "customers"), v.ID)
	}
	return c.remove.Run(s)
}
