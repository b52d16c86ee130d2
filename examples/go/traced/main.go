// An RSI strategy whose spans go to an OpenTelemetry collector by the SDK for Go. The standard
// OTEL_* variables say where the collector is.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"strings"
	"time"

	"example.com/ingenium/rsi"
	ingenium "github.com/markwinter/ingenium/go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const stopLimit = 1500 * time.Millisecond

func main() {
	symbols := flag.String("symbols", "", "symbols to trade, such as AAPL,IBM")
	period := flag.Int("period", 2, "length of the index, in bars")
	buyBelow := flag.Float64("buy-below", 5, "long below this")
	sellAbove := flag.Float64("sell-above", 95, "short above this")
	flag.Parse()
	if *symbols == "" {
		log.Fatal("no symbols: pass -symbols AAPL,IBM")
	}
	names := strings.Split(*symbols, ",")
	indexes := map[string]*rsi.Rsi{}
	for _, name := range names {
		indexes[name] = rsi.New(*period)
	}
	c, err := ingenium.Connect(ingenium.Strategy, "strategy")
	if err != nil {
		log.Fatal(err)
	}
	stop := export(c)
	err = c.OnBar(names, func(_ context.Context, bar *ingenium.Bar) error {
		value := indexes[bar.Symbol].Update(bar.Close)
		if value < *buyBelow {
			return c.Signal(bar.Symbol, ingenium.Long)
		} else if value > *sellAbove {
			return c.Signal(bar.Symbol, ingenium.Short)
		}
		return nil
	})
	if err == nil {
		err = c.RunUntilSignal()
	}
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

// export gives the spans of a component to the SDK, where the environment names a collector. What
// it returns sends the rest, and waits for a dead collector no longer than stopLimit.
func export(c *ingenium.Component) (stop func()) {
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")+os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return func() {}
	}
	exporter, err := otlptracehttp.New(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	ids := &eventIDs{}
	// The library has sampled already, by the header of the event.
	provider := sdk.NewTracerProvider(
		sdk.WithBatcher(exporter), sdk.WithIDGenerator(ids), sdk.WithSampler(sdk.AlwaysSample()))
	tracer := provider.Tracer("ingenium")
	c.OnSpan(func(span ingenium.Span) {
		ids.trace, ids.span = span.TraceID, span.SpanID
		ctx := context.Background()
		if parent := spanContext(span.TraceID, span.ParentID); parent.IsValid() {
			ctx = trace.ContextWithRemoteSpanContext(ctx, parent)
		}
		kind := trace.SpanKindConsumer
		if span.IsSend {
			kind = trace.SpanKindProducer
		}
		options := []trace.SpanStartOption{trace.WithTimestamp(span.Start), trace.WithSpanKind(kind)}
		if link := spanContext(span.LinkTrace, span.LinkSpan); link.IsValid() {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: link}))
		}
		_, made := tracer.Start(ctx, span.Name, options...)
		for name, value := range span.Attributes {
			made.SetAttributes(attribute.String(name, value))
		}
		if span.Err != nil {
			made.RecordError(span.Err, trace.WithTimestamp(span.End))
			made.SetStatus(codes.Error, span.Err.Error())
		}
		made.End(trace.WithTimestamp(span.End))
	})
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			log.Printf("the collector has not taken all spans: %v", err)
		}
	}
}

// eventIDs gives the next span the ids that follow from its event.
type eventIDs struct {
	trace trace.TraceID
	span  trace.SpanID
}

func (e *eventIDs) NewIDs(context.Context) (trace.TraceID, trace.SpanID) { return e.trace, e.span }

func (e *eventIDs) NewSpanID(context.Context, trace.TraceID) trace.SpanID { return e.span }

func spanContext(traceID [16]byte, spanID [8]byte) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: traceID, SpanID: spanID, TraceFlags: trace.FlagsSampled, Remote: true,
	})
}
