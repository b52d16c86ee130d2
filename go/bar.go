package ingenium

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	v1 "github.com/markwinter/ingenium/go/gen/ingenium/v1"
)

// Bar is the market data of one symbol over one length of time.
type Bar struct {
	// Symbol is the symbol as the component asked for it.
	Symbol string
	// Open, High, Low, Close and Volume are floating point numbers, for indicators; NaN where the
	// sender left one out. Close is always there. The exact texts are in Event.
	Open, High, Low, Close, Volume float64
	// Time is when the bar was known; zero when the sender did not say so.
	Time time.Time
	// Period is the length of the bar; 0 when the sender did not state one of fixed length.
	Period time.Duration
	// Event is what arrived.
	Event *v1.DataEvent
}

// NewBar reads the bar of an event; an error says what cannot be read.
func NewBar(event *v1.DataEvent) (*Bar, error) {
	ohlc := event.GetOhlc()
	bar := &Bar{Symbol: event.GetSymbol(), Event: event}
	for _, field := range []struct {
		name, text string
		value      *float64
	}{
		{"Open", ohlc.GetOpen(), &bar.Open},
		{"High", ohlc.GetHigh(), &bar.High},
		{"Low", ohlc.GetLow(), &bar.Low},
		{"Close", ohlc.GetClose(), &bar.Close},
		{"Volume", ohlc.GetVolume(), &bar.Volume},
	} {
		if field.text == "" && field.name != "Close" {
			*field.value = math.NaN()
			continue
		}
		value, err := ParseDecimal(field.text)
		if err != nil {
			return nil, fmt.Errorf("DataEvent.Ohlc.%s of %s: %w", field.name, event.GetSymbol(), err)
		}
		*field.value = value
	}
	bar.Time, _ = parseTime(event.GetTimestamp())
	bar.Period = ParsePeriod(ohlc.GetPeriod())
	return bar, nil
}

var decimal = regexp.MustCompile(`^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$`)

// ParseDecimal reads a price or quantity; an exponent is taken, infinity is not.
func ParseDecimal(text string) (float64, error) {
	if !decimal.MatchString(text) {
		return 0, fmt.Errorf("expected a decimal number, found %q", text)
	}
	return strconv.ParseFloat(text, 64)
}

// FormatDecimal writes a number as the format has it: plainly, never with an exponent.
func FormatDecimal(value float64) (string, error) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return "", fmt.Errorf("%v is no price or quantity: it has to be finite", value)
	}
	return strconv.FormatFloat(value, 'f', -1, 64), nil
}

var (
	period = regexp.MustCompile(`^([1-9][0-9]{0,8})(us|ms|s|m|h|d|w)$`)
	units  = map[string]time.Duration{
		"us": time.Microsecond, "ms": time.Millisecond, "s": time.Second, "m": time.Minute,
		"h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
	}
)

// ParsePeriod reads the length of a bar, such as "5m" or "1d", which is how the Python SDK writes
// it, or a Go duration. It returns 0 for other texts and for months, which differ in length.
func ParsePeriod(text string) time.Duration {
	if found := period.FindStringSubmatch(text); found != nil {
		count, _ := strconv.ParseInt(found[1], 10, 64)
		if unit := units[found[2]]; count <= math.MaxInt64/int64(unit) {
			return time.Duration(count) * unit
		}
	} else if length, err := time.ParseDuration(text); err == nil && length > 0 {
		return length
	}
	return 0
}

// parseTime reads RFC 3339; a time without a zone is UTC.
func parseTime(text string) (time.Time, bool) {
	text = strings.TrimSpace(text)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil && !at.IsZero() {
			return at.UTC(), true
		}
	}
	return time.Time{}, false
}
