package account

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxFormer and MaxContacts bound what a line and a customer keep, MaxPreferences and MaxContactLines what a contact does.
const (
	MaxFormer       = 3
	MaxContacts     = 16
	MaxPreferences  = 64
	MaxContactLines = 256

	// FormerFor is how long a former password is kept after it was replaced.
	FormerFor = 90 * 24 * time.Hour

	maxName = 200
)

// ErrContact says that a contact is not valid; every ContactFault wraps it.
var ErrContact = errors.New("not a usable contact")

// ContactFault is one thing that is wrong with a contact.
type ContactFault struct {
	Part  string // "id", "name", "lines", "kinds", "address", or the Part of a channel
	Found string // cut to what a message should repeat
	Want  string
}

// Error is one sentence.
func (f *ContactFault) Error() string {
	return fmt.Sprintf("%v: %s %q: want %s", ErrContact, f.Part, f.Found, f.Want)
}

// Unwrap makes errors.Is(err, ErrContact) true.
func (f *ContactFault) Unwrap() error { return ErrContact }

func wrong(part, found, want string) error {
	return &ContactFault{part, strings.ToValidUTF8(found[:min(len(found), 60)], "?"), want}
}

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

// Preference says how a contact wants one kind of notice.
type Preference string

// Preferences.
const (
	PreferNow    Preference = "now" // the default
	PreferDigest Preference = "digest"
	PreferOff    Preference = "off" // critical notices are still sent
)

// Contact is a person of a customer, or of staff, who gets notices.
type Contact struct {
	ID      string                `json:"id"` // identity; its handle is a slug, one of its customer
	Name    string                `json:"name,omitempty"`
	Channel string                `json:"-"`               // code of how it is reached; with its address it is stored under the channel's Part
	Address string                `json:"-"`               // a mail address, a URL: see Channels
	Lines   []string              `json:"lines,omitempty"` // identities: only notices about these; empty is all
	Kinds   map[string]Preference `json:"kinds,omitempty"` // by kind of notice; "*" is all others
}

// MarshalJSON writes the address under the name of its channel: {"id":"office","mail":"anna@example.com"}.
func (c Contact) MarshalJSON() ([]byte, error) {
	type plain Contact
	out, err := json.Marshal(plain(c))
	if err != nil || c.Address == "" {
		return out, err
	}
	address, err := json.Marshal(map[string]string{ChannelCalled(c.Channel).Part: c.Address})
	return append(append(out[:len(out)-1], ','), address[1:]...), err
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Contact) UnmarshalJSON(data []byte) error {
	type plain Contact
	var parts map[string]any
	if err := errors.Join(json.Unmarshal(data, (*plain)(c)), json.Unmarshal(data, &parts)); err != nil {
		return err
	}
	for i := range Channels {
		if address, ok := parts[Channels[i].Part].(string); ok {
			c.Channel, c.Address = Channels[i].Code, address
		}
	}
	return nil
}

// KeepFormer is what is kept of former passwords at now: those replaced less than FormerFor ago, newest first, at most
// MaxFormer; nil when there are none. was is not changed.
func KeepFormer(was []Former, now time.Time) []Former {
	var kept []Former
	for _, f := range was {
		if len(f.Sealed) > 0 && now.Sub(f.Until) < FormerFor {
			kept = append(kept, f)
		}
	}
	slices.SortStableFunc(kept, func(a, b Former) int { return b.Until.Compare(a.Until) })
	return kept[:min(len(kept), MaxFormer)]
}

// Valid says that the courtesy is one there is.
func (c Courtesy) Valid() bool {
	return c == CourtesyInherit || c == CourtesyBoth || c == CourtesyAgent || c == CourtesyOff
}

// Valid says that the preference is one that exists.
func (p Preference) Valid() bool { return p == PreferNow || p == PreferDigest || p == PreferOff }

// Wants says how the contact wants a kind of notice: its word on the kind, else on "*", else now.
func (c *Contact) Wants(kind string) Preference {
	for _, key := range [...]string{kind, "*"} {
		if w, ok := c.Kinds[key]; ok && w.Valid() {
			return w
		}
	}
	return PreferNow
}

// About says whether notices about a line are for the contact; "" is a notice about no line.
func (c *Contact) About(line string) bool {
	return len(c.Lines) == 0 || slices.Contains(c.Lines, line)
}

// Clone shares nothing with c.
func (c Contact) Clone() Contact {
	c.Lines = slices.Clone(c.Lines)
	kinds := make(map[string]Preference, len(c.Kinds))
	for k, w := range c.Kinds {
		kinds[k] = w
	}
	if c.Kinds = kinds; len(kinds) == 0 {
		c.Kinds = nil
	}
	return c
}

// CheckContacts checks all contacts of a customer: each by itself, their number, and that no id is listed twice.
func CheckContacts(cs []Contact) error {
	var faults []error
	if len(cs) > MaxContacts {
		faults = append(faults, wrong("contacts", strconv.Itoa(len(cs)), "at most "+strconv.Itoa(MaxContacts)))
	}
	for i := range cs {
		if err := cs[i].Validate(); err != nil {
			faults = append(faults, err)
		}
		if slices.ContainsFunc(cs[:i], func(c Contact) bool { return Handle(c.ID) == Handle(cs[i].ID) }) {
			faults = append(faults, wrong("id", Handle(cs[i].ID), "each id once"))
		}
	}
	return errors.Join(faults...)
}

// Validate checks a contact before it is stored. All faults are reported together, each a *ContactFault.
func (c *Contact) Validate() error {
	faults := []error{checkContactName(c.Name)}
	if checkIdentity(c.ID, CheckContactID) != nil {
		faults = append(faults, wrong("id", Handle(c.ID), "1 to 40 of a-z, 0-9 and '-', with '-' inside only"))
	}
	if channel := ChannelCalled(c.Channel); channel.Check == nil || c.Address == "" {
		faults = append(faults, noAddress(c.Address))
	} else {
		faults = append(faults, channel.Check(c.Address))
	}
	return errors.Join(append(faults, c.checkLines(), c.checkKinds())...)
}

func (c *Contact) checkLines() error {
	if len(c.Lines) > MaxContactLines {
		return wrong("lines", strconv.Itoa(len(c.Lines)), "at most "+strconv.Itoa(MaxContactLines)+", or none for all")
	}
	var faults []error
	for _, l := range c.Lines {
		if checkIdentity(l, CheckLineID) != nil {
			faults = append(faults, wrong("lines", Handle(l), "names of lines"))
		}
	}
	return errors.Join(faults...)
}

func (c *Contact) checkKinds() error {
	if len(c.Kinds) > MaxPreferences {
		return wrong("kinds", strconv.Itoa(len(c.Kinds)), "at most "+strconv.Itoa(MaxPreferences))
	}
	var faults []error
	for kind, preference := range c.Kinds {
		if !isKind(kind) {
			faults = append(faults, wrong("kinds", kind, "a kind of notice: 1 to 40 of a-z and '-'; or '*' for all others"))
		}
		if !preference.Valid() {
			faults = append(faults, wrong("kinds", string(preference), "the preference now, digest or off"))
		}
	}
	return errors.Join(faults...)
}

func isKind(s string) bool {
	if s == "*" {
		return true
	}
	return len(s) >= 1 && len(s) <= 40 && isMadeOf(s, func(c byte) bool { return c == '-' || c >= 'a' && c <= 'z' })
}

// checkContactName accepts what a mail can show as a person's name: printable, on one line, and nothing that could be
// taken for an address or that turns the direction of writing.
func checkContactName(s string) error {
	odd := func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune("<>\"\\", r) }
	if len(s) > maxName || !utf8.ValidString(s) || strings.ContainsFunc(s, odd) {
		return wrong("name", s, "at most "+strconv.Itoa(maxName)+" bytes of plain text on one line, without < > \" and \\")
	}
	return nil
}

func isMadeOf(s string, allowed func(byte) bool) bool {
	for i := range len(s) {
		if !allowed(s[i]) {
			return false
		}
	}
	return true
}
