// franz BOOTSTRAP TOPIC PLAN: sends by franz-go.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"log"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

type record struct {
	Partition int32
	Key       []byte
	Value     []byte
	Timestamp *int64
	Headers   [][2]json.RawMessage
}

type plan struct {
	ID          string
	Codec       string
	Transaction string
	Partitioner string
	Records     []record
}

var codecs = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

var partitioners = map[string]kgo.Partitioner{
	"default":     kgo.UniformBytesPartitioner(64<<10, true, true, nil), // as the client has it
	"round_robin": kgo.RoundRobinPartitioner(),
}

// explicit takes the record's partition where it has one, and asks the other one else.
type explicit struct{ kgo.Partitioner }

type explicitTopic struct{ kgo.TopicPartitioner }

func (e explicit) ForTopic(topic string) kgo.TopicPartitioner {
	return explicitTopic{e.Partitioner.ForTopic(topic)}
}

func (e explicitTopic) RequiresConsistency(r *kgo.Record) bool {
	return r.Partition >= 0 || e.TopicPartitioner.RequiresConsistency(r)
}

func (e explicitTopic) Partition(r *kgo.Record, n int) int {
	return e.PartitionByBackup(r, n, nil)
}

// Asked for instead of Partition: the default partitioner knows this one alone.
func (e explicitTopic) PartitionByBackup(r *kgo.Record, n int, backup kgo.TopicBackupIter) int {
	if r.Partition >= 0 {
		return int(r.Partition)
	}
	if inner, knows := e.TopicPartitioner.(kgo.TopicBackupPartitioner); knows {
		return inner.PartitionByBackup(r, n, backup)
	}
	return e.TopicPartitioner.Partition(r, n)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	file, err := os.Open(os.Args[3])
	check(err)
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var one plan
		check(json.Unmarshal(lines.Bytes(), &one))
		send(os.Args[1], os.Args[2], one)
	}
	check(lines.Err())
}

func send(bootstrap, topic string, one plan) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	options := []kgo.Opt{
		kgo.SeedBrokers(bootstrap),
		kgo.DefaultProduceTopic(topic),
		kgo.ProducerBatchCompression(codecs[one.Codec]),
		kgo.ProducerLinger(20 * time.Millisecond),
		kgo.RecordPartitioner(explicit{partitioners[one.Partitioner]}),
	}
	if one.Transaction != "" {
		options = append(options, kgo.TransactionalID(topic+"-"+one.ID))
	}
	client, err := kgo.NewClient(options...)
	check(err)
	defer client.Close()
	if one.Transaction != "" {
		check(client.BeginTransaction())
	}
	records := make([]*kgo.Record, len(one.Records))
	for i, r := range one.Records {
		records[i] = r.kafka()
	}
	check(client.ProduceSync(ctx, records...).FirstErr())
	if one.Transaction != "" {
		check(client.EndTransaction(ctx, kgo.TransactionEndTry(one.Transaction == "commit")))
	}
}

func (r record) kafka() *kgo.Record {
	made := &kgo.Record{Key: r.Key, Value: r.Value, Partition: r.Partition}
	if r.Timestamp != nil {
		made.Timestamp = time.UnixMilli(*r.Timestamp)
	}
	for _, header := range r.Headers {
		var to kgo.RecordHeader
		check(json.Unmarshal(header[0], &to.Key))
		check(json.Unmarshal(header[1], &to.Value))
		made.Headers = append(made.Headers, to)
	}
	return made
}
