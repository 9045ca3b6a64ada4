package records

import (
	"bufio"
	"context"
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/money"
)

// columns of the file; new ones come last: some read by position.
var columns = []string{"begun", "line", "direction", "number", "dialled", "country", "destination", "result", "reason", "talk_seconds", "price", "currency", "text", "id"}

// File writes every call that fits a query as CSV (RFC 4180), newest first, with times in the customer's zone.
func (r *Records) File(ctx context.Context, w io.Writer, q *Query, now time.Time) error {
	out := csv.NewWriter(bufio.NewWriterSize(w, 64<<10))
	out.UseCRLF = true
	zone := r.o.Book.Zone(q.Customer)
	_ = out.Write(columns) // an error comes back from the next, or from Error
	err := r.Each(ctx, q, now, func(c *call.CDR) error {
		row := []string{
			c.Begun.In(zone).Format(time.RFC3339), account.Handle(c.Line), string(c.Direction), c.Number, c.Dialled, c.Country, c.Rate, string(c.Outcome()), c.Reason,
			strconv.FormatInt(int64(c.Talk/time.Second), 10), money.Billing().Number(c.Retail), money.Billing().Code, c.Text, string(c.ID),
		}
		for i := range row {
			row[i] = Inert(row[i])
		}
		return out.Write(row)
	})
	out.Flush()
	if err == nil {
		err = out.Error()
	}
	return err
}

// Inert keeps a spreadsheet from taking a caller's text for a formula. A number with its '+' is left as it is, or every
// program would have to undo it.
func Inert(s string) string {
	if s == "" || !strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return s
	}
	if (s[0] == '+' || s[0] == '-') && strings.Trim(s[1:], "0123456789.") == "" {
		return s
	}
	return "'" + s
}
