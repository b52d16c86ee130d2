package ingenium

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	v1 "github.com/markwinter/ingenium/go/gen/ingenium/v1"
	"google.golang.org/protobuf/proto"
)

const (
	data            = "ingenium.ingestor.data."
	portfolio       = "ingenium.portfolio.*"
	maxSymbolLength = 64
)

// kind is what the reports of a replay count; what is of no kind is not counted.
type kind int

const (
	none kind = iota
	dataKind
	signalKind
	orderKind
	executionKind
)

// subjectOf returns the subject of an event of the bus.
func subjectOf(event proto.Message) (string, error) {
	switch event := event.(type) {
	case *v1.DataEvent:
		return DataSubject(event.GetSymbol())
	case *v1.DeadLetterEvent:
		return "ingenium.deadletter." + event.GetComponent(), nil
	}
	if subject := patternOf(event); subject != "" {
		return subject, nil
	}
	return "", fmt.Errorf("%s is no event of the bus: use PublishTo and SubscribeTo with a subject",
		event.ProtoReflect().Descriptor().FullName())
}

// patternOf returns the subject on which all events of a type travel; empty for other messages.
func patternOf(event proto.Message) string {
	switch event.(type) {
	case *v1.DataEvent:
		return data + ">"
	case *v1.SignalEvent:
		return "ingenium.strategy.signal"
	case *v1.OrderEvent:
		return "ingenium.portfolio.order"
	case *v1.CancelEvent:
		return "ingenium.portfolio.cancel"
	case *v1.ReplaceEvent:
		return "ingenium.portfolio.replace"
	case *v1.ExecutionEvent:
		return "ingenium.executor.execution"
	case *v1.DenialEvent:
		return "ingenium.risk.denial"
	case *v1.ControlEvent:
		return "ingenium.control.trading"
	case *v1.DeadLetterEvent:
		return "ingenium.deadletter.>"
	}
	return ""
}

func kindOf(subject string) kind {
	switch {
	case strings.HasPrefix(subject, data):
		return dataKind
	case subject == "ingenium.strategy.signal":
		return signalKind
	case strings.HasPrefix(subject, "ingenium.portfolio."):
		return orderKind
	case subject == "ingenium.executor.execution":
		return executionKind
	}
	return none
}

// A percent sign that would be read as an escaped letter, and a space, which no subject can hold.
var escaped = regexp.MustCompile(`%[0-9a-f]{2}`)

// DataSubject returns the subject of a symbol's market data.
func DataSubject(symbol string) (string, error) {
	if err := CheckSymbol(symbol); err != nil {
		return "", err
	}
	part := escaped.ReplaceAllStringFunc(strings.ToLower(symbol), func(found string) string {
		return "%25" + found[1:]
	})
	return data + strings.ReplaceAll(part, " ", "%20"), nil
}

// CheckSymbol returns an error for a symbol that cannot be part of a subject.
func CheckSymbol(symbol string) error {
	refuse := func(problem string) error {
		return fmt.Errorf("symbol %q %s: use letters, digits and signs like . / ^ = _ : -", symbol, problem)
	}
	if symbol == "" {
		return refuse("is empty")
	}
	if count := len([]rune(symbol)); count > maxSymbolLength {
		return refuse(fmt.Sprintf("has %d characters, and the longest allowed is %d", count, maxSymbolLength))
	}
	for _, letter := range symbol {
		if letter == '*' || letter == '>' {
			return refuse(fmt.Sprintf("holds %q, which means other subjects to NATS", letter))
		}
		if letter != ' ' && (unicode.IsSpace(letter) || !unicode.IsPrint(letter)) {
			return refuse(fmt.Sprintf("holds %q, which no subject can hold", letter))
		}
	}
	if strings.TrimSpace(symbol) != symbol {
		return refuse("begins or ends with a space")
	}
	if strings.HasPrefix(symbol, ".") || strings.HasSuffix(symbol, ".") || strings.Contains(symbol, "..") {
		return refuse("has a leading, trailing or doubled dot")
	}
	return nil
}
