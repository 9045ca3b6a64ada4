package app_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/sdk/trace"

	"ringfence/app"
	"ringfence/app/config"
	"ringfence/edge/phone"
)

// collected are spans in memory.
type collected struct {
	mu    sync.Mutex // owns spans
	spans []trace.ReadOnlySpan
}

func (c *collected) ExportSpans(_ context.Context, spans []trace.ReadOnlySpan) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spans = append(c.spans, spans...)
	return nil
}

func (c *collected) Shutdown(context.Context) error { return nil }

// calls are the traces: the stages of each by its root, as "stage stage … reason", sorted by when the stages began.
func (c *collected) calls(t *testing.T) (all []string) {
	t.Helper()
	roots, stages := map[string]trace.ReadOnlySpan{}, map[string][]trace.ReadOnlySpan{}
	for _, s := range c.spans {
		id := s.SpanContext().TraceID().String()
		if s.Name() == "call" {
			roots[id] = s
			continue
		}
		stages[id] = append(stages[id], s)
	}
	for id, root := range roots {
		slices.SortFunc(stages[id], func(a, b trace.ReadOnlySpan) int { return a.StartTime().Compare(b.StartTime()) })
		var names []string
		for _, s := range stages[id] {
			if s.Parent().SpanID() != root.SpanContext().SpanID() || s.StartTime().Before(root.StartTime()) || s.EndTime().After(root.EndTime()) || s.EndTime().Before(s.StartTime()) {
				t.Errorf("%s from %v to %v is no part of the call from %v to %v", s.Name(), s.StartTime(), s.EndTime(), root.StartTime(), root.EndTime())
			}
			names = append(names, s.Name())
		}
		for _, a := range root.Attributes() {
			if strings.Contains(a.Value.String(), "02079460000") || strings.Contains(a.Value.String(), "442079460000") {
				t.Errorf("%s has the number that was called", a.Key)
			}
			if a.Key == "ringfence.reason" {
				names = append(names, a.Value.AsString())
			}
		}
		all = append(all, strings.Join(names, " "))
	}
	if len(stages) > len(roots) {
		t.Errorf("%d traces of %d calls", len(stages), len(roots))
	}
	slices.Sort(all)
	return all
}

// TestACallIsTracedAcrossItsStages: one call that is made and one that is refused, from the login to the record.
func TestACallIsTracedAcrossItsStages(t *testing.T) {
	spans, cfg := &collected{}, demoConfig(t)
	p := startTo(t, cfg, app.Options{Spans: spans})
	ph := p.phone("2001")
	call, a, err := ph.Invite(t.Context(), "02079460000", phone.Dialling{})
	must(t, err)
	if call == nil {
		t.Fatalf("the call was refused: %+v", a)
	}
	hangup(t, call)
	p.cdrs("2001", 1)
	if call, _, err = ph.Invite(t.Context(), "09098790123", phone.Dialling{}); err != nil || call != nil {
		t.Fatal("a premium call was let out", err)
	}
	ph.Close()
	p.stop()
	got := spans.calls(t)
	want := []string{"authenticate rate decide hold connect talk settle hangup", "authenticate rate decide premium-barred"}
	if !slices.Equal(got, want) {
		t.Errorf("traced:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestTracesGoToACollector over OTLP, one call in so many; a collector that is away costs no call.
func TestTracesGoToACollector(t *testing.T) {
	var mu sync.Mutex
	posts := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		posts[r.Method+" "+r.URL.Path+" "+r.Header.Get("Content-Type")]++
	}))
	defer server.Close()
	for _, url := range []string{server.URL + "/v1/traces", "http://127.0.0.1:1/v1/traces"} {
		cfg := demoConfig(t)
		cfg.Tracing = config.Tracing{URL: url, OneIn: 2}
		p := start(t, cfg)
		ph := p.phone("2001")
		for n := range 2 {
			call, a, err := ph.Invite(t.Context(), "02079460000", phone.Dialling{})
			must(t, err)
			if call == nil {
				t.Fatalf("the call was refused: %+v", a)
			}
			hangup(t, call)
			p.cdrs("2001", n+1)
		}
		ph.Close()
		p.stop()
	}
	mu.Lock()
	defer mu.Unlock()
	if want := "POST /v1/traces application/x-protobuf"; posts[want] == 0 || len(posts) > 1 {
		t.Error("the collector got ", posts)
	}
}
