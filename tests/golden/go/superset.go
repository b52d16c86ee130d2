package main

import (
	"encoding/json"
	"time"
)

// The structs that a Go program would write for the SDK's whole format, extension fields
// included. What encoding/json reads into them is what the SDK has to read.

// text is an optional string: absent is not the same as empty.
type text struct {
	set   bool
	value string
}

func (t *text) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	t.set = true
	return json.Unmarshal(data, &t.value)
}

func (t text) MarshalJSON() ([]byte, error) {
	if !t.set {
		return []byte("null"), nil
	}
	return json.Marshal(t.value)
}

// count is an optional whole number.
type count struct {
	set   bool
	value uint32
}

func (c *count) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	c.set = true
	return json.Unmarshal(data, &c.value)
}

func (c count) MarshalJSON() ([]byte, error) {
	if !c.set {
		return []byte("null"), nil
	}
	return json.Marshal(c.value)
}

// flag is an optional truth value.
type flag struct {
	set   bool
	value bool
}

func (f *flag) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	f.set = true
	return json.Unmarshal(data, &f.value)
}

func (f flag) MarshalJSON() ([]byte, error) {
	if !f.set {
		return []byte("null"), nil
	}
	return json.Marshal(f.value)
}

// moment is a time, read by time.Time itself and shown as the SDK holds it: in UTC, cut to
// microseconds, null when it is Go's zero time.
type moment struct{ time.Time }

func (m moment) MarshalJSON() ([]byte, error) {
	utc := m.UTC()
	if utc.Year() < 1 || utc.Year() > 9999 {
		return []byte(`"out of range"`), nil
	}
	utc = utc.Truncate(time.Microsecond)
	if utc.IsZero() {
		return []byte("null"), nil
	}
	return []byte(utc.Format(`"2006-01-02T15:04:05.000000Z"`)), nil
}

// bar is an optional Ohlc.
type bar struct {
	set   bool
	value struct {
		Open, High, Low, Close, Volume string
		Period                         text
		Timestamp                      moment
	}
}

func (b *bar) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	b.set = true
	return json.Unmarshal(data, &b.value)
}

func (b bar) MarshalJSON() ([]byte, error) {
	if !b.set {
		return []byte("null"), nil
	}
	return json.Marshal(b.value)
}

type supersetData struct {
	Type, Symbol, Timestamp string
	Ohlc                    bar
	Id                      text
}

type supersetSignal struct {
	Symbol, Signal string
	Id             text
	Timestamp      moment
	Strength       text
}

type supersetOrder struct {
	Id                                                          string
	Timestamp                                                   moment
	Symbol, Side, Quantity, Type, TimeInForce                   string
	ExtendedHours                                               bool
	LimitPrice, StopPrice, TakeProfit, TrailPrice, TrailPercent string
	StopLoss                                                    stopLoss
}

type supersetExecution struct {
	Id                                                      string
	Timestamp                                               moment
	OrderId, Quantity, Symbol                               string
	ExecutionTimestamp                                      moment
	Price, Update, Side, Commission, LeavesQuantity, Reason text
}

type supersetDeadLetter struct {
	Id                                        string
	Timestamp                                 moment
	Component, Reason, Error, OriginalSubject string
	Data                                      []byte
	Stream, StreamSequence, ContentType       text
}

type supersetReport struct {
	Component, Role                                               string
	DataHandled, SignalsHandled, OrdersHandled, ExecutionsHandled uint32
	DataSent, SignalsSent, OrdersSent, ExecutionsSent             uint32
	NextTime                                                      moment
	NextSymbol                                                    string
	Total                                                         count
	Error                                                         string
	Holding                                                       flag
	DenialsSent, ControlsSent, ControlsHandled                    count
}
