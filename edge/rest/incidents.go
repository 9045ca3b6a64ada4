package rest

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"ringfence/core/when"
	"ringfence/edge/rest/api"
	"ringfence/flow/status"
)

var _ = serves(func(s *Server) {
	const one, tag = "/v1/incidents/{id}", "incidents"
	listed[api.Incident](s, staged(s.public, s.listIncidents))
	shown[api.Incident](s, staged(s.public, s.getIncident))
	added[api.Incident](s, staged(s.public, s.addIncident))
	route(s, created(op(http.MethodPost, one+"/notes", "note-incident", tag, "Add an entry to an incident")), staged(s.public, s.noteIncident))
	done := op(http.MethodPost, one+"/close", "close-incident", tag, "End an incident that staff wrote, or call planned work off")
	done.Errors = append(done.Errors, http.StatusConflict)
	route(s, done, staged(s.public, s.closeIncident))
})

func (s *Server) public() (*status.Status, error) { return stage(s.d.Public, "the public status") }

func (s *Server) listIncidents(ctx context.Context, p *status.Status, in *struct{ Below }) (out api.List[api.Incident], err error) {
	all, err := p.Incidents(ctx, in.Before, in.Limit+1)
	return list(views(all, s.incidentView), in.Limit, func(i *api.Incident) string { return strconv.FormatInt(i.ID, 10) }), err
}

func (s *Server) incidentView(i *status.Incident) api.Incident {
	zone := s.d.Book.Zone("")
	out := api.Incident{
		ID: i.ID, Kind: i.Kind, Component: i.Component, Title: i.Title, Began: in(zone, i.Began), Ended: in(zone, i.Ended), Open: i.Ended.IsZero() || i.Ended.After(time.Now()),
		Updates: []api.IncidentUpdate{},
	}
	for _, u := range i.Updates {
		out.Updates = append(out.Updates, api.IncidentUpdate{At: in(zone, u.At), By: u.By, Text: u.Text})
	}
	return out
}

func (s *Server) getIncident(ctx context.Context, p *status.Status, in *api.IncidentID) (api.Incident, error) {
	i, err := p.Incident(ctx, in.ID)
	return s.published(&i, in.ID, err)
}

func (s *Server) addIncident(ctx context.Context, p *status.Status, in *api.IncidentNew) (out api.Incident, err error) {
	b, zone := &in.Body, s.d.Book.Zone("")
	e := status.Entry{Title: b.Title, Text: b.Text, Component: b.Component}
	if e.From, err = instant(when.From, "from", b.From, zone); err != nil {
		return out, err
	}
	if e.Until, err = instant(when.Until, "until", b.Until, zone); err != nil {
		return out, err
	}
	if b.From != "" && b.Until == "" {
		return out, invalid("until", b.Until, "the end of the planned work that from begins")
	}
	i, err := p.Add(ctx, by(ctx), e, time.Now())
	return s.published(&i, i.ID, err)
}

func (s *Server) noteIncident(ctx context.Context, p *status.Status, in *api.IncidentNote) (api.Incident, error) {
	i, err := p.Note(ctx, by(ctx), in.ID, in.Body.Text, false, time.Now())
	return s.published(&i, in.ID, err)
}

func (s *Server) closeIncident(ctx context.Context, p *status.Status, in *api.IncidentEnd) (api.Incident, error) {
	i, err := p.Note(ctx, by(ctx), in.ID, in.Body.Text, true, time.Now())
	return s.published(&i, in.ID, err)
}

// published is an incident, or why it is not.
func (s *Server) published(i *status.Incident, id int64, err error) (api.Incident, error) {
	wrong := (*status.Invalid)(nil)
	switch {
	case errors.As(err, &wrong):
		return api.Incident{}, invalid(wrong.Field, "", wrong.Want)
	case errors.Is(err, status.ErrMeasured), errors.Is(err, status.ErrOver):
		return api.Incident{}, newProblem(http.StatusConflict, api.ReasonClosed, err.Error())
	case err != nil:
		return api.Incident{}, s.about(err, "incident", strconv.FormatInt(id, 10))
	}
	return s.incidentView(i), nil
}
