// An RSI strategy on the original Go library, as it is: https://github.com/markwinter/ingenium
//
// The library connects to NATS_SERVER, subscribes to each symbol, and fills Id and Timestamp of
// what is sent. It reports nothing, so a replay of history gives it time instead of waiting for it
// exactly.
package main

import (
	"flag"
	"log"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"example.com/ingenium/rsi"
	ingenium "github.com/markwinter/ingenium/pkg"
	"github.com/markwinter/ingenium/pkg/strategy"
)

type Rsi struct {
	client    *strategy.StrategyClient
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

	s := &Rsi{symbols: map[string]*rsi.Rsi{}, buyBelow: *buyBelow, sellAbove: *sellAbove}
	names := strings.Split(*symbols, ",")
	for _, symbol := range names {
		s.symbols[symbol] = rsi.New(*period)
	}
	// The library hands over events from here on, each symbol in a goroutine of its own.
	s.client = strategy.NewStrategyClient(s, names)
	s.Run()
	s.Cleanup()
}

func (s *Rsi) Run() {
	done := make(chan os.Signal, 1)
	signal.Notify(done, syscall.SIGINT, syscall.SIGTERM)
	<-done
}

func (s *Rsi) Cleanup() {
	s.client.Close()
}

func (s *Rsi) Receive(event *ingenium.DataEvent) {
	index := s.symbols[event.Symbol]
	if index == nil || event.Ohlc == nil {
		return
	}
	price, err := strconv.ParseFloat(event.Ohlc.Close, 64)
	if err != nil {
		log.Printf("skipped a close that is no number: %q", event.Ohlc.Close)
		return
	}
	value := index.Update(price)
	if value < s.buyBelow {
		s.send(event.Symbol, ingenium.SignalLong)
	} else if value > s.sellAbove {
		s.send(event.Symbol, ingenium.SignalShort)
	}
}

func (s *Rsi) send(symbol string, opinion ingenium.Signal) {
	if err := s.client.SendSignalEvent(ingenium.SignalEvent{Symbol: symbol, Signal: opinion}); err != nil {
		log.Printf("cannot send a signal for %s: %v", symbol, err)
	}
}
