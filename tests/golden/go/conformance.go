package main

import (
	"encoding/json"
	"fmt"
	"io"
)

// A vector of the conformance kit as its runners get it; docs/conformance.md tells the protocol.
type vector struct {
	Id      string `json:"id"`
	Event   string `json:"event"`
	Payload []byte `json:"payload"`
}

type result struct {
	Id      string `json:"id"`
	Verdict string `json:"verdict"`
	Error   string `json:"error,omitempty"`
	Json    []byte `json:"json"`
}

// conform reads vectors into the structs of one form, "documented" or "later".
func conform(which string, in io.Reader, out io.Writer) error {
	if which != "documented" && which != "later" {
		return fmt.Errorf("no form %q: documented or later", which)
	}
	vectors := json.NewDecoder(in)
	results := json.NewEncoder(out)
	for vectors.More() {
		var one vector
		if err := vectors.Decode(&one); err != nil {
			return err
		}
		form := events[one.Event].documented
		if which == "later" {
			form = events[one.Event].later
		}
		if err := results.Encode(tell(one, read(one.Payload, form))); err != nil {
			return err
		}
	}
	return nil
}

func tell(one vector, got *reading) result {
	switch {
	case got == nil:
		return result{Id: one.Id, Verdict: "unknown"}
	case got.Problem != "":
		return result{Id: one.Id, Verdict: "refused", Error: got.Problem}
	}
	return result{Id: one.Id, Verdict: "accepted", Json: got.Written}
}
