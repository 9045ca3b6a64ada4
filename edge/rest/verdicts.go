package rest

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/liability"
	"ringfence/edge/rest/api"
	"ringfence/flow/casefile"
)

var _ = serves(func(s *Server) {
	one := op(http.MethodGet, "/v1/cdrs/{id}/verdict", "get-verdict", "records", "Say who bears the cost of a call: each promise, whether it was in force and honoured, and by which facts")
	route(s, one, s.getVerdict)
	all := op(http.MethodPost, "/v1/verdicts", "judge-calls", "records", "Judge calls, and write the verdicts to the journal")
	route(s, created(all), staged(s.casefile, s.judgeCalls))
	route(s, created(op(http.MethodPost, "/v1/cases/{id}/verdicts", "judge-case", "cases", "Judge the calls of a case, and write the verdicts to the journal and to its calls")), staged(s.casefile, s.judgeCase))
	file := op(http.MethodGet, "/v1/cases/{id}/file", "export-case", "cases", "Write the file of a case: a ZIP archive with a PDF, the records, the facts, their proofs and the disclosure pack")
	streamed(s, file, map[string]*huma.Schema{"application/zip": plainText}, s.exportCase)
})

func (s *Server) casefile() (*casefile.Casefile, error) { return stage(s.d.Casefile, "judging calls") }

// getVerdict judges a call. Customers' people read those of the calls that are in their cases.
func (s *Server) getVerdict(ctx context.Context, in *api.CallID) (out api.CallVerdict, err error) {
	if own(ctx) != "" {
		c, err := s.cases()
		if err != nil {
			return out, err
		}
		if err := c.InCase(ctx, asker(ctx), call.ID(in.ID)); err != nil {
			return out, s.about(err, "call record", in.ID)
		}
	}
	f, err := s.casefile()
	if err != nil {
		return out, err
	}
	all, err := f.Judge(ctx, []call.ID{call.ID(in.ID)})
	if err != nil {
		return out, s.about(err, "call record", in.ID)
	}
	return verdictView(&all[0]), nil
}

// verdictView is a verdict with the names that people know.
func verdictView(v *liability.Verdict) api.CallVerdict {
	out := api.NewCallVerdict(*v, casefile.Why(v))
	out.Line, out.Account = account.Handle(v.Line), account.Handle(v.Account)
	return out
}

func (s *Server) judgeCalls(ctx context.Context, f *casefile.Casefile, in *api.VerdictRequest) (out api.Judgement, err error) {
	ids := make([]call.ID, len(in.Body.Calls))
	for i, id := range in.Body.Calls {
		ids[i] = call.ID(id)
	}
	now := time.Now()
	j, err := f.Record(ctx, by(ctx), 0, ids, now)
	switch {
	case errors.Is(err, casefile.ErrMany):
		return out, invalid("calls", strconv.Itoa(len(ids)), "at most "+strconv.Itoa(casefile.MaxCalls))
	case err != nil:
		return out, s.about(err, "call record", whichCall(ids))
	}
	return api.Judgement{Sum: j.Sum, At: now, Verdicts: views(j.Verdicts, verdictView)}, nil
}

func (s *Server) judgeCase(ctx context.Context, f *casefile.Casefile, in *api.CaseNumber) (out api.Judgement, err error) {
	now := time.Now()
	j, err := f.JudgeCase(ctx, asker(ctx), in.ID, now)
	if err != nil {
		return out, s.about(err, "case", strconv.FormatInt(in.ID, 10))
	}
	return api.Judgement{Sum: j.Sum, At: now, Verdicts: views(j.Verdicts, verdictView)}, nil
}

// exportCase makes the whole file before it sends any: a case that cannot be exported is answered as such.
func (s *Server) exportCase(ctx context.Context, in *api.CaseExport) (*huma.StreamResponse, error) {
	f, err := s.casefile()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := f.ExportCase(ctx, &b, in.ID, in.Checkpoint, time.Now()); err != nil {
		return nil, s.about(err, "case", strconv.FormatInt(in.ID, 10))
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", "application/zip")
		hc.SetHeader("Content-Disposition", `attachment; filename="case-`+strconv.FormatInt(in.ID, 10)+`.zip"`)
		_, _ = b.WriteTo(hc.BodyWriter()) // a client that went away is no fault of ours
	}}, nil
}

// whichCall is the one call of a request that has one.
func whichCall(ids []call.ID) string {
	if len(ids) == 1 {
		return string(ids[0])
	}
	return "one of " + strconv.Itoa(len(ids))
}
