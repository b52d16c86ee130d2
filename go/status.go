package ingenium

import (
	"log"
	"os"
	"time"

	v1 "github.com/markwinter/ingenium/go/gen/ingenium/v1"
	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Version is the version of this library.
const Version = "0.1.0"

const statusInterval = 5 * time.Second

// startStatus says every few seconds, and to whoever asks, how the component is, under a life that
// tells this start from all others. It returns what ends that.
func (c *Component) startStatus(life string) (func(), error) {
	status := &v1.ComponentStatus{
		App:             c.settings.App,
		Component:       c.Name(),
		Role:            c.role,
		Language:        "go",
		Version:         Version,
		Life:            life,
		Process:         uint32(os.Getpid()),
		StartTime:       timestamppb.Now(),
		IntervalSeconds: uint32(statusInterval.Seconds()),
	}
	status.Host, _ = os.Hostname()
	c.mutex.Lock()
	c.status = status
	c.mutex.Unlock()
	say := func(state string) {
		if err := c.sendStatus(state); err != nil {
			log.Print(err)
		}
	}
	asked := make(chan *nats.Msg, 16)
	ask := c.settings.onServer("_ingenium." + c.settings.App + ".ask")
	var subscriptions []*nats.Subscription
	for _, subject := range []string{ask, ask + "." + c.Name()} {
		subscription, err := c.nc.ChanSubscribe(subject, asked)
		if err != nil {
			return nil, err
		}
		subscriptions = append(subscriptions, subscription)
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(statusInterval)
		defer ticker.Stop()
		for {
			say("ready")
			select {
			case <-ticker.C:
			case <-asked:
			case <-end:
				return
			}
		}
	}()
	return func() {
		close(end)
		<-ended
		for _, subscription := range subscriptions {
			_ = subscription.Unsubscribe() // the connection may be gone
		}
		say("stopped")
	}, nil
}

func (c *Component) sendStatus(state string) error {
	// It is JSON in any case.
	return c.send("_ingenium."+c.settings.App+".status."+c.Name(), c.statusNow(state), "", contentJSON)
}

// statusNow is the status of the component as it is now.
func (c *Component) statusNow(state string) *v1.ComponentStatus {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	status := &v1.ComponentStatus{}
	if c.status != nil {
		status = proto.CloneOf(c.status)
	}
	status.State = state
	status.Timestamp = timestamppb.Now()
	status.Waiting = uint32(len(c.arrived) + c.held)
	report, last := c.report, c.last
	status.Handled = report.DataHandled + report.SignalsHandled + report.OrdersHandled + report.ExecutionsHandled
	status.Sent = report.DataSent + report.SignalsSent + report.OrdersSent + report.ExecutionsSent
	if last.event != "" {
		status.LastEvent = proto.String(last.event)
		status.LastTime = timestamppb.New(last.at)
	}
	if last.symbol != "" {
		status.LastSymbol = proto.String(last.symbol)
	}
	if c.problem != "" {
		status.Problem = proto.String(c.problem)
	} else if c.paused {
		status.Problem = proto.String("paused by an operator")
	}
	return status
}

// last is the event that was handled last; of an ingestor: that was sent last.
type last struct {
	event, symbol string
	at            time.Time
}

func (l *last) set(event proto.Message) {
	*l = last{string(event.ProtoReflect().Descriptor().Name()), textOf(event, "symbol"), time.Now()}
}
