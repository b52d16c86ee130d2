// Command codec measures encoding/json on data events, for bench/codec.py.
//
// It reads payloads, one a line, up to an empty line. Each further line is a count of rounds over
// all payloads; the reply is the nanoseconds that Marshal and Unmarshal each took for them.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"
)

// The structs of the Go library's later code, which its components send.
type metadata struct {
	Id        string
	Timestamp time.Time
}

type dataEvent struct {
	metadata
	Type   string
	Symbol string
	Ohlc   *ohlc `json:",omitempty"`
}

type ohlc struct {
	Open      string
	High      string
	Low       string
	Close     string
	Volume    string
	Period    string
	Timestamp time.Time
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	var payloads [][]byte
	var events []dataEvent
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() && lines.Text() != "" {
		payload := append([]byte(nil), lines.Bytes()...)
		var event dataEvent
		must(json.Unmarshal(payload, &event))
		payloads = append(payloads, payload)
		events = append(events, event)
	}
	for lines.Scan() {
		rounds, err := strconv.Atoi(lines.Text())
		must(err)
		start := time.Now()
		for i := 0; i < rounds; i++ {
			for j := range events {
				_, err := json.Marshal(&events[j])
				must(err)
			}
		}
		marshal := time.Since(start)
		start = time.Now()
		for i := 0; i < rounds; i++ {
			for _, payload := range payloads {
				var event dataEvent
				must(json.Unmarshal(payload, &event))
			}
		}
		fmt.Println(marshal.Nanoseconds(), time.Since(start).Nanoseconds())
	}
	must(lines.Err())
}
