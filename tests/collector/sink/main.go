// Command sink takes OTLP over gRPC and throws it away, unread: what is left
// when a benchmark must not measure the collector.
//
// Usage: sink ADDRESS
package main

import (
	"fmt"
	"log"
	"net"
	"os"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip"
)

// raw leaves messages as they are; an empty one is every response's default.
type raw struct{}

func (raw) Name() string                    { return "raw" }
func (raw) Marshal(any) ([]byte, error)     { return nil, nil }
func (raw) Unmarshal(_ []byte, _ any) error { return nil }

func discard(_ any, stream grpc.ServerStream) error {
	if err := stream.RecvMsg(nil); err != nil {
		return err
	}
	return stream.SendMsg(nil)
}

func main() {
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("sink: ready")
	server := grpc.NewServer(grpc.ForceServerCodec(raw{}), grpc.UnknownServiceHandler(discard))
	log.Fatal(server.Serve(listener))
}
