// The conformance runner on the original Go library, which reads and writes with encoding/json.
package main

import (
	"encoding/json"
	"log"

	ingenium "github.com/markwinter/ingenium/pkg"
)

var events = map[string]func() any{
	"DataEvent":      func() any { return &ingenium.DataEvent{} },
	"SignalEvent":    func() any { return &ingenium.SignalEvent{} },
	"OrderEvent":     func() any { return &ingenium.OrderEvent{} },
	"ExecutionEvent": func() any { return &ingenium.ExecutionEvent{} },
}

func main() {
	serve(func(name string, payload []byte) result {
		empty, known := events[name]
		if !known {
			return result{Verdict: "unknown"}
		}
		event := empty()
		if err := json.Unmarshal(payload, event); err != nil {
			return result{Verdict: "refused", Error: err.Error()}
		}
		written, err := json.Marshal(event)
		if err != nil {
			log.Fatal(err)
		}
		return result{Verdict: "accepted", Json: written}
	})
}
