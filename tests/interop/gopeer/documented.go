package main

import "time"

// The structs as the documentation of the original library shows them.
type (
	documentedData struct {
		Type      string
		Symbol    string
		Timestamp string
		Ohlc      documentedOhlc `json:",omitempty"`
	}
	documentedOhlc struct {
		Open, High, Low, Close, Volume string
	}
	documentedSignal struct {
		Symbol string
		Signal string
	}
	documentedOrder struct {
		Id            string
		Timestamp     time.Time
		Symbol        string
		Side          string
		Quantity      string
		Type          string
		TimeInForce   string
		ExtendedHours bool
		LimitPrice    string
		StopPrice     string
		TakeProfit    string
		TrailPrice    string
		TrailPercent  string
		StopLoss      documentedStopLoss
	}
	documentedStopLoss struct {
		LimitPrice string
		StopPrice  string
	}
	documentedExecution struct {
		Id        string
		Timestamp time.Time
		OrderId   string
		Quantity  string
		Symbol    string
	}
)

func documented(kind string) any {
	switch kind {
	case "data":
		return &documentedData{}
	case "signal":
		return &documentedSignal{}
	case "order":
		return &documentedOrder{}
	default:
		return &documentedExecution{}
	}
}
