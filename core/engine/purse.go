package engine

import (
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/money"
	"ringfence/core/policy"
)

// PurseIDs names the purses that every call of line begun at now would draw on, indexed by policy.Purse. A call draws
// on the day and the month in which it was let out, whenever it ends: periods are of the customer's zone.
func PurseIDs(line, account string, zone *time.Location, now time.Time) [policy.Probation]string {
	if zone == nil {
		zone = time.UTC
	}
	// One text for all four: this is done for every call.
	var room [512]byte
	var ends [policy.Probation]int
	day := appendDate(room[len(room)-len(time.DateOnly):][:0], now.In(zone)) // at the end, where no id reaches
	month := day[:len("2006-01")]
	b := room[: 0 : len(room)-len(time.DateOnly)]
	for p := range policy.Probation {
		if p == policy.LineDay || p == policy.LineMonth {
			b = append(append(b, "line/"...), line...)
		} else {
			b = append(append(b, "account/"...), account...)
		}
		if p == policy.LineDay || p == policy.AccountDay {
			b = append(append(b, "/day/"...), day...)
		} else {
			b = append(append(b, "/month/"...), month...)
		}
		ends[p] = len(b)
	}
	var ids [policy.Probation]string
	all, from := string(b), 0
	for p, end := range ends {
		ids[p], from = all[from:end], end
	}
	return ids
}

// appendDate writes a date as time.DateOnly does, which AppendFormat does at three times the cost.
func appendDate(b []byte, t time.Time) []byte {
	year, month, day := t.Date()
	digit := func(n int) byte { return byte('0' + n%10) }
	return append(b, digit(year/1000), digit(year/100), digit(year/10), digit(year), '-', digit(int(month)/10), digit(int(month)), '-', digit(day/10), digit(day))
}

// probation begins the id of a purse that a login on probation has to itself: "probation/3001/192.0.2.7/2026-11-29".
const probation = "probation/"

// ProbationID is the id of the purse of a login of line on the probation that is named so.
func ProbationID(line, tight string) string { return probation + line + "/" + tight }

// ProbationOf is the probation purse among those of a call; "" is none.
func ProbationOf(purses []string) string {
	for _, id := range purses {
		if PurseOf(id) == policy.Probation {
			return id
		}
	}
	return ""
}

// reseller begins the ids of the purses that a reseller's customers share: "reseller/north~x7k2m9qp/day/2026-11-30".
const reseller = "reseller/"

// PoolID is the id of a purse that a reseller's customers share: policy.ResellerDay or policy.ResellerMonth.
func PoolID(p *account.Pool, purse policy.Purse, now time.Time) string {
	zone := p.Zone
	if zone == nil {
		zone = time.UTC
	}
	if purse == policy.ResellerDay {
		return reseller + p.Reseller + "/day/" + now.In(zone).Format(time.DateOnly)
	}
	return reseller + p.Reseller + "/month/" + now.In(zone).Format("2006-01")
}

// PoolOf is the reseller, by identity, whose customers share a purse; "": it is another sort of purse.
func PoolOf(id string) string {
	rest, ok := strings.CutPrefix(id, reseller)
	if !ok {
		return ""
	}
	of, _, _ := strings.Cut(rest, "/")
	return of
}

// PoolCap is the cap of a purse that a reseller's customers share, as it is now. Without a cap it limits nothing.
func PoolCap(p *account.Pool, purse policy.Purse) money.Micro {
	limit := money.Micro(0)
	switch {
	case p == nil:
	case purse == policy.ResellerDay:
		limit = p.Day
	default:
		limit = p.Month
	}
	if limit == 0 {
		return money.Max
	}
	return limit
}

var purseReasons = [policy.NumPurses]policy.Reason{
	policy.LineDay: policy.LineDaySpent, policy.LineMonth: policy.LineMonthSpent,
	policy.AccountDay: policy.AccountDaySpent, policy.AccountMonth: policy.AccountMonthSpent,
	policy.Probation: policy.ProbationSpent, policy.ResellerDay: policy.ResellerDaySpent, policy.ResellerMonth: policy.ResellerMonthSpent,
}

// PurseOf reads the kind from an id of a purse.
func PurseOf(id string) policy.Purse {
	if strings.HasPrefix(id, probation) {
		return policy.Probation
	}
	month := strings.Contains(id, "/month/")
	if strings.HasPrefix(id, reseller) {
		if month {
			return policy.ResellerMonth
		}
		return policy.ResellerDay
	}
	switch line := strings.HasPrefix(id, "line/"); {
	case line && month:
		return policy.LineMonth
	case line:
		return policy.LineDay
	case month:
		return policy.AccountMonth
	}
	return policy.AccountDay
}

// CapNow is the cap in force of the purse of an id.
func CapNow(e *account.Effective, id string) money.Micro { return Cap(e, PurseOf(id)) }

// Cap is the cap in force of a kind of purse.
func Cap(e *account.Effective, p policy.Purse) money.Micro {
	switch p {
	case policy.Probation:
		return policy.ProbationCap()
	case policy.ResellerDay, policy.ResellerMonth:
		return PoolCap(e.Pool, p)
	}
	return e.Cap(purseCaps[p])
}

var purseCaps = [policy.Probation]account.Field{
	policy.LineDay: account.LineDayCap, policy.LineMonth: account.LineMonthCap,
	policy.AccountDay: account.AccountDayCap, policy.AccountMonth: account.AccountMonthCap,
}

// SpentPurse says which purse a reason speaks of; false: it speaks of none.
func SpentPurse(r policy.Reason) (policy.Purse, bool) {
	for p, of := range purseReasons {
		if of == r {
			return policy.Purse(p), true
		}
	}
	return 0, false
}

// Purse is money that may be spent in a period, as a shell without a store keeps it. Waiting is the part of Held that ringing calls hold.
type Purse struct {
	Spent, Held money.Micro
	Waiting     policy.Waiting
}

// Hold is a purse that a call draws on, under its cap.
type Hold struct {
	Purse *Purse
	Kind  policy.Purse
	Cap   money.Micro
}

// HoldAll holds an amount in every purse, or in none: then it gives the first that has not enough, and the least room of all.
func HoldAll(holds []Hold, amount money.Micro) (refused *Hold, room money.Micro) {
	room = money.Max
	for i := range holds {
		h := &holds[i]
		in := h.Purse.Spent + h.Purse.Held // never more than some cap
		left := money.Micro(0)
		if in < h.Cap {
			left = h.Cap.Add(-in)
		}
		room = min(room, left)
		if refused == nil && (in > h.Cap || amount > left) {
			refused = h
		}
	}
	if refused != nil {
		return refused, room
	}
	for i := range holds {
		holds[i].Purse.Held += amount
	}
	return nil, room
}

// Refusal is that of a hold which had not the least that was asked, when room was the least of all.
func (h *Hold) Refusal(room, least money.Micro) *Refusal {
	r := Spent(h.Kind, h.Cap, room, h.Purse.Spent+h.Purse.Held, least)
	r.Figures.Waiting = h.Purse.Waiting
	return r
}

// Rings puts down that a call which holds an amount of the purse begins to ring, or ends ringing. One that holds nothing does not count.
func (p *Purse) Rings(held money.Micro, begins bool) {
	if held <= 0 {
		return
	}
	n := int64(1)
	if !begins {
		n = -1
	}
	p.Waiting.Amount += n * int64(held)
	p.Waiting.Ringing += n
}

// Spent is the refusal of a purse under a cap that had no room for the least that was asked of it: what is spent or held of it already, and
// the cap that would pass. used is asked only where there is no room at all: a cap may have been lowered below it.
func Spent(p policy.Purse, limit, room, used, least money.Micro) *Refusal {
	is := limit - room
	if room <= 0 {
		is = max(is, used)
	}
	return &Refusal{Reason: purseReasons[p], Figures: policy.Figures{Limit: int64(limit), Value: int64(is), Pass: int64(is + least)}}
}

// Settle turns what a call held into what it cost.
func (p *Purse) Settle(held, cost money.Micro) {
	p.Held -= held
	p.Spent += cost
}
