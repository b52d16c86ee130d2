// Command golden makes the golden vectors, and answers the differential tests and the conformance kit.
//
//	go run . vectors <folder>   writes the payloads that Go components send
//	go run . answer             reads payloads and says what encoding/json makes of them
//	go run . conformance <form> is a runner of the conformance kit, on documented or later structs
package main

import (
	"fmt"
	"os"
)

func main() {
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "vectors":
		err = writeVectors(os.Args[2])
	case len(os.Args) == 2 && os.Args[1] == "answer":
		err = answer(os.Stdin, os.Stdout)
	case len(os.Args) == 3 && os.Args[1] == "conformance":
		err = conform(os.Args[2], os.Stdin, os.Stdout)
	default:
		err = fmt.Errorf("usage: golden vectors <folder> | answer | conformance <form>")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
