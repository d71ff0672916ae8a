"""A Modbus TCP device made of pymodbus, for the conformance suite of drivers.

It speaks the lines of JSON that crates/network/connect/src/conformance.rs describes.
"""

import argparse
import asyncio
import json
import logging
import struct
import sys

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

READ = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
WRITE = {"coil": 5, "discrete": 2, "holding": 16, "input": 4}
CODES = {"u16": "H", "i16": "h", "u32": "I", "i32": "i", "f32": "f", "u64": "Q", "f64": "d"}


def point(table, address, kind, data_type, value, writable=False, bit=None):
    where = {"table": table, "address": address, "type": kind}
    if bit is not None:
        where["bit"] = bit
    told = {"address": where, "data_type": data_type, "value": value, "writable": writable}
    # Registers are shown as they are: one by one, without a type.
    told["browsed"] = table in ("coil", "discrete") or kind == "u16"
    return told


POINTS = [
    point("holding", 0, "u16", "u64", 1),
    point("holding", 1, "u16", "u64", 2, True),
    point("holding", 2, "i16", "i64", -3, True),
    point("holding", 3, "u32", "u64", 70000, True),
    point("holding", 5, "f32", "f64", 1.5, True),
    point("holding", 7, "f64", "f64", -2.25),
    point("holding", 11, "bool", "bool", True, True, 4),
    point("input", 20, "u64", "u64", 5),
    point("coil", 2, "bool", "bool", True, True),
    point("discrete", 3, "bool", "bool", False),
]


def words(kind, value):
    data = struct.pack(">" + CODES[kind], value)
    return [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]


class Device:
    def __init__(self):
        self.mode = "normal"
        self.held = {table: {} for table in READ}
        for i in range(len(POINTS)):
            self.put(i, POINTS[i]["value"])

    def put(self, index, value):
        where = POINTS[index]["address"]
        held, address = self.held[where["table"]], where["address"]
        if where["table"] in ("coil", "discrete"):
            held[address] = bool(value)
        elif "bit" in where:
            word = held.get(address, 0) & ~(1 << where["bit"])
            held[address] = word | bool(value) << where["bit"]
        else:
            for offset, word in enumerate(words(where["type"], value)):
                held[address + offset] = word
        return address

    def read(self, where, registers):
        if where["table"] in ("coil", "discrete"):
            return bool(registers[0])
        if "bit" in where:
            return bool(registers[0] >> where["bit"] & 1)
        data = b"".join(word.to_bytes(2, "big") for word in registers)
        return struct.unpack(">" + CODES[where["type"]], data)[0]

    async def action(self, function, start, address, count, current, values):
        if self.mode == "silent":
            await asyncio.sleep(1)
        if self.mode == "lie" and function == 3 and address == 0:
            return ExcCodes.ILLEGAL_ADDRESS
        return None

    def simulated(self):
        def block(table, data_type):
            held = self.held[table]
            empty = False if data_type == DataType.BITS else 0
            return [SimData(0, values=[held.get(a, empty) for a in range(64)], datatype=data_type)]

        kinds = (DataType.BITS, DataType.BITS, DataType.REGISTERS, DataType.REGISTERS)
        blocks = (block(t, k) for t, k in zip(("coil", "discrete", "holding", "input"), kinds))
        return SimDevice(id=1, simdata=tuple(blocks), action=self.action)


async def flood(device, server):
    value = 0
    while device.mode == "flood":
        value = (value + 1) % 60000
        await server.async_setValues(1, 16, 0, [value])
        await asyncio.sleep(0.001)


async def commands(device, server):
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    tasks = set()
    while line := await reader.readline():
        command = json.loads(line)
        answer = {}
        if command["do"] == "mode":
            device.mode = command["mode"]
            if device.mode == "flood":
                tasks.add(asyncio.create_task(flood(device, server)))
        elif command["do"] == "set":
            where = POINTS[command["point"]]["address"]
            address = device.put(command["point"], command["value"])
            width = 1
            if where["table"] in ("holding", "input") and "bit" not in where:
                width = len(words(where["type"], 0))
            held = device.held[where["table"]]
            values = [held[address + i] for i in range(width)]
            await server.async_setValues(1, WRITE[where["table"]], address, values)
        elif command["do"] == "get":
            where = POINTS[command["point"]]["address"]
            width = 1
            if where["table"] in ("holding", "input") and "bit" not in where:
                width = len(words(where["type"], 0))
            held = await server.async_getValues(
                1, READ[where["table"]], where["address"], width
            )
            answer["value"] = device.read(where, list(held))
        else:
            raise ValueError(line)
        print(json.dumps(answer), flush=True)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL + 1)
    device = Device()
    server = ModbusTcpServer(device.simulated(), address=("127.0.0.1", arguments.port))
    await server.serve_forever(background=True)
    port = server.transport.sockets[0].getsockname()[1]
    settings = {"host": "127.0.0.1", "port": port, "poll_ms": 20, "timeout_ms": 5000}
    modes = ["silent", "lie", "flood"]
    hello = {"port": port, "settings": settings, "points": POINTS, "modes": modes}
    print(json.dumps(hello), flush=True)
    await commands(device, server)
    await server.shutdown()


if __name__ == "__main__":
    asyncio.run(main())
