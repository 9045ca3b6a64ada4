package rest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"ringfence/edge/rest/api"
	"ringfence/flow/book"
	"ringfence/flow/people"
)

// problem is an api.Problem as the HTTP library wants its errors.
type problem struct{ api.Problem }

// GetStatus is the HTTP status.
func (p *problem) GetStatus() int { return p.Status }

// Error is the detail.
func (p *problem) Error() string { return p.Problem.Error() }

// ContentType replaces application/json.
func (p *problem) ContentType(string) string { return "application/problem+json" }

// useProblems makes the HTTP library's own errors problems with a reason too. It keeps them in one variable for the whole
// program, so this is done once and is the same for every server.
var useProblems = sync.OnceFunc(func() {
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		p := newProblem(status, libraryReason(status), tooLarge(message))
		for _, err := range errs {
			p.Errors = append(p.Errors, libraryFault(err))
		}
		if len(p.Errors) > 0 {
			p.Detail = p.Errors[0].Text
			if len(p.Errors) > 1 {
				p.Detail = fmt.Sprintf("%d faults; the first: %s", len(p.Errors), p.Detail)
			}
		}
		return p
	}
})

// tooLarge says in people's words how large a body may be; other messages stay as they are.
func tooLarge(message string) string {
	var limit int64
	if _, err := fmt.Sscanf(message, "request body is too large limit=%d bytes", &limit); err != nil {
		return message
	}
	if limit < 1<<20 {
		return fmt.Sprintf("What was sent is too large: at most %d KB. Send less of it.", limit>>10)
	}
	return fmt.Sprintf("What was sent is too large: at most %d MB. Send a part of it.", limit>>20)
}

func newProblem(status int, reason, detail string) *problem {
	return &problem{api.Problem{
		Type: "ringfence:" + reason, Title: http.StatusText(status), Status: status, Reason: reason, Detail: detail,
	}}
}

func libraryReason(status int) string {
	switch status {
	case http.StatusRequestEntityTooLarge:
		return api.ReasonTooLarge
	case http.StatusUnsupportedMediaType:
		return api.ReasonMediaType
	case http.StatusNotAcceptable:
		return api.ReasonNotAcceptable
	case http.StatusUnprocessableEntity:
		return api.ReasonInvalid
	case http.StatusInternalServerError:
		return api.ReasonInternal
	}
	return api.ReasonBadRequest
}

// libraryFault says where and what, and repeats short plain values only: never a body, never a password.
func libraryFault(err error) api.Fault {
	var d *huma.ErrorDetail
	if !errors.As(err, &d) {
		return api.Fault{Text: clip(err.Error(), 200)}
	}
	field := strings.TrimPrefix(strings.TrimPrefix(d.Location, "body."), "query.")
	f := api.Fault{Field: field, Text: clip(d.Message, 200)}
	switch d.Value.(type) {
	case string, float64, int, int64, bool:
		if field != "body" && field != "" && !strings.Contains(strings.ToLower(field), "password") {
			f.Found = clip(fmt.Sprint(d.Value), 80)
		}
	}
	if field != "" {
		f.Text = field + ": " + f.Text
	}
	return f
}

// explain turns an error of the floors below into a problem. The text of an unknown error is not shown, which may
// speak of tables and files; that goes to the log.
func (s *Server) explain(err error) error {
	var p *problem
	var invalid *book.Invalid
	var weak *book.Weak
	var looser *book.Looser
	var faults *book.DeckFaults
	var unconfirmed *book.Unconfirmed
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &faults):
		return deckProblem(faults)
	case errors.As(err, &unconfirmed):
		p = newProblem(http.StatusConflict, api.ReasonUnconfirmed, unconfirmed.Error())
		p.Questions = questions(unconfirmed.Questions)
	case errors.As(err, &looser):
		p = newProblem(http.StatusForbidden, api.ReasonLooser, looser.Error())
		p.Errors = []api.Fault{{Field: looser.Field.String(), Text: looser.Error()}}
	case errors.As(err, &weak):
		p = newProblem(http.StatusUnprocessableEntity, api.ReasonWeakPassword, weak.Error())
		for _, r := range weak.Reasons {
			p.Errors = append(p.Errors, api.Fault{Field: "password", Text: r})
		}
	case errors.As(err, &invalid):
		p = newProblem(http.StatusUnprocessableEntity, api.ReasonInvalid, err.Error())
		p.Errors = invalidFaults(err)
		if len(p.Errors) > 1 {
			p.Detail = strings.ReplaceAll(err.Error(), "\n", "; ")
		}
	case errors.Is(err, book.ErrNotFound):
		p = newProblem(http.StatusNotFound, api.ReasonNotFound, "not found; list them to see what there is")
	case errors.Is(err, book.ErrExists):
		p = newProblem(http.StatusConflict, api.ReasonExists, cause(err, book.ErrExists, "it exists already"))
	case errors.Is(err, book.ErrInUse):
		p = newProblem(http.StatusConflict, api.ReasonInUse, cause(err, book.ErrInUse, "it is still in use; remove what uses it first"))
	case errors.Is(err, people.ErrLast), errors.Is(err, people.ErrLastFactor):
		p = newProblem(http.StatusConflict, api.ReasonInUse, err.Error())
	default:
		p = s.failed(err)
	}
	return p
}

// failed is the problem of an error that nothing explains.
func (s *Server) failed(err error) *problem {
	s.log.Error("a request failed below", "error", err)
	return newProblem(http.StatusServiceUnavailable, api.ReasonStore,
		"the store failed, and the change may or may not have been made; see the server's log and `ringfence check` before you try again")
}

// missing says what is not there, by name.
func missing(noun, id string) error {
	return newProblem(http.StatusNotFound, api.ReasonNotFound, fmt.Sprintf("there is no %s %q", noun, clip(id, 80)))
}

// about is explain with the name of what was asked for.
func (s *Server) about(err error, what, id string) error {
	if errors.Is(err, book.ErrNotFound) {
		return newProblem(http.StatusNotFound, api.ReasonNotFound, s.near(fmt.Sprintf("there is no %s %q", what, clip(id, 80)), what, id))
	}
	return s.explain(err)
}

// cause keeps what an error says besides the plain sentinel.
func cause(err, sentinel error, plain string) string {
	if err.Error() == sentinel.Error() {
		return plain
	}
	return err.Error()
}

// invalidFaults lists every *book.Invalid in a joined error.
func invalidFaults(err error) []api.Fault {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var out []api.Fault
		for _, e := range many.Unwrap() {
			out = append(out, invalidFaults(e)...)
		}
		return out
	}
	var i *book.Invalid
	if errors.As(err, &i) {
		return []api.Fault{{Field: i.Field, Found: i.Found, Want: i.Want, Text: i.Error()}}
	}
	return nil
}

// invalid is a fault that this floor finds itself.
func invalid(field, found, want string) error {
	return &book.Invalid{Field: field, Found: clip(found, 80), Want: want}
}

// unavailable says that a function was not given.
func unavailable(what string) error {
	return newProblem(http.StatusNotImplemented, api.ReasonNotFound, what+" is not available on this node")
}

// writeProblem answers outside of the HTTP library's operations.
func writeProblem(w http.ResponseWriter, p *api.Problem) {
	if p.Title == "" {
		p.Title = http.StatusText(p.Status)
	}
	if p.Type == "" {
		p.Type = "ringfence:" + p.Reason
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // a client that went away is no fault of ours
}

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
