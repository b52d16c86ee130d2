package ingenium

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"

	v1 "github.com/markwinter/ingenium/go/gen/ingenium/v1"
	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"
)

const (
	traceparent = "traceparent"
	// A handling of market data that sent nothing has a span from this time on.
	slow = 100 * time.Millisecond
	// Orders whose trace an executor keeps for its executions.
	keptOrders = 65536
)

var traceHeader = regexp.MustCompile(`^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$`)

// Span is a finished span: of a handled event, or of a sent one. Its ids follow from those of
// events, as those of the Python SDK do, so a redelivery gives the same span.
type Span struct {
	Name       string
	IsSend     bool
	TraceID    [16]byte
	SpanID     [8]byte
	ParentID   [8]byte // zero for the root of a trace
	LinkTrace  [16]byte
	LinkSpan   [8]byte // zero without a link
	Start, End time.Time
	Attributes map[string]string
	Err        error // of a handler that failed
}

// OnSpan has a function called for each span of a sampled trace, between two events: it must not
// wait. Without it, a component carries the header traceparent on and makes no spans.
func (c *Component) OnSpan(export func(Span)) { c.export = export }

// TraceID is the id of the trace that an event begins.
func TraceID(rootID string) (id [16]byte) {
	hash := sha256.Sum256([]byte("trace" + rootID))
	copy(id[:], hash[:])
	return id
}

// SendSpanID is the id of the span of sending an event.
func SendSpanID(eventID string) (id [8]byte) {
	hash := sha256.Sum256([]byte("send" + eventID))
	copy(id[:], hash[:])
	return id
}

// ProcessSpanID is the id of the span of a component that handles an event.
func ProcessSpanID(eventID, component string) (id [8]byte) {
	hash := sha256.Sum256([]byte("process" + eventID + "/" + component))
	copy(id[:], hash[:])
	return id
}

// traceContext is the place of an event in a trace.
type traceContext struct {
	trace   [16]byte
	span    [8]byte
	sampled bool
}

func (t traceContext) header() string {
	flags := "00"
	if t.sampled {
		flags = "01"
	}
	return fmt.Sprintf("00-%x-%x-%s", t.trace, t.span, flags)
}

// parseTraceparent reads a header of W3C trace context; what the specification says to ignore
// gives nil.
func parseTraceparent(text string) *traceContext {
	found := traceHeader.FindStringSubmatch(strings.TrimSpace(text))
	if found == nil || found[1] == "ff" || found[1] == "00" && found[5] != "" {
		return nil
	}
	if strings.Trim(found[2], "0") == "" || strings.Trim(found[3], "0") == "" {
		return nil
	}
	// The pattern lets hexadecimal digits pass only.
	bytes, err := hex.DecodeString(found[2] + found[3] + found[4])
	if err != nil {
		return nil
	}
	context := traceContext{sampled: bytes[24]&1 == 1}
	copy(context.trace[:], bytes)
	copy(context.span[:], bytes[16:])
	return &context
}

// sentEvent is an event that a handler has sent.
type sentEvent struct {
	event   proto.Message
	subject string
	id      string
	context traceContext
	at      time.Time
}

// tracing is what a component knows of traces. Guarded by the mutex of the component.
type tracing struct {
	context *traceContext // of the handled event
	orders  map[string]traceContext
	ages    []string
	sent    []sentEvent
}

// receive reads the context of an event that is about to be handled.
func (t *tracing) receive(message *nats.Msg, event proto.Message, id string, exports bool) {
	t.context, t.sent = parseTraceparent(message.Header.Get(traceparent)), nil
	if t.context == nil && exports {
		// Nobody sent one: ids follow from events, so all who do this join the same trace.
		t.context = &traceContext{TraceID(id), SendSpanID(id), true}
	}
	if _, isOrder := event.(*v1.OrderEvent); isOrder && t.context != nil {
		t.keep(id, *t.context)
	}
}

func (t *tracing) keep(order string, context traceContext) {
	if t.orders == nil {
		t.orders = map[string]traceContext{}
	}
	if _, isKnown := t.orders[order]; !isKnown {
		t.ages = append(t.ages, order)
	}
	t.orders[order] = context
	if len(t.ages) > keptOrders {
		delete(t.orders, t.ages[0])
		t.ages = t.ages[1:]
	}
}

// contextOf returns the context of an event that is sent; nil where no trace is known.
func (t *tracing) contextOf(event proto.Message, id string) *traceContext {
	cause := t.context
	if execution, isExecution := event.(*v1.ExecutionEvent); isExecution {
		// It belongs to the trace of its order, whichever event filled that.
		if order, isKnown := t.orders[execution.OrderId]; isKnown {
			cause = &order
		}
	}
	if cause == nil || id == "" {
		return nil
	}
	return &traceContext{cause.trace, SendSpanID(id), cause.sampled}
}

// trace makes the spans of a handled event.
func (c *Component) trace(message *nats.Msg, kind kind, start time.Time, failure error) {
	c.mutex.Lock()
	context, sent, id := c.tracing.context, c.tracing.sent, c.cause.id
	c.tracing.context, c.tracing.sent = nil, nil
	c.mutex.Unlock()
	if c.export == nil || context == nil || !context.sampled {
		return
	}
	end := time.Now()
	if kind == dataKind && len(sent) == 0 && failure == nil && end.Sub(start) < slow {
		return
	}
	process := ProcessSpanID(id, c.Name())
	attributes := c.attributes("process", message.Subject, id)
	if kind == dataKind {
		attributes["messaging.destination.template"] = data + "{symbol}"
	}
	c.export(Span{
		Name: "process " + attributes["messaging.destination.template"], TraceID: context.trace,
		SpanID: process, ParentID: context.span, Start: start, End: end,
		Attributes: attributes, Err: failure,
	})
	for _, each := range sent {
		span := Span{
			Name: "send " + each.subject, IsSend: true, TraceID: each.context.trace, SpanID: each.context.span,
			ParentID: process, Start: each.at, End: each.at,
			Attributes: c.attributes("send", each.subject, each.id),
		}
		if order := textOf(each.event, "order_id"); order != "" {
			span.Attributes["ingenium.order.id"] = order
			if _, isExecution := each.event.(*v1.ExecutionEvent); isExecution && order != id {
				span.ParentID, span.LinkTrace, span.LinkSpan = ProcessSpanID(order, c.Name()), context.trace, process
			}
		}
		if _, isOrder := each.event.(*v1.OrderEvent); isOrder {
			span.Attributes["ingenium.order.id"] = each.id
		}
		if symbol := textOf(each.event, "symbol"); symbol != "" {
			span.Attributes["ingenium.symbol"] = symbol
		}
		c.export(span)
	}
}

func (c *Component) attributes(operation, subject, id string) map[string]string {
	return map[string]string{
		"messaging.system":               "nats",
		"messaging.operation.name":       operation,
		"messaging.operation.type":       operation,
		"messaging.destination.name":     subject,
		"messaging.destination.template": subject,
		"messaging.message.id":           id,
		"messaging.client.id":            c.Name(),
		"ingenium.component":             c.Name(),
		"ingenium.role":                  c.role,
	}
}
