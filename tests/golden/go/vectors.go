package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

const (
	dataId   = "data_2YvmpUh3PgXRhQ8yhXTdRnF0vDB"
	signalId = "signal_2YvmpUh3PgXRhQ8yhXTdRnF0vDC"
	orderId  = "order_2YvmpUh3PgXRhQ8yhXTdRnF0vDD"
	execId   = "exec_2YvmpUh3PgXRhQ8yhXTdRnF0vDE"
)

var (
	whole    = time.Date(2024, 1, 3, 21, 0, 0, 0, time.UTC)
	fraction = time.Date(2024, 1, 3, 21, 0, 0, 120_000_000, time.UTC)
	nanos    = time.Date(2024, 1, 3, 21, 0, 0, 123_456_789, time.UTC)
	newYork  = time.Date(2024, 1, 3, 16, 0, 0, 0, time.FixedZone("", -5*60*60))
)

// What each file under documented/ holds. Python writes the same bytes for the same event.
var documented = map[string]any{
	"data_bar": documentedData{
		"data.type.ohlc", "AAPL", "2024-01-03T21:00:00Z",
		documentedOhlc{"184.22", "185.88", "183.43", "184.25", "58414500"},
	},
	"data_dotted_symbol": documentedData{
		"data.type.ohlc", "BRK.B", "2024-01-03T21:00:00Z",
		documentedOhlc{"0.00001", "0.00002", "0.00001", "0.000015", ""},
	},
	"data_html": documentedData{
		"data.type.<ohlc>", "M&M.NS", "\u2028 and \u2029", documentedOhlc{"1", "1", "1", "1", "1"},
	},
	"data_empty":    documentedData{},
	"signal_long":   documentedSignal{"AAPL", "ingenium.signal.long"},
	"signal_short":  documentedSignal{"EURUSD=X", "ingenium.signal.short"},
	"signal_text":   documentedSignal{"日経225 \U0001F4C8", "tab\t quote\" slash/ back\\ bell\a del\x7f\b\f"},
	"order_empty":   documentedOrder{},
	"order_market":  documentedOrder{Id: orderId, Timestamp: whole, Symbol: "AAPL", Side: "buy", Quantity: "10", Type: "market", TimeInForce: "day"},
	"order_limit":   documentedOrder{Id: orderId, Timestamp: fraction, Symbol: "AAPL", Side: "sell", Quantity: "0.5", Type: "limit", TimeInForce: "gtc", ExtendedHours: true, LimitPrice: "184.25"},
	"order_bracket": documentedOrder{Id: orderId, Timestamp: whole, Symbol: "AAPL", Side: "buy", Quantity: "10", Type: "limit", TimeInForce: "day", LimitPrice: "184.25", TakeProfit: "200", StopLoss: stopLoss{"169.5", "170"}},
	"order_trailing": documentedOrder{Id: orderId, Timestamp: whole, Symbol: "AAPL", Side: "sell", Quantity: "10", Type: "trailing_stop",
		TimeInForce: "gtc", StopPrice: "1", TrailPrice: "5", TrailPercent: "2.5"},
	"execution_empty": documentedExecution{},
	"execution_fill":  documentedExecution{execId, whole, orderId, "10", "AAPL"},
	// The library's own executor names no symbol.
	"execution_no_symbol": documentedExecution{execId, fraction, orderId, "10", ""},
}

// What each file under later/ holds. Python reads them; it writes keys in another order, and
// leaves out what is empty among the extension fields.
var later = map[string]any{
	"data_bar": laterData{
		metadata{dataId, whole}, "data.type.ohlc", "AAPL",
		&laterOhlc{"184.22", "185.88", "183.43", "184.25", "58414500", "1d", newYork},
	},
	"data_no_bar":       laterData{metadata{dataId, nanos}, "data.type.news", "AAPL", nil},
	"signal_long":       laterSignal{metadata{signalId, nanos}, "AAPL", "ingenium.signal.long"},
	"order_market":      laterOrder{metadata: metadata{orderId, newYork}, Symbol: "AAPL", Side: "buy", Quantity: "10", Type: "market", TimeInForce: "day"},
	"execution_fill":    laterExecution{metadata{execId, whole}, newYork, orderId, "AAPL", "10", "184.25", "filled"},
	"execution_no_time": laterExecution{metadata{execId, whole}, time.Time{}, orderId, "", "10", "", ""},
}

func writeVectors(folder string) error {
	for kind, vectors := range map[string]map[string]any{"documented": documented, "later": later} {
		if err := os.MkdirAll(filepath.Join(folder, kind), 0o755); err != nil {
			return err
		}
		for name, value := range vectors {
			payload, err := json.Marshal(value)
			if err != nil {
				return err
			}
			path := filepath.Join(folder, kind, name+".json")
			if err := os.WriteFile(path, payload, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}
