package app

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"ringfence/core/account"
	"ringfence/core/person"
	"ringfence/edge/webhook"
	"ringfence/flow/book"
	"ringfence/flow/notify"
	"ringfence/flow/proof"
)

// openProof builds what proves numbers. A code is carried by the provider's own service for calls and texts, if there is one.
func (a *App) openProof() error {
	box, err := a.keys.box()
	if err != nil {
		return err
	}
	o := proof.Options{
		Book: a.book, Key: box.Derive("proof"), Log: a.log,
		Prove: func(ctx context.Context, who *person.Who, customer string, p account.Proven) error {
			_, err := a.cooling.Customer(ctx, who, customer, book.CustomerEdit{Prove: &p})
			return err
		},
	}
	if url := a.cfg.Provider.CodeHook; url != "" {
		key, err := a.hookKey()
		if err != nil {
			return err
		}
		hook, err := webhook.New(webhook.Options{Key: key, Hooks: []string{url}})
		if err != nil {
			return fmt.Errorf("provider.code-hook: %w", err)
		}
		a.onStop("the service that carries codes", func(context.Context) error { return hook.Close() })
		o.Send = func(ctx context.Context, c proof.Code) error { return sendCode(ctx, hook, url, c) }
	}
	a.proof = proof.New(o)
	return nil
}

// sendCode asks the provider's service to carry a code. Nothing that a customer wrote is in the text: it goes to somebody who may not know them.
func sendCode(ctx context.Context, hook *webhook.Sender, url string, c proof.Code) error {
	body, err := json.Marshal(struct {
		Kind   string    `json:"kind"`
		Number string    `json:"number"`
		How    string    `json:"how"`
		Code   string    `json:"code"`
		Text   string    `json:"text"`
		Until  time.Time `json:"until"`
	}{
		"number-code", c.Number, c.How, c.Code,
		fmt.Sprintf("Code %s %s: somebody asks to show this number as theirs when they call. If it was not you, tell nobody this code.", c.Code[:4], c.Code[4:]), c.Until,
	})
	if err != nil {
		return err
	}
	return hook.Send(ctx, notify.Message{ID: book.Identify("code"), Channel: account.Webhook, To: url, JSON: body})
}
