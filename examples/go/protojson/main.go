// An RSI strategy on the types that `buf generate` makes from Ingenium's schemas.
//
// It is a full member of a replay: it reports what it has handled and sent, so the replay waits for
// it exactly. On live data nobody reads the reports, and they do no harm.
//
// It reads JSON and binary protobuf, as each message says; it sends JSON, and with
// INGENIUM_CONTENT_TYPE=application/protobuf binary signals.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"log"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	v1 "example.com/ingenium/gen/ingenium/v1"
	"example.com/ingenium/rsi"
	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

var (
	// The format writes fields without presence even when they are empty.
	write = protojson.MarshalOptions{EmitDefaultValues: true}
	// A later version may send fields that this program does not know.
	read = protojson.UnmarshalOptions{DiscardUnknown: true}
)

const binary = "application/protobuf"

type strategy struct {
	nc        *nats.Conn
	app       string
	form      string
	report    *v1.LockstepReport
	symbols   map[string]*rsi.Rsi
	buyBelow  float64
	sellAbove float64
}

func main() {
	symbols := flag.String("symbols", "", "symbols to trade, such as AAPL,IBM")
	period := flag.Int("period", 2, "length of the index, in bars")
	buyBelow := flag.Float64("buy-below", 5, "long below this")
	sellAbove := flag.Float64("sell-above", 95, "short above this")
	flag.Parse()
	if *symbols == "" {
		log.Fatal("no symbols: pass -symbols AAPL,IBM")
	}

	name := environment("INGENIUM_COMPONENT", "rsi")
	nc, err := nats.Connect(environment("NATS_SERVER", nats.DefaultURL), nats.Name(name))
	if err != nil {
		log.Fatalf("cannot connect: %v", err)
	}
	s := &strategy{
		nc:        nc,
		app:       environment("INGENIUM_APP", "app"),
		form:      environment("INGENIUM_CONTENT_TYPE", "application/json"),
		report:    &v1.LockstepReport{Component: name, Role: "strategy"},
		symbols:   map[string]*rsi.Rsi{},
		buyBelow:  *buyBelow,
		sellAbove: *sellAbove,
	}
	for _, symbol := range strings.Split(*symbols, ",") {
		s.symbols[symbol] = rsi.New(*period)
	}
	s.run()
}

func environment(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// onServer puts the prefix before a subject that keeps apps on one server apart.
func onServer(subject string) string {
	if prefix := os.Getenv("INGENIUM_PREFIX"); prefix != "" {
		return prefix + "." + subject
	}
	return subject
}

func (s *strategy) run() {
	// One channel for all subjects, so that one event is handled at a time and in order.
	arrived := make(chan *nats.Msg, 65536)
	grants := onServer("_ingenium." + s.app + ".grant")
	subjects := []string{grants}
	for symbol := range s.symbols {
		subjects = append(subjects, onServer("ingenium.ingestor.data."+strings.ToLower(symbol)))
	}
	var subscriptions []*nats.Subscription
	for _, subject := range subjects {
		subscription, err := s.nc.ChanSubscribe(subject, arrived)
		if err != nil {
			log.Fatalf("cannot subscribe to %s: %v", subject, err)
		}
		subscriptions = append(subscriptions, subscription)
	}
	if err := s.nc.Flush(); err != nil {
		log.Fatalf("cannot reach the server: %v", err)
	}
	s.sendReport() // ready

	done := make(chan os.Signal, 1)
	signal.Notify(done, syscall.SIGINT, syscall.SIGTERM)
	for {
		select {
		case <-done:
			s.drain(subscriptions, arrived, grants)
			return
		case message := <-arrived:
			if message.Subject == grants {
				if s.handleGrant(message.Data) {
					s.close()
					return
				}
			} else {
				s.report.DataHandled++
				s.handleData(message)
			}
			if len(arrived) == 0 {
				s.sendReport()
			}
		}
	}
}

// handleGrant returns whether the replay is over. A strategy needs no other grant: it handles what
// arrives. Step 0 asks who is there, and the report that follows is the answer.
func (s *strategy) handleGrant(payload []byte) bool {
	grant := &v1.LockstepGrant{}
	if err := read.Unmarshal(payload, grant); err != nil {
		log.Printf("skipped a grant that cannot be read: %v", err)
		return false
	}
	return grant.End
}

func (s *strategy) handleData(message *nats.Msg) {
	event := &v1.DataEvent{}
	unmarshal := read.Unmarshal
	if message.Header.Get("Content-Type") == binary {
		unmarshal = proto.Unmarshal
	}
	if err := unmarshal(message.Data, event); err != nil {
		log.Printf("skipped what cannot be read: %v", err)
		return
	}
	index := s.symbols[event.Symbol]
	price, err := strconv.ParseFloat(event.GetOhlc().GetClose(), 64)
	if index == nil || err != nil {
		return
	}
	value := index.Update(price)
	if value < s.buyBelow {
		s.sendSignal(event, "ingenium.signal.long")
	} else if value > s.sellAbove {
		s.sendSignal(event, "ingenium.signal.short")
	}
}

func (s *strategy) sendSignal(cause *v1.DataEvent, opinion string) {
	// An id that follows from the cause: a replay that is run again makes the same one.
	hash := sha256.Sum256([]byte(s.report.Component + cause.GetId() + opinion))
	event := &v1.SignalEvent{
		Symbol: cause.Symbol,
		Signal: opinion,
		Id:     proto.String("signal_" + hex.EncodeToString(hash[:])[:27]),
	}
	// The time of the replay, not of this machine.
	if at, err := time.Parse(time.RFC3339Nano, cause.Timestamp); err == nil {
		event.Timestamp = timestamppb.New(at)
	}
	s.publish("ingenium.strategy.signal", event, s.form)
	s.report.SignalsSent++
}

func (s *strategy) sendReport() {
	// Reports are JSON in any case.
	s.publish("_ingenium."+s.app+".report", s.report, "application/json")
}

func (s *strategy) publish(subject string, event proto.Message, form string) {
	marshal := write.Marshal
	if form == binary {
		marshal = proto.Marshal
	}
	payload, err := marshal(event)
	if err != nil {
		log.Fatalf("cannot write %v: %v", event, err)
	}
	message := nats.NewMsg(onServer(subject))
	message.Data = payload
	message.Header.Set("Ingenium-Source", s.report.Component)
	message.Header.Set("Content-Type", form)
	if err := s.nc.PublishMsg(message); err != nil {
		log.Fatalf("cannot send to %s: %v", subject, err)
	}
}

// drain handles what the server has sent already, and nothing after it.
func (s *strategy) drain(subscriptions []*nats.Subscription, arrived chan *nats.Msg, grants string) {
	for _, subscription := range subscriptions {
		if err := subscription.Drain(); err != nil {
			log.Printf("cannot drain %s: %v", subscription.Subject, err)
		}
	}
	// The server answers after all that it sent before, so that is in the channel then.
	if err := s.nc.Flush(); err != nil {
		log.Printf("cannot reach the server: %v", err)
	}
	for len(arrived) > 0 {
		if message := <-arrived; message.Subject != grants {
			s.report.DataHandled++
			s.handleData(message)
		}
	}
	s.sendReport()
	s.close()
}

// close waits until the server has what was published; Conn.Drain would not.
func (s *strategy) close() {
	if err := s.nc.Flush(); err != nil {
		log.Printf("cannot flush: %v", err)
	}
	s.nc.Close()
}
