"""Scanners, readers and terminals made of Python's asyncio, for the tests of weir-line.

Usage: scanner.py --port PORT

As a TCP server it sends the line of every point to whoever connects, and a point's line again whenever it is
set. It prints one JSON line {"port", "settings", "points", "modes"} when it listens, reads one JSON command a
line and answers each with one JSON line:

  {"do": "set", "point": i, "value": v}   changes a value and sends its line
  {"do": "get", "point": i}               what it is
  {"do": "mode", "mode": m}               normal, lie (point 0 is no number), flood (point 0 as fast as it can)
  {"do": "connect", "port": p, "source": a}          connects to a listening Weir from an own address; answers {"scanner": k}
  {"do": "send", "scanner": k, "hex": h, "piece": n, "pause": s}   sends bytes, in pieces with pauses; k is null for those
                                                    that connected to us. Answers when all is sent, or {"error"}
  {"do": "close", "scanner": k}           ends a connection
  {"do": "ended", "scanner": k}           waits until Weir has ended a connection
  {"do": "received"}                      the bytes that came from Weir, in hexadecimal

It ends when its input does, so that it never outlives the test.
"""

import argparse
import asyncio
import json
import sys

POINTS = [
    ({"format": "fields", "field": 2, "separator": ";"}, "i64", 7, "P0;{}"),
    ({"format": "text", "prefix": "P1:"}, "text", "换班 1", "P1:{}"),
    ({"format": "json", "path": "/weight/kg"}, "f64", 2.25, '{{"weight": {{"kg": {}}}}}'),
    ({"format": "fields", "field": "ok", "separator": ","}, "bool", True, "id=P3,ok={}"),
    ({"format": "text", "pattern": r"^P4 +([0-9]+) pcs$"}, "u64", 40, "P4   {} pcs"),
]


class Scanner:
    def __init__(self):
        self.values = [value for _, _, value, _ in POINTS]
        self.mode = "normal"
        self.served, self.opened = set(), []
        self.received = bytearray()

    def line(self, point):
        value = self.values[point]
        if point == 0 and self.mode == "lie":
            value = "twelve"
        if isinstance(value, bool):
            value = str(value).lower()
        return POINTS[point][3].format(value).encode("gbk") + b"\r\n"

    def hello(self, port):
        settings = {
            "host": "127.0.0.1",
            "port": port,
            "delimiter": "crlf",
            "encoding": "gbk",
            "timeout_ms": 3000,
        }
        points = [
            {"address": address, "data_type": data_type, "value": value}
            for (address, data_type, _, _), value in zip(POINTS, self.values)
        ]
        return {"port": port, "settings": settings, "points": points, "modes": ["normal", "lie", "flood"]}

    async def serve(self, reader, writer):
        self.served.add(writer)
        try:
            for point in range(len(POINTS)):
                writer.write(self.line(point))
            await writer.drain()
            while data := await reader.read(4096):
                self.received += data
        except OSError:
            pass
        finally:
            self.served.discard(writer)
            writer.close()

    async def send_all(self, data):
        for writer in list(self.served):
            try:
                writer.write(data)
                await writer.drain()
            except OSError:
                self.served.discard(writer)

    async def flood(self):
        number = 0
        while True:
            await asyncio.sleep(0.0005)
            if self.mode == "flood":
                number += 1
                await self.send_all(f"P0;{number}\r\n".encode())

    async def answer(self, command):
        match command["do"]:
            case "set":
                self.values[command["point"]] = command["value"]
                await self.send_all(self.line(command["point"]))
                return {}
            case "get":
                return {"value": self.values[command["point"]]}
            case "mode":
                self.mode = command["mode"]
                await self.send_all(self.line(0))
                return {}
            case "connect":
                source = (command["source"], 0) if command.get("source") else None
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", command["port"], local_addr=source
                )
                self.opened.append((reader, writer))
                return {"scanner": len(self.opened) - 1}
            case "send":
                return await self.send(command)
            case "close":
                self.opened[command["scanner"]][1].close()
                return {}
            case "ended":
                reader, _ = self.opened[command["scanner"]]
                try:
                    while await reader.read(4096):
                        pass
                except OSError:
                    pass
                return {}
            case "received":
                return {"hex": self.received.hex()}
        raise ValueError(command)

    async def send(self, command):
        data = bytes.fromhex(command["hex"])
        piece = command.get("piece") or len(data)
        for start in range(0, len(data), piece):
            part = data[start : start + piece]
            if command["scanner"] is None:
                await self.send_all(part)
            else:
                _, writer = self.opened[command["scanner"]]
                try:
                    writer.write(part)
                    await writer.drain()
                except OSError as error:
                    return {"error": str(error)}
            await asyncio.sleep(command.get("pause", 0))
        return {}


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    scanner = Scanner()
    server = await asyncio.start_server(scanner.serve, "127.0.0.1", arguments.port)
    port = server.sockets[0].getsockname()[1]
    flood = asyncio.create_task(scanner.flood())
    print(json.dumps(scanner.hello(port)), flush=True)
    reader = asyncio.StreamReader(limit=1 << 22)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        print(json.dumps(await scanner.answer(json.loads(line))), flush=True)
    flood.cancel()


if __name__ == "__main__":
    asyncio.run(main())
