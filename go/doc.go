// Package ingenium lets a program be a component of an Ingenium app: a strategy, or any other part
// that subscribes to the bus and publishes on it.
//
// It reads the settings that `ingenium run` gives to its programs, chooses symbols, reads and writes
// both forms of the wire format, makes ids and headers, keeps in step with replays, and stops
// without losing anything.
package ingenium
