"""Mosquitto behind a proxy, with a plant that publishes to it by paho-mqtt.

Usage: plant.py --port PORT [--version 3.1.1|5] [--tls] [--websocket] [--mutual] [--authority N] [--password] [--ipv6]

It prints one JSON line {"port", "settings", "points", "modes"} when it listens, reads one JSON command a line
and answers each with one JSON line:

  {"do": "set", "point": i, "value": v}       changes the value of a point and publishes it, retained
  {"do": "get", "point": i}                   what it is now
  {"do": "mode", "mode": m}                   see MODES
  {"do": "publish", "topic": t, "payload": p, "qos": q, "retain": r, "hex": h}   waits until the broker has it
  {"do": "cut"}                               ends all connections to the proxy
  {"do": "restart broker"}                    kill -9 of Mosquitto, and starts it with what it had saved
  {"do": "received"}                          acknowledgements (PUBACK) that clients sent through the proxy

It ends when its input does, so that it never outlives the test.
"""

import argparse
import asyncio
import ctypes
import datetime
import hashlib
import ipaddress
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import paho.mqtt.client as mqtt
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

MODES = ["normal", "silent", "lie", "clock", "flood"]

# Debian keeps it where only administrators look.
MOSQUITTO = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")


def with_parent():
    """The broker dies with this process, also when that is killed."""
    ctypes.CDLL("libc.so.6").prctl(1, signal.SIGKILL)


def free_port(family=socket.AF_INET, host="127.0.0.1"):
    with socket.socket(family) as sock:
        sock.bind((host, 0))
        return sock.getsockname()[1]


class Authority:
    """A certificate authority, and what it signs: the same after a restart, as on a real broker."""

    def __init__(self, number):
        # Signatures of Ed25519 hold no randomness.
        self.key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
        self.number = number
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Plant CA")])
        self.certificate = self.sign(self.name, self.key.public_key(), ca=True)

    def sign(self, subject, public_key, ca=False):
        year = datetime.datetime.now(datetime.timezone.utc).year
        names = [
            x509.DNSName("localhost"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            x509.IPAddress(ipaddress.ip_address("::1")),
        ]
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(public_key)
            .serial_number(1 if ca else 2)
            .not_valid_before(datetime.datetime(year - 1, 1, 1))
            .not_valid_after(datetime.datetime(year + 2, 1, 1))
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(self.key, None)
        )

    def issue(self, name):
        key = ec.derive_private_key(4711 * self.number + len(name), ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        return self.sign(subject, key.public_key()), key


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def key_pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


class Broker:
    """Mosquitto with two listeners: one for the plant, and one behind the proxy."""

    def __init__(self, arguments):
        if not MOSQUITTO:
            sys.exit("install Mosquitto: apt-get install mosquitto")
        self.folder = tempfile.TemporaryDirectory(prefix="weir-mqtt-")
        self.own, self.inner = free_port(), free_port()
        self.settings = {}
        os.chmod(self.folder.name, 0o755)
        self.configure(arguments)
        self.start()

    def path(self, name, text=None):
        path = os.path.join(self.folder.name, name)
        if text is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return path

    def configure(self, arguments):
        lines = [
            "user root",
            "per_listener_settings true",
            "persistence true",
            f"persistence_location {self.folder.name}/",
            "autosave_interval 1",
            "autosave_on_changes true",
            "log_type error",
            f"listener {self.own} 127.0.0.1",
            "allow_anonymous true",
            f"listener {self.inner} 127.0.0.1",
        ]
        if arguments.websocket:
            lines.append("protocol websockets")
        if arguments.tls:
            lines += self.tls(arguments)
        if arguments.password:
            made = self.path("passwords", "plant:plant 密码\n")
            subprocess.run(["mosquitto_passwd", "-U", made], check=True)
            rights = self.path("rights", "user plant\ntopic readwrite #\ntopic deny secret/#\n")
            lines += ["allow_anonymous false", f"password_file {made}", f"acl_file {rights}"]
            self.settings |= {"user": "plant", "password": "plant 密码"}
        else:
            lines.append("allow_anonymous true")
        self.config = self.path("mosquitto.conf", "\n".join(lines) + "\n")

    def tls(self, arguments):
        authority = Authority(arguments.authority)
        certificate, key = authority.issue("broker")
        der = certificate.public_bytes(serialization.Encoding.DER)
        lines = [
            f"certfile {self.path('broker.pem', pem(certificate))}",
            f"keyfile {self.path('broker.key', key_pem(key))}",
        ]
        if arguments.mutual:
            ours, our_key = authority.issue("weir")
            lines += [
                f"cafile {self.path('ca.pem', pem(authority.certificate))}",
                "require_certificate true",
            ]
            self.settings |= {
                "client_certificate": pem(ours),
                "client_key": key_pem(our_key),
                "ca": pem(authority.certificate),
            }
        else:
            self.settings["trusted"] = [hashlib.sha256(der).hexdigest()]
        return lines

    def start(self):
        self.process = subprocess.Popen(
            [MOSQUITTO, "-c", self.config],
            preexec_fn=with_parent,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(1000):
            try:
                with socket.create_connection(("127.0.0.1", self.own)):
                    return
            except OSError:
                time.sleep(0.01)
        raise RuntimeError("mosquitto does not listen")

    def restart(self):
        # What it has is saved at each change, within a second of it.
        self.process.send_signal(signal.SIGUSR1)
        time.sleep(0.3)
        self.process.kill()
        self.process.wait()
        self.start()


class Proxy:
    """Stands before the broker; it can fall silent, and counts what passes."""

    def __init__(self, broker):
        self.broker, self.silent, self.writers, self.tainted = broker, False, set(), set()
        self.acknowledged = 0

    async def serve(self, reader, writer):
        self.writers.add(writer)
        try:
            if self.silent:
                self.tainted.add(writer)
                while await reader.read(65536):
                    pass
                return
            inner_reader, inner_writer = await asyncio.open_connection(
                "127.0.0.1", self.broker.inner
            )
            pumps = [
                asyncio.create_task(self.pump(reader, inner_writer, writer, True)),
                asyncio.create_task(self.pump(inner_reader, writer, writer, False)),
            ]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
            inner_writer.close()
        except OSError:
            pass
        finally:
            self.writers.discard(writer)
            self.tainted.discard(writer)
            writer.close()

    async def pump(self, reader, writer, client, asked):
        try:
            while data := await reader.read(65536):
                if self.silent:
                    self.tainted.add(client)
                    continue
                if asked:
                    self.acknowledged += count_acknowledgements(data)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass

    def speak(self):
        self.silent = False
        for writer in list(self.tainted):
            writer.transport.abort()

    def cut(self):
        for writer in list(self.writers):
            writer.transport.abort()


def count_acknowledgements(data):
    """PUBACK packets of plain TCP, which clients send in one piece."""
    count, at = 0, 0
    while at + 2 <= len(data):
        length, shift, size = 0, 0, 1
        while at + size < len(data):
            byte = data[at + size]
            length |= (byte & 0x7F) << shift
            shift += 7
            size += 1
            if not byte & 0x80:
                break
        count += data[at] >> 4 == 4
        at += size + length
    return count


def text_of(value):
    return ("ON" if value else "OFF") if isinstance(value, bool) else str(value)


class Plant:
    """Values and how they are published."""

    def __init__(self, broker, protocol):
        self.mode, self.lock = "normal", threading.RLock()
        own = {"topic": "plant/line 1/batch", "format": "text"}
        motor = {"topic": "plant/line 1/motor", "format": "json"}
        self.points = [
            self.point({"topic": "plant/temperature", "format": "json"}, "f64", 21.5),
            self.point(motor | {"path": "/speed"}, "f64", 1450),
            self.point(motor | {"path": "/state/running"}, "bool", True),
            self.point(motor | {"path": "/name"}, "text", "一号电机 ⚙"),
            self.point(
                {
                    "topic": "车间/计数",
                    "format": "json",
                    "path": "/n",
                    "time": "/ts",
                    "time_format": "ms",
                    "quality": "/q",
                },
                "i64",
                -7,
            ),
            self.point(own | {"write_topic": "plant/line 1/batch/set"}, "text", "批次 1", True),
            self.point({"topic": "plant/level", "format": "raw", "type": "f32"}, "f64", 3.25) | {"browsed": False},
            self.point(
                {
                    "topic": "plant/setpoint",
                    "format": "json",
                    "path": "/value",
                    "write_topic": "plant/setpoint/set",
                    "write_template": '{"value": {value}, "at": "{time}"}',
                },
                "u64",
                40,
                True,
            ),
            self.point({"topic": "plant/wave", "format": "json"}, "array", [1, 2.5, -3]),
            self.point(
                {"topic": "plant/pump", "format": "text", "write_topic": "plant/pump/set"},
                "bool",
                True,
                True,
            ),
            self.point(
                {
                    "topic": "plant/valve",
                    "format": "raw",
                    "type": "i16",
                    "byte_order": "little",
                    "write_topic": "plant/valve/set",
                },
                "i64",
                -300,
                True,
            )
            | {"browsed": False},
        ]
        self.client = mqtt.Client(client_id="plant", clean_session=True)
        self.client.on_connect = self.connected
        self.client.on_message = self.written
        self.ready = threading.Event()
        self.client.on_subscribe = lambda *_: self.ready.set()
        self.client.connect("127.0.0.1", broker.own)
        self.client.loop_start()
        self.ready.wait(10)
        threading.Thread(target=self.flood, daemon=True).start()

    @staticmethod
    def point(address, data_type, value, writable=False):
        return {"address": address, "data_type": data_type, "value": value, "writable": writable}

    def connected(self, client, *_):
        client.subscribe([("plant/+/set", 1), ("plant/+/+/set", 1)])
        for index in range(len(self.points)):
            self.publish(index)

    def payload(self, index):
        """The message of a point's topic, made without any code of Weir."""
        value = self.points[index]["value"]
        if index == 0 and self.mode == "lie":
            return json.dumps({"temperature": "warm"})
        if index in (1, 2, 3):
            running, name = self.points[2]["value"], self.points[3]["value"]
            speed = self.points[1]["value"]
            return json.dumps({"speed": speed, "state": {"running": running}, "name": name})
        if index == 4:
            ahead = 3600 if self.mode == "clock" else 0
            now = int((time.time() + ahead) * 1000)
            return json.dumps({"n": value, "ts": now, "q": "good"})
        if index == 6:
            return struct.pack(">f", value)
        if index == 7:
            return json.dumps({"value": value})
        if index == 10:
            return struct.pack("<h", value)
        if self.points[index]["address"]["format"] == "text":
            return text_of(value)
        return json.dumps(value)

    def publish(self, index):
        with self.lock:
            payload = self.payload(index)
        return self.client.publish(self.points[index]["address"]["topic"], payload, 1, True)

    def set(self, index, value):
        with self.lock:
            self.points[index]["value"] = value
        self.publish(index).wait_for_publish(10)

    def written(self, _client, _data, message):
        for index, point in enumerate(self.points):
            if point["address"].get("write_topic") != message.topic:
                continue
            text = message.payload
            if index == 10:
                value = struct.unpack("<h", text)[0]
            elif index == 7:
                value = json.loads(text)["value"]
            elif point["data_type"] == "bool":
                value = text == b"true"
            else:
                value = text.decode()
            with self.lock:
                point["value"] = value
            self.publish(index)

    def flood(self):
        rng = random.Random(4711)
        while True:
            if self.mode == "flood":
                for _ in range(50):
                    self.client.publish("plant/temperature", str(rng.random()), 1, True)
            time.sleep(0.005)

    def change_mode(self, mode, proxy):
        self.mode = mode
        proxy.silent = mode == "silent"
        if mode != "silent":
            proxy.speak()
        if mode != "flood":
            # Behind all that was published before.
            for index in range(len(self.points)):
                self.publish(index).wait_for_publish(10)


async def commands(plant, proxy, broker):
    reader = asyncio.StreamReader(limit=1 << 20)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        command = json.loads(line)
        answer = {}
        match command["do"]:
            case "set":
                await asyncio.to_thread(plant.set, command["point"], command["value"])
            case "get":
                answer["value"] = plant.points[command["point"]]["value"]
            case "mode":
                await asyncio.to_thread(plant.change_mode, command["mode"], proxy)
            case "publish":
                payload = command["payload"]
                if command.get("hex"):
                    payload = bytes.fromhex(payload)
                sent = plant.client.publish(
                    command["topic"], payload, command.get("qos", 1), command.get("retain", False)
                )
                await asyncio.to_thread(sent.wait_for_publish, 10)
            case "cut":
                proxy.cut()
            case "restart broker":
                plant.ready.clear()
                await asyncio.to_thread(broker.restart)
                await asyncio.to_thread(plant.ready.wait, 20)
            case "received":
                answer["acknowledged"] = proxy.acknowledged
            case _:
                raise ValueError(line)
        print(json.dumps(answer), flush=True)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--version", default="3.1.1")
    parser.add_argument("--authority", type=int, default=1)
    for flag in ("tls", "websocket", "mutual", "password", "ipv6"):
        parser.add_argument(f"--{flag}", action="store_true")
    arguments = parser.parse_args()
    broker = Broker(arguments)
    proxy = Proxy(broker)
    host = "::1" if arguments.ipv6 else "127.0.0.1"
    plant = await asyncio.to_thread(Plant, broker, arguments.version)
    listener = await asyncio.start_server(proxy.serve, host, arguments.port)
    port = listener.sockets[0].getsockname()[1]
    transports = {
        (False, False): "tcp",
        (True, False): "tls",
        (False, True): "websocket",
        (True, True): "websocket_tls",
    }
    settings = {
        "host": host,
        "port": port,
        "transport": transports[arguments.tls, arguments.websocket],
        "version": arguments.version,
        "keep_alive_s": 1,
        "timeout_ms": 5000,
        "listen_ms": 300,
    }
    hello = {
        "port": port,
        "settings": settings | broker.settings,
        "points": plant.points,
        "modes": MODES,
    }
    print(json.dumps(hello), flush=True)
    await commands(plant, proxy, broker)
    broker.process.kill()


if __name__ == "__main__":
    asyncio.run(main())
