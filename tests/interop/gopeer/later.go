package main

import "time"

// The structs of the original library's later code: metadata in all, and more fields in some.
type (
	metadata struct {
		Id        string
		Timestamp time.Time
	}
	laterData struct {
		metadata
		Type   string
		Symbol string
		Ohlc   *laterOhlc `json:",omitempty"`
	}
	laterOhlc struct {
		Open, High, Low, Close, Volume string
		Period                         string
		Timestamp                      time.Time
	}
	laterSignal struct {
		metadata
		Symbol string
		Signal string
	}
	laterExecution struct {
		metadata
		ExecutionTimestamp time.Time
		OrderId            string
		Symbol             string
		Quantity           string
		Price              string
		Update             string
	}
)

func later(kind string) any {
	switch kind {
	case "data":
		return &laterData{}
	case "signal":
		return &laterSignal{}
	case "order":
		return &documentedOrder{} // the same fields, two of them embedded
	default:
		return &laterExecution{}
	}
}
