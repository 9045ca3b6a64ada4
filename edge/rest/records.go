package rest

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/core/when"
	"ringfence/edge/rest/api"
	"ringfence/flow/records"
)

var _ = serves(func(s *Server) {
	page := s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[api.List[api.CDR]](), true, "")
	list := op(http.MethodGet, "/v1/cdrs", "list-cdrs", "records", "List call records, newest first; CSV and JSON lines stream all")
	streamed(s, list, map[string]*huma.Schema{"application/json": page, "text/csv": plainText, "application/jsonl": plainText}, need(s.d.CDRs != nil, "the list of records", s.listCDRs))
	shown[api.CDR](s, need(s.d.CDR != nil, "the list of records", s.getCDR))
	listed[api.Fact](s, need(s.d.Journal != nil, "the journal", s.listJournal))
})

// cdrInput are the filters of records.
type cdrInput struct {
	api.CDRFilter
	Sides  string `query:"sides" enum:"payer,both" default:"payer" doc:"with line: both includes calls of other lines to it"`
	Till   string `query:"till" maxLength:"40" deprecated:"true" doc:"until, by its former name"`
	Stored bool   `query:"stored" doc:"only stored records, not those of calls whose end a phone has yet to confirm; streams always"`
	Before string `query:"before" maxLength:"64" doc:"continue below this id: next of the previous page"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"of a JSON page; streams have none"`
	Format string `query:"format" enum:"json,csv,jsonl"`
	Accept string `header:"Accept"`
}

// query reads the filters for a line and a customer (identities). Days are of the zone of the one whom the records are about.
func (s *Server) query(in *cdrInput, line, customer string) (CDRQuery, error) {
	q := CDRQuery{
		Line: line, Account: customer, Called: in.Sides == "both", Number: s.numberFilter(in.Number), Before: call.ID(in.Before), Limit: maxPage,
	}
	zone := s.d.Book.Zone(customer)
	if l, ok := s.d.Book.Line(line); ok {
		zone = l.Zone()
	}
	var errs [5]error
	q.Country, errs[0] = countryFilter(in.Country)
	q.Reason, errs[1] = reasonFilter(in.Reason)
	q.Direction, errs[2] = directionFilter(in.Direction)
	q.From, errs[3] = instant(when.From, "from", in.From, zone)
	q.Until, errs[4] = instant(when.UntilPast, "until", cmp.Or(in.Until, in.Till), zone)
	return q, errors.Join(errs[:]...)
}

// format is what was asked for by name, else by Accept.
func (in *cdrInput) format() string {
	switch {
	case in.Format != "":
		return in.Format
	case strings.HasPrefix(in.Accept, "text/csv"):
		return "csv"
	case strings.HasPrefix(in.Accept, "application/jsonl"), strings.HasPrefix(in.Accept, "application/x-ndjson"):
		return "jsonl"
	}
	return "json"
}

func (s *Server) listCDRs(ctx context.Context, in *cdrInput) (*huma.StreamResponse, error) {
	line, customer, err := s.filters(ctx, in.Line, in.Customer)
	if err != nil {
		return nil, err
	}
	q, err := s.query(in, line, customer)
	if err != nil {
		return nil, err
	}
	format := in.format()
	if format == "json" {
		q.Limit = in.Limit + 1
	}
	first, err := s.records(ctx, q, format == "json" && !in.Stored)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		switch format {
		case "csv":
			hc.SetHeader("Content-Type", "text/csv; charset=utf-8; header=present")
			hc.SetHeader("Content-Disposition", `attachment; filename="cdrs.csv"`)
			s.stream(hc, q, first, newCSVWriter(hc))
		case "jsonl":
			hc.SetHeader("Content-Type", "application/jsonl")
			s.stream(hc, q, first, newLineWriter(hc))
		default:
			hc.SetHeader("Content-Type", "application/json")
			out := views(first, s.recordView)
			// A client that went away is no fault of ours.
			_ = json.NewEncoder(hc.BodyWriter()).Encode(list(out, in.Limit, func(c *api.CDR) string { return string(c.ID) }))
		}
	}}, nil
}

// cdrWriter writes records in one form.
type cdrWriter struct {
	write func(*call.CDR) error
	flush func() error
}

// stream writes page after page. A store that fails in the middle must not look like the end: the connection is broken off.
func (s *Server) stream(hc huma.Context, q CDRQuery, page []call.CDR, w cdrWriter) {
	_, rw := humago.Unwrap(hc)
	for {
		// Not every writer has deadlines; without one the server's own limit holds.
		_ = http.NewResponseController(rw).SetWriteDeadline(time.Now().Add(pageTimeout))
		for i := range page {
			if err := w.write(&page[i]); err != nil {
				return // the client went away
			}
		}
		if len(page) < q.Limit {
			if err := w.flush(); err != nil {
				s.log.Debug("an export was not taken to its end", "error", err)
			}
			return
		}
		q.Before = page[len(page)-1].ID
		var err error
		if page, err = s.records(hc.Context(), q, false); err != nil {
			s.log.Error("an export broke off", "error", err)
			panic(http.ErrAbortHandler)
		}
	}
}

// recordView is a record by its customer's clocks, so that the day it shows is the day whose purses it was paid from. Streams
// are for programs and have UTC.
func (s *Server) recordView(r *call.CDR) api.CDR {
	c := *r
	zone := s.d.Book.Zone(c.Account)
	c.Begun, c.AnsweredAt, c.Ended = in(zone, c.Begun), in(zone, c.AnsweredAt), in(zone, c.Ended)
	return api.NewCDR(c)
}

func newLineWriter(hc huma.Context) cdrWriter {
	b := bufio.NewWriterSize(hc.BodyWriter(), 64<<10)
	enc := json.NewEncoder(b)
	return cdrWriter{func(c *call.CDR) error { return enc.Encode(api.NewCDR(*c)) }, b.Flush}
}

// csvHeader names the columns as the JSON does.
var csvHeader = []string{
	"id", "direction", "line", "account", "peer", "trunk", "dialled", "number", "class", "country", "destination", "prefix",
	"per_minute_nano", "source", "user_agent", "a_call_id", "b_call_id", "begun", "answered", "ended", "ring_ns", "talk_ns",
	"retail_micro", "cost_micro", "retail", "cost", "ended_by", "reason", "text", "sip_status", "line_identity", "account_identity",
	"carrier_talk_ns", "refused", "currency", "cause", "parent", // new ones come last: some read by position
}

func newCSVWriter(hc huma.Context) cdrWriter {
	w := csv.NewWriter(bufio.NewWriterSize(hc.BodyWriter(), 64<<10))
	w.UseCRLF = true       // RFC 4180
	_ = w.Write(csvHeader) // flush tells
	return cdrWriter{
		write: func(c *call.CDR) error { return w.Write(csvRow(c)) },
		flush: func() error {
			w.Flush()
			return w.Error()
		},
	}
}

func csvRow(r *call.CDR) []string {
	c := api.NewCDR(*r)
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	row := []string{
		string(c.ID), string(c.Direction), c.Line, c.Account, c.Peer, c.Trunk, c.Dialled, c.Number, c.Class, c.Country, c.Rate, c.Prefix,
		number(int64(c.PerMinute)), c.Source, c.UserAgent, c.ALeg, c.BLeg, stamp(c.Begun), stamp(c.AnsweredAt), stamp(c.Ended),
		number(int64(c.Ring)), number(int64(c.Talk)), number(int64(c.Retail)), number(int64(c.Cost)), c.Retail.String(), c.Cost.String(),
		string(c.By), c.Reason, c.Text, strconv.Itoa(c.Status), c.LineID, c.AccountID, number(int64(c.CarrierTalk)),
		strconv.FormatBool(c.Refused), money.Billing().Code, string(c.Cause), string(c.Parent),
	}
	for i := range row {
		row[i] = records.Inert(row[i])
	}
	return row
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func (s *Server) getCDR(ctx context.Context, in *api.CallID) (out api.CDR, err error) {
	c, err := s.d.CDR(ctx, call.ID(in.ID))
	if err != nil {
		return out, s.about(err, "call record", in.ID)
	}
	if !theirs(ctx, c.Account) {
		return out, missing("call record", in.ID)
	}
	hideRecord(ctx, &c)
	return s.recordView(&c), nil
}

func (s *Server) listJournal(ctx context.Context, in *struct {
	api.FactFilter
	After  int64  `query:"after" minimum:"0" doc:"continue after this sequence number: next of the previous page"`
	Order  string `query:"order" enum:"oldest,newest" default:"oldest" doc:"which comes first; with newest continue with before="`
	Before int64  `query:"before" minimum:"0" doc:"with order=newest, continue below this sequence number: next of the previous page"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
},
) (out api.List[api.Fact], err error) {
	line, err := s.lineFilter(ctx, in.Line)
	if err != nil {
		return out, err
	}
	q := JournalQuery{After: in.After, Line: line, Call: call.ID(in.Call), Kind: in.Kind, Limit: in.Limit + 1}
	if in.Order == "newest" {
		q.Before = cmp.Or(in.Before, math.MaxInt64)
	}
	zone := s.d.Book.Zone("")
	if l, ok := s.d.Book.Line(line); ok {
		zone = l.Zone()
	}
	var err2 error
	q.From, err = instant(when.From, "from", in.From, zone)
	q.Until, err2 = instant(when.UntilPast, "until", in.Until, zone)
	if err := errors.Join(err, err2); err != nil {
		return out, err
	}
	facts, err := s.d.Journal(ctx, q)
	return list(facts, in.Limit, func(f *api.Fact) string { return strconv.FormatInt(f.Seq, 10) }), err
}
