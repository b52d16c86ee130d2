package main

import "time"

// The structs that the README of the original Go library documents. Names, types and tags are
// the format; the SDK writes and reads what encoding/json makes of them.

type documentedData struct {
	Type      string
	Symbol    string
	Timestamp string
	Ohlc      documentedOhlc `json:",omitempty"`
}

type documentedOhlc struct {
	Open   string
	High   string
	Low    string
	Close  string
	Volume string
}

type documentedSignal struct {
	Symbol string
	Signal string
}

type documentedOrder struct {
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
	StopLoss      stopLoss
}

type stopLoss struct {
	LimitPrice string
	StopPrice  string
}

type documentedExecution struct {
	Id        string
	Timestamp time.Time
	OrderId   string
	Quantity  string
	Symbol    string
}
