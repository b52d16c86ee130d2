// Lists all NATS micro services with the client's own types, as `nats micro ls` and `nats micro
// stats` do, one line of JSON each.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

func main() {
	nc, err := nats.Connect(os.Getenv("NATS_SERVER"))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	infos, stats := map[string]micro.Info{}, map[string]micro.Stats{}
	ask(nc, micro.InfoVerb, func(data []byte) {
		var info micro.Info
		read(data, &info)
		infos[info.ID] = info
	})
	ask(nc, micro.StatsVerb, func(data []byte) {
		var each micro.Stats
		read(data, &each)
		stats[each.ID] = each
	})
	ask(nc, micro.PingVerb, func(data []byte) {
		var ping micro.Ping
		read(data, &ping)
		line, err := json.Marshal(map[string]any{
			"ping": ping, "info": infos[ping.ID], "stats": stats[ping.ID],
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(line))
	})
}

func read(data []byte, into any) {
	if err := json.Unmarshal(data, into); err != nil {
		log.Fatalf("%v: %s", err, data)
	}
}

// ask calls a function for each answer, until none has come for a second.
func ask(nc *nats.Conn, verb micro.Verb, take func([]byte)) {
	subject, err := micro.ControlSubject(verb, "", "")
	if err != nil {
		log.Fatal(err)
	}
	inbox := nc.NewInbox()
	answers, err := nc.SubscribeSync(inbox)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = answers.Unsubscribe() }()
	if err := nc.PublishRequest(subject, inbox, nil); err != nil {
		log.Fatal(err)
	}
	for {
		message, err := answers.NextMsg(time.Second)
		if err != nil {
			return
		}
		take(message.Data)
	}
}
