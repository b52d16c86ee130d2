// A portfolio on the original library: an order for each signal.
//
// Its client's SendOrder fills in a copy and publishes nothing, so the order is published here.
package main

import (
	"flag"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	ingenium "github.com/markwinter/ingenium/pkg"
	"github.com/markwinter/ingenium/pkg/portfolio"
	"github.com/nats-io/nats.go"
	"github.com/segmentio/ksuid"
)

type EachSignal struct {
	client *portfolio.PortfolioClient
	orders *nats.EncodedConn
}

func main() {
	flag.String("symbols", "", "taken by all of these programs; a portfolio gets all signals")
	flag.Parse()

	server := os.Getenv("NATS_SERVER")
	if server == "" {
		server = nats.DefaultURL
	}
	connection, err := nats.Connect(server)
	if err != nil {
		log.Fatal(err)
	}
	p := &EachSignal{}
	if p.orders, err = nats.NewEncodedConn(connection, nats.JSON_ENCODER); err != nil {
		log.Fatal(err)
	}
	p.client = portfolio.NewPortfolioClient(p)
	p.Run()
	p.Cleanup()
}

func (p *EachSignal) ReceiveSignal(event *ingenium.SignalEvent) {
	side := ingenium.BuySide
	if event.Signal == ingenium.SignalShort {
		side = ingenium.SellSide
	}
	order := ingenium.OrderEvent{
		EventMetadata: ingenium.EventMetadata{Id: "order_" + ksuid.New().String(), Timestamp: time.Now()},
		Symbol:        event.Symbol,
		Side:          side,
		Quantity:      "1",
		Type:          ingenium.MarketOrderType,
		TimeInForce:   ingenium.GtcTimeInForce,
	}
	if err := p.orders.Publish(ingenium.OrderEventType, order); err != nil {
		log.Printf("cannot send an order: %v", err)
	}
}

func (p *EachSignal) ReceiveExecution(event *ingenium.ExecutionEvent) {}

func (p *EachSignal) Run() {
	done := make(chan os.Signal, 1)
	signal.Notify(done, syscall.SIGINT, syscall.SIGTERM)
	<-done
}

func (p *EachSignal) Cleanup() {
	p.client.Close()
	p.orders.Close()
}
