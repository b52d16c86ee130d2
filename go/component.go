package ingenium

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"sync"
	"time"

	v1 "github.com/markwinter/ingenium/go/gen/ingenium/v1"
	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"
)

// The roles of components.
const (
	Ingestor  = "ingestor"
	Strategy  = "strategy"
	Portfolio = "portfolio"
	Executor  = "executor"
)

// The words of SignalEvent.Signal.
const (
	Long  = "ingenium.signal.long"
	Short = "ingenium.signal.short"
	Flat  = "ingenium.signal.flat"
)

const (
	serverLimit = 10 * time.Second
	pending     = 1 << 18
)

// Component is one part of an app: it subscribes to events, handles one at a time and in the order
// of their arrival, and publishes events.
//
// In a replay it reports what it has handled and sent, so that the replay waits for it exactly; on
// live data it reports only that it is ready.
type Component struct {
	settings Settings
	role     string
	nc       *nats.Conn
	arrived  chan *nats.Msg
	woken    chan struct{}
	exact    map[string][]handler
	wild     []handler
	member   *member

	mutex   sync.Mutex
	problem string
	report  *v1.LockstepReport
	cause   cause
	tracing tracing
	last    last
	export  func(Span)
}

type handler struct {
	pattern string
	handle  func(context.Context, *nats.Msg) error
}

// Connect connects a component with the settings of the environment; name is its name where the
// environment has none. Run or Close it.
func Connect(role, name string) (*Component, error) {
	return ConnectWith(SettingsFromEnvironment(name), role)
}

// ConnectWith connects a component with settings.
func ConnectWith(settings Settings, role string) (*Component, error) {
	c := &Component{
		settings: settings,
		role:     role,
		arrived:  make(chan *nats.Msg, pending),
		woken:    make(chan struct{}, 1),
		exact:    map[string][]handler{},
		report:   &v1.LockstepReport{Component: settings.Component, Role: role},
	}
	options, err := settings.options(role)
	if err != nil {
		return nil, err
	}
	options = append(options,
		nats.DisconnectErrHandler(func(nc *nats.Conn, err error) {
			if !nc.IsClosed() {
				c.lose("lost the connection to the server: events may be missing")
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) {
			log.Print("connected again")
			c.wake()
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrSlowConsumer) {
				c.lose("too slow: events are missing")
				c.wake()
			} else if !strings.Contains(err.Error(), ".grant") { // who may not hear of a replay is in none
				log.Printf("the connection says: %v", err)
			}
		}),
	)
	c.nc, err = nats.Connect(settings.Server, options...)
	if err != nil {
		return nil, fmt.Errorf("cannot connect: %w", err)
	}
	return c, nil
}

// Name is the component's name within the app.
func (c *Component) Name() string { return c.settings.Component }

// NATS is the connection, for what this package does not offer.
func (c *Component) NATS() *nats.Conn { return c.nc }

// OnBar has a handler called for each bar of some symbols, or of all when none is named. Data that
// cannot be read is logged and passed over.
func (c *Component) OnBar(symbols []string, handle func(context.Context, *Bar) error) error {
	patterns := []string{data + ">"}
	if len(symbols) > 0 {
		patterns = nil
	}
	for _, symbol := range symbols {
		subject, err := DataSubject(symbol)
		if err != nil {
			return err
		}
		patterns = append(patterns, subject)
	}
	take := func(ctx context.Context, message *nats.Msg) error {
		event := &v1.DataEvent{}
		if !c.begin(message, event) {
			return nil
		}
		symbol, chosen := choose(symbols, event.GetSymbol(), message.Header.Get("Ingenium-Source"))
		if !chosen || event.GetOhlc() == nil {
			return nil
		}
		bar, err := NewBar(event)
		if err != nil {
			log.Printf("passed over: %v", err)
			return nil
		}
		bar.Symbol = symbol
		return handle(ctx, bar)
	}
	for i, pattern := range patterns {
		// Two symbols that differ in case only have one subject.
		if !contains(patterns[:i], pattern) {
			c.add(pattern, take)
		}
	}
	return nil
}

// choose returns a symbol as it was asked for. Only where a sender does not say who it is, as the
// original Go library, the case of a symbol does not count.
func choose(symbols []string, symbol, source string) (string, bool) {
	if len(symbols) == 0 || contains(symbols, symbol) {
		return symbol, true
	}
	for _, chosen := range symbols {
		if source == "" && strings.EqualFold(chosen, symbol) {
			return chosen, true
		}
	}
	return "", false
}

func contains(texts []string, text string) bool {
	for _, each := range texts {
		if each == text {
			return true
		}
	}
	return false
}

// On has a handler called for each event of a type of the bus:
//
//	ingenium.On(c, func(ctx context.Context, order *v1.OrderEvent) error { ... })
func On[E any, P interface {
	*E
	proto.Message
}](c *Component, handle func(context.Context, P) error) error {
	pattern := patternOf(P(new(E)))
	if pattern == "" {
		_, err := subjectOf(P(new(E)))
		return err
	}
	OnSubject(c, pattern, handle)
	return nil
}

// OnSubject has a handler called for each message of one's own type on a subject, which may have
// wild cards.
func OnSubject[E any, P interface {
	*E
	proto.Message
}](c *Component, subject string, handle func(context.Context, P) error) {
	c.add(subject, func(ctx context.Context, message *nats.Msg) error {
		event := P(new(E))
		if !c.begin(message, event) {
			return nil
		}
		return handle(ctx, event)
	})
}

func (c *Component) add(pattern string, handle func(context.Context, *nats.Msg) error) {
	if strings.ContainsAny(pattern, "*>") {
		c.wild = append(c.wild, handler{pattern, handle})
	} else {
		c.exact[pattern] = append(c.exact[pattern], handler{pattern, handle})
	}
}

// begin reads an event and makes it the cause of what is sent from now on.
func (c *Component) begin(message *nats.Msg, event proto.Message) bool {
	if err := unmarshalAs(message.Header.Values("Content-Type"), message.Data, event); err != nil {
		log.Printf("passed over what cannot be read on %s: %v", message.Subject, err)
		return false
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	isNew := c.cause.message != message
	c.cause.set(event, message)
	if isNew {
		c.tracing.receive(message, event, c.cause.id, c.export != nil)
	}
	c.last.set(event)
	return true
}

// Signal publishes a signal: Long, Short or Flat.
func (c *Component) Signal(symbol, signal string) error {
	return c.Publish(&v1.SignalEvent{Symbol: symbol, Signal: signal})
}

// Publish publishes an event of the bus on its subject. An id and a time that are empty are filled
// in: both follow from the event that is being handled, so that a replay that is run again gives the
// same ones; outside of a handler the id is random and the time is the machine's.
func (c *Component) Publish(event proto.Message) error {
	subject, err := subjectOf(event)
	if err != nil {
		return err
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.cause.complete(c.settings.Component, event)
	id := textOf(event, "id")
	context := c.tracing.contextOf(event, id)
	if err := c.sendTraced(subject, event, id, c.settings.ContentType, context); err != nil {
		return err
	}
	if context != nil && c.export != nil {
		c.tracing.sent = append(c.tracing.sent, sentEvent{event, subject, id, *context, time.Now()})
	}
	c.countSent(kindOf(subject))
	if c.role == Ingestor {
		c.last.set(event)
	}
	return nil
}

// PublishTo publishes a message of one's own on a subject, as it is.
func (c *Component) PublishTo(subject string, message proto.Message) error {
	return c.send(subject, message, textOf(message, "id"), c.settings.ContentType)
}

func (c *Component) send(subject string, event proto.Message, id, contentType string) error {
	return c.sendTraced(subject, event, id, contentType, nil)
}

func (c *Component) sendTraced(
	subject string, event proto.Message, id, contentType string, context *traceContext,
) error {
	payload, err := marshalAs(contentType, event)
	if err != nil {
		return fmt.Errorf("cannot write %v: %w", event, err)
	}
	message := nats.NewMsg(c.settings.onServer(subject))
	message.Data = payload
	if id != "" {
		message.Header.Set("Nats-Msg-Id", id)
	}
	message.Header.Set("Ingenium-Source", c.settings.Component)
	message.Header.Set("Content-Type", contentType)
	if context != nil {
		message.Header.Set(traceparent, context.header())
	}
	if err := c.nc.PublishMsg(message); err != nil {
		return fmt.Errorf("cannot send to %s: %w", subject, err)
	}
	return nil
}

// lose takes note that events may be missing; a replay ends with that.
func (c *Component) lose(problem string) {
	log.Print(problem)
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.problem = problem
}

func (c *Component) wake() {
	select {
	case c.woken <- struct{}{}:
	default:
	}
}

// Close waits until the server has what was published, and ends the connection.
func (c *Component) Close() error {
	// Conn.Drain would not wait.
	err := c.nc.FlushTimeout(serverLimit)
	c.nc.Close()
	if err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		return fmt.Errorf("cannot reach the server: %w", err)
	}
	return nil
}
