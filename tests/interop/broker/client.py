"""Clients made of paho-mqtt, for the tests of weir-broker.

Usage: client.py --port PORT [--websocket-port PORT]

Plays scenes against the broker and prints one JSON line for each, {"scene": name, "ok": true} or
{"scene": name, "ok": false, "error": text}. It ends with 1 when one went wrong.
"""

import argparse
import json
import queue
import sys
import threading
import traceback

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

# No answer takes so long, even on a busy machine.
PATIENCE = 20


def expiry(seconds):
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = seconds
    return properties


class Client:
    """A connected client whose messages are in a queue."""

    def __init__(self, name, version, port, clean=True, transport="tcp", will=None):
        arguments = {"client_id": name, "protocol": version, "transport": transport}
        if version != mqtt.MQTTv5:
            arguments["clean_session"] = clean
        if hasattr(mqtt, "CallbackAPIVersion"):
            arguments["callback_api_version"] = mqtt.CallbackAPIVersion.VERSION1
        self.version = version
        self.messages = queue.Queue()
        self.connected = queue.Queue()
        self.subscribed = queue.Queue()
        self.ended = threading.Event()
        self.client = client = mqtt.Client(**arguments)
        client.on_message = lambda _, __, message: self.messages.put(message)
        client.on_connect = lambda _, __, flags, code, *___: self.connected.put((flags, code))
        client.on_subscribe = lambda _, __, ___, codes, *____: self.subscribed.put(codes)
        client.on_disconnect = lambda *_: self.ended.set()
        if will is not None:
            client.will_set(*will)
        extra = {}
        if version == mqtt.MQTTv5:
            extra = {"clean_start": clean, "properties": None if clean else expiry(3600)}
        client.connect("127.0.0.1", port, keepalive=30, **extra)
        client.loop_start()
        flags, code = self.connected.get(timeout=PATIENCE)
        assert code == 0, f"CONNACK {code}"
        self.present = bool(flags["session present"])

    def subscribe(self, topic, qos, options=None):
        if options is not None:
            self.client.subscribe(topic, options=options)
        else:
            self.client.subscribe(topic, qos)
        codes = self.subscribed.get(timeout=PATIENCE)
        return [getattr(code, "value", code) for code in codes]

    def publish(self, topic, payload, qos, retain=False, properties=None):
        extra = {"properties": properties} if self.version == mqtt.MQTTv5 else {}
        info = self.client.publish(topic, payload, qos, retain, **extra)
        info.wait_for_publish(PATIENCE)
        assert info.is_published(), "not acknowledged"

    def next(self):
        return self.messages.get(timeout=PATIENCE)

    def close(self):
        self.client.disconnect()
        assert self.ended.wait(PATIENCE)
        self.client.loop_stop()

    def drop(self):
        """Ends the connection without DISCONNECT."""
        self.client.loop_stop()
        self.client._sock_close()


def qualities(version, port, transport="tcp"):
    subscriber = Client("subscriber", version, port, transport=transport)
    publisher = Client("publisher", version, port, transport=transport)
    for subscribed in range(3):
        topic = f"线/{subscribed}/🌡"
        assert subscriber.subscribe(f"线/{subscribed}/+", subscribed) == [subscribed]
        for published in range(3):
            payload = f"{subscribed} {published}".encode() * 2000
            publisher.publish(topic, payload, published)
            message = subscriber.next()
            assert (message.topic, message.payload) == (topic, payload)
            assert message.qos == min(subscribed, published)
    subscriber.close()
    publisher.close()


def retained(version, port):
    publisher = Client("publisher", version, port)
    publisher.publish("r/1", "one", 1, retain=True)
    publisher.publish("r/2", "two", 2, retain=True)
    publisher.publish("r/2", "", 1, retain=True)
    subscriber = Client("subscriber", version, port)
    subscriber.subscribe("r/#", 1)
    message = subscriber.next()
    assert message.retain and message.payload == b"one"
    publisher.publish("r/1", "", 1, retain=True)
    assert not subscriber.next().retain
    assert subscriber.messages.empty()
    subscriber.close()
    publisher.close()


def kept_session(version, port):
    subscriber = Client("kept", version, port, clean=False)
    assert not subscriber.present
    subscriber.subscribe("k/#", 2)
    subscriber.close()
    publisher = Client("publisher", version, port)
    for n in range(500):
        publisher.client.publish("k/1", str(n), 1 + n % 2)
    publisher.publish("k/1", "500", 1)
    subscriber = Client("kept", version, port, clean=False)
    assert subscriber.present
    # paho hands out a QoS 2 message at its PUBREL: each quality is in order, but not both together.
    numbers = [subscriber.next() for _ in range(501)]
    for qos in (1, 2):
        got = [int(message.payload) for message in numbers if message.qos == qos]
        assert got == list(range(qos - 1, 500 + 2 * (qos == 1), 2)), got
    subscriber.close()
    Client("kept", version, port, clean=True).close()
    publisher.close()


def will(version, port):
    watcher = Client("watcher", version, port)
    watcher.subscribe("w", 1)
    Client("mortal", version, port, will=("w", "gone", 1, False)).drop()
    assert watcher.next().payload == b"gone"
    watcher.close()


def five(port):
    """What only MQTT 5 has."""
    version = mqtt.MQTTv5
    subscriber = Client("subscriber", version, port)
    assert subscriber.subscribe("test/nosubscribe", 0) == [0x87]
    assert subscriber.subscribe("f/#", 1, SubscribeOptions(1, retainAsPublished=True)) == [1]
    publisher = Client("publisher", version, port)
    properties = Properties(PacketTypes.PUBLISH)
    properties.ResponseTopic = "答复"
    properties.CorrelationData = b"\x00\xff"
    properties.ContentType = "text/plain"
    properties.UserProperty = [("单位", "°C"), ("a", "b")]
    properties.MessageExpiryInterval = 100
    publisher.publish("f/1", "x", 1, retain=True, properties=properties)
    message = subscriber.next()
    got = message.properties
    assert message.retain
    assert got.ResponseTopic == "答复" and got.CorrelationData == b"\x00\xff"
    assert got.UserProperty == [("单位", "°C"), ("a", "b")]
    assert 90 < got.MessageExpiryInterval <= 100
    members = [Client(f"member{n}", version, port) for n in range(2)]
    for member in members:
        member.subscribe("$share/g/f/2", 1)
    for _ in range(10):
        publisher.publish("f/2", "x", 1)
    for member in members:
        for _ in range(5):
            member.next()
    for client in (subscriber, publisher, *members):
        client.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--websocket-port", type=int, required=True)
    arguments = parser.parse_args()
    scenes = []
    for name, version in [("3.1.1", mqtt.MQTTv311), ("5", mqtt.MQTTv5)]:
        for scene in (qualities, retained, kept_session, will):
            scenes.append((f"{scene.__name__} {name}", scene, (version, arguments.port)))
        over = (version, arguments.websocket_port, "websockets")
        scenes.append((f"websocket {name}", qualities, over))
    scenes.append(("qualities 3.1", qualities, (mqtt.MQTTv31, arguments.port)))
    scenes.append(("five", five, (arguments.port,)))
    failed = False
    for name, scene, values in scenes:
        try:
            scene(*values)
            result = {"scene": name, "ok": True}
        except Exception:
            failed = True
            result = {"scene": name, "ok": False, "error": traceback.format_exc()}
        print(json.dumps(result), flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
