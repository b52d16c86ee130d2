package ingenium

import (
	"strconv"
	"time"

	v1 "github.com/markwinter/ingenium/go/gen/ingenium/v1"
	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// cause is the event that is being handled: ids and times of what is sent follow from it.
type cause struct {
	message  *nats.Msg
	id       string
	at       time.Time
	sent     int
	nameless int
}

func (c *cause) set(event proto.Message, message *nats.Msg) {
	if c.message == message {
		return // another handler has it, too
	}
	c.message, c.sent = message, 0
	c.at = timeOf(event)
	if c.id = textOf(event, "id"); c.id == "" {
		// Two events without an id may be equal to the byte, and are still two.
		c.nameless++
		at := ""
		if !c.at.IsZero() {
			at = formatTime(c.at)
		}
		c.id = MakeID("cause", string(message.Data), at, strconv.Itoa(c.nameless))
	}
}

func (c *cause) clear() { c.message, c.id, c.at = nil, "", time.Time{} }

// complete fills in id and time where they are empty.
func (c *cause) complete(component string, event proto.Message) {
	prefix := prefixOf(event)
	reflected := event.ProtoReflect()
	at := c.at
	if at.IsZero() {
		at = time.Now().UTC()
	}
	if data, isData := event.(*v1.DataEvent); isData && data.Timestamp == "" {
		data.Timestamp = formatTime(at)
	} else if field := reflected.Descriptor().Fields().ByName("timestamp"); !isData && !reflected.Has(field) {
		reflected.Set(field, protoreflect.ValueOfMessage(timestamppb.New(at).ProtoReflect()))
	}
	if textOf(event, "id") != "" {
		return
	}
	id := ""
	if data, isData := event.(*v1.DataEvent); isData && c.id == "" {
		// The same bar that is sent again is the same event.
		ohlc := data.GetOhlc()
		id = MakeID(prefix, component, data.Symbol, data.Timestamp, ohlc.GetPeriod(), ohlc.GetClose())
	} else if c.id == "" {
		id = randomID(prefix)
	} else {
		id = MakeID(prefix, component, c.id, strconv.Itoa(c.sent))
		c.sent++
	}
	reflected.Set(reflected.Descriptor().Fields().ByName("id"), protoreflect.ValueOfString(id))
}

func prefixOf(event proto.Message) string {
	switch event.(type) {
	case *v1.DataEvent:
		return "data"
	case *v1.SignalEvent:
		return "signal"
	case *v1.CancelEvent:
		return "cancel"
	case *v1.ExecutionEvent:
		return "exec"
	case *v1.DenialEvent:
		return "denial"
	case *v1.ControlEvent:
		return "control"
	case *v1.DeadLetterEvent:
		return "dead"
	}
	return "order" // one that replaces another is an order, too
}

// textOf returns a field of a message; empty where it has no such text.
func textOf(event proto.Message, name protoreflect.Name) string {
	reflected := event.ProtoReflect()
	field := reflected.Descriptor().Fields().ByName(name)
	if field == nil || field.Kind() != protoreflect.StringKind || field.IsList() {
		return ""
	}
	return reflected.Get(field).String()
}

func timeOf(event proto.Message) time.Time {
	if at, isText := parseTime(textOf(event, "timestamp")); isText {
		return at
	}
	stamped, isStamped := event.(interface{ GetTimestamp() *timestamppb.Timestamp })
	if isStamped && stamped.GetTimestamp() != nil {
		return stamped.GetTimestamp().AsTime()
	}
	return time.Time{}
}

func formatTime(at time.Time) string { return at.UTC().Format(time.RFC3339Nano) }
