// What the runners of the conformance kit in Go share: docs/conformance.md tells the protocol.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"os"
)

type question struct {
	Id      string `json:"id"`
	Event   string `json:"event"`
	Payload []byte `json:"payload"`
}

type result struct {
	Id      string `json:"id"`
	Verdict string `json:"verdict"`
	Error   string `json:"error,omitempty"`
	Json    []byte `json:"json"`
	Binary  []byte `json:"binary"`
}

// serve answers every question on standard input with a line on standard output.
func serve(answer func(event string, payload []byte) result) {
	questions := json.NewDecoder(bufio.NewReaderSize(os.Stdin, 1<<20))
	out := bufio.NewWriter(os.Stdout)
	results := json.NewEncoder(out)
	for questions.More() {
		var asked question
		if err := questions.Decode(&asked); err != nil {
			log.Fatal(err)
		}
		answered := answer(asked.Event, asked.Payload)
		answered.Id = asked.Id
		if err := results.Encode(answered); err != nil {
			log.Fatal(err)
		}
	}
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
}
