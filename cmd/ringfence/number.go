package main

import (
	"fmt"

	"ringfence/edge/rest/api"
)

type numberCmd struct {
	List    whole[api.Number, api.NumberOf]  `cmd:"" help:"List the numbers that the customer's lines may present." eg:"acme"`
	Add     act[api.NumberNew, api.Number]   `cmd:"" help:"Send a code to a number, to prove that it is the customer's." route:"POST /v1/customers/{id}/numbers" says:"A code was sent to {{.Number}}. When you have it: ringfence customer number confirm CUSTOMER {{.Number}} CODE" eg:"acme \"03069 990123\"; acme 07700900123 --how text"`
	Confirm act[api.NumberCode, api.Number]  `cmd:"" help:"Give the code that was sent to a number." route:"POST /v1/customers/{id}/numbers/{number}/confirm" says:"{{if eq .State \"waiting\"}}{{.Number}} is proved; lines may present it when the customer's wait is over: ringfence change list{{else}}Lines may present {{.Number}}.{{end}}" eg:"acme +443069990123 12345678"`
	Vouch   act[api.NumberVouch, api.Number] `cmd:"" help:"Record evidence that a number is the customer's." route:"POST /v1/customers/{id}/numbers/{number}/vouch" says:"Lines may present {{.Number}}." eg:"acme +443069990123 --why \"letter of authorisation, order 4711\""`
	Remove  numberRemove                     `cmd:"" help:"Take a number from those that lines may present." eg:"acme +443069990123; acme +443069990123 --yes"`
}

type numberRemove struct {
	api.NumberID
	Yes bool `help:"Do it. Without this flag, only say what would be done."`
}

func (c *numberRemove) Run(s *session) error {
	if !c.Yes {
		return s.dryRun(fmt.Sprintf("Lines of %s could no longer present %s.", c.Customer, c.Number))
	}
	if _, err := fetch[none](s, "DELETE /v1/customers/{id}/numbers/{number}", c); err != nil {
		return err
	}
	return s.done("Lines of %s no longer present %s.", c.Customer, c.Number)
}
