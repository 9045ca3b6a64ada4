package main

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"ringfence/edge/rest/api"
)

type personCmd struct {
	Add      personAdd                          `cmd:"" help:"Add a person, and print the link that signs them in." eg:"acme ana --role owner --name \"Ana Baker\" --mail ana@example.com; acme sam --role reader" detail:"The link works once, within a day. Give it to nobody but the person: anyone who opens it first is signed in as them."`
	List     whole[api.Person, api.PeopleOf]    `cmd:"" help:"List a customer's people, who may sign in." eg:"acme"`
	Set      personSet                          `cmd:"" help:"Change a person's name, address or role." eg:"acme sam --role manager; acme ana --mail ana@example.org"`
	Link     act[api.PersonID, signIn]          `cmd:"" help:"Print a link that signs a person in once, within a day; one made before ends." route:"POST /v1/customers/{id}/people/{person}/link" says:"Signs {{.Person}} in once, until {{.Ends}}: {{.Link}}" eg:"acme ana" detail:"A person with a second factor is still asked for it."`
	Reset    sure[api.PersonID, nobody, signIn] `cmd:"" help:"Take every password and second factor from a person who lost theirs, and print a link." look:"/v1/me" would:"Every password and second factor would be taken from this person. Make sure first that it is they who ask." route:"POST /v1/customers/{id}/people/{person}/reset" says:"Signs {{.Person}} in once, until {{.Ends}}: {{.Link}}" eg:"acme ana; acme ana --yes"`
	SignOut  act[api.PersonID, api.SignedOut]   `cmd:"" name:"sign-out" help:"End every session of a person." route:"POST /v1/customers/{id}/people/{person}/sign-out" says:"{{count .Ended \"session\" \"sessions\"}} of {{.Person}} ended." eg:"acme ana"`
	Sessions listOf[api.Session, api.PersonID]  `cmd:"" help:"List the browsers that a person is signed in with." eg:"acme ana"`
	Token    personTokenCmd                     `cmd:"" help:"Tokens for programs of a person's."`
	Remove   removePerson[api.PersonID]         `cmd:"" help:"Remove a person, with every session, link and token." route:"DELETE /v1/customers/{id}/people/{person}" eg:"acme sam; acme sam --yes"`
}

type personTokenCmd struct {
	Add    tokenAdd[api.PersonToken]       `cmd:"" help:"Make a token, and print it once." route:"POST /v1/customers/{id}/people/{person}/tokens" eg:"acme ana reports --scope read --until +90d; acme ana panic --scope read --scope lock --until 2027-06-30" detail:"It may do what its person may, within its scopes, until its end, which is at most a year away."`
	List   listOf[api.Token, api.PersonID] `cmd:"" help:"List the tokens of a person, with their last use." eg:"acme ana"`
	Remove removePerson[api.PersonTokenID] `cmd:"" help:"Take a token back." route:"DELETE /v1/customers/{id}/people/{person}/tokens/{token}" eg:"acme ana reports; acme ana reports --yes"`
}

type staffCmd struct {
	remote
	Add      staffAdd                          `cmd:"" help:"Add a member of staff, and print the link that signs them in." eg:"tom --role support; maya --role admin --mail maya@example.net" detail:"The link works once, within a day. Staff need a second factor: they set it up first."`
	List     whole[api.Staff, struct{}]        `cmd:"" help:"List staff, who may sign in." eg:""`
	Set      staffSet                          `cmd:"" help:"Change a member's name, address or role." eg:"tom --role fraud"`
	Link     act[api.StaffID, signIn]          `cmd:"" help:"Print a link that signs a member of staff in once, within a day; one made before ends." route:"POST /v1/staff/{person}/link" says:"Signs {{.Person}} in once, until {{.Ends}}: {{.Link}}" eg:"tom"`
	Reset    sure[api.StaffID, nobody, signIn] `cmd:"" help:"Take every password and second factor from a member who lost theirs, and print a link." look:"/v1/me" would:"Every password and second factor would be taken from this member of staff. Make sure first that it is they who ask." route:"POST /v1/staff/{person}/reset" says:"Signs {{.Person}} in once, until {{.Ends}}: {{.Link}}" eg:"tom; tom --yes"`
	SignOut  act[api.StaffID, api.SignedOut]   `cmd:"" name:"sign-out" help:"End every session of a member of staff." route:"POST /v1/staff/{person}/sign-out" says:"{{count .Ended \"session\" \"sessions\"}} of {{.Person}} ended." eg:"tom"`
	Sessions staffList[api.Session]            `cmd:"" help:"List the browsers that a member of staff is signed in with." eg:"tom"`
	Token    staffTokenCmd                     `cmd:"" help:"Tokens for programs of a member's."`
	Remove   removePerson[api.StaffID]         `cmd:"" help:"Remove a member of staff, with every session, link and token." route:"DELETE /v1/staff/{person}" eg:"tom; tom --yes"`
}

type staffTokenCmd struct {
	Add    tokenAdd[api.StaffToken]       `cmd:"" help:"Make a token, and print it once." route:"POST /v1/staff/{person}/tokens" eg:"maya backup --scope read --until +90d"`
	List   staffList[api.Token]           `cmd:"" help:"List the tokens of a member of staff, with their last use." eg:"maya"`
	Remove removePerson[api.StaffTokenID] `cmd:"" help:"Take a token back." route:"DELETE /v1/staff/{person}/tokens/{token}" eg:"maya backup; maya backup --yes"`
}

// signIn is a link, with the sentence about it.
type signIn struct{ api.SignInLink }

// Ends is when it ends, in words.
func (s signIn) Ends() string { return api.Moment(s.SignInLink.Until) }

// nobody is looked at where there is nothing to show before.
type nobody struct{}

// signInSays is said of a link.
const signInSays = "Signs {{.Person}} in once, until {{.Ends}}: {{.Link}}"

type personAdd struct{ api.PersonNew }

func (c *personAdd) Run(s *session) error {
	return perform(s, "POST /v1/customers/{id}/people", func(l *signIn) error {
		if l.Waits {
			return s.say("%s", sentence("{{.Person}} waits, as the customer chose for what loosens: ringfence change list shows until when. Make a link then.", l))
		}
		return s.say("%s", sentence("{{.Person}} may sign in. "+signInSays, l))
	}, c)
}

type staffAdd struct {
	Body api.NewStaff `embed:""`
}

func (c *staffAdd) Run(s *session) error {
	return perform(s, "POST /v1/staff", func(l *signIn) error { return s.say("%s", sentence("{{.Person}} may sign in. "+signInSays, l)) }, c)
}

type personSet struct{ api.PersonPatch }

func (c *personSet) Run(s *session) error {
	if reflect.ValueOf(c.Body).IsZero() {
		return usagef("nothing to change: give --role, --mail or --name")
	}
	return perform(s, "PATCH /v1/customers/{id}/people/{person}", func(x *api.Person) error { return s.table(rows(*x), 0) }, c)
}

type staffSet struct{ api.StaffPatch }

func (c *staffSet) Run(s *session) error {
	if reflect.ValueOf(c.Body).IsZero() {
		return usagef("nothing to change: give --role, --mail or --name")
	}
	return perform(s, "PATCH /v1/staff/{person}", func(x *api.Staff) error { return s.table(rows(*x), 0) }, c)
}

// listOf lists what one of a customer's people has; I says whose.
type listOf[V api.View[V], I any] struct {
	Which I `embed:""`
}

func (c *listOf[V, I]) Run(s *session) error { return listAll[V](s, &c.Which) }

// staffList lists what a member of staff has.
type staffList[V api.View[V]] struct{ api.StaffID }

func (c *staffList[V]) Run(s *session) error {
	r := describe[V]()
	page, err := fetch[api.List[V]](s, "GET /v1/"+strings.Replace(r.Path, "customers/{id}/people/", "staff/", 1), c)
	if err != nil {
		return err
	}
	return s.emit(append([]V{}, page.Items...), func() error { return s.list(rows(page.Items...), r.Empty) })
}

type tokenAdd[I any] struct {
	In I `embed:""`
}

func (c *tokenAdd[I]) Run(s *session, k *kong.Context) error {
	return perform(s, k.Selected().Tag.Get("route"), func(x *api.NewTokenText) error {
		return s.say("Token %s, until %s, for: %s. It is shown this once:\n%s", x.Name, api.Moment(x.Until.In(time.Local)), strings.Join(x.Scopes, ", "), x.Text)
	}, &c.In)
}

// removePerson takes a person or token away; I says which.
type removePerson[I any] struct {
	Which I    `embed:""`
	Yes   bool `help:"Do it. Without this flag, only say what would be done."`
}

func (c *removePerson[I]) Run(s *session, k *kong.Context) error {
	route := k.Selected().Tag.Get("route")
	path, _, _ := request(strings.TrimPrefix(route, "DELETE "), &c.Which)
	name := path[strings.LastIndex(path, "/")+1:]
	if !c.Yes {
		return s.dryRun(fmt.Sprintf("%s would be removed, at once and for good.", name))
	}
	if _, err := fetch[none](s, route, &c.Which); err != nil {
		return err
	}
	return s.done("%s is removed.", name)
}
