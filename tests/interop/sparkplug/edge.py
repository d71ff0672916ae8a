"""An edge node with two devices, encoded by pysparkplug, behind the Mosquitto and the proxy of ../mqtt/plant.py.

Usage: edge.py --port PORT [--aliases] [--primary HOST]

It prints one JSON line {"port", "settings", "points", "modes"} when it listens, reads one JSON command a line
and answers each with one JSON line:

  {"do": "set", "point": i, "value": v}       changes the value of a point and tells of it
  {"do": "get", "point": i}                   what it is now
  {"do": "mode", "mode": m}                   see MODES
  {"do": "tell", "point": i, "value": v, "ago_s": s, "historical": h, "null": n, "quality": q}   without keeping it
  {"do": "skip"}                              a sequence number is left out
  {"do": "die"}                               the connection breaks: Mosquitto says the will (NDEATH)
  {"do": "live"}                              connects anew, with the next bdSeq
  {"do": "stale death"}                       an NDEATH of the session before
  {"do": "device death", "device": d} and {"do": "device birth", "device": d}
  {"do": "heard"}                             {"rebirths": n, "states": [...]}: what hosts have said

With --primary it is born only while that host is online, and what happens meanwhile is history that it tells then.
It ends when its input does, so that it never outlives the test.
"""

import argparse
import asyncio
import json
import pathlib
import socket
import sys
import threading
import time

# The other script is no library and leaves nothing behind.
sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "mqtt"))

import paho.mqtt.client as mqtt
from pysparkplug import DataType, MessageType, Topic
from pysparkplug import _protobuf as protobuf
from pysparkplug._metric import Metric

from plant import Broker, Proxy

MODES = ["normal", "silent", "lie", "clock", "flood"]
GROUP, EDGE = "厂区 1", "edge 7"


class Point:
    def __init__(self, device, metric, data_type, weir_type, value, writable=False, unit=None):
        self.device, self.metric, self.data_type = device, metric, data_type
        self.weir_type, self.value, self.writable, self.unit = weir_type, value, writable, unit
        self.alias = None

    def hello(self):
        address = {"device": self.device, "metric": self.metric}
        return {
            "address": address,
            "data_type": self.weir_type,
            "value": self.value,
            "writable": self.writable,
        }


POINTS = [
    Point(None, "Temperature", DataType.DOUBLE, "f64", 21.5, unit="°C"),
    Point(None, "Line/Speed", DataType.UINT32, "u64", 1450, unit="1/min"),
    Point(None, "Line/Running", DataType.BOOLEAN, "bool", True),
    Point("press", "Name", DataType.STRING, "text", "压机 ⚙"),
    Point("press", "Count", DataType.INT64, "i64", -7),
    Point("press", "Setpoint/Value", DataType.UINT64, "u64", 40, True),
    Point("press", "Batch", DataType.TEXT, "text", "批次 1", True),
    Point(None, "Valve", DataType.BOOLEAN, "bool", True, True),
    Point("press", "Wave", DataType.FLOAT_ARRAY, "array", [1, 2.5, -3]),
    Point("press", "Motor/rpm", DataType.INT16, "i64", -300),
    Point("炉", "T", DataType.FLOAT, "f64", 180.25),
    Point("炉", "Table/n", DataType.INT32, "array", [1, -2, 3]),
    Point("炉", "Offset", DataType.INT8, "i64", -3, True),
]


def now_ms():
    return int(time.time() * 1000)


class EdgeNode:
    def __init__(self, broker, aliases, primary):
        self.broker, self.primary, self.mode = broker, primary, "normal"
        self.lock = threading.RLock()
        self.points, self.devices = POINTS, {"press", "炉"}
        if aliases:
            for index, point in enumerate(self.points):
                if "/" not in point.metric or point.metric.startswith(("Line/", "Setpoint/")):
                    point.alias = 100 + index
        self.bd_seq, self.seq, self.rebirths, self.states = -1, 0, 0, []
        self.born, self.waiting = False, []
        self.live()
        threading.Thread(target=self.flood, daemon=True).start()

    # The connection

    def live(self):
        self.bd_seq = (self.bd_seq + 1) % 256
        self.ready = threading.Event()
        self.client = mqtt.Client(client_id="", clean_session=True)
        self.client.will_set(self.topic(MessageType.NDEATH), self.death(self.bd_seq), 1, False)
        self.client.on_connect = self.connected
        self.client.on_message = self.message
        self.client.on_subscribe = lambda *_: self.subscribed()
        self.client.reconnect_delay_set(3600, 3600)
        self.client.connect("127.0.0.1", self.broker.own)
        self.client.loop_start()
        self.ready.wait(10)

    def die(self):
        # Without a DISCONNECT, so that the broker says the will.
        self.born = False
        self.client.socket().shutdown(socket.SHUT_RDWR)
        self.client.loop_stop()

    def connected(self, client, *_):
        topics = [(self.topic(MessageType.NCMD), 1)]
        topics += [(self.topic(MessageType.DCMD, device), 1) for device in self.devices]
        if self.primary:
            topics.append((f"spBv1.0/STATE/{self.primary}", 1))
        client.subscribe(topics)

    def subscribed(self):
        if not self.primary:
            self.birth()
        self.ready.set()

    def message(self, _client, _data, message):
        if "/STATE/" in message.topic:
            state = json.loads(message.payload)
            self.states.append(state)
            if state["online"] and not self.born:
                self.birth()
                waiting, self.waiting = self.waiting, []
                for index, value, at in waiting:
                    self.tell(index, value, at=at, historical=True)
            elif not state["online"]:
                self.born = False
            return
        topic = Topic.from_str(message.topic)
        for metric in protobuf.Payload.FromString(message.payload).metrics:
            if metric.name == "Node Control/Rebirth" and metric.boolean_value:
                self.rebirths += 1
                if self.born:
                    self.birth()
                continue
            for index, point in enumerate(self.points):
                named = metric.name == point.metric if metric.HasField("name") else False
                aliased = point.alias is not None and metric.alias == point.alias
                if point.device == topic.device_id and (named or aliased):
                    assert not (named and point.alias is not None), "a name where an alias was given"
                    value = Metric.from_pb(metric).value
                    self.set(index, value)

    # Messages

    def topic(self, kind, device=None):
        return str(Topic(group_id=GROUP, message_type=kind, edge_node_id=EDGE, device_id=device))

    def now(self):
        return now_ms() + (3_600_000 if self.mode == "clock" else 0)

    def death(self, bd_seq):
        payload = protobuf.Payload(timestamp=now_ms())
        payload.metrics.append(self.bd_metric(bd_seq))
        return payload.SerializeToString()

    def bd_metric(self, bd_seq):
        return Metric(now_ms(), "bdSeq", DataType.INT64, value=bd_seq).to_pb(True)

    def send(self, kind, device, metrics):
        payload = protobuf.Payload(timestamp=self.now(), seq=self.seq)
        self.seq = (self.seq + 1) % 256
        payload.metrics.extend(metrics)
        return self.client.publish(self.topic(kind, device), payload.SerializeToString(), 0)

    def encoded(self, point, value, birth, at=None):
        """A metric as the specification has it, by pysparkplug where it knows the type."""
        if point.metric == "Motor/rpm":
            member = Metric(self.now(), "rpm", point.data_type, value=value).to_pb(True)
            metric = protobuf.Payload.Metric(name="Motor", datatype=DataType.TEMPLATE)
            metric.template_value.template_ref = "Motor"
            metric.template_value.is_definition = False
            metric.template_value.metrics.append(member)
        elif point.metric == "Table/n":
            metric = protobuf.Payload.Metric(name="Table", datatype=DataType.DATASET)
            table = metric.dataset_value
            table.num_of_columns = 1
            table.columns.append("n")
            table.types.append(point.data_type)
            for number in value:
                row = table.rows.add()
                row.elements.add().int_value = number & 0xFFFFFFFF
        else:
            name = point.metric if birth or point.alias is None else None
            metric = Metric(
                at or self.now(), name, point.data_type, value=value, alias=point.alias
            ).to_pb(birth)
        metric.timestamp = at or self.now()
        if birth and point.unit:
            metric.properties.keys.append("engUnit")
            metric.properties.values.add(type=DataType.STRING, string_value=point.unit)
        if self.mode == "lie" and point is self.points[0]:
            metric.string_value = "warm"
        return metric

    def birth(self):
        with self.lock:
            self.seq, self.born = 0, True
            control = Metric(self.now(), "Node Control/Rebirth", DataType.BOOLEAN, value=False)
            metrics = [self.bd_metric(self.bd_seq), control.to_pb(True)]
            self.send(MessageType.NBIRTH, None, metrics + self.metrics_of(None))
            for device in sorted(self.devices):
                self.send(MessageType.DBIRTH, device, self.metrics_of(device))

    def metrics_of(self, device):
        points = [point for point in self.points if point.device == device]
        return [self.encoded(point, point.value, True) for point in points]

    def tell(self, index, value, at=None, historical=False, null=False, quality=None):
        point = self.points[index]
        with self.lock:
            metric = self.encoded(point, value, False, at)
            if historical:
                metric.is_historical = True
            if null:
                metric.ClearField(metric.WhichOneof("value"))
                metric.is_null = True
            if quality is not None:
                metric.properties.keys.append("Quality")
                metric.properties.values.add(type=DataType.INT32, int_value=quality)
            kind = MessageType.NDATA if point.device is None else MessageType.DDATA
            return self.send(kind, point.device, [metric])

    def set(self, index, value):
        with self.lock:
            self.points[index].value = value
            if self.born:
                self.tell(index, value)
            else:
                self.waiting.append((index, value, now_ms()))

    def flood(self):
        value = 0.0
        while True:
            if self.mode == "flood":
                for _ in range(20):
                    value += 0.5
                    self.tell(0, value)
            time.sleep(0.005)

    def change_mode(self, mode, proxy):
        with self.lock:
            self.mode = mode
        proxy.silent = mode == "silent"
        if mode != "silent":
            proxy.speak()
        if mode != "flood" and self.born:
            self.birth()


def answer_to(node, proxy, command):
    match command["do"]:
        case "set":
            node.set(command["point"], command["value"])
        case "get":
            return {"value": node.points[command["point"]].value}
        case "mode":
            node.change_mode(command["mode"], proxy)
        case "tell":
            at = now_ms() - 1000 * command["ago_s"] if "ago_s" in command else None
            flags = {key: command[key] for key in ("historical", "null", "quality") if key in command}
            node.tell(command["point"], command["value"], at, **flags)
        case "skip":
            with node.lock:
                node.seq = (node.seq + 1) % 256
        case "die":
            node.die()
        case "live":
            node.live()
        case "stale death":
            stale = node.death((node.bd_seq - 1) % 256)
            node.client.publish(node.topic(MessageType.NDEATH), stale, 0).wait_for_publish(10)
        case "device death":
            with node.lock:
                node.devices.discard(command["device"])
                node.send(MessageType.DDEATH, command["device"], [])
        case "device birth":
            with node.lock:
                node.devices.add(command["device"])
                node.send(MessageType.DBIRTH, command["device"], node.metrics_of(command["device"]))
        case "heard":
            return {"rebirths": node.rebirths, "states": node.states}
        case _:
            raise ValueError(command)
    return {}


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--aliases", action="store_true")
    parser.add_argument("--primary")
    arguments = parser.parse_args()
    plain = argparse.Namespace(websocket=False, tls=False, password=False)
    broker = Broker(plain)
    proxy = Proxy(broker)
    node = await asyncio.to_thread(EdgeNode, broker, arguments.aliases, arguments.primary)
    listener = await asyncio.start_server(proxy.serve, "127.0.0.1", arguments.port)
    port = listener.sockets[0].getsockname()[1]
    settings = {
        "host": "127.0.0.1",
        "port": port,
        "group": GROUP,
        "edge_node": EDGE,
        "keep_alive_s": 1,
        "timeout_ms": 5000,
        "reorder_ms": 500,
        "birth_ms": 5000,
        "listen_ms": 1000,
    }
    if arguments.primary:
        settings |= {"primary": True, "host_id": arguments.primary}
    points = [point.hello() for point in node.points]
    hello = {"port": port, "settings": settings, "points": points, "modes": MODES}
    print(json.dumps(hello), flush=True)
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        answer = await asyncio.to_thread(answer_to, node, proxy, json.loads(line))
        print(json.dumps(answer), flush=True)
    broker.process.kill()


if __name__ == "__main__":
    asyncio.run(main())
