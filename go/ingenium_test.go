package ingenium

import (
	"math"
	"strings"
	"testing"
	"time"

	v1 "github.com/markwinter/ingenium/go/gen/ingenium/v1"
	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"
)

// The ids are those that ingenium.ids.make_id gives in Python.
func TestMakeIDGivesTheIdsOfThePythonSDK(t *testing.T) {
	for _, step := range []struct {
		want   string
		prefix string
		cause  []string
	}{
		{"signal_1m2iPYBGUAWA0m057rxICiJwAqw", "signal", []string{"rsi", "data_1", "0"}},
		{"signal_eEJzEHqagye5JVXykGJTcu0u6ho", "signal", []string{`r\si`, "data_1", "0"}},
		{"signal_pC0GpIDnG6n83PjeQ9giroVsxWP", "signal", []string{"r\x1fsi", "data_1", "0"}},
	} {
		if got := MakeID(step.prefix, step.cause...); got != step.want {
			t.Errorf("%q: got %s, want %s", step.cause, got, step.want)
		}
	}
}

// The table of docs/wire-format.md.
func TestDataSubjectIsThatOfTheWireFormat(t *testing.T) {
	for symbol, want := range map[string]string{
		"BRK.B": "brk.b", "EUR/USD": "eur/usd", "^GSPC": "^gspc", "ES=F": "es=f",
		"BRK B": "brk%20b", "ES Z4": "es%20z4", "BRK%20B": "brk%2520b",
	} {
		got, err := DataSubject(symbol)
		if err != nil || got != "ingenium.ingestor.data."+want {
			t.Errorf("%q: got %q, %v", symbol, got, err)
		}
	}
	for _, symbol := range []string{"", " A", "A ", "A\tB", "A*", ">", ".A", "A..B", strings.Repeat("A", 65)} {
		if got, err := DataSubject(symbol); err == nil {
			t.Errorf("%q: got %q, want an error", symbol, got)
		}
	}
}

func TestCovers(t *testing.T) {
	for _, step := range []struct {
		pattern, subject string
		want             bool
	}{
		{"a.b", "a.b", true}, {"a.b", "a.c", false}, {"a.b", "a.b.c", false}, {"a.b.c", "a.b", false},
		{"a.*", "a.b", true}, {"a.*", "a.b.c", false}, {"a.>", "a.b.c", true}, {"a.>", "a", false},
		{"a.*", "a.>", false}, {"a.>", "a.*", true},
	} {
		if got := covers(step.pattern, step.subject); got != step.want {
			t.Errorf("%s, %s: got %v", step.pattern, step.subject, got)
		}
	}
}

func TestPatternsCountWhatAReplayCountsAndNothingTwice(t *testing.T) {
	c := &Component{role: Executor, exact: map[string][]handler{}}
	if err := c.OnBar([]string{"AAPL", "aapl", "IBM"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := On[v1.OrderEvent](c, nil); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, each := range c.patterns() {
		if got[each] {
			t.Errorf("%s stands there twice", each)
		}
		got[each] = true
	}
	want := []string{"ingenium.ingestor.data.aapl", "ingenium.ingestor.data.ibm", "ingenium.portfolio.*"}
	for _, each := range want {
		if !got[each] {
			t.Errorf("%s is missing", each)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %v", got)
	}
}

func TestDecimals(t *testing.T) {
	for text, want := range map[string]float64{"185.25": 185.25, "1e-05": 0.00001, "1E+6": 1000000, "-3": -3} {
		if got, err := ParseDecimal(text); err != nil || got != want {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "NaN", "inf", "0x10", "1_000", " 1", "1,5"} {
		if got, err := ParseDecimal(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
	for value, want := range map[float64]string{0.00001: "0.00001", 1e21: "1000000000000000000000", 185.25: "185.25"} {
		if got, err := FormatDecimal(value); err != nil || got != want {
			t.Errorf("%v: got %q, %v", value, got, err)
		}
	}
	if got, err := FormatDecimal(math.NaN()); err == nil {
		t.Errorf("got %q, want an error", got)
	}
}

func TestParsePeriod(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"5m": 5 * time.Minute, "1d": 24 * time.Hour, "1w": 168 * time.Hour, "250ms": 250 * time.Millisecond,
		"1h30m0s": 90 * time.Minute, "": 0, "1mo": 0, "-5m": 0, "what": 0, "999999999w": 0,
	} {
		if got := ParsePeriod(text); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

func TestNewBar(t *testing.T) {
	bar, err := NewBar(&v1.DataEvent{
		Symbol:    "AAPL",
		Timestamp: "2024-01-03T14:30:00.5+01:00",
		Ohlc:      &v1.Ohlc{Open: "1e2", Close: "101.5", Period: proto.String("1d")},
	})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2024, 1, 3, 13, 30, 0, 500_000_000, time.UTC)
	if bar.Open != 100 || bar.Close != 101.5 || !math.IsNaN(bar.High) || bar.Period != 24*time.Hour || !bar.Time.Equal(at) {
		t.Errorf("got %+v", bar)
	}
	if _, err := NewBar(&v1.DataEvent{Ohlc: &v1.Ohlc{Close: "much"}}); err == nil {
		t.Error("a close that is no number was taken")
	}
}

func TestChooseLooksAtTheCaseOfASymbolWhereTheSenderSaysWhoItIs(t *testing.T) {
	for _, step := range []struct {
		symbol, source, want string
		chosen               bool
	}{
		{"AAPL", "csv", "AAPL", true}, {"aapl", "csv", "", false}, {"aapl", "", "AAPL", true}, {"IBM", "", "", false},
	} {
		got, chosen := choose([]string{"AAPL"}, step.symbol, step.source)
		if got != step.want || chosen != step.chosen {
			t.Errorf("%+v: got %q, %v", step, got, chosen)
		}
	}
}

func TestCauseGivesIdAndTime(t *testing.T) {
	var c cause
	message := &nats.Msg{}
	event := &v1.DataEvent{Id: proto.String("data_1"), Timestamp: "2024-01-03T14:30:00Z"}
	c.set(event, message)
	first, second := &v1.SignalEvent{Symbol: "A"}, &v1.SignalEvent{Symbol: "B"}
	c.complete("rsi", first)
	c.set(event, message) // a second handler of the same message goes on counting
	c.complete("rsi", second)
	if first.GetId() != "signal_1m2iPYBGUAWA0m057rxICiJwAqw" || second.GetId() == first.GetId() {
		t.Errorf("got %s, %s", first.GetId(), second.GetId())
	}
	if at := first.Timestamp.AsTime(); !at.Equal(time.Date(2024, 1, 3, 14, 30, 0, 0, time.UTC)) {
		t.Errorf("got %v", at)
	}
	c.set(&v1.DataEvent{Timestamp: "2024-01-03T14:30:00Z"}, &nats.Msg{Data: []byte("{}")})
	if c.id != "cause_446OyRgkD2u7526qVhsSscZL9Kf" {
		t.Errorf("got %s for an event without an id", c.id)
	}
	given := &v1.SignalEvent{Id: proto.String("signal_mine")}
	c.complete("rsi", given)
	if given.GetId() != "signal_mine" {
		t.Errorf("got %s in place of an id that was given", given.GetId())
	}
}

func TestUnmarshalAsReadsWhatTheHeaderSays(t *testing.T) {
	event := &v1.SignalEvent{Symbol: "AAPL", Signal: Long}
	for _, form := range []string{contentJSON, contentBinary} {
		payload, err := marshalAs(form, event)
		if err != nil {
			t.Fatal(err)
		}
		got := &v1.SignalEvent{}
		if err := unmarshalAs([]string{form + "; charset=utf-8"}, payload, got); err != nil || !proto.Equal(got, event) {
			t.Errorf("%s: got %v, %v", form, got, err)
		}
	}
	for _, forms := range [][]string{{"text/plain"}, {contentJSON, contentBinary}} {
		if err := unmarshalAs(forms, []byte("{}"), event); err == nil {
			t.Errorf("%v was taken", forms)
		}
	}
}

func TestSettingsRefuseToSendPasswordsInTheClear(t *testing.T) {
	for server, taken := range map[string]bool{
		"nats://127.0.0.1:4222": true, "localhost": true, "tls://nats.example.com": true,
		"nats://u:secret@nats.example.com": false, "127.0.0.1,other:4222": false,
	} {
		err := Settings{Server: server, ContentType: contentJSON}.check()
		if (err == nil) != taken {
			t.Errorf("%s: %v", server, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error repeats the password: %v", err)
		}
	}
	if err := (Settings{Server: "far:4222", ContentType: contentJSON, AllowPlaintext: true}).check(); err != nil {
		t.Error(err)
	}
	if err := (Settings{Server: "127.0.0.1", ContentType: "text/plain"}).check(); err == nil {
		t.Error("an unknown content type was taken")
	}
}
