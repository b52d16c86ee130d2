package ingenium

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

var (
	// The format has fields without presence even when they are empty.
	write = protojson.MarshalOptions{EmitDefaultValues: true}
	// A later version may send fields that this program does not know.
	read = protojson.UnmarshalOptions{DiscardUnknown: true}
)

// Marshal writes a message in the JSON of the wire format.
func Marshal(message proto.Message) ([]byte, error) {
	return write.Marshal(message)
}

// Unmarshal reads a message from the JSON of the wire format.
func Unmarshal(payload []byte, message proto.Message) error {
	return read.Unmarshal(payload, message)
}

func marshalAs(contentType string, message proto.Message) ([]byte, error) {
	if contentType == contentBinary {
		return proto.Marshal(message)
	}
	return Marshal(message)
}

func unmarshalAs(contentTypes []string, payload []byte, message proto.Message) error {
	if len(contentTypes) > 1 {
		return fmt.Errorf("the header Content-Type is there twice")
	}
	contentType := contentJSON
	if len(contentTypes) == 1 {
		contentType, _, _ = strings.Cut(contentTypes[0], ";")
		contentType = strings.ToLower(strings.TrimSpace(contentType))
	}
	switch contentType {
	case contentJSON:
		return Unmarshal(payload, message)
	case contentBinary:
		return proto.Unmarshal(payload, message)
	}
	return fmt.Errorf("the header Content-Type is %q: send %s or %s", contentType, contentJSON, contentBinary)
}
