// Talks to ClickHouse as clickhouse-go v2 does over HTTP; says on one line what came of it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

const rows = 1000

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func open(address, user, password, database string, compression *clickhouse.Compression) driver.Conn {
	connection, err := clickhouse.Open(&clickhouse.Options{
		Addr:        []string{address},
		Protocol:    clickhouse.HTTP,
		Auth:        clickhouse.Auth{Username: user, Password: password, Database: database},
		Compression: compression,
	})
	must(err)
	return connection
}

func insert(ctx context.Context, connection driver.Conn) {
	batch, err := connection.PrepareBatch(ctx, "INSERT INTO things (id, name, tags, note, day)")
	must(err)
	for id := range uint64(rows) {
		note := fmt.Sprint("note ", id)
		var nullable *string
		if id%2 == 0 {
			nullable = &note
		}
		day := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		must(batch.Append(id, fmt.Sprint("it's ", id), []string{"a", fmt.Sprint(id)}, nullable, day))
	}
	must(batch.Send())
}

func read(ctx context.Context, connection driver.Conn, sql string) (count, sum uint64) {
	found, err := connection.Query(ctx, sql)
	must(err)
	defer found.Close()
	for found.Next() {
		var number uint64
		var text string
		must(found.Scan(&number, &text))
		if text != fmt.Sprint(number) {
			must(fmt.Errorf("%d came as %q", number, text))
		}
		count++
		sum += number
	}
	must(found.Err())
	return count, sum
}

func code(err error) int32 {
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		return exception.Code
	}
	fmt.Fprintln(os.Stderr, "no code:", err)
	return 0
}

func types(ctx context.Context, connection driver.Conn) string {
	var low string
	var pairs map[string]uint8
	var nested [][]string
	var id string
	var when time.Time
	var price float64
	sql := "SELECT toLowCardinality('x'), map('k', 7::UInt8), [['a'], []], toString(toUUID('00000000-0000-0000-0000-000000000007'))," +
		" toDateTime64('2026-01-02 03:04:05.678', 3, 'UTC'), 1.5"
	must(connection.QueryRow(ctx, sql).Scan(&low, &pairs, &nested, &id, &when, &price))
	return fmt.Sprint(low, pairs, nested, id[35:], when.UTC().Format(time.RFC3339Nano), price)
}

func main() {
	address, user, password, database, endless, big, late := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5], os.Args[6], os.Args[7]
	ctx := context.Background()
	connection := open(address, user, password, database, nil)
	must(connection.Ping(ctx))
	said := map[string]any{}
	version, err := connection.ServerVersion()
	must(err)
	said["connect"] = fmt.Sprintf("%d.%d", version.Version.Major, version.Version.Minor)

	parameters := clickhouse.Context(ctx, clickhouse.WithParameters(clickhouse.Parameters{"number": "7", "text": "it's"}))
	var number uint32
	var text string
	must(connection.QueryRow(parameters, "SELECT {number:UInt32}, {text:String}").Scan(&number, &text))
	said["parameters"] = []any{number, text}
	said["types"] = types(ctx, connection)

	insert(ctx, connection)
	packed := open(address, user, password, database, &clickhouse.Compression{Method: clickhouse.CompressionLZ4})
	insert(ctx, packed)
	zstd := open(address, user, password, database, &clickhouse.Compression{Method: clickhouse.CompressionZSTD})
	insert(ctx, zstd)
	said["inserted"] = 3 * rows

	count, sum := read(ctx, connection, big)
	packedCount, packedSum := read(ctx, packed, big)
	said["big"] = []uint64{count, sum}
	said["big_packed"] = []uint64{packedCount, packedSum}

	said["error"] = code(connection.Exec(ctx, "SELECT * FROM nowhere"))
	_, err = packed.Query(ctx, "SELECT * FROM nowhere")
	said["error_packed"] = code(err)
	found, err := connection.Query(ctx, late)
	if err == nil {
		for found.Next() {
		}
		err = found.Err()
	}
	said["late_error"] = code(err)

	short, stop := context.WithTimeout(clickhouse.Context(ctx, clickhouse.WithQueryID("go-cancel-"+database)), time.Second)
	defer stop()
	err = connection.Exec(short, endless)
	said["cancelled"] = err != nil
	must(json.NewEncoder(os.Stdout).Encode(said))
}
