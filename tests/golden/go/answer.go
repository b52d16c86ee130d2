package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// A question is a payload and the name of the event that it is meant to be.
type question struct {
	Event   string
	Payload []byte
}

// A reading is what encoding/json made of a payload: a problem, or the bytes that it writes of the
// value. Both are missing for a value that it reads but cannot write, such as the year 10000.
type reading struct {
	Problem string `json:",omitempty"`
	Written []byte `json:",omitempty"`
}

// A reply holds the readings into each form of the event; forms that do not exist are left out.
// Superset shows the value as the SDK holds it; the others are what Go would send on.
type reply struct {
	Superset   *reading `json:",omitempty"`
	Documented *reading `json:",omitempty"`
	Later      *reading `json:",omitempty"`
}

type forms struct {
	superset, documented, later func() any
}

var events = map[string]forms{
	"DataEvent": {
		func() any { return new(supersetData) },
		func() any { return new(documentedData) },
		func() any { return new(laterData) },
	},
	"SignalEvent": {
		func() any { return new(supersetSignal) },
		func() any { return new(documentedSignal) },
		func() any { return new(laterSignal) },
	},
	"OrderEvent": {
		func() any { return new(supersetOrder) },
		func() any { return new(documentedOrder) },
		func() any { return new(laterOrder) },
	},
	"ExecutionEvent": {
		func() any { return new(supersetExecution) },
		func() any { return new(documentedExecution) },
		func() any { return new(laterExecution) },
	},
	"DeadLetterEvent": {superset: func() any { return new(supersetDeadLetter) }},
	"LockstepReport":  {superset: func() any { return new(supersetReport) }},
}

func read(payload []byte, form func() any) *reading {
	if form == nil {
		return nil
	}
	target := form()
	if err := json.Unmarshal(payload, target); err != nil {
		return &reading{Problem: err.Error()}
	}
	value, err := json.Marshal(target)
	if err != nil {
		return &reading{}
	}
	return &reading{Written: value}
}

// answer replies to one question a line, one line each.
func answer(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<20)
	buffered := bufio.NewWriter(out)
	defer buffered.Flush()
	replies := json.NewEncoder(buffered)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			return err
		}
		event, known := events[asked.Event]
		if !known {
			return fmt.Errorf("no event %q", asked.Event)
		}
		err := replies.Encode(reply{
			read(asked.Payload, event.superset),
			read(asked.Payload, event.documented),
			read(asked.Payload, event.later),
		})
		if err != nil {
			return err
		}
	}
	return lines.Err()
}
