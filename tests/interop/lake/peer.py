"""An S3 server (moto) with an empty bucket, and a reader of Delta tables (delta-rs), driven by JSON lines.

The first line on standard output says where the server listens. Each line on standard input asks for the
rows of the table at a URL: `{"read": "s3://…"}`; each answer is one line.
"""

import json
import sys

import boto3
import deltalake
from moto.server import ThreadedMotoServer

KEYS = ("weir", "a secret of the lake")

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
endpoint = f"http://{host}:{port}"
client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1",
                      aws_access_key_id=KEYS[0], aws_secret_access_key=KEYS[1])
client.create_bucket(Bucket="lake")

OPTIONS = {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": KEYS[0], "AWS_SECRET_ACCESS_KEY": KEYS[1],
           "AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true"}


def value(row):
    """What docs/specs/block.md says of numbers: kinds 1 (f64) and 2 (i64)."""
    if row["kind"] == 1:
        return row["f64"] if row["f64"] is not None else (row["o"] + row["k"] * row["g"]) / row["p"]
    if row["kind"] == 2:
        return row["o"] + row["k"] * row["g"]
    return row["text"]


def read(url):
    table = deltalake.DeltaTable(url, storage_options=OPTIONS)
    rows = []
    for row in table.to_pyarrow_table().to_pylist():
        micros = (row["time"] - row["time"].replace(year=1970, month=1, day=1, hour=0, minute=0, second=0,
                                                    microsecond=0))
        nanos = (micros.days * 86_400 + micros.seconds) * 1_000_000_000 + micros.microseconds * 1_000
        rows.append([row["tag"], nanos + row["nanos"], value(row), row["quality"]])
    rows.sort(key=lambda row: row[:2])
    return {"version": table.version(), "files": len(table.file_uris()), "rows": rows}


print(json.dumps({"endpoint": endpoint}), flush=True)
for line in sys.stdin:
    try:
        answer = read(json.loads(line)["read"])
    except Exception as error:  # Whatever the reader says is for the test to judge.
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
server.stop()
