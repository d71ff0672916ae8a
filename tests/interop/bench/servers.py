"""Line protocol into a server and questions to it over HTTP, for `cargo xtask bench historian`.

    servers.py SERVER --url URL --pid PID --data FOLDER [--first N] [--settle]
        [--set FILE --answers FOLDER] [--seconds S] < batches

Batches are lines `plant,id=N value=X T`, each batch after a line with its points and its bytes. The first
N, in which series are new, are told apart. If it is to settle, what the server still does with the points
is waited for; with a set, each question is asked over the same connection, and answers are JSON.
Processor seconds are the server's, user and system. Needs nothing but Python.
"""

import argparse
import calendar
import http.client
import json
import os
import sys
import time
import urllib.parse

import measure

# The longest that a server may take until its files stay as they are.
SETTLE_SECONDS_MAX = 180

# Files that kept their size for so long are settled.
QUIET_SECONDS = 4


def cpu_of(pid):
    """User and system seconds of a process so far."""

    def seconds():
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            fields = file.read().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    return seconds


class Http:
    """A connection that is kept."""

    def __init__(self, url):
        self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=600)
        self.headers = {}

    def get(self, path, **query):
        return self.send("GET", path + ("?" + urllib.parse.urlencode(query) if query else ""), None)

    def post(self, path, body, **query):
        return self.send("POST", path + ("?" + urllib.parse.urlencode(query) if query else ""), body)

    def send(self, method, path, body):
        self.connection.request(method, path, body, self.headers)
        answer = self.connection.getresponse()
        self.cookies = answer.headers.get_all("set-cookie") or []
        text = answer.read()
        if answer.status // 100 != 2:
            raise RuntimeError(f"{path} answered {answer.status}: {text[:500]!r}")
        return text


def ingest(write, lines_wanted, first, cpu_seconds):
    """Each batch and what it took; the first ones apart."""
    parts = [[0, [], cpu_seconds()], [0, [], 0.0]]
    for number, body in enumerate(frames(sys.stdin.buffer)):
        if number == first:
            parts[0][2] = cpu_seconds() - parts[0][2]
            parts[1][2] = cpu_seconds()
        points, text = lines_wanted(*body)
        part = parts[number >= first]
        asked = time.perf_counter()
        write(text)
        part[1].append((time.perf_counter() - asked) * 1e3)
        part[0] += points
    (made, _, made_cpu_s), (points, waits, began) = parts
    cpu_s = cpu_seconds() - began
    waits.sort()
    return {
        "first_points": made,
        "first_cpu_s": made_cpu_s if first else 0.0,
        "points": points,
        "cpu_s": cpu_s,
        "p50_ms": waits[len(waits) // 2],
        "p99_ms": waits[len(waits) * 99 // 100],
    }


def frames(stream):
    """Points and lines of each batch."""
    while head := stream.readline():
        points, length = (int(word) for word in head.split())
        yield points, stream.read(length)


def all_lines(points, text):
    return points, text


def numbers_alone(points, text):
    """Without the lines of texts."""
    kept = [line for line in text.splitlines(keepends=True) if b" text=" not in line]
    return len(kept), b"".join(kept)


def until_quiet(folder):
    """Waits until the files below a folder keep their size."""
    ends, size, since = time.monotonic() + SETTLE_SECONDS_MAX, -1, time.monotonic()
    while time.monotonic() < ends:
        try:
            now = measure.bytes_below(folder)
        except FileNotFoundError:
            now = -2
        if now != size:
            size, since = now, time.monotonic()
        if time.monotonic() - since > QUIET_SECONDS:
            return
        time.sleep(0.5)


class InfluxDb:
    """InfluxQL; times in microseconds."""

    lines = staticmethod(all_lines)

    def __init__(self, web):
        self.web = web
        web.post("/query", None, q="CREATE DATABASE bench")

    def write(self, body):
        self.web.post("/write", body, db="bench", precision="ns")

    def settle(self, folder):
        # It compacts by itself once nothing was written for a second (its settings).
        until_quiet(folder)

    def questions(self, asked):
        begin, end = (f"{micros}u" for micros in (asked["from_us"], asked["to_us"]))
        one = f"id = '{asked['one']}'"
        ten = "id =~ /^(" + "|".join(str(tag) for tag in asked["ten"]) + ")$/"
        hour = [f"{micros}u" for micros in asked["hour_us"]]
        sums = "mean(value), min(value), max(value)"
        span = f"time >= {begin} AND time < {end}"
        texts = {
            "last_one": f"SELECT last(value) FROM plant WHERE {one} GROUP BY id",
            "last_all": "SELECT last(value) FROM plant GROUP BY id",
            "raw_hour": f"SELECT value FROM plant WHERE {one} AND time >= {hour[0]}"
            f" AND time < {hour[1]} GROUP BY id",
            "down_one": f"SELECT {sums} FROM plant WHERE {one} AND {span}"
            " GROUP BY id, time(1m) fill(none)",
            "down_ten": f"SELECT {sums} FROM plant WHERE {ten} AND {span}"
            " GROUP BY id, time(1m) fill(none)",
            "down_all": f"SELECT {sums} FROM plant WHERE {span} GROUP BY id, time(1h) fill(none)",
            "filter_rows": f"SELECT value FROM plant WHERE value > {asked['few_above']} GROUP BY id",
            "filter_count": f"SELECT count(value) FROM plant WHERE value > {asked['half_above']}",
            "per_tag": f"SELECT count(value), {sums} FROM plant GROUP BY id",
        }
        untimed = ("filter_count", "per_tag")
        return {name: self.question(text, name not in untimed) for name, text in texts.items()}

    def question(self, text, timed):
        def ask():
            return self.web.get("/query", db="bench", epoch="u", q=text)

        return measure.Question(ask, lambda answer: influx_rows(answer, timed))


def influx_rows(answer, timed):
    """Rows of InfluxDB's series: the tag, the time and the other columns."""
    (result,) = json.loads(answer)["results"]
    if "error" in result:
        raise RuntimeError(result["error"])
    return [
        (int(series.get("tags", {}).get("id") or 0), row[0] if timed else 0, *row[1:])
        for series in result.get("series", [])
        for row in series["values"]
    ]


class VictoriaMetrics:
    """MetricsQL; times in milliseconds. A stretch is open at its beginning and closed at its end, so it is
    asked for up to the millisecond before the next begins."""

    # It has no texts.
    lines = staticmethod(numbers_alone)

    def __init__(self, web):
        self.web = web

    def write(self, body):
        self.web.post("/write", body, precision="ns")

    def settle(self, folder):
        self.web.get("/internal/force_flush")
        self.web.get("/internal/force_merge")
        until_quiet(folder)

    def questions(self, asked):
        begin, end = (micros // 1000 for micros in (asked["from_us"], asked["to_us"]))
        one = f'plant_value{{id="{asked["one"]}"}}'
        ten = 'plant_value{id=~"' + "|".join(str(tag) for tag in asked["ten"]) + '"}'
        hour_begin, hour_end = (micros // 1000 for micros in asked["hour_us"])
        span = f"[{end - begin}ms]"
        functions = '"count_over_time", "avg_over_time", "min_over_time", "max_over_time"'
        per_tag = f"aggr_over_time(({functions}), plant_value{span})"
        count = f"sum(count_gt_over_time(plant_value{span}, {asked['half_above']}))"
        return {
            "last_one": self.instant(f"last_over_time({one}{span})", end, last_rows),
            "last_all": self.instant(f"last_over_time(plant_value{span})", end, last_rows),
            "raw_hour": self.instant(f"{one}[{hour_end - hour_begin}ms]", hour_end, raw_rows),
            "down_one": self.buckets(one, begin, end, 60),
            "down_ten": self.buckets(ten, begin, end, 60),
            "down_all": self.buckets("plant_value", begin, end, 3600),
            "filter_count": self.instant(count, end, count_rows),
            "per_tag": self.instant(per_tag, end, per_tag_rows),
        }

    def instant(self, text, end_ms, rows):
        def ask():
            return self.web.get("/api/v1/query", query=text, time=(end_ms - 1) / 1000, nocache=1)

        return measure.Question(ask, rows)

    def buckets(self, series, begin_ms, end_ms, seconds):
        width = seconds * 1000
        first = begin_ms + width - 1
        last = first + (end_ms - begin_ms) // width * width

        def ask():
            text = f"rollup({series}[{seconds}s])"
            query = {"query": text, "start": first / 1000, "end": last / 1000, "step": f"{seconds}s"}
            return self.web.get("/api/v1/query_range", nocache=1, **query)

        return measure.Question(ask, lambda answer: bucket_rows(answer, width))


def series_of(answer):
    """Tag, labels and values of each series that VictoriaMetrics answers."""
    for series in json.loads(answer)["data"]["result"]:
        yield int(series["metric"].get("id", 0)), series["metric"], series


def last_rows(answer):
    # The time of the answer is that of the question.
    return [(tag, None, float(series["value"][1])) for tag, _, series in series_of(answer)]


def count_rows(answer):
    return [(0, 0, int(series["value"][1])) for _, _, series in series_of(answer)]


def raw_rows(answer):
    return [
        (tag, round(time * 1000) * 1000, float(value))
        for tag, _, series in series_of(answer)
        for time, value in series["values"]
    ]


def per_tag_rows(answer):
    found = {}
    for tag, labels, series in series_of(answer):
        found.setdefault(tag, {})[labels["rollup"]] = float(series["value"][1])
    order = ("count_over_time", "avg_over_time", "min_over_time", "max_over_time")
    return [(tag, 0, *(values[name] for name in order)) for tag, values in found.items()]


def bucket_rows(answer, width_ms):
    found = {}
    for tag, labels, series in series_of(answer):
        for time, value in series["values"]:
            begin = (round(time * 1000) + 1 - width_ms) * 1000
            found.setdefault((tag, begin), {})[labels["rollup"]] = float(value)
    return [(*key, *(values[name] for name in ("avg", "min", "max"))) for key, values in found.items()]


class Weir:
    """Ours, as it is shipped: series become tags, questions are SQL."""

    lines = staticmethod(all_lines)

    def __init__(self, web):
        self.web = web
        user = {"user": os.environ["WEIR_USER"], "password": os.environ["WEIR_PASSWORD"]}
        web.headers["content-type"] = "application/json"
        session = json.loads(web.post("/api/v1/session", json.dumps(user)))
        web.headers["x-weir-csrf"] = session["csrf"]
        web.headers["cookie"] = web.cookies[0].split(";")[0]
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86_400))
        token = {"name": "bench", "scopes": session["permissions"], "expires": ends}
        token = json.loads(web.post("/api/v1/tokens", json.dumps(token)))["token"]
        web.headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}

    def write(self, body):
        self.web.post("/write", body, precision="ns")

    def settle(self, folder):
        # What came in stays in its log and memory until its files are large enough, or two minutes.
        pass

    def questions(self, asked):
        tags = json.loads(self.sql("SELECT id, name FROM tags WHERE name LIKE 'plant{%'"))["rows"]
        numbers = {tag: int(name.split('"')[1]) for tag, name in tags}
        ids = {number: tag for tag, number in numbers.items()}
        one = f"tag = '{ids[asked['one']]}'"
        ten = "tag IN (" + ", ".join(f"'{ids[tag]}'" for tag in asked["ten"]) + ")"
        hour = [f"to_timestamp_micros({micros})" for micros in asked["hour_us"]]
        sums = "avg(value), min(value), max(value)"

        def buckets(width, where=""):
            return (
                f"SELECT tag, time_bucket('{width}', time) AS t, {sums} FROM samples {where}"
                " GROUP BY tag, t ORDER BY tag, t"
            )

        texts = {
            "last_one": f"SELECT tag, time, value FROM last_values WHERE {one}",
            "last_all": "SELECT tag, time, value FROM last_values",
            "raw_hour": f"SELECT tag, time, value FROM samples WHERE {one}"
            f" AND time >= {hour[0]} AND time < {hour[1]} ORDER BY time",
            "down_one": buckets("1 minute", f"WHERE {one}"),
            "down_ten": buckets("1 minute", f"WHERE {ten}"),
            "down_all": buckets("1 hour"),
            "filter_rows": "SELECT tag, time, value FROM samples"
            f" WHERE value > {asked['few_above']}",
            "filter_count": "SELECT NULL, NULL, count(*) FROM samples"
            f" WHERE value > {asked['half_above']}",
            "per_tag": f"SELECT tag, NULL, count(value), {sums} FROM samples GROUP BY tag",
        }

        def rows(answer):
            return [
                (numbers.get(tag, 0), micros_of(time) if time else 0, *values)
                for tag, time, *values in json.loads(answer)["rows"]
                # A series that is not of the set: of its texts, or of the node itself.
                if tag is None or tag in numbers
            ]

        return {
            name: measure.Question(lambda text=text: self.sql(text), rows)
            for name, text in texts.items()
        }

    def sql(self, text):
        return self.web.post("/api/v1/query", json.dumps({"sql": text}))


def micros_of(text):
    """Microseconds of an RFC 3339 time in UTC."""
    seconds, _, parts = text.removesuffix("Z").partition(".")
    whole = calendar.timegm(time.strptime(seconds, "%Y-%m-%dT%H:%M:%S"))
    return whole * 1_000_000 + int(parts.ljust(6, "0")[:6])


SERVERS = {"influxdb": InfluxDb, "victoriametrics": VictoriaMetrics, "weir": Weir}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("server", choices=sorted(SERVERS))
    parser.add_argument("--url", required=True)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--settle", action="store_true")
    parser.add_argument("--set")
    parser.add_argument("--answers")
    parser.add_argument("--seconds", type=float, default=1.0)
    args = parser.parse_args()
    server = SERVERS[args.server](Http(args.url))
    cpu_seconds = cpu_of(args.pid)
    numbers = {"ingest": ingest(server.write, server.lines, args.first, cpu_seconds)}
    if args.settle:
        before = cpu_seconds()
        server.settle(args.data)
        numbers["settle_cpu_s"] = cpu_seconds() - before
        numbers["bytes"] = measure.bytes_below(args.data)
    if args.set:
        with open(args.set, encoding="utf-8") as file:
            questions = server.questions(json.load(file))
        numbers["queries"] = measure.ask_all(questions, args.answers, args.seconds, cpu_seconds)
    numbers["peak_rss_mb"] = measure.peak_rss_mb(args.pid)
    measure.told(numbers)


if __name__ == "__main__":
    main()
