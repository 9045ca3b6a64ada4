package account

import "time"

// MaxFormer and MaxContacts bound what a line and a customer keep.
const (
	MaxFormer   = 3
	MaxContacts = 16
)

// Former is a password that a line had, sealed for the line as its present one is.
type Former struct {
	Sealed []byte    `json:"sealed"`
	Until  time.Time `json:"until"` // when it was replaced
}

// Courtesy says of what new thing in a line's logins its owner is told.
type Courtesy string

// Courtesies.
const (
	CourtesyInherit Courtesy = ""           // as the customer says; of a customer: both
	CourtesyBoth    Courtesy = "both"       // a new address or a new User-Agent
	CourtesyAgent   Courtesy = "user-agent" // a new User-Agent only
	CourtesyOff     Courtesy = "off"
)

// Wish says how a contact wants one kind of notice.
type Wish string

// Wishes.
const (
	WishNow    Wish = "now" // the default
	WishDigest Wish = "digest"
	WishOff    Wish = "off" // critical notices come all the same
)

// Contact is somebody of a customer who gets notices.
type Contact struct {
	ID    string          `json:"id"` // slug, one of its customer
	Name  string          `json:"name,omitempty"`
	Mail  string          `json:"mail,omitempty"`  // address; or
	URL   string          `json:"url,omitempty"`   // webhook: https, or http on loopback
	Lines []string        `json:"lines,omitempty"` // only notices about these; empty is all
	Kinds map[string]Wish `json:"kinds,omitempty"` // by kind of notice; "*" is all others
}
