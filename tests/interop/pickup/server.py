"""A PostgreSQL server with a table of measurements, for the conformance suite of weir-pickup.

Usage: server.py --folder FOLDER [--port PORT]

Makes a cluster in FOLDER, or starts the one that is there, and serves it on loopback. It prints one JSON
line {"port", "settings", "points", "modes"} and reads one JSON command a line, as the suite of
weir-connect has it. Needs Debian's package postgresql; as root the server runs as the package's user. It ends
with its input, and the server with it, also where it is killed.
"""

import argparse
import ctypes
import glob
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

POINTS = [
    ("temperature", "f64", 12.5),
    ("speed", "i64", 4500),
    ("count", "u64", 41),
    ("door", "bool", True),
    ("program", "text", "O1234 换刀"),
    ("pressure", "f64", -0.25),
    ("note", "text", "a; b' c\" -- d"),
]

PASSWORD = "interop"


def program(name):
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    return found[-1] if found else shutil.which(name)


def become():
    """The user that the server runs as, where this runs as root."""
    if os.getuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def die_with_parent():
    # PR_SET_PDEATHSIG: however this script ends, the server does not outlive it.
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Server:
    def __init__(self, folder, port):
        self.cluster = os.path.join(folder, "cluster")
        self.port = port
        self.values = [value for _, _, value in POINTS]
        self.mode = "normal"
        who = become()
        if not os.path.exists(self.cluster):
            os.mkdir(self.cluster)
            secret = os.path.join(folder, "password")
            with open(secret, "w") as file:
                file.write(PASSWORD)
            if who:
                os.chown(self.cluster, who["user"], who["group"])
                os.chown(secret, who["user"], who["group"])
            subprocess.run(
                [program("initdb"), "-U", "admin", "--auth=scram-sha-256", "--encoding=UTF8", "--no-sync", f"--pwfile={secret}", "-D", self.cluster],
                check=True, stdout=subprocess.DEVNULL, cwd="/", **who,
            )
        pid = os.path.join(self.cluster, "postmaster.pid")
        if os.path.exists(pid):
            os.remove(pid)
        if not self.port:
            with socket.socket() as found:
                found.bind(("127.0.0.1", 0))
                self.port = found.getsockname()[1]
        self.process = subprocess.Popen(
            [program("postgres"), "-D", self.cluster, "-p", str(self.port), "-c", "listen_addresses=127.0.0.1",
             "-c", "unix_socket_directories=", "-c", "fsync=off"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", preexec_fn=die_with_parent, **who,
        )
        self.lock = threading.Lock()
        deadline = time.monotonic() + 60
        while self.sql("SELECT 1", check=False) != 0:
            if time.monotonic() > deadline:
                raise SystemExit("the server does not start")
            time.sleep(0.05)
        self.sql("CREATE TABLE IF NOT EXISTS m (id bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), sensor text, value text)")
        for at in range(len(POINTS)):
            self.insert(at, self.values[at])
        threading.Thread(target=self.log, daemon=True).start()

    def sql(self, text, check=True):
        done = subprocess.run(
            [program("psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "admin", "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-q", "-f", "-"],
            input=text, text=True, env={**os.environ, "PGPASSWORD": PASSWORD, "PGCLIENTENCODING": "UTF8"},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        if check and done.returncode != 0:
            raise RuntimeError(text)
        return done.returncode

    def insert(self, at, value):
        self.sql(f"INSERT INTO m (sensor, value) VALUES {self.row(at, value)}")

    def row(self, at, value):
        text = json.dumps(value) if isinstance(value, bool) else str(value)
        text = text.replace("'", "''")
        return f"('{POINTS[at][0]}', '{text}')"

    def log(self):
        """What such a table is for: what everything is, again and again."""
        while True:
            time.sleep(0.5)
            with self.lock:
                if self.mode == "silent":
                    continue
                values = list(self.values)
                if self.mode == "lie":
                    values[0] = "hot"
                rows = ", ".join(self.row(at, value) for at, value in enumerate(values))
                self.sql(f"INSERT INTO m (sensor, value) VALUES {rows}", check=False)

    def everybody(self, signum):
        """Sends a signal to the server and to all of its processes."""
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True).stdout
        for pid in [self.process.pid, *map(int, children.split())]:
            try:
                os.kill(pid, signum)
            except ProcessLookupError:
                pass

    def change(self, mode):
        if self.mode == "silent":
            self.everybody(signal.SIGCONT)
        with self.lock:
            before, self.mode = self.mode, mode
            if mode == "silent":
                self.everybody(signal.SIGSTOP)
        if mode == "lie":
            self.sql(f"INSERT INTO m (sensor, value) VALUES ('{POINTS[0][0]}', 'hot')")
        elif mode == "flood":
            threading.Thread(target=self.flood, daemon=True).start()
        elif mode == "normal" and before in ("lie", "flood"):
            with self.lock:
                # A device that begins at the beginning later is not to be told of lies of the past.
                self.sql("DELETE FROM m WHERE value = 'hot'")
                self.insert(0, self.values[0])

    def flood(self):
        while self.mode == "flood":
            with self.lock:
                self.sql(f"INSERT INTO m (sensor, value) SELECT '{POINTS[0][0]}', n FROM generate_series(1, 3000) n")

    def command(self, asked):
        if asked["do"] == "set":
            with self.lock:
                self.values[asked["point"]] = asked["value"]
                self.insert(asked["point"], asked["value"])
        elif asked["do"] == "get":
            return {"value": self.values[asked["point"]]}
        elif asked["do"] == "mode":
            self.change(asked["mode"])
        else:
            raise ValueError(asked)
        return {}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--folder", required=True)
    arguments = parser.parse_args()
    server = Server(arguments.folder, arguments.port)
    settings = {
        "host": "127.0.0.1", "port": server.port, "user": "admin", "password": PASSWORD, "sslmode": "off",
        "query": "SELECT id, at, sensor, value FROM m", "cursor_column": "id", "cursor_start": "0", "time_column": "at",
        "poll_s": 1, "timeout_ms": 3000,
    }
    points = [
        {"address": {"column": "value", "where": {"sensor": name}}, "data_type": kind, "value": value, "browsed": False}
        for name, kind, value in POINTS
    ]
    print(json.dumps({"port": server.port, "settings": settings, "points": points, "modes": ["silent", "lie", "flood"]}), flush=True)
    try:
        for line in sys.stdin:
            print(json.dumps(server.command(json.loads(line))), flush=True)
    finally:
        server.everybody(signal.SIGCONT)
        server.process.kill()


if __name__ == "__main__":
    main()
