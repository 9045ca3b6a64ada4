package rest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"ringfence/core/call"
	"ringfence/edge/rest/api"
)

var _ = serves(func(s *Server) {
	o := op(http.MethodGet, "/v1/trace", "trace", "calls", "Stream the SIP messages of one line or call, without secrets, for a limited time and number")
	streamed(s, o, map[string]*huma.Schema{"application/jsonl": plainText}, s.trace)
})

func (s *Server) trace(ctx context.Context, in *api.TraceFilter) (*huma.StreamResponse, error) {
	who := by(ctx)
	switch {
	case s.d.Trace == nil:
		return nil, unavailable("tracing")
	case !strings.HasSuffix(who, "@socket") && !slices.Contains(s.o.Tracers, who):
		return nil, newProblem(http.StatusForbidden, api.ReasonNotPermitted, "this token may not trace: add it to admin.tracers in the configuration, or trace over the socket")
	case (in.Line == "") == (in.Call == ""):
		return nil, invalid("line", in.Line, "either a line or a call")
	}
	q := TraceQuery{Call: call.ID(in.Call), For: time.Duration(in.For) * time.Second, Most: in.Messages}
	if in.Line != "" {
		l, err := s.line(ctx, in.Line)
		if err != nil {
			return nil, err
		}
		q.Line = l.ID()
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) { s.streamTrace(hc, who, &q) }}, nil
}

func (s *Server) streamTrace(hc huma.Context, who string, q *TraceQuery) {
	_, w := humago.Unwrap(hc)
	out := http.NewResponseController(w)
	hc.SetHeader("Content-Type", "application/jsonl")
	// Not every writer has deadlines; without one the server's own limit holds.
	_ = out.SetWriteDeadline(time.Now().Add(q.For + pageTimeout))
	_ = out.Flush() // that it has begun
	enc := json.NewEncoder(hc.BodyWriter())
	err := s.d.Trace(hc.Context(), who, q, func(m api.TraceMessage) error {
		if err := enc.Encode(m); err != nil {
			return err
		}
		return out.Flush()
	})
	if errors.Is(err, ErrTraces) {
		_ = enc.Encode(api.TraceMessage{End: err.Error() + ": wait until one ends"}) // a client that went away is no fault of ours
	}
}
