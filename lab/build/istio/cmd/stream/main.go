// stream keeps one gRPC call open that streams both ways, and prints a line for each answer in it:
//
//	stream HOST:PORT MESSAGES
//
// A message every 100 ms, to the reflection service, which any gRPC server may have. It fails when an answer does not
// come, or not by that very call.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	reflection "google.golang.org/grpc/reflection/grpc_reflection_v1"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: stream HOST:PORT MESSAGES")
	}
	messages, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	connection, err := grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(messages)*100*time.Millisecond+10*time.Second)
	defer cancel()
	call, err := reflection.NewServerReflectionClient(connection).ServerReflectionInfo(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for n := range messages {
		question := &reflection.ServerReflectionRequest_ListServices{}
		if err := call.Send(&reflection.ServerReflectionRequest{MessageRequest: question}); err != nil {
			log.Fatalf("message %d: %v", n+1, err)
		}
		answer, err := call.Recv()
		if err != nil {
			log.Fatalf("answer %d: %v", n+1, err)
		}
		fmt.Printf("answer %d: %d services\n", n+1, len(answer.GetListServicesResponse().GetService()))
		time.Sleep(100 * time.Millisecond)
	}
}
