package liability

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/money"
)

// Options of NewHistory.
type Options struct {
	Zone     func(account string) *time.Location // by which days and months are those of purses
	National func(country string) bool           // the national ceiling applies to its numbers
}

// History is what the journal says of the lines of an account: facts go in, in the order of the journal, and calls are judged when all are in.
type History struct {
	o        Options
	stated   []Statement
	settings map[string]*seen
	calls    map[call.ID]*story
	purses   map[string]*purse
	lines    map[string]*lineState
	accounts map[string]words // what customers have set
	wide     []lockout        // of addresses and networks, for every line
	leaks    []leak
	lost     []gap
	notices  []Notice
}

// Notice is a message about a line or account: when it was first sent, zero if it never was.
type Notice struct {
	Kind, Line, Account string
	At, Sent            time.Time
}

type seen struct {
	seq int64
	e   *account.Effective
	err error
}

// lineState is what the facts so far say of a line.
type lineState struct {
	locks     []lock
	lockouts  []lockout
	devices   []device
	unusual   []unusual
	edits     []edit
	words     words       // what it has set
	passwords []edit      // since when it has each
	spent     money.Micro // charged since the history begins
}

type lock struct {
	seq         int64
	from, until time.Time
	ended       int64 // seq of the fact that ended it, 0 is none
	calls       string
}

type lockout struct {
	seq         int64
	source      fact.Source
	line        string
	from, until time.Time
}

type device struct {
	seq     int64
	at      time.Time
	address fact.Source
}

type unusual struct {
	seq    int64
	at     time.Time
	trial  bool
	closed []string
}

type edit struct {
	seq int64
	at  time.Time
}

// leak is a right password of a decoy line, which was given to nobody: who has it has it from us.
type leak struct {
	seq    int64
	at     time.Time
	source fact.Source
}

// gap is a time of which records were lost with a store that was restored.
type gap struct {
	seq         int64
	from, until time.Time
}

type purse struct{ in money.Micro } // spent and held

// story is what the journal says of one call.
type story struct {
	seq      int64
	at       time.Time
	admitted *fact.CallAdmitted
	refused  *fact.CallRefused
	settled  *fact.CallSettled
	ended    time.Time
	ends     int64
	cut      *fact.CallCut
	cutAt    time.Time
	cutSeq   int64
	slices   []slice
	held     money.Micro
	purses   []string
	caps     capState
	before   money.Micro // charged to its line before, since the history begins
}

type slice struct {
	seq  int64
	at   time.Time
	held money.Micro
	paid time.Duration
}

type capState struct {
	over    *overrun
	unsure  *overrun
	unknown string // settings that the journal does not have
	checked int
	facts   []int64
}

type overrun struct {
	seq         int64
	purse       string
	in, ask, is money.Micro
	by          string // the level that set the cap
}

// NewHistory makes one that has read nothing.
func NewHistory(o Options) *History {
	return &History{o: o, settings: map[string]*seen{}, calls: map[call.ID]*story{}, purses: map[string]*purse{}, lines: map[string]*lineState{}, accounts: map[string]words{}}
}

// Knows says that settings have been read.
func (h *History) Knows(settings string) bool { return h.settings[settings] != nil }

// Notices adds messages; their order does not matter.
func (h *History) Notices(all ...Notice) { h.notices = append(h.notices, all...) }

func (h *History) line(id string) *lineState {
	l := h.lines[id]
	if l == nil {
		l = &lineState{words: words{}}
		h.lines[id] = l
	}
	return l
}

// Read takes the next fact. Settings may be read before the facts that name them. A body that cannot be read is an error.
func (h *History) Read(row *fact.Row) error {
	switch row.Kind {
	case fact.KindPromisesStated:
		return h.state(row)
	case fact.KindSettingsSeen:
		return h.seen(row)
	case fact.KindCallAdmitted, fact.KindCallRefused, fact.KindSliceHeld, fact.KindCallCut, fact.KindCallSettled:
		return h.ofCall(row)
	}
	return h.ofLine(row)
}

func (h *History) state(row *fact.Row) error {
	var f fact.PromisesStated
	if err := f.Decode(row.Body); err != nil {
		return err
	}
	st := Statement{Since: row.At, Seq: row.Seq}
	if err := json.Unmarshal(f.Wordings, &st.Wordings); err != nil {
		return err
	}
	h.stated = append(h.stated, st)
	return nil
}

func (h *History) seen(row *fact.Row) error {
	var f fact.SettingsSeen
	if err := f.Decode(row.Body); err != nil {
		return err
	}
	e, err := account.ReadEffective(f.Effective)
	h.settings[f.Settings] = &seen{row.Seq, e, err}
	return nil
}

func (h *History) ofCall(row *fact.Row) error {
	s := h.calls[row.Call]
	if s == nil {
		s = &story{}
		h.calls[row.Call] = s
	}
	switch row.Kind {
	case fact.KindCallAdmitted:
		s.admitted = new(fact.CallAdmitted)
		if err := s.admitted.Decode(row.Body); err != nil {
			return err
		}
		s.seq, s.at, s.before = row.Seq, row.At, h.line(row.Line).spent
		h.admit(s, row)
	case fact.KindCallRefused:
		s.seq, s.at, s.refused = row.Seq, row.At, new(fact.CallRefused)
		return s.refused.Decode(row.Body)
	case fact.KindSliceHeld:
		var f fact.SliceHeld
		if err := f.Decode(row.Body); err != nil {
			return err
		}
		s.slices = append(s.slices, slice{row.Seq, row.At, f.Held, f.PaidFor})
		h.hold(s, row, f.Held, f.Settings)
	case fact.KindCallCut:
		s.cut, s.cutAt, s.cutSeq = new(fact.CallCut), row.At, row.Seq
		return s.cut.Decode(row.Body)
	case fact.KindCallSettled:
		s.settled, s.ended, s.ends = new(fact.CallSettled), row.At, row.Seq
		if err := s.settled.Decode(row.Body); err != nil {
			return err
		}
		h.settle(s, row)
	}
	return nil
}

func (h *History) ofLine(row *fact.Row) error {
	l := h.line(row.Line)
	switch row.Kind {
	case fact.KindLineLocked:
		var f fact.LineLocked
		if err := f.Decode(row.Body); err != nil {
			return err
		}
		var after struct{ Calls string }
		if err := json.Unmarshal(f.After, &after); err != nil {
			return err
		}
		l.unlock(row) // a lock in place of another
		l.locks = append(l.locks, lock{seq: row.Seq, from: row.At, calls: after.Calls})
	case fact.KindLineUnlocked:
		l.unlock(row)
	case fact.KindLineAdded, fact.KindPasswordChanged:
		l.passwords = append(l.passwords, edit{row.Seq, row.At})
	case fact.KindSettingChanged, fact.KindLineChanged, fact.KindCustomerChanged, fact.KindRequestGranted, fact.KindChangeMade:
		l.edits = append(l.edits, edit{row.Seq, row.At})
		return h.set(row)
	case fact.KindStoreRestored:
		var f fact.StoreRestored
		if err := f.Decode(row.Body); err != nil {
			return err
		}
		h.lost = append(h.lost, gap{row.Seq, f.From, f.Until})
	case fact.KindLoginLocked:
		return h.lockedOut(row)
	case fact.KindLoginReleased:
		return h.released(row)
	case fact.KindLoginHoneypot:
		var f fact.LoginHoneypot
		if err := f.Decode(row.Body); err != nil {
			return err
		}
		if f.Right != nil && *f.Right {
			h.leaks = append(h.leaks, leak{row.Seq, row.At, f.Source})
		}
	case fact.KindDeviceNew:
		var f fact.DeviceNew
		if err := f.Decode(row.Body); err != nil {
			return err
		}
		l.devices = append(l.devices, device{row.Seq, row.At, f.Source})
	case fact.KindCallsUnusual:
		var f fact.CallsUnusual
		if err := f.Decode(row.Body); err != nil {
			return err
		}
		l.unusual = append(l.unusual, unusual{row.Seq, row.At, f.Trial, f.Closed})
	}
	return nil
}

// set notes what a line or customer has set.
func (h *History) set(row *fact.Row) error {
	switch row.Kind {
	case fact.KindSettingChanged:
		var f fact.SettingChanged
		if err := f.Decode(row.Body); err != nil {
			return err
		}
		if row.Line == "" {
			return h.account(row.Account).take(row, f.Before, f.After)
		}
		return h.line(row.Line).words.take(row, f.Before, f.After)
	case fact.KindLineChanged:
		var f fact.LineChanged
		if err := f.Decode(row.Body); err != nil {
			return err
		}
		return h.line(row.Line).words.take(row, f.Before, f.After)
	case fact.KindCustomerChanged:
		var f fact.CustomerChanged
		if err := f.Decode(row.Body); err != nil {
			return err
		}
		return h.account(row.Account).take(row, f.Before, f.After)
	}
	return nil
}

func (l *lineState) unlock(row *fact.Row) {
	if n := len(l.locks); n > 0 && l.locks[n-1].until.IsZero() {
		l.locks[n-1].until, l.locks[n-1].ended = row.At, row.Seq
	}
}

func (h *History) lockedOut(row *fact.Row) error {
	var f fact.LoginLocked
	if err := f.Decode(row.Body); err != nil || f.Until.IsZero() || f.Spared {
		return err
	}
	out := lockout{row.Seq, f.Source, row.Line, row.At, f.Until}
	if f.Scope == "line" {
		l := h.line(row.Line)
		l.lockouts = append(l.lockouts, out)
		return nil
	}
	out.line = ""
	h.wide = append(h.wide, out)
	return nil
}

func (h *History) released(row *fact.Row) error {
	var f fact.LoginReleased
	if err := f.Decode(row.Body); err != nil {
		return err
	}
	for _, all := range [][]lockout{h.wide, h.line(row.Line).lockouts} {
		for i := range all {
			if all[i].until.After(row.At) && all[i].source.Net().Overlaps(f.Source.Net()) {
				all[i].until = row.At
			}
		}
	}
	return nil
}

// The four purses of a call, in the order of caps.
var caps = [...]account.Field{account.LineDayCap, account.LineMonthCap, account.AccountDayCap, account.AccountMonthCap}

func (h *History) admit(s *story, row *fact.Row) {
	zone := h.o.Zone(row.Account)
	if zone == nil {
		zone = time.UTC
	}
	local := row.At.In(zone)
	day, month := local.Format("/2006-01-02"), local.Format("/2006-01")
	s.purses = []string{"line " + row.Line + day, "line " + row.Line + month, "account " + row.Account + day, "account " + row.Account + month}
	h.hold(s, row, s.admitted.Held, s.admitted.Settings)
}

// hold holds an amount in all for a call, and checks what that comes to against the caps of the settings in force then. What went past a cap counts no further:
// it would have been stopped. Facts of older versions do not name the settings of a further slice: then the call's are taken, and where others may have been in
// force, nobody can tell.
func (h *History) hold(s *story, row *fact.Row, amount money.Micro, named string) {
	if s.admitted == nil || amount <= s.held {
		return
	}
	ask := amount - s.held
	settings := h.settings[cmp.Or(named, s.admitted.Settings)]
	switch {
	case s.admitted.Emergency:
	case settings == nil || settings.e == nil:
		s.caps.unknown = cmp.Or(named, s.admitted.Settings)
	default:
		s.caps.checked++
		s.caps.facts = append(s.caps.facts, row.Seq, settings.seq)
		for i, id := range s.purses {
			limit := settings.e.Cap(caps[i])
			if in := h.purse(id).in; in.Add(ask) > limit {
				over := &overrun{row.Seq, id, in, ask, limit, settings.e.From[caps[i]].String()}
				if named == "" && h.edited(row.Line, s.at, row.At) {
					s.caps.unsure = over // the cap may have been raised while the call lasted
					break
				}
				s.caps.over = over
				return
			}
		}
	}
	s.held = amount
	for _, id := range s.purses {
		h.purse(id).in += ask
	}
}

// edited says that settings of a line or its customer changed within a time.
func (h *History) edited(line string, from, until time.Time) bool {
	within := func(e edit) bool { return !e.at.Before(from) && !e.at.After(until) }
	return slices.ContainsFunc(h.line(line).edits, within) || slices.ContainsFunc(h.line("").edits, within)
}

func (h *History) purse(id string) *purse {
	p := h.purses[id]
	if p == nil {
		p = &purse{}
		h.purses[id] = p
	}
	return p
}

func (h *History) settle(s *story, row *fact.Row) {
	h.line(row.Line).spent += s.settled.Retail
	back := s.held - s.settled.Retail
	if s.caps.over != nil {
		back = max(back, 0)
	}
	for _, id := range s.purses {
		h.purse(id).in -= back
	}
	s.held = 0
}
