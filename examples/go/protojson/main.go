// An RSI strategy on the Go library of this repository, a full member of a replay.
package main

import (
	"flag"
	"log"
	"strings"

	"example.com/ingenium/rsi"
	ingenium "github.com/markwinter/ingenium/go"
)

func main() {
	symbols := flag.String("symbols", "", "symbols to trade, such as AAPL,IBM")
	period := flag.Int("period", 2, "length of the index, in bars")
	buyBelow := flag.Float64("buy-below", 5, "long below this")
	sellAbove := flag.Float64("sell-above", 95, "short above this")
	flag.Parse()
	if *symbols == "" {
		log.Fatal("no symbols: pass -symbols AAPL,IBM")
	}
	names := strings.Split(*symbols, ",")
	indexes := map[string]*rsi.Rsi{}
	for _, name := range names {
		indexes[name] = rsi.New(*period)
	}
	err := ingenium.RunStrategy(names, func(c *ingenium.Component, bar *ingenium.Bar) error {
		value := indexes[bar.Symbol].Update(bar.Close)
		if value < *buyBelow {
			return c.Signal(bar.Symbol, ingenium.Long)
		} else if value > *sellAbove {
			return c.Signal(bar.Symbol, ingenium.Short)
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
}
