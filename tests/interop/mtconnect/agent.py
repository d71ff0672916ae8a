"""An MTConnect agent for the tests of weir-mtconnect, made of the standard library alone.

Usage: agent.py [--port PORT] [--host HOST] [--buffer N] [--instance N] [--tls CERTIFICATE KEY]

It serves probe, current and sample (with paths, from, count, at, interval and heartbeat) of MTConnect
2.0 as documents that follow the standard's schemas, prints one JSON line {"port", "settings", "points",
"extras", "modes"} when it listens, and reads one JSON command a line, each answered with one JSON line:

  {"do": "set", "point": i, "value": v}       {"do": "get", "point": i}
  {"do": "mode", "mode": m}                   one of "modes"
  {"do": "observe", "item": id, "text": t, "element": e, "code": c, "ago_s": s, "entries": {k: v}}
  {"do": "fill", "count": n}                  n observations of a data item that nobody asks for
  {"do": "cut"}                               ends all streams
  {"do": "restart"}                           another instance, with an empty buffer, and ends all streams
  {"do": "remodel", "without": id}            a data item less, in the same instance
  {"do": "counts"}                            requests of each kind so far, and the next sequence

Modes: normal, silent, lie, clock, flood; and poll (a stream is answered with one document),
no-streams (an interval is refused), garbage (random bytes), html (another server), half (answers break
off). It ends when its input does, so that it never outlives the test.
"""

import argparse
import collections
import datetime
import http.server
import json
import random
import socket
import ssl
import sys
import threading
import time
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape, quoteattr

VERSION = "2.0"
HOUR = datetime.timedelta(hours=1)
STREAMS = f"urn:mtconnect.org:MTConnectStreams:{VERSION}"
DEVICES = f"urn:mtconnect.org:MTConnectDevices:{VERSION}"
ERROR = f"urn:mtconnect.org:MTConnectError:{VERSION}"

Item = collections.namedtuple("Item", "id name category kind sub units representation component")


def item(id, name, category, kind, component, sub="", units="", representation=""):
    return Item(id, name, category, kind, sub, units, representation, component)


COMPONENTS = {"d1": "Device", "x": "Linear", "c": "Rotary", "cn": "Controller", "p": "Path", "door": "Door"}

ITEMS = [
    item("x_pos", "Xact", "SAMPLE", "POSITION", "x", "ACTUAL", "MILLIMETER"),
    item("c_speed", "Srpm", "SAMPLE", "ROTARY_VELOCITY", "c", "ACTUAL", "REVOLUTION/MINUTE"),
    item("p_exec", "execution", "EVENT", "EXECUTION", "p"),
    item("p_prog", "program", "EVENT", "PROGRAM", "p"),
    item("p_parts", "parts", "EVENT", "PART_COUNT", "p"),
    item("door_state", "door", "EVENT", "DOOR_STATE", "door"),
    item("x_wave", "wave", "SAMPLE", "VOLTAGE_DC", "x", "", "VOLT", "TIME_SERIES"),
    item("p_place", "place", "SAMPLE", "PATH_POSITION", "p", "ACTUAL", "MILLIMETER_3D"),
    item("x_load", "Xload", "SAMPLE", "LOAD", "x", "", "PERCENT"),
    item("p_line", "line", "EVENT", "LINE_NUMBER", "p", "ABSOLUTE"),
    item("p_msg", "message", "EVENT", "MESSAGE", "p"),
    # Beyond the points of the common suite.
    item("cn_system", "system", "CONDITION", "SYSTEM", "cn"),
    item("p_vars", "vars", "EVENT", "VARIABLE", "p", "", "", "DATA_SET"),
    item("p_offsets", "offsets", "EVENT", "WORK_OFFSET", "p", "", "", "TABLE"),
    item("x_filler", "filler", "SAMPLE", "TEMPERATURE", "x", "", "CELSIUS"),
]

# Data items as the common suite sees them: with what they are at first.
POINTS = [
    ("x_pos", "f64", 12.5),
    ("c_speed", "f64", 4500.0),
    ("p_exec", "text", "READY"),
    ("p_prog", "text", "O1234 换刀"),
    ("p_parts", "i64", 41),
    ("door_state", "bool", True),
    ("x_wave", "array", [1.0, 2.5, -3.0]),
    ("p_place", "array", [10.0, 20.0, 30.5]),
    ("x_load", "f64", 0.0),
    ("p_line", "i64", -7),
    ("p_msg", "text", "<coolant> & oil"),
]

MODES = ["normal", "silent", "lie", "clock", "flood", "poll", "no-streams", "garbage", "html", "half"]


def shown(kind, value):
    """A value as the agent's observations write it."""
    if kind == "bool":
        return "CLOSED" if value else "OPEN"
    if kind == "array":
        return " ".join(repr(x) for x in value)
    return value if isinstance(value, str) else repr(value)


def camel(kind):
    special = {"DC": "DC", "AC": "AC", "PH": "PH"}
    return "".join(special.get(word, word.title()) for word in kind.split("_"))


class Agent:
    def __init__(self, buffer, instance):
        self.lock = threading.Condition()
        self.mode = "normal"
        self.epoch = 0
        self.counts = collections.Counter()
        self.size = buffer
        self.items = {i.id: i for i in ITEMS}
        self.values = [value for _, _, value in POINTS]
        self.begin(instance)

    def begin(self, instance=None):
        self.model = "2026-11-26T00:00:00Z"
        self.instance = instance or time.time_ns() // 1_000_000
        self.buffer = collections.deque(maxlen=self.size)
        self.next = 1
        self.sets = {i.id: {} for i in ITEMS if i.representation in ("DATA_SET", "TABLE")}
        self.active = {i.id: {} for i in ITEMS if i.category == "CONDITION"}
        # What everything was before the oldest observation of the buffer.
        self.before = {}
        for i in ITEMS:
            if i.category == "CONDITION":
                self.observe(i.id, element="Normal")
            elif i.id in self.sets:
                self.observe(i.id, entries={"v100": "1.5"} if i.id == "p_vars" else {"G54": {"X": "1", "Y": "2"}})
            else:
                self.observe(i.id, text="UNAVAILABLE" if i.id == "x_filler" else None)
        for at, (id, kind, _) in enumerate(POINTS):
            self.observe(id, text=shown(kind, self.values[at]))

    def now(self):
        now = datetime.datetime.now(datetime.timezone.utc)
        return now + HOUR if self.mode == "clock" else now

    def observe(self, id, text=None, element=None, code=None, ago_s=0.0, entries=None):
        found = self.items[id]
        at = self.now() - datetime.timedelta(seconds=ago_s)
        if len(self.buffer) == self.size and self.buffer:
            self.fold(self.before, self.buffer[0])
        self.buffer.append({
            "item": id, "sequence": self.next, "time": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "text": "UNAVAILABLE" if text is None and element is None and entries is None else text,
            "element": element, "code": code, "entries": entries, "category": found.category,
        })
        self.next += 1

    @property
    def first(self):
        return self.buffer[0]["sequence"] if self.buffer else self.next

    def fold(self, state, o):
        """What a data item is after an observation: the last one, all active states, the whole set."""
        if o["category"] == "CONDITION":
            active = state.get(o["item"], [])
            if o["element"] in ("Unavailable",) or not o["code"]:
                state[o["item"]] = [o]
            else:
                rest = [a for a in active if a["code"] and a["code"] != o["code"]]
                if o["element"] != "Normal":
                    rest.append(o)
                state[o["item"]] = rest or [dict(o, code=None)]
        elif o["entries"] is not None:
            last = state.get(o["item"], [{"entries": {}}])[0]
            entries = dict(last["entries"] or {}, **o["entries"])
            entries = {k: v for k, v in entries.items() if v is not None}
            state[o["item"]] = [dict(o, entries=entries)]
        else:
            state[o["item"]] = [o]

    def current(self, at=None):
        state = dict(self.before)
        for o in self.buffer:
            if at is None or o["sequence"] <= at:
                self.fold(state, o)
        return [o for found in state.values() for o in found]


def header(agent, streams):
    created = agent.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    head = (f'<Header creationTime="{created}" sender="tests" instanceId="{agent.instance}" version="2.0.0.12" '
            f'deviceModelChangeTime="{agent.model}" bufferSize="{agent.size}"')
    if streams:
        first, last, following = streams
        return f'{head} nextSequence="{following}" firstSequence="{first}" lastSequence="{last}"/>'
    return f'{head} assetBufferSize="8" assetCount="0"/>'


def observation(agent, o):
    found = agent.items[o["item"]]
    attributes = {"dataItemId": o["item"], "timestamp": o["time"], "sequence": o["sequence"], "name": found.name}
    if found.sub:
        attributes["subType"] = found.sub
    text = o["text"]
    if found.category == "CONDITION":
        name = o["element"]
        attributes["type"] = found.kind
        if o["code"]:
            attributes["nativeCode"] = o["code"]
    else:
        name = camel(found.kind) + {"TIME_SERIES": "TimeSeries", "DATA_SET": "DataSet", "TABLE": "Table"}.get(found.representation, "")
    if found.representation == "TIME_SERIES":
        attributes["sampleRate"] = 1000
        attributes["sampleCount"] = 0 if text == "UNAVAILABLE" else len(text.split())
    if agent.mode == "lie" and o["item"] == POINTS[0][0]:
        text = "OVERTRAVEL"
    inner = escape(text or "")
    if o["entries"] is not None:
        attributes["count"] = len(o["entries"])
        inner = ""
        for key, value in o["entries"].items():
            if value is None:
                inner += f"<Entry key={quoteattr(key)} removed=\"true\"/>"
            elif isinstance(value, dict):
                cells = "".join(f"<Cell key={quoteattr(k)}>{escape(v)}</Cell>" for k, v in value.items())
                inner += f"<Entry key={quoteattr(key)}>{cells}</Entry>"
            else:
                inner += f"<Entry key={quoteattr(key)}>{escape(value)}</Entry>"
    written = " ".join(f"{k}={quoteattr(str(v))}" for k, v in attributes.items())
    return f"<{name} {written}>{inner}</{name}>"


def streams(agent, found, following):
    by_component = collections.defaultdict(lambda: collections.defaultdict(list))
    for o in found:
        by_component[agent.items[o["item"]].component][o["category"]].append(o)
    body = ""
    for component, categories in by_component.items():
        body += f'<ComponentStream component="{COMPONENTS[component]}" name="{component}" componentId="{component}">'
        for category, container in (("SAMPLE", "Samples"), ("EVENT", "Events"), ("CONDITION", "Condition")):
            if categories.get(category):
                inner = "".join(observation(agent, o) for o in categories[category])
                body += f"<{container}>{inner}</{container}>"
        body += "</ComponentStream>"
    device = f'<DeviceStream name="mill" uuid="mill-1">{body}</DeviceStream>'
    head = header(agent, (agent.first, agent.next - 1, following))
    return (f'<?xml version="1.0" encoding="UTF-8"?>\n<MTConnectStreams xmlns="{STREAMS}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
            f"{head}<Streams>{device}</Streams></MTConnectStreams>\n")


def devices(agent):
    def data_items(component):
        inner = ""
        for i in agent.items.values():
            if i.component == component:
                attributes = {"category": i.category, "id": i.id, "name": i.name, "type": i.kind}
                attributes.update({k: v for k, v in (("subType", i.sub), ("units", i.units), ("representation", i.representation)) if v})
                if i.representation == "TIME_SERIES":
                    attributes["sampleRate"] = "1000"
                inner += "<DataItem " + " ".join(f"{k}={quoteattr(v)}" for k, v in attributes.items()) + "/>"
        return f"<DataItems>{inner}</DataItems>" if inner else ""

    body = (
        f'<Device id="d1" name="mill" uuid="mill-1"><Description manufacturer="Weir">five axes</Description>'
        f'<DataItems><DataItem category="EVENT" id="avail" name="avail" type="AVAILABILITY"/></DataItems><Components>'
        f'<Axes id="ax" name="axes"><Components>'
        f'<Linear id="x" name="X">{data_items("x")}</Linear><Rotary id="c" name="C">{data_items("c")}</Rotary>'
        f'</Components></Axes>'
        f'<Controller id="cn" name="controller">{data_items("cn")}<Components><Path id="p" name="path">{data_items("p")}</Path></Components></Controller>'
        f'<Door id="door" name="door">{data_items("door")}</Door>'
        f'</Components></Device>'
        f'<Device id="d2" name="车床" uuid="lathe-2"><DataItems><DataItem category="EVENT" id="avail2" name="avail" type="AVAILABILITY"/></DataItems></Device>'
    )
    return (f'<?xml version="1.0" encoding="UTF-8"?>\n<MTConnectDevices xmlns="{DEVICES}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
            f"{header(agent, None)}<Devices>{body}</Devices></MTConnectDevices>\n")


def error(agent, code, text):
    created = agent.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    head = (f'<Header creationTime="{created}" sender="tests" instanceId="{agent.instance}" version="2.0.0.12" '
            f'bufferSize="{agent.size}"/>')
    return (f'<?xml version="1.0" encoding="UTF-8"?>\n<MTConnectError xmlns="{ERROR}">{head}'
            f'<Errors><Error errorCode="{code}">{escape(text)}</Error></Errors></MTConnectError>\n')


class Refused(Exception):
    def __init__(self, status, code, text):
        super().__init__(text)
        self.status, self.code = status, code


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    agent = None

    def log_message(self, *_):
        pass

    def do_GET(self):
        agent = self.agent
        mode = agent.mode
        if mode == "silent":
            while agent.mode == "silent":
                time.sleep(0.02)
            self.close_connection = True
            return
        if mode == "garbage":
            self.wfile.write(bytes(random.randrange(256) for _ in range(random.randrange(1, 4000))))
            self.close_connection = True
            return
        if mode == "html":
            return self.answer(200, "<html><body><h1>It works!</h1></body></html>", "text/html")
        url = urlsplit(self.path)
        query = {k: v[0] for k, v in parse_qs(url.query).items()}
        parts = [unquote(p) for p in url.path.split("/") if p]
        try:
            self.serve(parts, query)
        except Refused as refused:
            self.answer(refused.status, error(agent, refused.code, str(refused)))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def serve(self, parts, query):
        agent = self.agent
        request = parts.pop() if parts else "probe"
        if parts and parts[0] not in ("mill", "mill-1", "d1", "车床", "lathe-2", "d2"):
            raise Refused(404, "NO_DEVICE", f"Could not find the device '{parts[0]}'")
        is_mill = not parts or parts[0] in ("mill", "mill-1", "d1")
        agent.counts[request] += 1
        if request == "probe":
            return self.answer(200, devices(agent))
        if request == "current":
            with agent.lock:
                at = query.get("at")
                if at is not None and not agent.first <= int(at) < agent.next:
                    raise Refused(404, "OUT_OF_RANGE", f"'at' must be between {agent.first} and {agent.next - 1}")
                found = agent.current(int(at) if at else None) if is_mill else []
                found = [o for o in found if o["item"] in agent.items]
                body = streams(agent, found, agent.next)
            return self.answer(200, body)
        if request != "sample":
            raise Refused(404, "UNSUPPORTED", f"The request {request} is not supported")
        if "interval" in query and agent.mode == "no-streams":
            raise Refused(400, "INVALID_REQUEST", "'interval' is not supported")
        start = int(query["from"]) if "from" in query else None
        count = int(query.get("count", 100))
        if "interval" in query and agent.mode != "poll":
            return self.stream(start, count, int(query["interval"]) / 1000, int(query.get("heartbeat", 10000)) / 1000, is_mill)
        body, _, _ = self.page(start, count, is_mill)
        return self.answer(200, body)

    def page(self, start, count, is_mill):
        agent = self.agent
        with agent.lock:
            start = agent.first if start is None else start
            if not agent.first <= start <= agent.next:
                raise Refused(404, "OUT_OF_RANGE", f"'from' must be between {agent.first} and {agent.next}")
            found = list(agent.buffer)[start - agent.first:][:count]
            following = found[-1]["sequence"] + 1 if found else agent.next
            shown = [o for o in found if is_mill and o["item"] in agent.items]
            return streams(agent, shown, following), following, len(found)

    def stream(self, start, count, interval, heartbeat, is_mill):
        agent = self.agent
        epoch = agent.epoch
        body, following, _ = self.page(start, count, is_mill)
        boundary = "a8e12ced4fb871ac096a99bf9728b425"
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace;boundary={boundary}")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        sent = time.monotonic()
        while agent.epoch == epoch:
            if body is not None and agent.mode != "silent":
                data = body.encode()
                if agent.mode == "garbage":
                    data = bytes(random.randrange(256) for _ in range(600))
                head = f"\r\n--{boundary}\r\nContent-type: text/xml\r\nContent-length: {len(data)}\r\n\r\n"
                if agent.mode == "half":
                    self.wfile.write(head.encode() + data[: len(data) // 2])
                    return
                self.wfile.write(head.encode() + data + b"\r\n")
                self.wfile.flush()
                sent = time.monotonic()
            time.sleep(interval)
            if agent.mode == "silent":
                body = None
                continue
            try:
                body, following, found = self.page(following, count, is_mill)
            except Refused as refused:
                body, found = error(agent, refused.code, str(refused)), 1
                data = body.encode()
                head = f"\r\n--{boundary}\r\nContent-type: text/xml\r\nContent-length: {len(data)}\r\n\r\n"
                self.wfile.write(head.encode() + data + b"\r\n")
                return
            if not found and time.monotonic() - sent < heartbeat:
                body = None

    def answer(self, status, body, kind="text/xml"):
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.agent.mode == "half":
            data = data[: len(data) // 2]
            self.close_connection = True
        self.wfile.write(data)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_):
        pass


def flood(agent):
    number = 0
    while True:
        if agent.mode != "flood":
            time.sleep(0.01)
            continue
        with agent.lock:
            for _ in range(100):
                number += 1
                agent.observe(POINTS[0][0], text=repr(float(number)))
        time.sleep(0.002)


def command(agent, asked):
    with agent.lock:
        if asked["do"] == "set":
            at = asked["point"]
            id, kind, _ = POINTS[at]
            agent.values[at] = asked["value"]
            agent.observe(id, text=shown(kind, asked["value"]))
        elif asked["do"] == "get":
            return {"value": agent.values[asked["point"]]}
        elif asked["do"] == "mode":
            agent.mode = asked["mode"]
            if asked["mode"] == "lie":
                agent.observe(POINTS[0][0], text="OVERTRAVEL")
            elif asked["mode"] == "normal":
                id, kind, _ = POINTS[0]
                agent.observe(id, text=shown(kind, agent.values[0]))
        elif asked["do"] == "observe":
            agent.observe(asked["item"], asked.get("text"), asked.get("element"), asked.get("code"), asked.get("ago_s", 0.0), asked.get("entries"))
        elif asked["do"] == "fill":
            for n in range(asked["count"]):
                agent.observe("x_filler", text=repr(float(n)))
        elif asked["do"] == "cut":
            agent.epoch += 1
        elif asked["do"] == "restart":
            agent.epoch += 1
            agent.begin(agent.instance + 1)
        elif asked["do"] == "remodel":
            agent.items = {i.id: i for i in ITEMS if i.id != asked["without"]}
            agent.model = "2026-11-26T00:00:01Z"
        elif asked["do"] == "counts":
            return dict(agent.counts, next=agent.next, first=agent.first)
        else:
            raise ValueError(asked)
    return {}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--buffer", type=int, default=131072)
    parser.add_argument("--instance", type=int)
    parser.add_argument("--tls", nargs=2)
    arguments = parser.parse_args()
    agent = Agent(arguments.buffer, arguments.instance)
    Handler.agent = agent
    if ":" in arguments.host:
        Server.address_family = socket.AF_INET6
    server = Server((arguments.host, arguments.port), Handler)
    scheme = "http"
    if arguments.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*arguments.tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Thread(target=flood, args=(agent,), daemon=True).start()
    port = server.server_address[1]
    host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    settings = {"url": f"{scheme}://{host}:{port}", "device": "mill", "interval_ms": 20, "heartbeat_ms": 400, "timeout_ms": 3000}
    points = [{"address": {"data_item": id}, "data_type": kind, "value": value} for id, kind, value in POINTS]
    extras = [{"data_item": "cn_system"}, {"data_item": "p_vars"}, {"data_item": "p_offsets"}]
    print(json.dumps({"port": port, "settings": settings, "points": points, "extras": extras, "modes": MODES}), flush=True)
    for line in sys.stdin:
        print(json.dumps(command(agent, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
