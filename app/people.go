package app

import (
	"cmp"
	"context"
	"strings"
	"time"

	"ringfence/core/person"
	"ringfence/flow/cooling"
	"ringfence/flow/people"
)

// openPeople builds what knows who may sign in.
func (a *App) openPeople() error {
	var err error
	a.people, err = people.New(people.Options{
		Store: a.store, Book: a.book, Counters: a.shield.counters, Record: a.ledger.Record, Box: a.keys.box, Issuer: cmp.Or(a.cfg.Provider.Name, "Ringfence"), Lax: a.cfg.Demo,
		URL: a.cfg.LinksURL(), Log: a.log,
	})
	a.cooling = cooling.New(cooling.Options{Store: a.store, Book: a.book, People: a.people, Log: a.log})
	if err != nil {
		return err
	}
	if err := a.openProof(); err != nil {
		return err
	}
	return a.openBilling()
}

// ownerOf is who owns a customer, and has a mail address; "" is nobody.
func (a *App) ownerOf(customer string) (login, mail string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	all, err := a.people.List(ctx, customer)
	for i := range all {
		if err == nil && all[i].Role == person.Owner && all[i].Mail != "" {
			return all[i].Login, all[i].Mail
		}
	}
	return "", ""
}

// mailOf is the mail address of somebody who may sign in; "" is none.
func (a *App) mailOf(customer, login string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	p, err := a.people.Called(ctx, customer, login[strings.LastIndex(login, "/")+1:])
	if err != nil {
		return ""
	}
	return p.Mail
}
