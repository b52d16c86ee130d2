// An RSI strategy on structs of one's own and a plain NATS client: nothing of Ingenium is needed.
//
// It reports nothing, so a replay of history gives it time instead of waiting for it exactly.
package main

import (
	"encoding/json"
	"flag"
	"log"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"example.com/ingenium/rsi"
	"github.com/nats-io/nats.go"
)

// DataEvent and SignalEvent are the structs that the format's documentation shows. JSON names are
// the field names.
type DataEvent struct {
	Type      string
	Symbol    string
	Timestamp string
	Ohlc      Ohlc
}

type Ohlc struct {
	Open, High, Low, Close, Volume string
}

type SignalEvent struct {
	Symbol string
	Signal string
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

	server := os.Getenv("NATS_SERVER")
	if server == "" {
		server = nats.DefaultURL
	}
	closed := make(chan struct{})
	onClosed := nats.ClosedHandler(func(*nats.Conn) { close(closed) })
	nc, err := nats.Connect(server, nats.Name("rsi-structs"), onClosed)
	if err != nil {
		log.Fatalf("cannot connect: %v", err)
	}

	for _, symbol := range strings.Split(*symbols, ",") {
		index := rsi.New(*period) // each subscription has a goroutine of its own
		subject := "ingenium.ingestor.data." + strings.ToLower(symbol)
		_, err := nc.Subscribe(subject, func(message *nats.Msg) {
			var event DataEvent
			if err := json.Unmarshal(message.Data, &event); err != nil {
				log.Printf("skipped what cannot be read: %v", err)
				return
			}
			price, err := strconv.ParseFloat(event.Ohlc.Close, 64)
			if err != nil || event.Symbol != symbol {
				return
			}
			value := index.Update(price)
			if value < *buyBelow {
				send(nc, SignalEvent{symbol, "ingenium.signal.long"})
			} else if value > *sellAbove {
				send(nc, SignalEvent{symbol, "ingenium.signal.short"})
			}
		})
		if err != nil {
			log.Fatalf("cannot subscribe to %s: %v", subject, err)
		}
	}

	done := make(chan os.Signal, 1)
	signal.Notify(done, syscall.SIGINT, syscall.SIGTERM)
	<-done
	if err := nc.Drain(); err != nil {
		log.Fatalf("cannot drain: %v", err)
	}
	<-closed // Drain only begins it
}

func send(nc *nats.Conn, event SignalEvent) {
	payload, err := json.Marshal(event)
	if err != nil {
		log.Fatalf("cannot write %v: %v", event, err)
	}
	message := nats.NewMsg("ingenium.strategy.signal")
	message.Data = payload
	message.Header.Set("Ingenium-Source", os.Getenv("INGENIUM_COMPONENT"))
	if err := nc.PublishMsg(message); err != nil {
		log.Printf("cannot send %v: %v", event, err)
	}
}
