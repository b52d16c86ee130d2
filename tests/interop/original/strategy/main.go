// A strategy on the original library: a signal for each bar.
package main

import (
	"flag"
	"log"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	ingenium "github.com/markwinter/ingenium/pkg"
	"github.com/markwinter/ingenium/pkg/strategy"
)

type EachBar struct {
	client *strategy.StrategyClient
	ready  chan struct{}
	lock   sync.Mutex
	seen   map[string]int
}

func main() {
	symbols := flag.String("symbols", "AAPL", "symbols to trade, such as AAPL,IBM")
	flag.Parse()

	s := &EachBar{ready: make(chan struct{}), seen: map[string]int{}}
	s.client = strategy.NewStrategyClient(s, strings.Split(*symbols, ","))
	close(s.ready)
	s.Run()
	s.Cleanup()
}

func (s *EachBar) Receive(event *ingenium.DataEvent) {
	<-s.ready // The library calls this before it has returned the client.
	s.lock.Lock()
	s.seen[event.Symbol]++
	opinion := ingenium.SignalShort
	if s.seen[event.Symbol]%2 == 1 {
		opinion = ingenium.SignalLong
	}
	s.lock.Unlock()
	if err := s.client.SendSignalEvent(ingenium.SignalEvent{Symbol: event.Symbol, Signal: opinion}); err != nil {
		log.Printf("cannot send a signal: %v", err)
	}
}

func (s *EachBar) Run() {
	done := make(chan os.Signal, 1)
	signal.Notify(done, syscall.SIGINT, syscall.SIGTERM)
	<-done
}

func (s *EachBar) Cleanup() {
	s.client.Close()
}
