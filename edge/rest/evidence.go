package rest

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"ringfence/core/call"
	"ringfence/core/when"
	"ringfence/edge/rest/api"
	"ringfence/flow/evidence"
)

var _ = serves(func(s *Server) {
	const tag = "evidence"
	route(s, op(http.MethodGet, "/v1/evidence", "get-evidence", tag, "Show the seal of the journal: the newest checkpoint, the trees and the public key"), staged(s.evidence, s.getEvidence))
	route(s, op(http.MethodPost, "/v1/evidence/checkpoint", "make-checkpoint", tag, "Make a checkpoint now, if something was written since the last"), staged(s.evidence, s.makeCheckpoint))
	route(s, op(http.MethodGet, "/v1/evidence/checkpoint", "get-checkpoint", tag, "Show a checkpoint as it was signed"), staged(s.evidence, s.getCheckpoint))
	out := op(http.MethodGet, "/v1/evidence/export", "export-evidence", tag, "Write facts of the journal with their proofs, as docs/evidence.md describes")
	streamed(s, out, map[string]*huma.Schema{"text/plain": plainText}, staged(s.evidence, s.exportEvidence))
})

func (s *Server) evidence() (*evidence.Evidence, error) {
	return stage(s.d.Evidence, "the seal of the journal")
}

func (s *Server) getEvidence(ctx context.Context, e *evidence.Evidence, _ *none) (api.Evidence, error) {
	c, note := e.Latest()
	zone := s.d.Book.Zone("")
	out := api.Evidence{Checkpoint: c.Number, Epoch: c.Epoch, At: in(zone, c.At), Note: string(note), Trees: []api.EvidenceTree{}, Witnesses: []api.EvidenceWitness{}}
	if c.Number > 0 {
		out.Mark = c.Mark()
	}
	for _, h := range c.Heads {
		out.Trees = append(out.Trees, api.EvidenceTree{Tree: h.Tree, Rows: h.Size})
	}
	out.PublicKey, out.Fingerprint = e.PublicKey()
	answers, err := e.Witnessed(ctx)
	for _, w := range answers {
		out.Witnesses = append(out.Witnesses, api.EvidenceWitness{Checkpoint: w.Number, Witness: w.Witness, At: in(zone, w.At)})
	}
	return out, err
}

func (s *Server) makeCheckpoint(ctx context.Context, e *evidence.Evidence, in *none) (out api.Evidence, err error) {
	if _, err := e.Seal(ctx); err != nil {
		return out, err
	}
	return s.getEvidence(ctx, e, in)
}

func (s *Server) getCheckpoint(ctx context.Context, e *evidence.Evidence, in *api.EvidencePoint) (api.EvidenceNote, error) {
	note, err := e.Checkpoint(ctx, in.Number)
	return api.EvidenceNote{Note: string(note)}, err
}

// exportWithin is how long the writing of a file may take.
const exportWithin = time.Hour

func (s *Server) exportEvidence(ctx context.Context, e *evidence.Evidence, in *api.EvidenceFilter) (*huma.StreamResponse, error) {
	f := evidence.Filter{All: in.All, Checkpoints: in.Checkpoint}
	for _, id := range in.Call {
		f.Calls = append(f.Calls, call.ID(id))
	}
	zone := s.d.Book.Zone("")
	for _, name := range in.Line {
		l, err := s.line(ctx, name)
		if err != nil {
			return nil, err
		}
		f.Lines, zone = append(f.Lines, l.ID()), s.d.Book.Zone(l.Customer())
	}
	var err error
	if f.From, err = instant(when.From, "from", in.From, zone); err != nil {
		return nil, err
	}
	if f.Until, err = instant(when.Until, "until", in.Until, zone); err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		_, w := humago.Unwrap(hc)
		// Not every writer has deadlines; without one the server's own limit holds.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(exportWithin))
		hc.SetHeader("Content-Type", "text/plain; charset=utf-8")
		if err := e.Export(hc.Context(), hc.BodyWriter(), f); err != nil && hc.Context().Err() == nil {
			s.log.Error("a file of evidence broke off", "error", err) // it lacks its end, so nobody takes it for whole
		}
	}}, nil
}
