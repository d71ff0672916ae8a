"""An OPC UA server made of asyncua, for the tests of weir-opcua.

Usage: server.py --port PORT --dir DIR [--only POLICY] [--bind HOST] [--shift N] [--token-ms MS] [--strict]
       [--announce HOST]

It speaks the lines of JSON that crates/network/connect/src/conformance.rs describes, and these besides:

  {"do": "write", "node": n, "value": v, "status"?: code, "source_ns"?: t}   a value with status and time
  {"do": "read", "node": n}                       what a variable holds, as text
  {"do": "history", "node": n, "times_ns": [...]} adds values 0, 1, 2, ... to the history of a variable
  {"do": "many", "count": n}                      adds the variables m0 ... below the folder Many
  {"do": "sweep", "count": n, "value": v}         gives each of them a value
  {"do": "trust", "path": p}                      trusts a client's certificate (with --strict)
  {"do": "sessions"}                              how many sessions and subscriptions there are
  {"do": "limit", "items": n}                     watches at most so many items from now on

DIR keeps the server's certificate over restarts. Users: operator with password s3cret. It ends when its
input does, so that it never outlives the test.
"""

import argparse
import asyncio
import datetime as real
import json
import logging
import sys
from pathlib import Path

import asyncua.client  # noqa: F401  every module whose clock is shifted must be there
import asyncua.server.history_sql  # noqa: F401
from asyncua import Server, ua
from asyncua.common import connection
from asyncua.common.structures104 import new_enum, new_struct, new_struct_field
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server import address_space, binary_server_asyncio, internal_server, subscription_service
from asyncua.common.utils import ServiceError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NAMESPACE = "urn:weir:peer"
T = ua.VariantType

# name, type, value, Weir's type, writable
POINTS = [
    ("Double", T.Double, 1.5, "f64", True),
    ("Float", T.Float, -2.25, "f64", True),
    ("Int16", T.Int16, -3, "i64", True),
    ("Int32", T.Int32, 70000, "i64", True),
    ("Int64", T.Int64, -5, "i64", True),
    ("UInt16", T.UInt16, 7, "u64", True),
    ("UInt64", T.UInt64, 9, "u64", True),
    ("Boolean", T.Boolean, True, "bool", True),
    ("String", T.String, "早班", "text", True),
    ("LocalizedText", T.LocalizedText, "Kühler", "text", True),
    ("ReadOnly", T.Double, 3.5, "f64", False),
    ("温度 \U0001f525", T.Double, 21.5, "f64", True),
]

shift = real.timedelta(0)


class Clock(type):
    def __instancecheck__(cls, instance):
        return isinstance(instance, real.datetime)


class Shifted(real.datetime, metaclass=Clock):
    @classmethod
    def now(cls, tz=None):
        return real.datetime.now(tz) + shift


def shift_clocks():
    for name, module in list(sys.modules.items()):
        if name.startswith("asyncua") and getattr(module, "datetime", None) is real.datetime:
            module.datetime = Shifted


def certificate(folder):
    """The server's certificate and key, made once."""
    folder.mkdir(parents=True, exist_ok=True)
    der, pem = folder / "server.der", folder / "server.pem"
    if not der.exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        days = real.timedelta(days=365)
        start = real.datetime.now(real.timezone.utc) - real.timedelta(hours=2)
        if (folder / "expired").exists():
            start -= 2 * days
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Weir's peer")])
        names = [x509.UniformResourceIdentifier("urn:weir:peer:server"), x509.DNSName("localhost")]
        usage = x509.KeyUsage(True, True, True, True, False, True, False, False, False)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + days)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(usage, critical=False)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
            )
            .sign(key, hashes.SHA256())
        )
        pem.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        der.write_bytes(made.public_bytes(serialization.Encoding.DER))
    made = x509.load_der_x509_certificate(der.read_bytes())
    return der, pem, made.fingerprint(hashes.SHA256()).hex()


class Quiet:
    """A transport that can be made to say nothing."""

    def __init__(self, inner, peer):
        self.inner, self.peer = inner, peer

    def write(self, data):
        if not self.peer.silent:
            self.inner.write(data)

    def __getattr__(self, name):
        return getattr(self.inner, name)


class Users:
    def get_user(self, iserver, username=None, password=None, certificate=None):
        if username is None:
            return User(role=UserRole.User)
        if (username, password) == ("operator", "s3cret"):
            return User(role=UserRole.User, name=username)
        return None


class Peer:
    def __init__(self, arguments):
        self.arguments = arguments
        self.silent = False
        self.mode = "normal"
        self.trusted = set()
        self.nodes = {}
        self.many = []
        self.tasks = set()
        self.items_max = None
        self.first = None
        self.lying = False

    def patch(self):
        protocol = binary_server_asyncio.OPCUAProtocol
        made, received = protocol.connection_made, protocol.data_received
        peer = self

        def connection_made(self, transport):
            made(self, Quiet(transport, peer))

        def data_received(self, data):
            if not peer.silent:
                received(self, data)

        protocol.connection_made, protocol.data_received = connection_made, data_received
        opened = connection.SecureConnection.open

        def open_channel(self, params, server):
            if peer.arguments.token_ms:
                params.RequestedLifetime = peer.arguments.token_ms
            return opened(self, params, server)

        connection.SecureConnection.open = open_channel
        space = address_space.AddressSpace
        expected = space._is_expected_variant_type

        def is_expected(self, *more):
            return peer.lying or expected(self, *more)

        space._is_expected_variant_type = is_expected
        if peer.arguments.announce:

            def announced(self, url, *more, **named):
                host = peer.arguments.announce
                return f"opc.tcp://{host}:{peer.server.bserver._server.sockets[0].getsockname()[1]}/weir"

            internal_server.InternalServer._mangle_endpoint_url = announced
        service = subscription_service.SubscriptionService
        create = service.create_monitored_items

        async def create_monitored_items(self, params, *more):
            if peer.items_max is None:
                return await create(self, params, *more)
            asked = params.ItemsToCreate
            room = max(0, peer.items_max)
            peer.items_max = room - min(room, len(asked))
            params.ItemsToCreate = asked[:room]
            results = await create(self, params, *more) if room else []
            for _ in asked[room:]:
                full = ua.MonitoredItemCreateResult()
                full.StatusCode = ua.StatusCode(ua.StatusCodes.BadTooManyMonitoredItems)
                results.append(full)
            return results

        service.create_monitored_items = create_monitored_items

    async def check_client(self, certificate, description):
        if certificate.fingerprint(hashes.SHA256()) not in self.trusted:
            raise ServiceError(ua.StatusCodes.BadCertificateUntrusted)

    async def start(self):
        arguments = self.arguments
        server = Server(user_manager=Users())
        await server.init()
        server.set_server_name("Weir's peer")
        await server.set_application_uri("urn:weir:peer:server")
        host = arguments.bind if ":" not in arguments.bind else f"[{arguments.bind}]"
        server.set_endpoint(f"opc.tcp://{host}:{arguments.port}/weir")
        server.socket_address = (arguments.bind, arguments.port)
        der, pem, self.thumbprint = certificate(Path(arguments.dir))
        await server.load_certificate(str(der))
        await server.load_private_key(str(pem))
        policies = [p for p in ua.SecurityPolicyType]
        if arguments.only:
            policies = [ua.SecurityPolicyType[arguments.only]]
        server.set_security_policy(policies)
        tokens = [ua.AnonymousIdentityToken, ua.UserNameIdentityToken, ua.X509IdentityToken]
        server.set_identity_tokens(tokens)
        if arguments.strict:
            server.set_certificate_validator(self.check_client)
        for i in range(arguments.shift):
            await server.register_namespace(f"urn:weir:other:{i}")
        self.server = server
        self.index = await server.register_namespace(NAMESPACE)
        await self.fill()
        await server.start()
        port = server.bserver._server.sockets[0].getsockname()[1]
        return port

    def id(self, name):
        return ua.NodeId(name, self.index)

    async def variable(self, parent, name, value, kind, writable=False, browse=None):
        variant = value if isinstance(value, ua.Variant) else ua.Variant(value, kind)
        browse = ua.QualifiedName(browse or name, self.index)
        node = await parent.add_variable(self.id(name), browse, variant)
        if writable:
            await node.set_writable()
        self.nodes[name] = node
        return node

    async def fill(self):
        server, objects = self.server, self.server.nodes.objects
        folder = await objects.add_folder(self.id("Weir"), ua.QualifiedName("Weir", self.index))
        for name, kind, value, _, writable in POINTS:
            if kind == T.LocalizedText:
                value = ua.LocalizedText(value, "de")
            await self.variable(folder, name, value, kind, writable)
        now = real.datetime(2026, 11, 26, 8, 0, 0, 123456, tzinfo=real.timezone.utc)
        guid = ua.uatypes.uuid.UUID("09087e75-8e5e-499b-954f-f2a9603db28a")
        more = [
            ("SByte", -128, T.SByte),
            ("Byte", 255, T.Byte),
            ("UInt32", 4294967295, T.UInt32),
            ("Int64Min", -(2**63), T.Int64),
            ("UInt64Max", 2**64 - 1, T.UInt64),
            ("DateTime", now, T.DateTime),
            ("Guid", guid, T.Guid),
            ("ByteString", b"\x00\xff", T.ByteString),
            ("XmlElement", ua.XmlElement("<a/>"), T.XmlElement),
            ("NodeId", ua.NodeId("x", 2), T.NodeId),
            ("StatusCode", ua.StatusCode(ua.StatusCodes.BadTimeout), T.StatusCode),
            ("QualifiedName", ua.QualifiedName("q", 2), T.QualifiedName),
            ("Array", [1, 2, 3, 4], T.Int32),
            ("Doubles", [0.5, 1.5, 2.5], T.Double),
            ("Texts", ["a", "温"], T.String),
            ("Empty", [], T.Int32),
            ("Huge", list(range(70000)), T.Int32),
            ("LongText", "x" * 70000, T.String),
            ("History", 0.0, T.Double),
            ("Failing", 1.0, T.Double),
        ]
        for name, value, kind in more:
            await self.variable(folder, name, value, kind, True)
        matrix = ua.Variant([[1, 2, 3], [4, 5, 6]], T.Int32)
        await self.variable(folder, "Matrix", matrix, None)
        await self.variable(folder, "Null", ua.Variant(None, T.Null), None)
        strange = await folder.add_folder(self.id("Strange"), ua.QualifiedName("Strange", self.index))
        await self.variable(strange, "control\u0001\n\t|0|;=", 1.0, T.Double)
        await self.variable(strange, "L" * 65536, 2.0, T.Double)
        await self.variable(strange, " spaces ", 3.0, T.Double)
        analog = await self.variable(folder, "Analog", 50.0, T.Double, True)
        unit = ua.EUInformation("http://www.opcfoundation.org/UA/units/un/cefact", 4408652)
        unit.DisplayName = ua.LocalizedText("°C", "en")
        await analog.add_property(ua.NodeId("AnalogUnit", self.index), "0:EngineeringUnits", unit)
        await analog.add_property(
            ua.NodeId("AnalogRange", self.index), "0:EURange", ua.Range(0.0, 100.0)
        )
        description = ua.LocalizedText("炉膛温度", "zh-CN")
        await analog.write_attribute(ua.AttributeIds.Description, ua.DataValue(description))
        await self.types(folder)
        await self.methods(folder)
        await server.historize_node_data_change(self.nodes["History"], period=None, count=0)

    async def types(self, folder):
        state = await new_enum(self.server, self.index, "State", ["Stopped", "Running", "Fault"])
        inner, _ = await new_struct(
            self.server,
            self.index,
            "Axis",
            [
                new_struct_field("Position", T.Double),
                new_struct_field("Name", T.String),
                new_struct_field("Limits", T.Int32, array=True),
            ],
        )
        outer, _ = await new_struct(
            self.server,
            self.index,
            "Machine",
            [
                new_struct_field("Id", T.UInt64),
                new_struct_field("Axis", inner),
                new_struct_field("Note", T.String, optional=True),
            ],
        )
        union, _ = await new_struct(
            self.server,
            self.index,
            "Either",
            [new_struct_field("Number", T.Int32), new_struct_field("Text", T.String)],
            is_union=True,
        )
        types = await self.server.load_data_type_definitions()
        value = types["Machine"]()
        value.Id = 2**60
        value.Axis = types["Axis"]()
        value.Axis.Position, value.Axis.Name, value.Axis.Limits = 12.5, "X轴", [1, 2, 3]
        either = types["Either"]()
        either.Text = "second"
        made = [("Machine", value, outer), ("Either", either, union)]
        for name, value, kind in made:
            node = await folder.add_variable(
                self.id(name), ua.QualifiedName(name, self.index), value, datatype=kind.nodeid
            )
            self.nodes[name] = node
        node = await folder.add_variable(
            self.id("State"),
            ua.QualifiedName("State", self.index),
            ua.Variant(1, T.Int32),
            datatype=state.nodeid,
        )
        await node.set_writable()
        self.nodes["State"] = node

    async def methods(self, folder):
        async def multiply(parent, a, b):
            return [ua.Variant(a.Value * b.Value, T.Double), ua.Variant("×", T.String)]

        async def refuse(parent):
            return ua.StatusCode(ua.StatusCodes.BadNotExecutable)

        first, second = ua.Argument(), ua.Argument()
        first.Name, first.DataType = "a", ua.NodeId(ua.ObjectIds.Double)
        second.Name, second.DataType = "b", ua.NodeId(ua.ObjectIds.Int16)
        out, text = ua.Argument(), ua.Argument()
        out.Name, out.DataType = "product", ua.NodeId(ua.ObjectIds.Double)
        text.Name, text.DataType = "sign", ua.NodeId(ua.ObjectIds.String)
        name = ua.QualifiedName("multiply", self.index)
        await folder.add_method(self.id("multiply"), name, multiply, [first, second], [out, text])
        name = ua.QualifiedName("refuse", self.index)
        await folder.add_method(self.id("refuse"), name, refuse, [], [])

    def told_points(self):
        return [
            {
                "address": {"node": f"nsu={NAMESPACE};s={name}"},
                "data_type": weir,
                "value": value,
                "writable": writable,
            }
            for name, _, value, weir, writable in POINTS
        ]

    async def put(self, index, value):
        name, kind, *_ = POINTS[index]
        if kind == T.LocalizedText:
            value = ua.LocalizedText(value, "de")
        await self.give(name, ua.Variant(value, kind))

    async def give(self, name, variant, status=None, source_ns=None):
        value = ua.DataValue(variant, ua.StatusCode(status or 0))
        value.SourceTimestamp = moment(source_ns) if source_ns else Shifted.now(real.timezone.utc)
        value.ServerTimestamp = Shifted.now(real.timezone.utc)
        self.lying = True
        await self.server.write_attribute_value(self.nodes[name].nodeid, value)
        self.lying = False

    async def flood(self):
        value = 0.0
        while self.mode == "flood":
            value += 1.0
            await self.put(0, value)
            await asyncio.sleep(0.001)

    async def set_mode(self, mode):
        global shift
        self.mode = mode
        self.silent = mode == "silent"
        shift = real.timedelta(hours=1 if mode == "clock" else -1 if mode == "slow-clock" else 0)
        if mode == "lie":
            self.first = await self.nodes[POINTS[0][0]].read_value()
            await self.give(POINTS[0][0], ua.Variant("no number", T.String))
        elif mode == "normal" and self.first is not None:
            await self.put(0, self.first)
            self.first = None
        elif mode == "flood":
            task = asyncio.create_task(self.flood())
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def do(self, command):
        kind = command["do"]
        if kind == "mode":
            await self.set_mode(command["mode"])
        elif kind == "set":
            await self.put(command["point"], command["value"])
        elif kind == "get":
            value = await self.nodes[POINTS[command["point"]][0]].read_value()
            return {"value": value.Text if isinstance(value, ua.LocalizedText) else value}
        elif kind == "write":
            node = self.nodes[command["node"]]
            held = (await node.read_data_value(raise_on_bad_status=False)).Value
            kind = held.VariantType if held.Value is not None else T.Double
            variant = ua.Variant(command["value"], kind)
            await self.give(
                command["node"], variant, command.get("status"), command.get("source_ns")
            )
        elif kind == "read":
            return {"value": str(await self.nodes[command["node"]].read_value())}
        elif kind == "history":
            storage = self.server.iserver.history_manager.storage
            node = self.nodes[command["node"]]
            for i, ns in enumerate(command["times_ns"]):
                value = ua.DataValue(ua.Variant(float(i), T.Double))
                value.SourceTimestamp = value.ServerTimestamp = moment(ns)
                await storage.save_node_value(node.nodeid, value)
        elif kind == "many":
            objects = self.server.nodes.objects
            name = ua.QualifiedName("Many", self.index)
            folder = at = await objects.add_folder(self.id("Many"), name)
            for i in range(command["count"]):
                if i % 500 == 0 and command["count"] > 1000:
                    # asyncua looks through all that is in a folder before it adds to it.
                    name = ua.QualifiedName(f"Many{i}", self.index)
                    at = await folder.add_folder(self.id(f"Many{i}"), name)
                self.many.append(await self.variable(at, f"m{i}", 0.0, T.Double))
        elif kind == "sweep":
            for node in self.many[: command["count"]]:
                value = ua.DataValue(ua.Variant(float(command["value"]), T.Double))
                value.SourceTimestamp = Shifted.now(real.timezone.utc)
                await self.server.write_attribute_value(node.nodeid, value)
        elif kind == "trust":
            data = Path(command["path"]).read_bytes()
            made = x509.load_der_x509_certificate(data)
            self.trusted.add(made.fingerprint(hashes.SHA256()))
        elif kind == "limit":
            self.items_max = command["items"]
        elif kind == "sessions":
            sessions = self.server.iserver._external_sessions
            return {
                "sessions": len(sessions),
                "subscriptions": len(self.server.iserver.subscription_service.subscriptions),
            }
        else:
            raise ValueError(command)
        return {}


def moment(ns):
    epoch = real.datetime(1970, 1, 1, tzinfo=real.timezone.utc)
    return epoch + real.timedelta(microseconds=ns // 1000)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--only")
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("--announce")
    parser.add_argument("--shift", type=int, default=0)
    parser.add_argument("--token-ms", type=int, default=0)
    parser.add_argument("--strict", action="store_true")
    arguments = parser.parse_args()
    # What it would say of connections that end is what the tests are about.
    logging.disable(logging.CRITICAL)
    shift_clocks()
    peer = Peer(arguments)
    peer.patch()
    port = await peer.start()
    host = arguments.bind if ":" not in arguments.bind else f"[{arguments.bind}]"
    settings = {
        "url": f"opc.tcp://{host}:{port}/weir",
        "security_policy": "Basic256Sha256",
        "security_mode": "SignAndEncrypt",
        "trusted": [peer.thumbprint],
        "publishing_ms": 50,
        "sampling_ms": 50,
        "keep_alive_ms": 500,
    }
    hello = {
        "port": port,
        "settings": settings,
        "points": peer.told_points(),
        "modes": ["silent", "lie", "clock", "flood"],
        "thumbprint": peer.thumbprint,
    }
    print(json.dumps(hello), flush=True)
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        print(json.dumps(await peer.do(json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
