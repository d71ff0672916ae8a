"""Writes points with the official Python clients of InfluxDB 2 and 1, packed and not.

Usage: send.py URL TOKEN
"""

import sys
from urllib.parse import urlparse

from influxdb import InfluxDBClient as Client1
from influxdb_client import InfluxDBClient, Point, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

BEGIN = 1767225600  # 2026-01-01T00:00:00Z

url, token = sys.argv[1], sys.argv[2]

for packed in (False, True):
    with InfluxDBClient(url=url, token=token, org="any", enable_gzip=packed) as client:
        assert client.ping(), "no answer to a ping"
        assert client.health().status == "pass"
        write = client.write_api(write_options=SYNCHRONOUS)
        points = [
            Point("press 4")
            .tag("line", 'a,b=c "d"')
            .field("force", 812.5 + n)
            .field("strokes", n)
            .field("open", n % 2 == 0)
            .field("order", 'say "hi", 订单\nplease')
            .time(BEGIN + 10 * packed + n, WritePrecision.S)
            for n in range(10)
        ]
        write.write(bucket="any", record=points, write_precision=WritePrecision.S)
        try:
            write.write(bucket="any", record="press value=")
            raise SystemExit("what is no line was taken")
        except ApiException as error:
            assert error.status == 400, error.status
            assert "Line 1" in error.message, error.message

address = urlparse(url)
for packed in (False, True):
    client = Client1(
        address.hostname, address.port, username="any", password=token, database="any", gzip=packed
    )
    assert client.ping().startswith("weir-")
    client.write_points(
        [
            {
                "measurement": "oven",
                "tags": {"zone": "1"},
                "time": (BEGIN + 10 * packed + n) * 1000,
                "fields": {"heat": 700.25 + n},
            }
            for n in range(10)
        ],
        time_precision="ms",
    )
print("written")
