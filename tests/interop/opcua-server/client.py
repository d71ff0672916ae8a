"""An OPC UA client made of asyncua, driven by JSON lines on its standard input.

Each line is a command, `{"do": ...}`; each answer is one line, with "error" in it where the server
refused.
"""

import argparse
import asyncio
import json
import logging
import sys
from datetime import datetime, timezone
from pathlib import Path

from asyncua import Client, ua
from asyncua.crypto import security_policies
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.ua.uaerrors import UaStatusCodeError
from cryptography.x509.oid import ExtendedKeyUsageOID

URI = "urn:weir:interop:asyncua"


def plain(value):
    """A value as JSON."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=timezone.utc).isoformat()
    if isinstance(value, ua.LocalizedText):
        return value.Text
    if isinstance(value, ua.QualifiedName):
        return f"{value.NamespaceIndex}:{value.Name}"
    if isinstance(value, ua.NodeId):
        return value.to_string()
    if isinstance(value, ua.Range):
        return [value.Low, value.High]
    if isinstance(value, ua.EUInformation):
        return [value.NamespaceUri, value.UnitId, value.DisplayName.Text, value.Description.Text]
    if isinstance(value, ua.EnumValueType):
        return [value.Value, value.DisplayName.Text]
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    return str(value)


def told(value):
    """A DataValue as JSON."""
    return {
        "value": plain(value.Value.Value) if value.Value is not None else None,
        "type": value.Value.VariantType.name if value.Value is not None else None,
        "status": value.StatusCode.value if value.StatusCode is not None else 0,
        "time": plain(value.SourceTimestamp),
    }


class Handler:
    def __init__(self):
        self.values = []
        self.changed = asyncio.Event()

    def datachange_notification(self, node, value, data):
        self.values.append([node.nodeid.Identifier, told(data.monitored_item.Value)])
        self.changed.set()

    def status_change_notification(self, status):
        self.values.append(["status", str(status)])
        self.changed.set()


class Peer:
    def __init__(self, folder):
        self.folder = folder
        self.client = None
        self.handler = None
        self.subscription = None

    async def certificate(self, name, uri=URI):
        key, cert = self.folder / f"{name}.key.pem", self.folder / f"{name}.der"
        await setup_self_signed_certificate(
            key, cert, uri, "localhost", [ExtendedKeyUsageOID.CLIENT_AUTH],
            {"commonName": name, "organizationName": "Weir interop"},
        )
        return key, cert

    async def do_certificate(self, name):
        _, cert = await self.certificate(name)
        return {"path": str(cert)}

    async def do_endpoints(self, url):
        found = await Client(url).connect_and_get_server_endpoints()
        return {
            "endpoints": [
                [e.EndpointUrl, e.SecurityPolicyUri.split("#")[1], int(e.SecurityMode),
                 [t.PolicyId for t in e.UserIdentityTokens]]
                for e in found
            ]
        }

    async def do_connect(self, url, policy=None, mode=None, user=None, password=None,
                         user_certificate=None, certificate="client", locales=None):
        client = Client(url, timeout=20)
        client.application_uri = URI
        if policy:
            key, cert = await self.certificate(certificate)
            await client.set_security(
                getattr(security_policies, f"SecurityPolicy{policy}"), str(cert), str(key),
                mode=getattr(ua.MessageSecurityMode, mode),
            )
        if user:
            client.set_user(user)
            client.set_password(password)
        if user_certificate:
            key, cert = await self.certificate(user_certificate)
            await client.load_client_certificate(str(cert))
            await client.load_private_key(str(key))
        if locales:
            client.set_locale(locales)
        await client.connect()
        self.client = client
        return {}

    async def do_disconnect(self):
        client, self.client, self.subscription = self.client, None, None
        await client.disconnect()
        return {}

    async def do_namespaces(self):
        return {"namespaces": await self.client.get_namespace_array()}

    def node(self, name):
        return self.client.get_node(name if "=" in name else f"ns=2;s={name}")

    async def do_tree(self, start="ns=2;s=weir"):
        """Walks down from a node, in pages, as SCADA packages do."""
        found, todo = [], [self.client.get_node(start)]
        while todo:
            node = todo.pop()
            for ref in await node.get_references(ua.ObjectIds.HierarchicalReferences):
                if not ref.IsForward:
                    continue
                found.append([ref.NodeId.to_string(), ref.NodeClass.name, ref.DisplayName.Text,
                              ref.TypeDefinition.Identifier])
                if ref.NodeClass == ua.NodeClass.Object or ref.NodeId.NamespaceIndex == 2:
                    todo.append(self.client.get_node(ref.NodeId))
        return {"nodes": found}

    async def do_standard(self):
        """Walks over all of the standard's nodes."""
        seen, todo = set(), [self.client.nodes.root.nodeid]
        while todo:
            id = todo.pop()
            if id in seen or id.NamespaceIndex != 0:
                continue
            seen.add(id)
            for ref in await self.client.get_node(id).get_references():
                if ref.IsForward:
                    todo.append(ref.NodeId)
        return {"count": len(seen)}

    async def do_parents(self, id):
        path, node = [], self.node(id)
        while node is not None:
            refs = await node.get_references(
                ua.ObjectIds.HierarchicalReferences, ua.BrowseDirection.Inverse)
            path.append(plain(await node.read_browse_name()))
            node = self.client.get_node(refs[0].NodeId) if refs else None
        return {"path": path}

    async def do_translate(self, path):
        node = await self.client.nodes.objects.get_child(path)
        return {"id": node.nodeid.to_string()}

    async def do_read(self, ids, attribute="Value"):
        nodes = [self.node(id) for id in ids]
        values = await self.client.uaclient.read_attributes(
            [node.nodeid for node in nodes], ua.AttributeIds[attribute])
        return {"values": [told(value) for value in values]}

    async def do_write(self, id, value, type):
        await self.node(id).write_value(ua.DataValue(ua.Variant(value, ua.VariantType[type])))
        return {}

    async def do_history(self, id, start=None, end=None, number=0, bounds=False):
        def time(text):
            return datetime.fromisoformat(text).replace(tzinfo=None) if text else None
        values = await self.node(id).read_raw_history(
            time(start), time(end), number, return_bounds=bounds)
        return {"values": [told(value) for value in values]}

    async def do_history_page(self, id, start, end, number, bounds=False):
        details = ua.ReadRawModifiedDetails()
        details.IsReadModified = False
        details.StartTime = datetime.fromisoformat(start).replace(tzinfo=None)
        details.EndTime = datetime.fromisoformat(end).replace(tzinfo=None)
        details.NumValuesPerNode = number
        details.ReturnBounds = bounds
        result = await self.node(id).history_read(details)
        result.StatusCode.check()
        return {
            "values": [told(value) for value in result.HistoryData.DataValues or []],
            "more": bool(result.ContinuationPoint),
        }

    async def do_subscribe(self, ids, period=100, sampling=0.0, queue=100, batch=1000):
        self.handler = self.handler or Handler()
        self.subscription = self.subscription or await self.client.create_subscription(
            period, self.handler)
        nodes, failed = [self.node(id) for id in ids], []
        for at in range(0, len(nodes), batch):
            handles = await self.subscription.subscribe_data_change(
                nodes[at:at + batch], queuesize=queue, sampling_interval=sampling)
            handles = handles if isinstance(handles, list) else [handles]
            failed += [hex(h.value) for h in handles if isinstance(h, ua.StatusCode)]
        return {"failed": failed}

    async def do_notifications(self, count, seconds=30):
        """Waits for so many notifications, and takes them."""
        async def enough():
            while len(self.handler.values) < count:
                self.handler.changed.clear()
                await self.handler.changed.wait()
        try:
            await asyncio.wait_for(enough(), seconds)
        except asyncio.TimeoutError:
            pass
        values, self.handler.values = self.handler.values, []
        return {"values": values}

    async def do_unsubscribe(self):
        await self.subscription.delete()
        self.subscription = None
        return {}

    async def run(self):
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            command = json.loads(line)
            action = getattr(self, "do_" + command.pop("do"))
            try:
                answer = await asyncio.wait_for(action(**command), 120)
            except UaStatusCodeError as error:
                answer = {"error": ua.status_codes.get_name_and_doc(error.code)[0]}
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dir", type=Path, required=True)
    logging.disable(logging.CRITICAL)
    asyncio.run(Peer(parser.parse_args().dir).run())


if __name__ == "__main__":
    main()
