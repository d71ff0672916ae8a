"""DuckDB and ClickHouse (chdb) in this process, beside which `cargo xtask bench historian` measures.

    engines.py ENGINE --data FOLDER [--settle] [--set FILE --answers FOLDER] [--seconds S] < batches

takes an Arrow stream of batches (tag, time, value, text, quality) in the order in which they arrive, each
written durably before the next, and tells processor seconds, bytes and memory. If it is to settle, the
table is then sorted and merged as a careful user would; with a set, its questions are asked.
"""

import argparse
import json
import os
import sys
import time

import pyarrow as pa

import measure


class DuckDb:
    """A transaction a batch: its log is synced before the answer."""

    def __init__(self, folder):
        import duckdb

        self.version = f"DuckDB {duckdb.__version__}"
        self.path = os.path.join(folder, "samples.duckdb")
        self.connection = duckdb.connect(self.path)
        self.connection.execute("SET preserve_insertion_order = false")
        self.connection.execute(
            "CREATE TABLE samples"
            " (tag UINTEGER, time TIMESTAMP, value DOUBLE, text VARCHAR, quality UINTEGER)"
        )

    def insert(self, batch):
        self.connection.register("batch", batch)
        self.connection.execute("INSERT INTO samples SELECT * FROM batch")

    def settle(self):
        """Sorted by tag and time, in a file of its own: it does not give space back."""
        import duckdb

        sorted_path = self.path.replace("samples", "sorted")
        self.connection.execute(f"ATTACH '{sorted_path}' AS settled (BLOCK_SIZE 262144)")
        self.connection.execute(
            "CREATE TABLE settled.samples AS SELECT * FROM samples ORDER BY tag, time"
        )
        self.connection.close()
        os.remove(self.path)
        self.path = sorted_path
        self.connection = duckdb.connect(self.path)

    def finish_ingest(self):
        self.connection.execute("CHECKPOINT")

    def query(self, sql):
        return self.connection.sql(sql).to_arrow_table()

    # What SQL says differently.
    def micros(self, text):
        return f"epoch_us({text})"

    def bucket(self, width, time):
        return f"time_bucket(INTERVAL '{width} seconds', {time})"

    def at(self, micros):
        return f"make_timestamp({micros})"

    def newest(self, value, time):
        return f"arg_max({value}, {time})"

    def table(self, answer):
        return answer


class ClickHouse:
    """A part a batch, synced before the answer; merges go on beside it."""

    COLUMNS = (
        "tag UInt32 CODEC(ZSTD(3)), time DateTime64(6) CODEC(DoubleDelta, ZSTD(3)),"
        " value Nullable(Float64) CODEC(ZSTD(3)),"
        " text LowCardinality(Nullable(String)) CODEC(ZSTD(3)), quality UInt32 CODEC(ZSTD(3))"
    )

    def __init__(self, folder):
        from chdb import session

        self.path = os.path.join(folder, "clickhouse")
        self.session = session.Session(self.path)
        version = self.session.query("SELECT version()", "CSV").bytes().decode().strip()
        self.version = "ClickHouse " + version.strip('"')
        self.session.query("CREATE DATABASE bench ENGINE = Atomic")
        self.session.query(
            f"CREATE TABLE bench.samples ({self.COLUMNS}) ENGINE = MergeTree ORDER BY (tag, time)"
            " SETTINGS fsync_after_insert = 1, fsync_part_directory = 1"
        )
        self.batch = os.path.join(folder, "batch.arrows")

    def insert(self, batch):
        with pa.OSFile(self.batch, "wb") as file, pa.ipc.new_stream(file, batch.schema) as writer:
            writer.write_table(batch)
        self.session.query(
            f"INSERT INTO bench.samples SELECT * FROM file('{self.batch}', 'ArrowStream')"
        )

    def finish_ingest(self):
        os.remove(self.batch)

    def settle(self):
        """One part. Those that were merged into it are deleted at once, and not after eight minutes."""
        self.session.query("ALTER TABLE bench.samples MODIFY SETTING old_parts_lifetime = 1")
        self.session.query("OPTIMIZE TABLE bench.samples FINAL")

    def query(self, sql):
        return self.session.query(sql.replace("FROM samples", "FROM bench.samples"), "ArrowStream")

    def table(self, answer):
        return pa.ipc.open_stream(answer.bytes()).read_all()

    def micros(self, text):
        return f"toUnixTimestamp64Micro({text})"

    def bucket(self, width, time):
        return f"toDateTime64(toStartOfInterval({time}, INTERVAL {width} SECOND), 6)"

    def at(self, micros):
        return f"fromUnixTimestamp64Micro({micros})"

    def newest(self, value, time):
        return f"argMax({value}, {time})"

    def bytes(self):
        """Of the parts that count; others wait for their deletion."""
        answer = self.session.query(
            "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'bench'", "CSV"
        )
        return int(answer.bytes().decode())


ENGINES = {"duckdb": DuckDb, "clickhouse": ClickHouse}


def questions(engine, asked):
    """The questions in SQL."""
    one, ten = asked["one"], ", ".join(str(tag) for tag in asked["ten"])
    hour = [engine.at(micros) for micros in asked["hour_us"]]
    micros, bucket = engine.micros, engine.bucket
    sums = "avg(value), min(value), max(value)"
    minute, by_hour = micros(bucket(60, "time")), micros(bucket(3600, "time"))
    time_of_last = micros("max(time)")
    sql = {
        "last_one": f"SELECT tag, {micros('time')}, value FROM samples WHERE tag = {one}"
        " ORDER BY time DESC LIMIT 1",
        "last_all": f"SELECT tag, {time_of_last}, {engine.newest('value', 'time')}"
        " FROM samples GROUP BY tag",
        "raw_hour": f"SELECT tag, {micros('time')}, value FROM samples WHERE tag = {one}"
        f" AND time >= {hour[0]} AND time < {hour[1]} ORDER BY time",
        "down_one": f"SELECT tag, {minute} AS t, {sums} FROM samples WHERE tag = {one}"
        " GROUP BY tag, t ORDER BY tag, t",
        "down_ten": f"SELECT tag, {minute} AS t, {sums} FROM samples WHERE tag IN ({ten})"
        " GROUP BY tag, t ORDER BY tag, t",
        "down_all": f"SELECT tag, {by_hour} AS t, {sums} FROM samples GROUP BY tag, t ORDER BY tag, t",
        "filter_rows": f"SELECT tag, {micros('time')}, value FROM samples"
        f" WHERE value > {asked['few_above']}",
        "filter_count": f"SELECT 0, 0, count(*) FROM samples WHERE value > {asked['half_above']}",
        "per_tag": f"SELECT tag, 0, count(value), {sums} FROM samples GROUP BY tag ORDER BY tag",
    }

    def rows(answer):
        columns = [column.to_pylist() for column in engine.table(answer).columns]
        return list(zip(*columns, strict=True))

    return {
        name: measure.Question(lambda text=text: engine.query(text), rows)
        for name, text in sql.items()
    }


def ingest(engine, stream):
    """Each batch, and what it took; reading the stream is not counted."""
    points, reading, waits = 0, 0.0, []
    began = time.process_time()
    while True:
        before = time.thread_time()
        try:
            batch = pa.Table.from_batches([stream.read_next_batch()])
        except StopIteration:
            break
        finally:
            reading += time.thread_time() - before
        asked = time.perf_counter()
        engine.insert(batch)
        waits.append((time.perf_counter() - asked) * 1e3)
        points += batch.num_rows
    engine.finish_ingest()
    waits.sort()
    return {
        "points": points,
        "cpu_s": time.process_time() - began - reading,
        "p50_ms": waits[len(waits) // 2],
        "p99_ms": waits[len(waits) * 99 // 100],
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("engine", choices=sorted(ENGINES))
    parser.add_argument("--data", required=True)
    parser.add_argument("--settle", action="store_true")
    parser.add_argument("--set")
    parser.add_argument("--answers")
    parser.add_argument("--seconds", type=float, default=1.0)
    args = parser.parse_args()
    os.makedirs(args.data, exist_ok=True)
    engine = ENGINES[args.engine](args.data)
    stored = lambda: engine.bytes() if hasattr(engine, "bytes") else measure.bytes_below(args.data)
    numbers = {"version": engine.version}
    numbers["ingest"] = ingest(engine, pa.ipc.open_stream(sys.stdin.buffer))
    numbers["bytes_as_loaded"] = stored()
    if args.settle:
        before = time.process_time()
        engine.settle()
        numbers["settle_cpu_s"] = time.process_time() - before
        numbers["bytes"] = stored()
    if args.set:
        with open(args.set, encoding="utf-8") as file:
            asked = questions(engine, json.load(file))
        numbers["queries"] = measure.ask_all(asked, args.answers, args.seconds, time.process_time)
    numbers["peak_rss_mb"] = measure.peak_rss_mb()
    measure.told(numbers)


if __name__ == "__main__":
    main()
