package app

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"

	"ringfence/edge/sip"
	"ringfence/flow/span"
)

// openTracing sends spans of calls to a collector, if the configuration names one.
func (a *App) openTracing(ctx context.Context) error {
	out, cfg := a.spans, &a.cfg.Tracing
	switch {
	case out != nil:
	case cfg.URL == "":
		return nil
	default:
		var err error
		if out, err = otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(cfg.URL)); err != nil {
			return fmt.Errorf("tracing.url: %w", err)
		}
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { a.log.Warn("traces cannot be sent; calls go on without", "err", err) }))
	spans := trace.NewTracerProvider(trace.WithBatcher(out), trace.WithResource(resource.NewSchemaless(
		attribute.String("service.name", "ringfence"), attribute.String("service.version", Version), attribute.String("service.instance.id", a.cfg.Node),
	)))
	a.onStop("traces", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second) // a collector that is away delays no stop for longer
		defer cancel()
		if err := spans.Shutdown(ctx); err != nil {
			a.log.Warn("the last traces were not sent", "err", err)
		}
		return nil
	})
	a.tracer = span.New(spans.Tracer("ringfence"), cfg.OneIn)
	return nil
}

// sipDoor is what the SIP edge asks and tells.
func (a *App) sipDoor() sip.Door {
	if a.tracer == nil {
		return a.door
	}
	return a.tracer.Door(a.door)
}

// lap is gate.Options.Lap; nil: nothing is traced.
func (a *App) lap() func(context.Context, string) {
	if a.tracer == nil {
		return nil
	}
	return a.tracer.Lap
}
