//go:build e2e

package soak

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // how a test reads PostgreSQL
	_ "modernc.org/sqlite"             // and SQLite

	"ringfence/core/money"
	"ringfence/core/rating"
	"ringfence/edge/rest/api"
)

// destination is somewhere that is called, with its price.
type destination struct {
	dialled string // digits before the seven of the call
	number  string // the same as the books and the carrier write it
	price   rating.Price
}

// destinations have per-second prices and others, and all are the same at every hour.
var destinations = []destination{
	{"00535", "+535", price(850_000_000, 0, 1, 1)},
	{"003314", "+3314", price(300_000_000, 21_300, 6, 6)},
	{"0790", "+44790", price(1_234_567_891, 10_001, 30, 6)},
}

func price(rate money.Rate, connect money.Micro, first, step uint16) rating.Price {
	return rating.Price{Connect: connect, First: first, Step: step, Rates: [rating.NumBands]money.Rate{rate, rate, rate}}
}

// carrierPrice is what the carrier charges everywhere: by the second, so that the cost in a record says for how long.
var carrierPrice = price(60_000_000, 0, 1, 1)

// deck writes prices as a file to import.
func deck(of func(destination) rating.Price) string {
	text := "prefix,destination,rate,connection charge,first interval,sub interval\n"
	for _, d := range destinations {
		p := of(d)
		text += fmt.Sprintf("%s,to %s,%d.%09d,%d.%06d,%d,%d\n", d.number[1:], d.number,
			p.Rates[0]/1_000_000_000, p.Rates[0]%1_000_000_000, p.Connect/1_000_000, p.Connect%1_000_000, p.First, p.Step)
	}
	return text
}

func retailDeck() string { return deck(func(d destination) rating.Price { return d.price }) }
func costDeck() string   { return deck(func(destination) rating.Price { return carrierPrice }) }

// retailOf is what a call to a number costs its customer.
func retailOf(number string, talk time.Duration) (money.Micro, error) {
	for _, d := range destinations {
		if len(number) > len(d.number) && number[:len(d.number)] == d.number {
			return (&rating.Quote{Price: d.price}).Cost(talk), nil
		}
	}
	return 0, fmt.Errorf("%s is no number of this test", number)
}

func costOf(talk time.Duration) money.Micro { return (&rating.Quote{Price: carrierPrice}).Cost(talk) }

// openCall is a call in progress as the books have it.
type openCall struct {
	ID, Node, Number, BLeg string
	Answered               bool
	Paid                   time.Duration
}

// cdr is a call's one record.
type cdr struct {
	ID, Line, Number, BLeg, By, Reason, Text string
	Answered                                 int64
	Talk                                     time.Duration
	Retail, Cost                             money.Micro
	Status                                   int
}

func (r *cdr) String() string {
	return fmt.Sprintf("record %s of %s to %s: talk %.3f s, retail %s, cost %s, ended by %s: %s (%s), status %d",
		r.ID, r.Line, r.Number, r.Talk.Seconds(), r.Retail, r.Cost, r.By, r.Reason, r.Text, r.Status)
}

// openCalls reads what the books have of calls in progress; ok is false while nobody can say. On PostgreSQL the store is
// asked; SQLite's file is left alone while a server has it, so that the server is asked.
func (w *world) openCalls() (calls []openCall, ok bool) {
	if w.db != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		calls, err := readOpen(ctx, w.db)
		return calls, err == nil
	}
	n := w.nodes[0]
	if state, _ := n.is(); state != running {
		return nil, false
	}
	var list api.List[api.Call]
	if n.ask("GET", "/v1/calls?limit=1000&all=true", nil, &list) != nil || list.Next != "" {
		return nil, false
	}
	for _, c := range list.Items {
		calls = append(calls, openCall{
			ID: c.ID, Node: c.Node, Number: c.Number, Answered: c.State == "answered", Paid: time.Duration(c.PaidFor) * time.Second,
		})
	}
	return calls, true
}

func readOpen(ctx context.Context, db *sql.DB) (calls []openCall, err error) {
	rows, err := db.QueryContext(ctx, "SELECT id, node, number, b_leg, state, paid_for FROM open_call")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var c openCall
		var state string
		if err := rows.Scan(&c.ID, &c.Node, &c.Number, &c.BLeg, &state, (*int64)(&c.Paid)); err != nil {
			return nil, err
		}
		c.Answered = state == "answered"
		calls = append(calls, c)
	}
	return calls, rows.Err()
}

func readRecords(ctx context.Context, db *sql.DB) (list []cdr, err error) {
	rows, err := db.QueryContext(ctx, "SELECT id, line, number, b_leg, ended_by, reason, words, answered, talk, retail, cost, status FROM cdr WHERE refused = 0 ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r cdr
		err := rows.Scan(&r.ID, &r.Line, &r.Number, &r.BLeg, &r.By, &r.Reason, &r.Text, &r.Answered,
			(*int64)(&r.Talk), (*int64)(&r.Retail), (*int64)(&r.Cost), &r.Status)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// journal reads the rows of calls: what was written of each, in order.
func journal(ctx context.Context, db *sql.DB) (of map[string][]string, admitted int, err error) {
	rows, err := db.QueryContext(ctx, "SELECT call, kind, at, body FROM fact WHERE call <> '' ORDER BY seq")
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	of, seen := map[string][]string{}, map[string]bool{}
	for rows.Next() {
		var call, kind string
		var at int64
		var body []byte
		if err := rows.Scan(&call, &kind, &at, &body); err != nil {
			return nil, 0, err
		}
		of[call] = append(of[call], fmt.Sprintf("%s %s %s", time.UnixMicro(at).UTC().Format("15:04:05.000"), kind, body))
		if kind == "call.admitted" {
			seen[call] = true
		}
	}
	return of, len(seen), rows.Err()
}

// sums are totals that must agree.
func sums(ctx context.Context, db *sql.DB) (held, spent, retail int64, err error) {
	err = db.QueryRowContext(ctx, "SELECT coalesce(sum(held), 0), coalesce(sum(CASE WHEN id LIKE 'line/%/day/%' THEN spent ELSE 0 END), 0) FROM purse").
		Scan(&held, &spent)
	if err != nil {
		return 0, 0, 0, err
	}
	err = db.QueryRowContext(ctx, "SELECT coalesce(sum(retail), 0) FROM cdr").Scan(&retail)
	return held, spent, retail, err
}

// findings are the texts of all findings.
func findings(ctx context.Context, db *sql.DB) (list []string, err error) {
	rows, err := db.QueryContext(ctx, "SELECT kind, line, source, words, times, evidence FROM finding ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var kind, line, source, words string
		var times int
		var evidence []byte
		if err := rows.Scan(&kind, &line, &source, &words, &times, &evidence); err != nil {
			return nil, err
		}
		list = append(list, fmt.Sprintf("%s %s %s: %s (%d times) %s", kind, line, source, words, times, evidence))
	}
	return list, rows.Err()
}

// lineOf reads a line as staff see it, from any node that answers.
func (w *world) lineOf(id string) (d api.LineDetail, ok bool) {
	for _, n := range w.allNodes() {
		if state, _ := n.is(); state == running && n.ask("GET", "/v1/lines/"+id, nil, &d) == nil {
			return d, true
		}
	}
	return d, false
}

// raise gives a line more money for the day. The cap as this test knows it grows before any node is told.
func (w *world) raise(id string, by money.Micro) {
	w.mu.Lock()
	w.caps[id] += by
	to := w.caps[id]
	w.mu.Unlock()
	patch := api.PatchLine{Set: []api.Change{{Field: "line-day-cap", Value: "£" + to.String(), Grant: true}}}
	for _, n := range w.allNodes() {
		if state, _ := n.is(); state == running && n.ask("PATCH", "/v1/lines/"+id, patch, nil) == nil {
			return
		}
	}
}

// cut is staff who end a call, by any node that answers.
func (w *world) cut(r *rand.Rand) {
	for _, n := range w.allNodes() {
		var list api.List[api.Call]
		if state, _ := n.is(); state != running || n.ask("GET", "/v1/calls", nil, &list) != nil || len(list.Items) == 0 {
			continue
		}
		c := list.Items[r.IntN(len(list.Items))]
		if n.ask("DELETE", "/v1/calls/"+c.ID+"?why=soak", nil, nil) == nil {
			w.count.cut.Add(1)
		}
		return
	}
}
