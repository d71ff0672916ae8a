"""A CPU made of the server of Snap7, for the tests of weir-s7.

Usage: device.py --port PORT [--types] [--blocks N]

It prints one JSON line {"port", "settings", "points", "modes"} when it listens, reads one JSON command a line
and answers each with one JSON line:

  {"do": "set", "point": i, "value": v}       changes the value of a point
  {"do": "get", "point": i}                   what it is now
  {"do": "mode", "mode": m}                   see MODES; all but `lie` and `flood` are played by a proxy before the server
  {"do": "bytes", "area": a, "db": n, "start": s, "count": c}   what the memory holds now
  {"do": "missing", "db": n} and {"do": "there", "db": n}       removes a data block and puts it back

With --types the points are all types with several values each, laid out by the struct module; with --blocks
there are N more data blocks. It ends when its input does, so that it never outlives the test.
"""

import argparse
import asyncio
import ctypes
import datetime
import json
import random
import socket
import struct
import sys

from snap7.server import Server
from snap7.type import SrvArea

MODES = ["normal", "silent", "lie", "flood", "slow", "half", "garbage", "reference"]

AREAS = {
    "input": SrvArea.PE,
    "output": SrvArea.PA,
    "merker": SrvArea.MK,
    "timer": SrvArea.TM,
    "counter": SrvArea.CT,
}

# Whole numbers beyond 2^53 are strings in Weir's JSON, since many programs would round them.
SAFE = 1 << 53


def weir_json(value):
    return str(value) if isinstance(value, int) and abs(value) > SAFE else value


def bcd(number):
    return int(str(number), 16)


def unbcd(word):
    return int(f"{word & 0x0FFF:x}")


class Codec:
    """Bytes of a type, made without any code of Weir. `keep` leaves the capacity of a text as it is."""

    def __init__(self, data_type, encode, decode, size):
        self.data_type, self.encode, self.decode, self.size = data_type, encode, decode, size


def packed(data_type, code):
    return Codec(
        data_type,
        lambda value: struct.pack(">" + code, value),
        lambda data: struct.unpack(">" + code, data)[0],
        struct.calcsize(code),
    )


def string(capacity):
    def encode(text):
        data = text.encode("gbk")
        return bytes([capacity, len(data)]) + data.ljust(capacity, b"\x00")

    return Codec("text", encode, lambda d: d[2 : 2 + d[1]].decode("gbk"), 2 + capacity)


def wstring(capacity):
    def encode(text):
        data = text.encode("utf-16-be")
        return struct.pack(">HH", capacity, len(data) // 2) + data.ljust(2 * capacity, b"\x00")

    def decode(data):
        return data[4 : 4 + 2 * struct.unpack(">HH", data[:4])[1]].decode("utf-16-be")

    return Codec("text", encode, decode, 4 + 2 * capacity)


def date_and_time(text):
    t = datetime.datetime.fromisoformat(text)
    fields = [t.year % 100, t.month, t.day, t.hour, t.minute, t.second]
    digits = "".join(f"{n:02d}" for n in fields) + f"{t.microsecond // 1000:03d}"
    return bytes.fromhex(digits + str(t.isoweekday() % 7 + 1))


def dtl(text):
    t = datetime.datetime.fromisoformat(text[:26])
    nanos = int(text[20:29])
    return struct.pack(
        ">HBBBBBBI", t.year, t.month, t.day, t.isoweekday() % 7 + 1, t.hour, t.minute, t.second, nanos
    )


def s5time(millis):
    base = next(i for i, b in enumerate((10, 100, 1000, 10000)) if millis // b <= 999)
    return struct.pack(">H", base << 12 | bcd(millis // (10, 100, 1000, 10000)[base]))


EPOCH = datetime.date(1990, 1, 1)


def date(text):
    return struct.pack(">H", (datetime.date.fromisoformat(text) - EPOCH).days)


def time_of_day(text):
    t = datetime.time.fromisoformat(text)
    millis = ((t.hour * 60 + t.minute) * 60 + t.second) * 1000 + t.microsecond // 1000
    return struct.pack(">I", millis)


def one_way(data_type, encode, size):
    return Codec(data_type, encode, lambda data: data.hex(), size)


CODECS = {
    "byte": packed("u64", "B"),
    "usint": packed("u64", "B"),
    "sint": packed("i64", "b"),
    "word": packed("u64", "H"),
    "uint": packed("u64", "H"),
    "int": packed("i64", "h"),
    "dword": packed("u64", "I"),
    "udint": packed("u64", "I"),
    "dint": packed("i64", "i"),
    "lword": packed("u64", "Q"),
    "ulint": packed("u64", "Q"),
    "lint": packed("i64", "q"),
    "real": packed("f64", "f"),
    "lreal": packed("f64", "d"),
    "time": packed("i64", "i"),
    "char": Codec("text", lambda t: t.encode("gbk"), lambda d: d.decode("gbk"), 1),
    "bcd": Codec(
        "u64",
        lambda n: struct.pack(">H", bcd(n)),
        lambda d: unbcd(struct.unpack(">H", d)[0]),
        2,
    ),
    "s5time": one_way("u64", s5time, 2),
    "date": one_way("text", date, 2),
    "time_of_day": one_way("text", time_of_day, 4),
    "date_and_time": one_way("text", date_and_time, 8),
    "dtl": one_way("text", dtl, 12),
}

VALUES = {
    "byte": [0, 255],
    "usint": [200],
    "sint": [-128, 127],
    "word": [0, 0xABCD, 0xFFFF],
    "uint": [65535],
    "int": [-32768, -1, 32767],
    "dword": [0x41424344, 0xFFFFFFFF],
    "udint": [4000000000],
    "dint": [-2147483648, 2147483647],
    "lword": [0x4142434445464748, 0xFFFFFFFFFFFFFFFF],
    "ulint": [9007199254740993],
    "lint": [-1, -9223372036854775808],
    "real": [0.0, -1.5, 3.1415927410125732, 1.1754943508222875e-38],
    "lreal": [-2.5, 3.141592653589793, 1e300],
    "time": [-1, 86400000],
    "char": ["A", "~"],
    "bcd": [0, 999],
    "s5time": [10, 9990, 123000, 9990000],
    "date": ["1990-01-01", "2026-11-26", "2168-12-31"],
    "time_of_day": ["00:00:00.000", "23:59:59.999"],
    "date_and_time": ["1990-01-01T00:00:00.000", "2026-11-26T06:30:59.987", "2089-12-31T23:59:59.999"],
    "dtl": ["1970-01-01T00:00:00.000000000", "2026-11-26T06:30:59.987654321", "2096-02-29T23:59:59.999999999"],
}


class Point:
    """Where a value stands in the memory, and how it is written down."""

    def __init__(self, address, codec, memory, start, value, bit=None, **more):
        self.address, self.codec, self.memory, self.start = address, codec, memory, start
        self.bit, self.more = bit, more
        self.set(value)

    def set(self, value):
        if self.bit is None:
            data = self.codec.encode(value)
            ctypes.memmove(ctypes.byref(self.memory, self.start), data, len(data))
        elif value:
            self.memory[self.start] |= 1 << self.bit
        else:
            self.memory[self.start] &= ~(1 << self.bit) & 0xFF

    def get(self):
        if self.bit is not None:
            return bool(self.memory[self.start] >> self.bit & 1)
        data = bytes(self.memory[self.start : self.start + self.codec.size])
        return weir_json(self.codec.decode(data))

    def told(self, value):
        data_type = "bool" if self.bit is not None else self.codec.data_type
        return {"address": self.address, "data_type": data_type, "value": weir_json(value), **self.more}


class Device:
    def __init__(self, arguments):
        self.server = Server(log=False)
        self.blocks, self.areas = {}, {}
        self.mode, self.rng = "normal", random.Random(4711)
        for name, area in AREAS.items():
            self.areas[name] = (ctypes.c_uint8 * 256)()
            self.server.register_area(area, 0, self.areas[name])
        self.add_block(9, 64)
        self.add_block(1, 512)
        for number in range(arguments.blocks):
            self.add_block(100 + number, 16)
        self.points = self.all_types() if arguments.types else self.ordinary()

    def add_block(self, number, size):
        memory = self.blocks.setdefault(number, (ctypes.c_uint8 * size)())
        self.server.register_area(SrvArea.DB, number, memory)
        return memory

    def ordinary(self):
        """The points of the conformance suite; point 0 is the one that lies."""
        db, areas = self.blocks[1], self.areas
        writable, hidden = {"writable": True}, {"writable": True, "browsed": False}

        def at(area, byte, kind, **more):
            return {"area": area, "byte": byte, "type": kind, **more}

        def text(address):
            return {"address": address}

        return [
            Point(at("db", 0, "bcd", db=9), CODECS["bcd"], self.blocks[9], 0, 123, **hidden),
            Point(at("db", 0, "byte", db=1), CODECS["byte"], db, 0, 7, **writable),
            Point(at("db", 2, "word", db=1), CODECS["word"], db, 2, 0xABCD, **writable),
            Point(text("DB1.DBX4.3"), None, db, 4, True, bit=3, **hidden),
            Point(text("DB1.DBD6:REAL"), CODECS["real"], db, 6, -1.5, **hidden),
            Point(text("DB1,DINT10"), CODECS["dint"], db, 10, -70000, **hidden),
            Point(at("db", 14, "lint", db=1), CODECS["lint"], db, 14, -(1 << 60), **hidden),
            Point(text("DB1,STRING24.20"), string(20), db, 24, "Weir 水", **hidden),
            Point(text("%DB1.DBB60:WSTRING[20]"), wstring(20), db, 60, "温度", **hidden),
            Point(at("merker", 10, "word"), CODECS["word"], areas["merker"], 10, 1000, **writable),
            Point(at("input", 4, "word"), CODECS["word"], areas["input"], 4, 4000),
            Point(text("Q0.5"), None, areas["output"], 0, True, bit=5, **hidden),
            # This server takes half of the number of a timer or counter for its first byte; CPUs take the number.
            Point({"area": "timer", "number": 4, "type": "word"}, CODECS["word"], areas["timer"], 2, 77, browsed=False),
            Point(text("C8"), CODECS["bcd"], areas["counter"], 4, 321, browsed=False),
        ]

    def all_types(self):
        points, start, memory = [], 0, self.add_block(2, 2048)
        kinds = [(kind, CODECS[kind], value) for kind, values in VALUES.items() for value in values]
        kinds += [("string", string(n), t) for n, t in ((1, ""), (20, "Weir 水位"), (254, "x" * 254))]
        kinds += [("wstring", wstring(n), t) for n, t in ((1, ""), (20, "温度 °C 😀"), (300, "温" * 300))]
        for kind, codec, value in kinds:
            address = {"area": "db", "db": 2, "byte": start, "type": kind}
            if kind == "string":
                address["length"] = codec.size - 2
            if kind == "wstring":
                address["length"] = (codec.size - 4) // 2
            points.append((Point(address, codec, memory, start, value), value))
            start += codec.size + self.rng.randrange(3)
        for bit in range(8):
            address = {"area": "db", "db": 2, "byte": start, "bit": bit}
            points.append((Point(address, None, memory, start, bit in (0, 2, 7), bit=bit), bit in (0, 2, 7)))
        self.expected = [value for _, value in points]
        return [point for point, _ in points]

    def hello(self, port):
        settings = {
            "host": "127.0.0.1",
            "port": port,
            "poll_ms": 20,
            "timeout_ms": 3000,
            "encoding": "gbk",
        }
        values = getattr(self, "expected", None) or [point.get() for point in self.points]
        points = [point.told(value) for point, value in zip(self.points, values)]
        return {"port": port, "settings": settings, "points": points, "modes": MODES}

    def set_mode(self, mode):
        if mode not in MODES:
            raise ValueError(mode)
        block = self.blocks[9]
        if mode == "lie":
            self.truth, block[0] = block[0], 0xFF
        elif self.mode == "lie":
            block[0] = self.truth
        self.mode = mode

    async def flood(self):
        while True:
            await asyncio.sleep(0.001)
            if self.mode == "flood":
                self.points[0].set(self.rng.randrange(1000))

    def memory(self, command):
        if command["area"] == "db":
            return self.blocks[command["db"]]
        return self.areas[command["area"]]

    def answer(self, command):
        match command["do"]:
            case "set":
                self.points[command["point"]].set(command["value"])
                return {}
            case "get":
                return {"value": self.points[command["point"]].get()}
            case "mode":
                self.set_mode(command["mode"])
                return {}
            case "bytes":
                start, count = command["start"], command["count"]
                return {"bytes": bytes(self.memory(command)[start : start + count]).hex()}
            case "missing":
                self.server.unregister_area(SrvArea.DB, command["db"])
                return {}
            case "there":
                self.add_block(command["db"], 0)
                return {}
        raise ValueError(command)


class Proxy:
    """Stands before the server and breaks what it is told to break."""

    def __init__(self, device, inner):
        self.device, self.inner = device, inner

    async def serve(self, reader, writer):
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.inner)
        except OSError:
            writer.close()
            return
        pumps = [
            asyncio.create_task(self.pump(reader, server_writer, self.asked)),
            asyncio.create_task(self.pump(server_reader, writer, self.answered)),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        writer.close()
        server_writer.close()

    async def pump(self, reader, writer, change):
        try:
            while True:
                header = await reader.readexactly(4)
                frame = header + await reader.readexactly(int.from_bytes(header[2:], "big") - 4)
                writer.write(await change(frame))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass

    async def asked(self, frame):
        return b"" if self.device.mode == "silent" else frame

    async def answered(self, frame):
        mode, is_data = self.device.mode, len(frame) > 22
        if mode == "slow":
            await asyncio.sleep(0.7)
        elif mode == "half" and is_data:
            return frame[: len(frame) // 2]
        elif mode == "garbage" and is_data:
            rng = self.device.rng
            return bytes(rng.randrange(256) for _ in range(rng.randrange(1, 400)))
        elif mode == "reference" and is_data:
            return frame[:11] + bytes([frame[11] ^ 0x55]) + frame[12:]
        return frame


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--types", action="store_true")
    parser.add_argument("--blocks", type=int, default=0)
    arguments = parser.parse_args()
    device = Device(arguments)
    inner = free_port()
    device.server.start_to("127.0.0.1", inner)
    listener = await asyncio.start_server(Proxy(device, inner).serve, "127.0.0.1", arguments.port)
    port = listener.sockets[0].getsockname()[1]
    flood = asyncio.create_task(device.flood())
    print(json.dumps(device.hello(port)), flush=True)
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        print(json.dumps(device.answer(json.loads(line))), flush=True)
    flood.cancel()


if __name__ == "__main__":
    asyncio.run(main())
