package api

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Trunk is a route to a carrier. Its password is never in it.
type Trunk struct {
	Name      string   `json:"name"`
	Identity  string   `json:"identity" doc:"never reused, unlike its name"`
	Addresses []string `json:"addresses" doc:"host, or host:port, tried in order; a host without a port is looked up by SRV (RFC 3263)"`
	Transport string   `json:"transport" enum:"udp,tcp,tls,auto" doc:"auto: as the carrier's DNS says (NAPTR)"`
	User      string   `json:"user,omitempty" doc:"user name for the carrier's digest authentication"`
	Login     bool     `json:"login" doc:"has a password"`
	Registrar string   `json:"registrar,omitempty" doc:"where Ringfence registers, host:port"`
	Expiry    int      `json:"expiry,omitempty" doc:"seconds that a registration is asked for"`
	// Registration is how the one of this node stands.
	Registration *TrunkRegistration `json:"registration,omitempty" doc:"how this node's registration stands; absent without a registrar"`

	Sources   []string `json:"sources" doc:"addresses and networks that inbound calls may come from"`
	Priority  int      `json:"priority" doc:"lower goes first"`
	MaxCalls  int      `json:"max_calls,omitempty" doc:"calls out at once, on each node; absent: any number"`
	MaxRate   int      `json:"max_rate,omitempty" doc:"calls out that begin in one second, on each node; absent: any number"`
	Deck      string   `json:"deck,omitempty" doc:"cost deck"`
	Format    string   `json:"format" enum:"+e164,e164,00e164"`
	Withheld  string   `json:"withheld" enum:"asserted,removed" doc:"what the carrier gets of a withheld number: asserted is P-Asserted-Identity with Privacy: id, removed is nothing"`
	Headers   string   `json:"headers" enum:"pai,rpid,both,none" doc:"what tells the carrier the line's own number beside From: P-Asserted-Identity, Remote-Party-ID, both or nothing"`
	Privacy   string   `json:"privacy" doc:"the value of Privacy for a withheld number"`
	Abroad    string   `json:"from_abroad" enum:"no,yes,checked" doc:"its calls come from abroad: home numbers are refused, and those of mobiles withheld; checked: the carrier has checked that these roam, so they are shown"`
	Emergency bool     `json:"emergency"`
	Disabled  bool     `json:"disabled"`
	// Now is what the trunk does at the moment.
	Now *TrunkNow `json:"now,omitempty" doc:"what the trunk does at the moment"`
}

// TrunkNow is what a trunk does at the moment.
type TrunkNow struct {
	Calls   int64         `json:"calls" doc:"calls out over it on this node"`
	LeftOut []TrunkSilent `json:"left_out,omitempty" doc:"servers that do not answer, or want no calls for a while, and are passed over by this node"`
	Day     TrunkFigures  `json:"day" doc:"the last 24 hours"`
	Hour    TrunkFigures  `json:"hour" doc:"the present quarter of an hour and the three before it"`
}

// TrunkFigures are the results of calls out over a trunk.
type TrunkFigures struct {
	Tried    int64    `json:"tried"`
	Answered int64    `json:"answered"`
	Failed   int64    `json:"failed" doc:"no answer of the carrier, or 5xx"`
	Ratio    *float64 `json:"answer_ratio,omitempty" doc:"answered of those tried, 0 to 1"`
	Delay    *int64   `json:"delay_ms,omitempty" doc:"post-dial delay: from the beginning of a call to its first ringing or answer, on average"`
}

// TrunkSilent is a server of a carrier that does not answer, or wants no calls for a while.
type TrunkSilent struct {
	Address   string    `json:"address"`
	Transport string    `json:"transport" enum:"udp,tcp,tls"`
	Since     time.Time `json:"since"`
	Until     time.Time `json:"until" doc:"when calls try it again, if it does not answer before"`
	Asked     bool      `json:"asked,omitempty" doc:"it answers, and asked for the pause (503 with Retry-After)"`
}

func (t *Trunk) silent() (c Cell) {
	if t.Now == nil {
		return c
	}
	var mute, paused []string
	for _, x := range t.Now.LeftOut {
		if x.Asked {
			paused = append(paused, x.Address)
		} else {
			mute = append(mute, x.Address)
		}
	}
	var said []string
	if mute != nil {
		said = append(said, "no answer: "+strings.Join(mute, ", "))
	}
	if paused != nil {
		said = append(said, "wants no calls: "+strings.Join(paused, ", "))
	}
	if said != nil {
		c = Cell{strings.Join(said, "; "), "bad"}
	}
	return c
}

func (t *Trunk) limits() (c Cell) {
	if t.MaxCalls > 0 {
		c.Text = fmt.Sprintf("%d at once", t.MaxCalls)
	}
	if t.MaxRate > 0 {
		c.Text = strings.TrimPrefix(c.Text+fmt.Sprintf(", %d a second", t.MaxRate), ", ")
	}
	return c
}

// figures are those of a trunk, in a line.
func (f *TrunkFigures) text() string {
	if f.Tried == 0 {
		return "no calls"
	}
	text := fmt.Sprintf("%d calls, %d %% answered, %d failed", f.Tried, 100*f.Answered/f.Tried, f.Failed)
	if f.Delay != nil {
		text += fmt.Sprintf(", ringing after %.1f s", float64(*f.Delay)/1000)
	}
	return text
}

// TrunkRegistration is how our registration at a carrier stands.
type TrunkRegistration struct {
	State   string     `json:"state" enum:"trying,registered,refused,failed" doc:"refused: the carrier does not accept the user or the password; failed: it does not answer, or has a fault"`
	Until   *time.Time `json:"until,omitempty" doc:"registered until"`
	Next    *time.Time `json:"next,omitempty" doc:"when the carrier is asked again"`
	Contact string     `json:"contact,omitempty" doc:"where the carrier sends its calls"`
	Fault   string     `json:"fault,omitempty" doc:"why the last attempt failed"`
}

func (t *Trunk) enrolment() (c Cell) {
	r := t.Registration
	if r == nil {
		return c
	}
	c = Cell{r.State, map[string]string{"registered": "good", "trying": "warn"}[r.State]}
	if c.Look == "" {
		c.Look = "bad"
	}
	if r.Fault != "" {
		c.Text += ": " + r.Fault
	}
	return c
}

// Resource describes trunks.
func (Trunk) Resource() Resource[Trunk] {
	return Resource[Trunk]{
		Name: "trunk", Path: "trunks", Key: "name",
		List: "List trunks, best first", Get: "Show a trunk", Add: "Add a trunk", Change: "Change a trunk", Delete: "Delete a trunk; its calls continue",
		Columns: "trunk: name, priority, addresses~, over: transport, format, cost deck: deck, emergency, state",
		Fields: "trunk: name!, state, priority, addresses, transport, user, password: login, registrar?, registration: enrolment?, expiry?-, servers: silent?, calls now: calls?, last hour: hour?, last day: day?, limits?, sources, format, withheld numbers: withheld, " +
			"headers, privacy, from abroad: from_abroad, cost deck: deck, emergency",
		Empty: "No trunks yet, so only calls between lines are possible: ringfence trunk add NAME HOST:PORT",
		Would: `Trunk {{.Name}} to {{join .Addresses ", "}} would be removed.`, Gone: "Trunk {{.Name}} is removed.",
		Cells: map[string]func(*Trunk) Cell{"enrolment": (*Trunk).enrolment, "silent": (*Trunk).silent, "limits": (*Trunk).limits, "calls": func(t *Trunk) (c Cell) {
			if t.Now != nil {
				c.Text = strconv.FormatInt(t.Now.Calls, 10)
			}
			return c
		}, "hour": func(t *Trunk) (c Cell) {
			if t.Now != nil {
				c.Text = t.Now.Hour.text()
			}
			return c
		}, "day": func(t *Trunk) (c Cell) {
			if t.Now != nil {
				c.Text = t.Now.Day.text()
			}
			return c
		}, "state": func(t *Trunk) Cell {
			switch r := t.Registration; {
			case t.Disabled:
				return Cell{"disabled", "warn"}
			case t.silent().Text != "":
				return t.silent()
			case r != nil && r.State != "registered":
				return Cell{"not registered", "bad"}
			case r != nil:
				return Cell{r.State, "good"}
			}
			return Cell{"in use", "good"}
		}},
		Named: func(t *Trunk) (string, string) { return t.Name, strings.Join(t.Addresses, ", ") },
	}
}

// TrunkName says which.
type TrunkName struct {
	Name string `path:"name" maxLength:"80" arg:"" help:"Trunk." predict:"trunk"`
}

// Called is the name.
func (n *TrunkName) Called() string { return n.Name }

// NewTrunk is a trunk to add.
type NewTrunk struct {
	Name      string   `json:"name" maxLength:"64" doc:"a-z, 0-9 and -; 1 to 40" arg:"" help:"Short name: a-z, 0-9 and -."`
	Addresses []string `json:"addresses" maxItems:"16" arg:"" name:"address" help:"Addresses of the carrier, host or host:port, in the order to try. A host without a port is looked up by SRV."`
	PatchTrunk
}

// PatchTrunk changes what is present in it, all or nothing.
type PatchTrunk struct {
	Addresses *[]string `json:"addresses,omitempty" maxItems:"16" kong:"-"`
	Transport *string   `json:"transport,omitempty" enum:"udp,tcp,tls,auto" doc:"udp unless given; auto as the carrier's DNS says (NAPTR); over tls the carrier's certificate must be of the name in its address" help:"udp (default), tcp, tls, or auto: as the carrier's DNS says." placeholder:"TRANSPORT"`
	User      *string   `json:"user,omitempty" maxLength:"128" help:"User name for the carrier." placeholder:"NAME"`
	Password  *string   `json:"password,omitempty" maxLength:"128" doc:"empty removes it" kong:"-"`
	Sources   *[]string `json:"sources,omitempty" maxItems:"256" name:"source" help:"Addresses and networks that its inbound calls come from." placeholder:"NET"`
	Registrar *string   `json:"registrar,omitempty" maxLength:"300" doc:"where Ringfence registers with the user and the password, host:port; empty: it does not" help:"Register there with the user and the password, HOST:PORT." placeholder:"HOST:PORT"`
	Expiry    *int      `json:"expiry,omitempty" minimum:"60" maximum:"86400" doc:"seconds that a registration is asked for; 3600 unless given" help:"Seconds that a registration is asked for (default: 3600)." placeholder:"SECONDS"`
	Priority  *int      `json:"priority,omitempty" minimum:"0" maximum:"1000" help:"Lower is tried first (default: 0)." placeholder:"N"`
	MaxCalls  *int      `json:"max_calls,omitempty" minimum:"0" maximum:"100000" doc:"calls out at once, on each node; 0 is any number" help:"Calls out at once, on each node; 0 is any number (default)." placeholder:"CALLS"`
	MaxRate   *int      `json:"max_rate,omitempty" minimum:"0" maximum:"1000" doc:"calls out that begin in one second, on each node; 0 is any number" help:"Calls out that begin in one second, on each node; 0 is any number (default)." placeholder:"CALLS"`
	Deck      *string   `json:"deck,omitempty" maxLength:"64" help:"Cost deck." placeholder:"DECK" predict:"deck"`
	Format    *string   `json:"format,omitempty" enum:"+e164,e164,00e164" doc:"+e164 unless given" help:"Format of numbers sent: +e164 (default), e164 or 00e164." placeholder:"FORMAT"`
	Withheld  *string   `json:"withheld,omitempty" enum:"asserted,removed" doc:"what the carrier gets of a withheld number: asserted is P-Asserted-Identity with Privacy: id, removed is nothing; asserted unless given" help:"What the carrier gets of a number that its caller withholds: asserted (P-Asserted-Identity with Privacy: id; default) or removed (nothing)." placeholder:"HOW"`
	Headers   *string   `json:"headers,omitempty" enum:"pai,rpid,both,none" doc:"what tells the carrier the line's own number beside From: P-Asserted-Identity, Remote-Party-ID, both or nothing; pai unless given" help:"Headers that tell the carrier the line's own number: pai (P-Asserted-Identity; default), rpid (Remote-Party-ID), both or none." placeholder:"WHICH"`
	Privacy   *string   `json:"privacy,omitempty" enum:"id,user;id,id;critical,header;user;id" doc:"the value of Privacy for a withheld number; id unless given" help:"Value of the header Privacy for a withheld number: id (default), \"user;id\", \"id;critical\" or \"header;user;id\"." placeholder:"VALUE"`
	Abroad    *string   `json:"from_abroad,omitempty" enum:"no,yes,checked" doc:"its calls come from abroad: home numbers are refused, and those of mobiles withheld; checked: the carrier has checked that these roam, so they are shown; no unless given" help:"Its calls come from abroad: home numbers are refused and those of mobiles withheld (yes), or shown because the carrier has checked that they roam (checked); no is the default." placeholder:"WHETHER"`
	Emergency *bool     `json:"emergency,omitempty" help:"Use it for emergency calls."`
	Disabled  *bool     `json:"disabled,omitempty" help:"Do not use it for calls."`
}

// TrunkTest is what a trunk's addresses answered.
type TrunkTest struct {
	Trunk   string        `json:"trunk"`
	OK      bool          `json:"ok" doc:"every address answers, and none refuses"`
	Answers []TrunkAnswer `json:"answers"`
}

// Resource describes the answers of a trunk's addresses.
func (TrunkAnswer) Resource() Resource[TrunkAnswer] {
	return Resource[TrunkAnswer]{
		Columns: "address, at, over: transport?, login?, took>?, server?, answer=",
		Empty:   "The trunk has no address.",
		Cells: map[string]func(*TrunkAnswer) Cell{
			"took":   func(a *TrunkAnswer) Cell { return Cell{Text: fmt.Sprintf("%d ms", a.Took)} },
			"answer": (*TrunkAnswer).answer,
		},
	}
}

func (a *TrunkAnswer) answer() Cell {
	text := a.Fault
	if a.Status != 0 {
		text = strings.TrimSpace(fmt.Sprintf("%d %s", a.Status, a.Phrase))
	}
	return Cell{text, map[bool]string{true: "good", false: "bad"}[a.OK]}
}

// TrunkAnswer is what one address of a trunk answered to OPTIONS.
type TrunkAnswer struct {
	Address   string `json:"address" doc:"as configured"`
	At        string `json:"at,omitempty" doc:"the address and port it resolves to"`
	Transport string `json:"transport" enum:"udp,tcp,tls,auto"`
	OK        bool   `json:"ok"`
	Status    int    `json:"sip_status,omitempty"`
	Phrase    string `json:"phrase,omitempty"`
	Server    string `json:"server,omitempty" doc:"what it calls itself"`
	Login     string `json:"login,omitempty" doc:"not asked for; accepted; refused; asked for, but none are set"`
	Took      int64  `json:"took_ms"`
	Fault     string `json:"fault,omitempty" doc:"why there is no answer"`
}
