package web

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/core/person"
	"ringfence/core/phone"
	"ringfence/core/secret"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
	"ringfence/flow/records"
	"ringfence/state/store"
	"ringfence/state/store/sqlite"
	"ringfence/state/store/sqlite/sqlitetest"
)

// Sizes of the benchmark: 10,000 lines of 500 customers, and 1,000,000 records of the last sixty days.
const (
	benchCustomers = 500
	benchLines     = 20 // of each
	benchRecords   = 1_000_000
	benchDays      = 60
)

// BenchmarkCalls is the server's time for pages of calls of a customer taken at random, as 50th and 95th percentile: all of the handler, with the page written
// and packed. The bar is 5 ms.
func BenchmarkCalls(b *testing.B) {
	db, err := sqlitetest.Open(b.Context(), filepath.Join(b.TempDir(), "s.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	bk := benchBook(b)
	ids := benchFill(b, db, bk)
	r, err := records.New(records.Options{Store: db, Book: bk})
	if err != nil {
		b.Fatal(err)
	}
	l := newLinks()
	who := ""
	s, err := New(Deps{
		Genuine: l.Genuine, Link: l.Link, Use: l.Use, Book: bk, Records: r,
		SignedIn: func(*http.Request) (Visitor, error) {
			return Visitor{ID: "t", Name: "t", Customer: who, Who: person.Who{Person: "t", Customer: who, Role: person.Owner, Actor: "t"}}, nil
		},
	}, Options{Listen: netip.MustParseAddrPort("127.0.0.1:0")})
	if err != nil {
		b.Fatal(err)
	}
	for name, path := range map[string]func(customer string) string{
		"list": func(string) string { return "/calls" }, "month": func(string) string { return "/calls?period=month" }, "refused": func(string) string { return "/calls?result=refused&period=month" },
		"find": func(string) string { return "/calls?find=0147&period=month" }, "call": func(customer string) string { return "/calls/" + string(ids[customer]) },
	} {
		b.Run(name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				who = fmt.Sprintf("c%d", rand.IntN(benchCustomers))
				q, w := httptest.NewRequest(http.MethodGet, path(who), nil), httptest.NewRecorder()
				q.RemoteAddr = fmt.Sprintf("192.0.2.%d:1", rand.IntN(250))
				q.Header.Set("Accept-Encoding", "gzip")
				begun := time.Now()
				s.mux.ServeHTTP(w, q)
				took = append(took, time.Since(begun))
				if w.Code != http.StatusOK {
					b.Fatalf("%s: %d", q.URL, w.Code)
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds()), "p95-µs")
		})
	}
}

func benchBook(b *testing.B) *book.Book {
	b.Helper()
	key, err := secret.NewKey()
	if err != nil {
		b.Fatal(err)
	}
	box, err := secret.NewBox([]secret.Key{key})
	if err != nil {
		b.Fatal(err)
	}
	bk, err := book.Open(b.Context(), &booktest.Store{}, book.Options{Plan: phone.UK(), Zone: "Europe/London", Box: box, Realm: "sip.test", Identify: booktest.Plain})
	if err != nil {
		b.Fatal(err)
	}
	var lines []book.NewLine
	for c := range benchCustomers {
		id := fmt.Sprintf("c%d", c)
		if _, err := bk.AddCustomer(b.Context(), "t", id, book.CustomerEdit{}); err != nil {
			b.Fatal(err)
		}
		for l := range benchLines {
			lines = append(lines, book.NewLine{ID: fmt.Sprintf("l%d", c*benchLines+l), Customer: id})
		}
	}
	if _, err := bk.AddLines(b.Context(), "t", lines); err != nil {
		b.Fatal(err)
	}
	return bk
}

// benchFill writes the records in the order of their time, and gives a refused call of each customer.
func benchFill(b *testing.B, db store.Store, _ *book.Book) map[string]call.ID {
	b.Helper()
	some := map[string]call.ID{}
	step := benchDays * 24 * time.Hour / benchRecords
	from := time.Now().Add(-benchDays * 24 * time.Hour)
	var ops []store.Op
	for i := range benchRecords {
		n := rand.IntN(benchCustomers * benchLines)
		at := from.Add(time.Duration(i) * step)
		text := call.NewID(at, []byte{byte(i), byte(i >> 8), byte(i >> 16)})
		c := &call.CDR{
			ID: call.ID(text[:]), Direction: call.Out, Line: fmt.Sprintf("l%d", n), Account: fmt.Sprintf("c%d", n/benchLines), Number: fmt.Sprintf("+4420794600%02d", i%100), Dialled: fmt.Sprintf("020794600%02d", i%100),
			Country: "GB", Rate: "UK", Class: "geographic", Begun: at, Ended: at.Add(time.Minute), Talk: time.Minute, Retail: money.Micro(12_000), PerMinute: 12_000_000, Reason: "hangup", Text: "a party hung up", Status: 200,
			Source: "192.0.2.44:5060", UserAgent: "Yealink SIP-T46S 66.86.0.15", Trunk: "carrier",
		}
		if i%20 == 0 {
			cuba(c)
			some[c.Account] = c.ID
		}
		ops = append(ops, store.Op{Kind: store.OpRecord, ID: c.ID, CDR: c})
		if len(ops) == 1000 {
			if _, err := db.Apply(b.Context(), ops); err != nil {
				b.Fatal(err)
			}
			ops = ops[:0]
		}
	}
	return some
}
