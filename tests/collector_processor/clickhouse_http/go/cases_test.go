// Basic cases of ClickHouse's Go client, over HTTP, and what Grafana's plugin asks by it.
//
// FLEETSPAN_ADDRESS is host:port, FLEETSPAN_PASSWORD a key with every scope.
package clickhouse_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

var methods = map[string]*clickhouse.Compression{
	"none": nil,
	"lz4":  {Method: clickhouse.CompressionLZ4},
	"zstd": {Method: clickhouse.CompressionZSTD},
	"gzip": {Method: clickhouse.CompressionGZIP},
}

func options(password string, compression *clickhouse.Compression) *clickhouse.Options {
	return &clickhouse.Options{
		Addr:        []string{os.Getenv("FLEETSPAN_ADDRESS")},
		Auth:        clickhouse.Auth{Database: "otel", Username: "default", Password: password},
		Protocol:    clickhouse.HTTP,
		Compression: compression,
		Settings:    clickhouse.Settings{"max_execution_time": 15},
	}
}

func open(t *testing.T, compression *clickhouse.Compression) clickhouse.Conn {
	t.Helper()
	connection, err := clickhouse.Open(options(os.Getenv("FLEETSPAN_PASSWORD"), compression))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return connection
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestServerVersion(t *testing.T) {
	version, err := open(t, nil).ServerVersion()
	must(t, err)
	if version.Version.Major < 25 {
		t.Fatalf("%v", version)
	}
}

func TestBatchAndScan(t *testing.T) {
	ctx := context.Background()
	for name, compression := range methods {
		t.Run(name, func(t *testing.T) {
			connection := open(t, compression)
			must(t, connection.Exec(ctx, "DROP TABLE IF EXISTS go_cases"))
			must(t, connection.Exec(ctx, `CREATE TABLE go_cases (
				id UInt64, name String, tags Array(String), at DateTime64(9, 'UTC'),
				price Decimal(18, 4), kind LowCardinality(String), extra Nullable(Int32),
				attributes Map(String, String), identity UUID, ok Bool
			) ENGINE = MergeTree ORDER BY id`))
			batch, err := connection.PrepareBatch(ctx, "INSERT INTO go_cases")
			must(t, err)
			at := time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC)
			identity := uuid.New()
			for id := range uint64(1000) {
				var extra *int32
				if id%2 == 0 {
					number := int32(id)
					extra = &number
				}
				must(t, batch.Append(id, "it's\t🚀", []string{"a", "b"}, at,
					decimal.NewFromFloat(1.25), "kind", extra,
					map[string]string{"k": "v"}, identity, true))
			}
			must(t, batch.Send())
			rows, err := connection.Query(ctx, "SELECT * FROM go_cases ORDER BY id")
			must(t, err)
			count := uint64(0)
			for rows.Next() {
				var id uint64
				var text, kind string
				var tags []string
				var when time.Time
				var price decimal.Decimal
				var extra *int32
				var attributes map[string]string
				var found uuid.UUID
				var ok bool
				must(t, rows.Scan(&id, &text, &tags, &when, &price, &kind, &extra, &attributes, &found, &ok))
				if id != count || text != "it's\t🚀" || len(tags) != 2 || !when.Equal(at) ||
					!price.Equal(decimal.NewFromFloat(1.25)) || kind != "kind" ||
					(extra == nil) == (id%2 == 0) || attributes["k"] != "v" || found != identity || !ok {
					t.Fatalf("row %d: %v %v %v %v %v %v %v %v %v", id, text, tags, when, price, kind, extra, attributes, found, ok)
				}
				count++
			}
			must(t, rows.Err())
			if count != 1000 {
				t.Fatalf("%d rows", count)
			}
		})
	}
}

func TestStreamsLargeResults(t *testing.T) {
	rows, err := open(t, methods["lz4"]).Query(context.Background(), "SELECT number FROM numbers(1000000)")
	must(t, err)
	var sum, number uint64
	for rows.Next() {
		must(t, rows.Scan(&number))
		sum += number
	}
	must(t, rows.Err())
	if sum != 499999500000 {
		t.Fatal(sum)
	}
}

func TestParameters(t *testing.T) {
	ctx := clickhouse.Context(context.Background(), clickhouse.WithParameters(clickhouse.Parameters{
		"number": "42", "text": "it's",
	}))
	var number int64
	var text string
	row := open(t, nil).QueryRow(ctx, "SELECT {number:Int64}, {text:String}")
	must(t, row.Scan(&number, &text))
	if number != 42 || text != "it's" {
		t.Fatal(number, text)
	}
	row = open(t, nil).QueryRow(context.Background(), "SELECT toInt64(?), ?", 7, "a'b")
	must(t, row.Scan(&number, &text))
	if number != 7 || text != "a'b" {
		t.Fatal(number, text)
	}
}

func TestExceptions(t *testing.T) {
	err := open(t, nil).Exec(context.Background(), "SELECT nope FROM runs")
	var exception *clickhouse.Exception
	if err == nil || (errors.As(err, &exception) && exception.Code != 47) || !strings.Contains(err.Error(), "UNKNOWN_IDENTIFIER") {
		t.Fatal(err)
	}
	stranger, err := clickhouse.Open(options("wrong", nil))
	must(t, err)
	if err = stranger.Ping(context.Background()); err == nil || !strings.Contains(err.Error(), "AUTHENTICATION_FAILED") {
		t.Fatal(err)
	}
}

func TestExceptionInTheMiddle(t *testing.T) {
	rows, err := open(t, nil).Query(context.Background(), "SELECT throwIf(number = 900000) FROM numbers(1000000)")
	if err == nil {
		for rows.Next() {
		}
		err = rows.Err()
	}
	if err == nil {
		t.Fatal("an error in the middle of a result is not seen")
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	var number uint64
	row := open(t, nil).QueryRow(ctx, "SELECT count() FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))")
	if err := row.Scan(&number); err == nil {
		t.Fatal("it is not cancelled")
	}
}

// What Grafana's ClickHouse data source asks: it uses database/sql over this client.
func TestGrafanaPlugin(t *testing.T) {
	settings := options(os.Getenv("FLEETSPAN_PASSWORD"), methods["gzip"])
	settings.ClientInfo.Products = append(settings.ClientInfo.Products, struct{ Name, Version string }{"grafana", "12.0.0"})
	database := clickhouse.OpenDB(settings)
	defer database.Close()
	must(t, database.Ping())
	queries := map[string]string{
		"health":    "SELECT 1",
		"version":   "SELECT version()",
		"databases": "SHOW DATABASES",
		"tables":    "SHOW TABLES FROM \"otel\"",
		"columns":   "DESC TABLE \"otel\".\"otel_traces\"",
		"functions": "SELECT name FROM system.functions WHERE is_aggregate = 0 LIMIT 5",
		"map keys":  "SELECT DISTINCT arrayJoin(mapKeys(SpanAttributes)) as keys FROM \"otel\".\"otel_traces\" LIMIT 1000",
		"time series": `SELECT toStartOfInterval("Timestamp", INTERVAL 60 second) as "time", ServiceName, count() as n
			FROM "otel"."otel_traces" WHERE "Timestamp" >= toDateTime(0) AND "Timestamp" <= toDateTime(4000000000)
			GROUP BY time, ServiceName ORDER BY time`,
		"trace search": `SELECT "TraceId" as traceID, "ServiceName" as "serviceName", "SpanName" as "operationName",
			"Timestamp" as "startTime", multiply("Duration", 0.000001) as duration FROM "otel"."otel_traces"
			WHERE ( Timestamp >= toDateTime(0) AND Timestamp <= toDateTime(4000000000) ) AND ( ParentSpanId = '' )
			ORDER BY Timestamp DESC, duration DESC LIMIT 1000`,
		"trace": `WITH '00000000000000000000000000000001' as trace_id,
			(SELECT min(Start) FROM "otel"."otel_traces_trace_id_ts" WHERE TraceId = trace_id) as trace_start,
			(SELECT max(End) + 1 FROM "otel"."otel_traces_trace_id_ts" WHERE TraceId = trace_id) as trace_end
			SELECT "TraceId" as traceID, "SpanId" as spanID, "ParentSpanId" as parentSpanID, "ServiceName" as serviceName,
			"SpanName" as operationName, multiply(toUnixTimestamp64Nano("Timestamp"), 0.000001) as startTime,
			multiply("Duration", 0.000001) as duration,
			arrayMap(key -> map('key', key, 'value', "SpanAttributes"[key]), mapKeys("SpanAttributes")) as tags,
			arrayMap(key -> map('key', key, 'value', "ResourceAttributes"[key]), mapKeys("ResourceAttributes")) as serviceTags,
			if("StatusCode" = 'Error', 2, 0) as statusCode, "SpanKind" as kind, "StatusMessage" as statusMessage,
			"TraceState" as traceState, "ScopeName" as instrumentationLibraryName,
			arrayMap((name, timestamp, attributes) -> tuple(name, toString(toUnixTimestamp64Milli(timestamp)), arrayMap(key -> map('key', key, 'value', attributes[key]), mapKeys(attributes)))::Tuple(name String, timestamp String, fields Array(Map(String, String))), "Events.Name", "Events.Timestamp", "Events.Attributes") as logs
			FROM "otel"."otel_traces" WHERE traceID = trace_id AND "Timestamp" >= trace_start AND "Timestamp" <= trace_end LIMIT 1000`,
		"logs": `SELECT Timestamp as timestamp, Body as body, SeverityText as level, TraceId as traceID FROM "otel"."otel_logs"
			WHERE Timestamp >= toDateTime(0) AND Timestamp <= toDateTime(4000000000) ORDER BY timestamp DESC LIMIT 1000`,
	}
	empty := map[string]bool{"logs": true}
	for name, query := range queries {
		t.Run(name, func(t *testing.T) {
			rows, err := database.QueryContext(context.Background(), query)
			must(t, err)
			defer rows.Close()
			columns, err := rows.ColumnTypes()
			must(t, err)
			count := 0
			for rows.Next() {
				values := make([]any, len(columns))
				for index, column := range columns {
					values[index] = newOf(column)
				}
				must(t, rows.Scan(values...))
				count++
			}
			must(t, rows.Err())
			if count == 0 && !empty[name] {
				t.Fatal("no rows")
			}
		})
	}
}

func newOf(*sql.ColumnType) any {
	return new(any)
}
