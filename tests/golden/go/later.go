package main

import "time"

// The structs of the library's later code, which components built with it send and read: all
// events carry an id and a time, and some carry more.

type metadata struct {
	Id        string
	Timestamp time.Time
}

type laterData struct {
	metadata
	Type   string
	Symbol string
	Ohlc   *laterOhlc `json:",omitempty"`
}

type laterOhlc struct {
	Open      string
	High      string
	Low       string
	Close     string
	Volume    string
	Period    string
	Timestamp time.Time
}

type laterSignal struct {
	metadata
	Symbol string
	Signal string
}

type laterOrder struct {
	metadata
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

type laterExecution struct {
	metadata
	ExecutionTimestamp time.Time
	OrderId            string
	Symbol             string
	Quantity           string
	Price              string
	Update             string
}
