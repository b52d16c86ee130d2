// An executor on the original library: fills each order at one price.
package main

import (
	"flag"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	ingenium "github.com/markwinter/ingenium/pkg"
	"github.com/markwinter/ingenium/pkg/executor"
)

type FillEach struct {
	client *executor.ExecutorClient
	ready  chan struct{}
}

func main() {
	flag.String("symbols", "", "taken by all of these programs; an executor gets all orders")
	flag.Parse()

	e := &FillEach{ready: make(chan struct{})}
	e.client = executor.NewExecutorClient(e)
	close(e.ready)
	e.Run()
	e.Cleanup()
}

func (e *FillEach) ReceiveOrder(order *ingenium.OrderEvent) {
	<-e.ready // The library calls this before it has returned the client.
	event := ingenium.ExecutionEvent{
		ExecutionTimestamp: time.Now(),
		OrderId:            order.Id,
		Symbol:             order.Symbol,
		Quantity:           order.Quantity,
		Price:              "100.25",
		Update:             ingenium.TradeFilled,
	}
	if err := e.client.SendExecutionEvent(event); err != nil {
		log.Printf("cannot send an execution: %v", err)
	}
}

func (e *FillEach) Run() {
	done := make(chan os.Signal, 1)
	signal.Notify(done, syscall.SIGINT, syscall.SIGTERM)
	<-done
}

func (e *FillEach) Cleanup() {
	e.client.Close()
}
