// Command compose reads compose files as docker compose does: schema, interpolation, references.
//
//	go run . compose.yaml ...
//
// It prints one line for each problem, and ends with 1 if there are any.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	code := 0
	for _, name := range os.Args[1:] {
		if err := load(name); err != nil {
			fmt.Printf("%s: %v\n", name, err)
			code = 1
		}
	}
	os.Exit(code)
}

func load(name string) error {
	options, err := cli.NewProjectOptions([]string{name}, cli.WithResolvedPaths(true))
	if err != nil {
		return err
	}
	_, err = options.LoadProject(context.Background())
	return err
}
