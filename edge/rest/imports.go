package rest

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"ringfence/core/secret"
	"ringfence/edge/rest/api"
	"ringfence/flow/book"
)

// Columns that are no settings, with what else they are called.
var (
	customerColumns = map[string][]string{
		"id": {"customer", "account"}, "name": {"company", "full-name"}, "zone": {"time-zone", "timezone"}, "tariff": {"deck"}, "courtesy": nil,
		"nets": {"ip-lock", "networks"},
	}
	lineColumns = map[string][]string{
		"id": {"line", "user", "username", "extension"}, "customer": {"account"}, "number": {"telephone", "phone", "did"}, "name": {"description"},
		"password": {"secret"}, "ha1": {"md5", "hash"}, "ha1-sha256": {"sha256"}, "courtesy": nil, "nets": {"ip-lock", "networks"},
	}
)

// peopleInput is a file of customers or lines.
type peopleInput struct {
	api.ImportOptions
	RawBody []byte `contentType:"text/csv"`
}

var _ = serves(func(s *Server) {
	const summary = " from a CSV file: all of them, or none and every fault by line and column"
	people := func(what, summary string) huma.Operation {
		o := op(http.MethodPost, "/v1/"+what+"/import", "import-"+what, what, summary)
		o.MaxBodyBytes, o.BodyReadTimeout = maxSheet, uploadTimeout
		return o
	}
	route(s, people("customers", "Add customers"+summary), s.importCustomers)
	route(s, people("lines", "Add lines"+summary), s.importLines)
})

// maxSheet is the longest file of customers or lines.
const maxSheet = 16 << 20

func (s *Server) importCustomers(ctx context.Context, in *peopleInput) (out api.PeopleImport, err error) {
	sheet := readSheet(in.RawBody, customerColumns)
	sheet.need("id")
	all := readRows(sheet, func(r *sheetRow) (book.NewCustomer, error) { return s.newCustomer(r, in.Grant) })
	// Of a file with faults the book is asked nevertheless, so that all faults are named together.
	dry := in.DryRun || len(sheet.faults) > 0
	if err := sheet.take(s.d.Book.AddCustomers(ctx, by(ctx), all, dry)); err != nil {
		return out, err
	}
	return api.PeopleImport{DryRun: in.DryRun, Added: len(all), Passwords: []api.Password{}}, nil
}

// readRows makes of each row what is to be added; rows with faults are left out.
func readRows[T any](sheet *sheet, read func(*sheetRow) (T, error)) (all []T) {
	for i := range sheet.rows {
		r := &sheet.rows[i]
		if r.faulty {
			continue
		}
		x, err := read(r)
		if err != nil {
			sheet.wrong(i, err)
			continue
		}
		sheet.good = append(sheet.good, i)
		all = append(all, x)
	}
	return all
}

func (s *Server) newCustomer(r *sheetRow, grant bool) (book.NewCustomer, error) {
	edit, err := s.customerEdit("", &api.PatchCustomer{
		Name: r.cell("name"), Zone: r.cell("zone"), Tariff: r.cell("tariff"), Nets: r.nets(), Courtesy: r.cell("courtesy"), Set: r.settings(grant),
	})
	return book.NewCustomer{ID: r.cells["id"], Edit: edit}, err
}

func (s *Server) importLines(ctx context.Context, in *peopleInput) (out api.PeopleImport, err error) {
	sheet := readSheet(in.RawBody, lineColumns)
	sheet.need("id")
	sheet.need("customer")
	all := readRows(sheet, func(r *sheetRow) (book.NewLine, error) { return s.newLine(r, in.Grant) })
	out = api.PeopleImport{DryRun: in.DryRun, Added: len(all), Passwords: []api.Password{}}
	if in.DryRun || len(sheet.faults) > 0 {
		if err := sheet.take(s.d.Book.CheckLines(ctx, all)); err != nil {
			return out, err
		}
		return out, nil
	}
	passwords, err := s.d.Book.AddLines(ctx, by(ctx), all)
	if err := sheet.take(err); err != nil {
		return out, err
	}
	for i, p := range passwords {
		if p != "" {
			out.Passwords = append(out.Passwords, api.Password{Line: all[i].ID, Password: p, Generated: true})
		}
	}
	return out, nil
}

func (s *Server) newLine(r *sheetRow, grant bool) (book.NewLine, error) {
	n := book.NewLine{ID: r.cells["id"], Customer: r.cells["customer"], Password: r.cells["password"]}
	if c, ok := s.d.Book.CustomerCalled(n.Customer); ok {
		n.Customer = c.ID
	}
	var err error
	if n.HA1, err = hashes(r.cells["ha1"], r.cells["ha1-sha256"]); err != nil {
		return n, err
	}
	n.Edit, err = lineEdit(&api.PatchLine{
		Name: r.cell("name"), Number: r.cell("number"), Nets: r.nets(), Courtesy: r.cell("courtesy"), Set: r.settings(grant),
	}, s.d.Book.Zone(n.Customer))
	return n, err
}

// hashes reads H(user:realm:password) in hexadecimal; nil when there is none. A fault does not repeat it.
func hashes(md5, sha string) (*secret.HA1, error) {
	if md5 == "" {
		if sha != "" {
			return nil, invalid("ha1", "", "it beside ha1-sha256: phones ask for MD5 first")
		}
		return nil, nil
	}
	var h secret.HA1
	if b, err := hex.DecodeString(strings.ToLower(md5)); err != nil || copy(h.MD5[:], b) != len(h.MD5) || len(b) != len(h.MD5) {
		return nil, invalid("ha1", "(not shown)", "32 hexadecimal digits: MD5 of USER:REALM:PASSWORD")
	}
	if sha != "" {
		if b, err := hex.DecodeString(strings.ToLower(sha)); err != nil || copy(h.SHA256[:], b) != len(h.SHA256) || len(b) != len(h.SHA256) {
			return nil, invalid("ha1-sha256", "(not shown)", "64 hexadecimal digits: SHA-256 of USER:REALM:PASSWORD")
		}
	}
	return &h, nil
}

// need wants a column, and something in it in every row.
func (s *sheet) need(column string) {
	at := slices.Index(s.columns, column) + 1
	if at == 0 && len(s.columns) > 0 {
		s.fault(1, 0, "", "there is no column "+column)
		return
	}
	for i := range s.rows {
		if s.rows[i].cells[column] == "" {
			s.fault(s.rows[i].line, at, "", "nothing in the column "+column)
			s.rows[i].faulty = true
		}
	}
	if len(s.rows) == 0 && len(s.faults) == 0 {
		s.fault(2, 0, "", "there is no row below the header")
	}
}

// take turns what the book says of rows into faults of the file, and is the problem of them all; nil: there is none.
func (s *sheet) take(err error) error {
	var many interface{ Unwrap() []error }
	if err != nil && !errors.As(err, &many) {
		return err
	}
	if err != nil {
		for _, e := range many.Unwrap() {
			var row *book.RowError
			if !errors.As(e, &row) {
				return err
			}
			s.wrong(s.good[row.Row], row.Err)
		}
	}
	slices.SortStableFunc(s.faults, func(a, b api.Fault) int { return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column)) })
	return s.problem()
}
