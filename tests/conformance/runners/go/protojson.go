// The conformance runner on the Go library, which reads and writes with protojson.
package main

import (
	"log"

	ingenium "github.com/markwinter/ingenium/go"
	v1 "github.com/markwinter/ingenium/go/gen/ingenium/v1"
	"google.golang.org/protobuf/proto"
)

var events = map[string]func() proto.Message{
	"DataEvent":       func() proto.Message { return &v1.DataEvent{} },
	"SignalEvent":     func() proto.Message { return &v1.SignalEvent{} },
	"OrderEvent":      func() proto.Message { return &v1.OrderEvent{} },
	"CancelEvent":     func() proto.Message { return &v1.CancelEvent{} },
	"ReplaceEvent":    func() proto.Message { return &v1.ReplaceEvent{} },
	"ExecutionEvent":  func() proto.Message { return &v1.ExecutionEvent{} },
	"DenialEvent":     func() proto.Message { return &v1.DenialEvent{} },
	"ControlEvent":    func() proto.Message { return &v1.ControlEvent{} },
	"DeadLetterEvent": func() proto.Message { return &v1.DeadLetterEvent{} },
}

func main() {
	serve(func(name string, payload []byte) result {
		empty, known := events[name]
		if !known {
			return result{Verdict: "unknown"}
		}
		event := empty()
		if err := ingenium.Unmarshal(payload, event); err != nil {
			return result{Verdict: "refused", Error: err.Error()}
		}
		// The empty message has no bytes, which is not the same as having no answer.
		binary, err := proto.MarshalOptions{}.MarshalAppend([]byte{}, event)
		if err != nil {
			log.Fatal(err)
		}
		written, err := ingenium.Marshal(event)
		if err != nil {
			return result{Verdict: "accepted", Binary: binary, Error: err.Error()}
		}
		return result{Verdict: "accepted", Binary: binary, Json: written}
	})
}
