"""A Modbus TCP device made of pymodbus, for the tests of weir-modbus.

Usage: device.py [--port PORT]

Prints one JSON line {"port": n, "points": [{"address": {...}, "value": v}, ...]} when it listens:
the points are addresses as Weir writes them, with the values that pymodbus (and, where it has no
such byte order, the struct module) put there. Then it reads one JSON command a line and answers
each with one JSON line:

  {"do": "mode", "mode": "normal" | "slow" | "half" | "garbage" | "wrong-function", "seconds": s}
  {"do": "registers", "address": a, "count": n}   what the holding registers hold now
  {"do": "coils", "address": a, "count": n}       what the coils hold now

It ends when its input does, so that it never outlives the test.
"""

import argparse
import asyncio
import json
import logging
import random
import struct
import sys

from pymodbus.client.mixin import ModbusClientMixin
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

TYPES = ModbusClientMixin.DATATYPE

# Reading holding register EXCEPTIONS + n is answered with exception n.
EXCEPTIONS = 9000

# Below the first missing address all registers exist; the ones behind it are there again.
MISSING = 500

VALUES = {
    "u16": (TYPES.UINT16, "H", [0, 1, 0xABCD, 0xFFFF]),
    "i16": (TYPES.INT16, "h", [0, -1, -32768, 32767]),
    "u32": (TYPES.UINT32, "I", [0, 0x41424344, 0xFFFFFFFF]),
    "i32": (TYPES.INT32, "i", [-1, -2147483648, 2147483647, 0x01020304]),
    "f32": (TYPES.FLOAT32, "f", [0.0, -1.5, 3.1415927410125732, 1.1754943508222875e-38]),
    "u64": (TYPES.UINT64, "Q", [0, 0x4142434445464748, 0xFFFFFFFFFFFFFFFF, 9007199254740993]),
    "i64": (TYPES.INT64, "q", [-1, -9223372036854775808, 0x0102030405060708]),
    "f64": (TYPES.FLOAT64, "d", [0.0, -2.5, 3.141592653589793, 1e300]),
}

# Whole numbers beyond 2^53 are strings in Weir's JSON, since many programs would round them.
SAFE = 1 << 53


def weir_json(value):
    return str(value) if isinstance(value, int) and abs(value) > SAFE else value


def registers_of(kind, value, order):
    """The registers that hold a value, computed without any code of Weir."""
    data_type, code, _ = VALUES[kind]
    if order in ("ABCD", "CDAB"):
        word_order = "big" if order == "ABCD" else "little"
        return ModbusClientMixin.convert_to_registers(value, data_type, word_order)
    if order == "DCBA":
        data = struct.pack("<" + code, value)
    else:
        big = struct.pack(">" + code, value)
        data = b"".join(big[i : i + 2][::-1] for i in range(0, len(big), 2))
    return [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]


def layout():
    """Registers from address 0 on, bits from address 0 on, and the points among them."""
    registers, points = [], []
    for table in ("holding", "input"):
        for kind, (_, _, values) in VALUES.items():
            for order in ("ABCD", "CDAB", "BADC", "DCBA"):
                if kind in ("u16", "i16") and order != "ABCD":
                    continue
                for value in values:
                    if table == "holding":
                        address = len(registers)
                        registers += registers_of(kind, value, order)
                    else:
                        address = next(
                            p["address"]["address"]
                            for p in points
                            if p["key"] == ("holding", kind, order, value)
                        )
                    where = {
                        "table": table,
                        "address": address,
                        "type": kind,
                        "word_order": order,
                    }
                    key = (table, kind, order, value)
                    points.append({"key": key, "address": where, "value": weir_json(value)})
    bit_register = len(registers)
    registers.append(0b1010_0000_0000_0101)
    for bit in range(16):
        where = {"table": "holding", "address": bit_register, "type": "bool", "bit": bit}
        points.append({"address": where, "value": bool(registers[bit_register] >> bit & 1)})
    assert len(registers) < MISSING, len(registers)
    rng = random.Random(2026)
    coils = [rng.random() < 0.5 for _ in range(320)]
    discrete = [not coil for coil in coils]
    for table, bits in (("coil", coils), ("discrete", discrete)):
        for address in (0, 1, 7, 8, 15, 16, 17, 99, 255, 256, 319):
            where = {"table": table, "address": address, "type": "bool"}
            points.append({"address": where, "value": bits[address]})
    for point in points:
        point.pop("key", None)
    return registers, coils, discrete, points


class Device:
    def __init__(self):
        self.mode = "normal"
        self.seconds = 0.0
        self.registers, self.coils, self.discrete, self.points = layout()
        self.rng = random.Random(4711)

    async def action(self, function, start, address, count, current, values):
        """Called by pymodbus for each request, before it answers."""
        if self.mode == "slow":
            await asyncio.sleep(self.seconds)
        if function == 3 and EXCEPTIONS < address <= EXCEPTIONS + 0x0B:
            try:
                return ExcCodes(address - EXCEPTIONS)
            except ValueError:
                return None
        return None

    def trace_packet(self, sending, data):
        """Called by pymodbus for each packet; what it returns is sent."""
        if not sending or self.mode in ("normal", "slow"):
            return data
        if self.mode == "half":
            return data[: len(data) // 2]
        if self.mode == "garbage":
            return bytes(self.rng.randrange(256) for _ in range(self.rng.randrange(1, 400)))
        if self.mode == "wrong-function":
            return data[:7] + bytes([data[7] ^ 0x07]) + data[8:]
        raise AssertionError(self.mode)

    def simulated(self):
        def words(values):
            return [
                SimData(0, values=values, datatype=DataType.REGISTERS),
                SimData(len(values), count=MISSING - len(values), datatype=DataType.REGISTERS),
                SimData(MISSING + 1, count=EXCEPTIONS + 99 - MISSING, datatype=DataType.REGISTERS),
            ]

        def bits(values):
            return [SimData(0, values=values, datatype=DataType.BITS)]

        blocks = (
            bits(self.coils),
            bits(self.discrete),
            words(self.registers),
            words(self.registers),
        )
        return SimDevice(id=1, simdata=blocks, action=self.action)


async def commands(device, server):
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        command = json.loads(line)
        answer = {}
        if command["do"] == "mode":
            device.mode = command["mode"]
            device.seconds = command.get("seconds", 0.0)
        elif command["do"] == "registers":
            held = await server.async_getValues(1, 3, command["address"], command["count"])
            answer["registers"] = list(held)
        elif command["do"] == "coils":
            held = await server.async_getValues(1, 1, command["address"], command["count"])
            answer["coils"] = list(held)
        else:
            raise ValueError(line)
        print(json.dumps(answer), flush=True)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    # What it would say of connections that end is what the tests are about.
    logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL + 1)
    device = Device()
    server = ModbusTcpServer(
        device.simulated(),
        address=("127.0.0.1", arguments.port),
        trace_packet=device.trace_packet,
    )
    await server.serve_forever(background=True)
    port = server.transport.sockets[0].getsockname()[1]
    print(json.dumps({"port": port, "points": device.points}), flush=True)
    await commands(device, server)
    await server.shutdown()


if __name__ == "__main__":
    asyncio.run(main())
