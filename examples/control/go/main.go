// A stock grpc-go client: whether an app is safe, what runs, and the next fill.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	pb "example.com/ingenium/control/gen/ingenium/control/v1"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	var access struct {
		URL    string
		Tokens map[string]string
	}
	file := must(os.Open(".ingenium/control.json"))
	must(0, json.NewDecoder(file).Decode(&access))
	plain := grpc.WithTransportCredentials(insecure.NewCredentials())
	channel := must(grpc.NewClient(strings.TrimPrefix(access.URL, "http://"), plain))
	token := "Bearer " + access.Tokens["read"]
	call := metadata.AppendToOutgoingContext(context.Background(), "authorization", token)

	overview := must(pb.NewTradingServiceClient(channel).GetOverview(call, &pb.GetOverviewRequest{})).Overview
	fmt.Printf("%s: %s\n", overview.App, overview.Summary)
	components := pb.NewComponentServiceClient(channel)
	for _, each := range must(components.ListComponents(call, &pb.ListComponentsRequest{})).Components {
		fmt.Printf("%s %s is %s\n", each.Role, each.Name, each.Language)
	}
	fills := &pb.WatchRequest{Topics: []pb.Topic{pb.Topic_TOPIC_TRANSACTIONS}}
	stream := must(pb.NewWatchServiceClient(channel).Watch(call, fills))
	for {
		if fill := must(stream.Recv()).GetTransaction(); fill != nil {
			fmt.Printf("%s %s %s at %s\n", fill.Side, fill.Quantity, fill.Symbol, fill.Price)
			return
		}
	}
}
