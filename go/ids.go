package ingenium

import (
	"crypto/rand"
	"crypto/sha256"
	"strings"
)

const (
	idLength = 27
	border   = "\x1f"
	alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// MakeID makes the id of an event from its cause, as the Python SDK does: a run that is repeated
// makes the same ids.
func MakeID(prefix string, cause ...string) string {
	text := strings.Join(cause, border)
	if strings.Contains(text, `\`) || strings.Count(text, border) >= len(cause) {
		parts := make([]string, len(cause))
		for i, part := range cause {
			parts[i] = strings.ReplaceAll(strings.ReplaceAll(part, `\`, `\\`), border, `\b`)
		}
		text = `\` + strings.Join(parts, border)
	}
	hash := sha256.Sum256([]byte(text))
	return prefix + "_" + letters(hash[:idLength])
}

// randomID makes an id for an event that follows from no other.
func randomID(prefix string) string {
	bytes := make([]byte, idLength)
	if _, err := rand.Read(bytes); err != nil {
		panic(err) // the machine has no randomness
	}
	return prefix + "_" + letters(bytes)
}

func letters(bytes []byte) string {
	text := make([]byte, len(bytes))
	for i, value := range bytes {
		text[i] = alphabet[int(value)%len(alphabet)]
	}
	return string(text)
}
