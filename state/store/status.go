package store

import (
	"context"
	"time"
)

// Tally is how often something happened in a stretch of time that begins at At.
type Tally struct {
	What string // "sample/call-home/good", "trunk/ID/tried"
	At   time.Time
	N    int64
}

// Incident is something that the public is notified about: what measurement found, what staff wrote, or work that is planned.
type Incident struct {
	ID        int64
	Component string // status.Component, or "" for none
	Node      string // that measured it; "" is written by staff
	Kind      string // "measured", "written" or "planned"
	Title     string
	Began     time.Time // planned: when it is to begin
	Ended     time.Time // zero: open. Planned: when it is to end
	Updates   []IncidentUpdate
	Version   int64 // the store's: counts the writes
}

// IncidentUpdate is one entry. None is ever changed or taken away.
type IncidentUpdate struct {
	At   time.Time `json:"at"`
	By   string    `json:"by,omitempty"` // "" is measurement
	Text string    `json:"text"`
}

// Subscriber is a mail address that is sent incidents.
type Subscriber struct {
	Hash      string // hex SHA-256 of the token in its links
	Mail      string
	Made      time.Time
	Confirmed time.Time // zero: not yet
	Told      time.Time // of the last update that was sent
}

// Status is what the public status is made of. Engines: sqlite and postgres, as part of Store.
type Status interface {
	// Tallies streams those whose What begins with a text, from a time on, by What and At.
	Tallies(ctx context.Context, under string, from time.Time, yield func(Tally) error) error
	AddTallies(ctx context.Context, add []Tally) error
	ClearTallies(ctx context.Context, before time.Time) (int64, error)

	Incidents(ctx context.Context, before int64, limit int) ([]Incident, error) // newest first; before 0 is all
	Incident(ctx context.Context, id int64) (Incident, error)
	// PutIncident writes one and gives its ID. ID 0 is a new one: ErrExists when one of the same Component and Node is open and both are
	// measured. Else Version must be the stored one, or it is ErrMoved.
	PutIncident(ctx context.Context, i Incident, facts ...Fact) (int64, error)

	Subscribers(ctx context.Context) ([]Subscriber, error) // by Mail
	PutSubscriber(ctx context.Context, s Subscriber) error // in place of one with the same Mail that is not confirmed; ErrExists when it is
	// ConfirmSubscriber says that who reads the mail wants it: ErrNotFound when there is none.
	ConfirmSubscriber(ctx context.Context, hash string, now time.Time) (Subscriber, error)
	// TellSubscriber moves Told, and is ErrMoved when it was not there: another node tells them.
	TellSubscriber(ctx context.Context, hash string, was, told time.Time) error
	DropSubscriber(ctx context.Context, hash string) error
	ClearSubscribers(ctx context.Context, before time.Time) (int64, error) // that were made before and never confirmed
}
