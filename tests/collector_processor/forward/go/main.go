// The OpenTelemetry collector's own OTLP receiver. It writes each request that it takes
// as a line of hexadecimal OTLP to standard output.
//
// usage: receiver HOST:PORT (gRPC) HOST:PORT (HTTP)
package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

var lock sync.Mutex

func write(signal string, body []byte, err error) error {
	if err != nil {
		return err
	}
	lock.Lock()
	defer lock.Unlock()
	_, err = fmt.Println(signal, hex.EncodeToString(body))
	return err
}

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	factory := otlpreceiver.NewFactory()
	config := factory.CreateDefaultConfig().(*otlpreceiver.Config)
	config.Protocols.GRPC.GetOrInsertDefault().NetAddr.Endpoint = os.Args[1]
	config.Protocols.HTTP.GetOrInsertDefault().ServerConfig.NetAddr.Endpoint = os.Args[2]
	settings := receivertest.NewNopSettings(factory.Type())
	traces := must(consumer.NewTraces(func(_ context.Context, data ptrace.Traces) error {
		body, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(data)
		return write("traces", body, err)
	}))
	logs := must(consumer.NewLogs(func(_ context.Context, data plog.Logs) error {
		body, err := (&plog.ProtoMarshaler{}).MarshalLogs(data)
		return write("logs", body, err)
	}))
	metrics := must(consumer.NewMetrics(func(_ context.Context, data pmetric.Metrics) error {
		body, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(data)
		return write("metrics", body, err)
	}))
	receiver := must(factory.CreateTraces(ctx, settings, config, traces))
	must(factory.CreateLogs(ctx, settings, config, logs))
	must(factory.CreateMetrics(ctx, settings, config, metrics))
	must(0, receiver.Start(ctx, componenttest.NewNopHost()))
	fmt.Println("ready")
	<-ctx.Done()
	must(0, receiver.Shutdown(context.Background()))
}
