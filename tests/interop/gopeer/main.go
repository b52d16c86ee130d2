// A component in Go as the interop tests need one: it says what it hears, and sends what it is told.
//
//	gopeer FORM
//
// FORM is "documented", "later", "protojson" or "binary". It prints "ready" when it has subscribed to all four
// kinds of events, then a line of JSON for each that arrives: {"Kind", "Event"}, the event as Go's
// types hold it. Each line on its standard input, of the same form, is read into those types and
// published. It ends with its input.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"
	"sync"

	v1 "github.com/markwinter/ingenium/go/gen/ingenium/v1"
	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

var subjects = map[string]string{
	"data":      "ingenium.ingestor.data.",
	"signal":    "ingenium.strategy.signal",
	"order":     "ingenium.portfolio.order",
	"execution": "ingenium.executor.execution",
}

type line struct {
	Kind  string
	Event json.RawMessage
}

var printing sync.Mutex

func say(kind string, event []byte) {
	text, err := json.Marshal(line{kind, event})
	if err != nil {
		log.Fatal(err)
	}
	printing.Lock()
	defer printing.Unlock()
	fmt.Println(string(text))
}

func main() {
	form := os.Args[1]
	nc, err := nats.Connect(os.Getenv("NATS_SERVER"))
	if err != nil {
		log.Fatal(err)
	}
	if form == "protojson" || form == "binary" {
		generated(nc, form == "binary")
	} else {
		structs(nc, map[string]func(string) any{"documented": documented, "later": later}[form])
	}
}

// structs speaks as the original library does: an EncodedConn over plain structs.
func structs(nc *nats.Conn, empty func(string) any) {
	ec, err := nats.NewEncodedConn(nc, nats.JSON_ENCODER)
	if err != nil {
		log.Fatal(err)
	}
	hear(nc, func(kind string, message *nats.Msg) ([]byte, error) {
		event := empty(kind)
		if err := ec.Enc.Decode(subjects[kind], message.Data, event); err != nil {
			return nil, err
		}
		return json.Marshal(event)
	})
	send(nc, func(said line) {
		event := empty(said.Kind)
		if err := json.Unmarshal(said.Event, event); err != nil {
			log.Fatal(err)
		}
		if err := ec.Publish(subjectOf(said), event); err != nil {
			log.Fatal(err)
		}
	})
}

// generated speaks with the types that `buf generate` makes: it reads what a message says it is, and
// writes protobuf's own JSON or its binary form.
func generated(nc *nats.Conn, binary bool) {
	empty := func(kind string) proto.Message {
		switch kind {
		case "data":
			return &v1.DataEvent{}
		case "signal":
			return &v1.SignalEvent{}
		case "order":
			return &v1.OrderEvent{}
		default:
			return &v1.ExecutionEvent{}
		}
	}
	write := protojson.MarshalOptions{EmitDefaultValues: true}
	hear(nc, func(kind string, message *nats.Msg) ([]byte, error) {
		event := empty(kind)
		unmarshal := protojson.Unmarshal
		if message.Header.Get("Content-Type") == "application/protobuf" {
			unmarshal = proto.Unmarshal
		}
		if err := unmarshal(message.Data, event); err != nil {
			return nil, err
		}
		return write.Marshal(event)
	})
	send(nc, func(said line) {
		event := empty(said.Kind)
		if err := protojson.Unmarshal(said.Event, event); err != nil {
			log.Fatal(err)
		}
		message := nats.NewMsg(subjectOf(said))
		marshal := write.Marshal
		if binary {
			marshal = proto.Marshal
			message.Header.Set("Content-Type", "application/protobuf")
		}
		var err error
		if message.Data, err = marshal(event); err != nil {
			log.Fatal(err)
		}
		if err := nc.PublishMsg(message); err != nil {
			log.Fatal(err)
		}
	})
}

func subjectOf(said line) string {
	var named struct{ Symbol string }
	if err := json.Unmarshal(said.Event, &named); err != nil {
		log.Fatal(err)
	}
	if said.Kind == "data" {
		return subjects["data"] + strings.ToLower(named.Symbol)
	}
	return subjects[said.Kind]
}

func hear(nc *nats.Conn, read func(kind string, message *nats.Msg) ([]byte, error)) {
	for kind, subject := range subjects {
		if kind == "data" {
			subject += ">"
		}
		_, err := nc.Subscribe(subject, func(message *nats.Msg) {
			event, err := read(kind, message)
			if err != nil {
				event, _ = json.Marshal(map[string]string{"Error": err.Error()})
			}
			say(kind, event)
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready")
}

func send(nc *nats.Conn, publish func(line)) {
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		var said line
		if err := json.Unmarshal(input.Bytes(), &said); err != nil {
			log.Fatal(err)
		}
		publish(said)
		if err := nc.Flush(); err != nil {
			log.Fatal(err)
		}
	}
}
