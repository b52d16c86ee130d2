// An ingestor on the original library: sends bars at full speed, and ends.
package main

import (
	"flag"
	"fmt"
	"log"
	"strings"
	"time"

	ingenium "github.com/markwinter/ingenium/pkg"
	"github.com/markwinter/ingenium/pkg/ingestor"
)

func main() {
	symbols := flag.String("symbols", "AAPL", "symbols to send, such as AAPL,IBM")
	count := flag.Int("count", 100, "how many bars to send in all")
	flag.Parse()

	client := ingestor.NewIngestorClient()
	defer client.Close()
	names := strings.Split(*symbols, ",")
	start := time.Date(2024, 1, 2, 14, 30, 0, 0, time.UTC)
	for number := 0; number < *count; number++ {
		price := fmt.Sprintf("%f", 100+float64(number%7)/4)
		event := ingenium.DataEvent{
			Type:   ingenium.DataTypeOhlc,
			Symbol: names[number%len(names)],
			Ohlc: &ingenium.DataOhlc{
				Open: price, High: price, Low: price, Close: price,
				Volume: "1000000", Period: "1Min",
				Timestamp: start.Add(time.Duration(number/len(names)) * time.Minute),
			},
		}
		if err := client.SendDataEvent(event); err != nil {
			log.Printf("cannot send a bar: %v", err)
		}
	}
}
