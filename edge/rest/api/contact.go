package api

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Contact is a person or system of a customer that receives notices.
type Contact struct {
	ID      string            `json:"id"`
	Name    string            `json:"name,omitempty"`
	Channel string            `json:"channel"`
	Address string            `json:"address"`
	Mail    string            `json:"mail,omitempty" doc:"the address, of mail"`
	URL     string            `json:"url,omitempty" doc:"the address, of a webhook"`
	Lines   []string          `json:"lines" doc:"only notices about these; empty is all"`
	Kinds   map[string]string `json:"kinds,omitempty" doc:"now, digest or off by kind of notice; * is all others"`
	Waits   bool              `json:"waits,omitempty" doc:"it is not so yet: the customer's people wait for what they loosen"`
}

// Resource describes contacts.
func (Contact) Resource() Resource[Contact] {
	return Resource[Contact]{
		Name: "contact", Path: "customers/{id}/contacts", Key: "contact",
		List: "List a customer's contacts", Add: "Add a contact", Change: "Change a contact, or the notices that it receives", Delete: "Delete a contact",
		Columns: "contact: id, name~, to: address~, lines~, preferences~",
		Empty:   "This customer has no contacts for notices: ringfence customer contact add {{.Customer}} ID --mail ADDRESS",
		Cells: map[string]func(*Contact) Cell{
			"lines":       func(c *Contact) Cell { return Cell{Text: map[bool]string{true: "all"}[len(c.Lines) == 0]} },
			"preferences": (*Contact).preferences,
		},
		Named: func(c *Contact) (string, string) { return c.ID, c.Address },
	}
}

func (c *Contact) preferences() Cell {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(c.Kinds)) {
		parts = append(parts, k+"="+c.Kinds[k])
	}
	return Cell{Text: cmp.Or(strings.Join(parts, ", "), "all, at once")}
}

// ContactOf is a customer whose contacts are asked for.
type ContactOf struct {
	Customer string `path:"id" maxLength:"60" arg:"" help:"Customer." predict:"customer"`
}

// Called is the id of the customer.
func (c *ContactOf) Called() string { return c.Customer }

// ContactID says which.
type ContactID struct {
	ContactOf
	ID string `path:"contact" maxLength:"60" arg:"" help:"Contact." predict:"contact"`
}

// ContactNew adds one.
type ContactNew struct {
	ContactOf
	Body NewContact `embed:""`
}

// ContactPatch changes one.
type ContactPatch struct {
	ContactID
	Body PatchContact `embed:""`
}

// Reach says where a contact is reached: one of these.
type Reach struct {
	Mail    *string `json:"mail,omitempty" maxLength:"254" help:"Mail address." placeholder:"ADDRESS" xor:"reach"`
	URL     *string `json:"url,omitempty" maxLength:"500" doc:"of a webhook: https; http on loopback only" name:"url" help:"URL of a webhook: https, at a public address or in notify.private-hooks." placeholder:"URL" xor:"reach"`
	Address *string `json:"address,omitempty" maxLength:"500" doc:"of any channel, recognised by its form" name:"to" help:"Address of any channel: a mail address or a URL." placeholder:"ADDRESS" xor:"reach"`
}

// NewContact is a contact to add.
type NewContact struct {
	ID string `json:"id" maxLength:"40" doc:"a-z, 0-9 and -; 1 to 40" arg:"" help:"Short name of the contact: a-z, 0-9 and -."`
	PatchContact
}

// PatchContact changes what is present in it, all or nothing. Of kinds those given are changed; "inherit" takes one back.
type PatchContact struct {
	Reach
	Name  *string           `json:"name,omitempty" maxLength:"200" help:"Name of the contact." placeholder:"NAME"`
	Lines *[]string         `json:"lines,omitempty" maxItems:"256" doc:"[] is all" kong:"-"`
	Kinds map[string]string `json:"kinds,omitempty" maxProperties:"64" name:"kind" help:"Preference for a kind of notice: now, digest, off, or inherit to remove it; \"*\" is all other kinds." placeholder:"KIND=PREFERENCE" predict:"notice-kind"`
}
