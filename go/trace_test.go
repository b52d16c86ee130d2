package ingenium

import (
	"encoding/hex"
	"errors"
	"testing"
	"time"

	v1 "github.com/markwinter/ingenium/go/gen/ingenium/v1"
	"github.com/nats-io/nats.go"
)

// Worked out with sha256sum: printf 'tracedata_1' | sha256sum, and so on.
const (
	exampleTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	exampleSpan  = "00f067aa0ba902b7"
)

func TestIdsAreThoseOfThePythonSdk(t *testing.T) {
	trace, send, process := TraceID("data_1"), SendSpanID("data_1"), ProcessSpanID("data_1", "rsi")
	for got, want := range map[string]string{
		hex.EncodeToString(trace[:]): "6ba620671ab28e8cd89e939a87019563", hex.EncodeToString(send[:]): "cf4e0bbc18bc0096",
		hex.EncodeToString(process[:]): "efd9d9ef622ef158",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestHeaderIsReadAndWrittenAndNonsenseIsIgnored(t *testing.T) {
	text := "00-" + exampleTrace + "-" + exampleSpan + "-01"
	context := parseTraceparent(text)
	if context == nil || !context.sampled || context.header() != text {
		t.Fatalf("got %v", context)
	}
	later := parseTraceparent("01-" + exampleTrace + "-" + exampleSpan + "-02-more")
	if later == nil || later.sampled {
		t.Errorf("a later version: got %v", later)
	}
	for _, text := range []string{
		"", "nonsense", "ff-" + exampleTrace + "-" + exampleSpan + "-01",
		"00-" + exampleTrace + "-" + exampleSpan + "-01-more",
		"00-00000000000000000000000000000000-" + exampleSpan + "-01",
		"00-" + exampleTrace + "-0000000000000000-01",
	} {
		if got := parseTraceparent(text); got != nil {
			t.Errorf("%q was taken: %v", text, got)
		}
	}
}

func TestExecutionIsInTheTraceOfItsOrder(t *testing.T) {
	var spans []Span
	c := &Component{
		settings: Settings{Component: "ex"}, role: Executor,
		export: func(span Span) { spans = append(spans, span) },
	}
	order := nats.NewMsg("ingenium.portfolio.order")
	order.Header.Set("traceparent", "00-"+exampleTrace+"-"+exampleSpan+"-01")
	c.cause.id = "order_1"
	c.tracing.receive(order, &v1.OrderEvent{Id: "order_1"}, "order_1", true)
	c.trace(order, orderKind, time.Now(), errors.New("no market"))
	// A bar of another trace fills it.
	c.cause.id = "data_9"
	bar := nats.NewMsg(data + "aapl")
	c.tracing.receive(bar, &v1.DataEvent{}, "data_9", true)
	fill := &v1.ExecutionEvent{Id: "exec_1", OrderId: "order_1"}
	context := c.tracing.contextOf(fill, fill.Id)
	c.tracing.sent = append(c.tracing.sent, sentEvent{fill, "ingenium.executor.execution", fill.Id, *context, time.Now()})
	c.trace(bar, dataKind, time.Now(), nil)
	if len(spans) != 3 {
		t.Fatalf("got %d spans", len(spans))
	}
	failed, handled, sent := spans[0], spans[1], spans[2]
	if failed.Err == nil || hex.EncodeToString(failed.TraceID[:]) != exampleTrace || hex.EncodeToString(failed.ParentID[:]) != exampleSpan {
		t.Errorf("order: %+v", failed)
	}
	if handled.TraceID != TraceID("data_9") || handled.ParentID != SendSpanID("data_9") {
		t.Errorf("bar: %+v", handled)
	}
	if sent.TraceID != failed.TraceID || sent.ParentID != failed.SpanID || sent.LinkSpan != handled.SpanID || sent.LinkTrace != handled.TraceID {
		t.Errorf("execution: %+v", sent)
	}
}

func TestQuietMarketDataHasNoSpanAndUnsampledTracesHaveNone(t *testing.T) {
	count := 0
	c := &Component{role: Strategy, export: func(Span) { count++ }}
	bar := nats.NewMsg(data + "aapl")
	c.tracing.receive(bar, &v1.DataEvent{}, "data_1", true)
	c.trace(bar, dataKind, time.Now(), nil)
	bar.Header.Set("traceparent", "00-"+exampleTrace+"-"+exampleSpan+"-00")
	c.tracing.receive(bar, &v1.DataEvent{}, "data_2", true)
	c.trace(bar, dataKind, time.Now(), errors.New("broken"))
	if count != 0 {
		t.Errorf("%d spans", count)
	}
}
