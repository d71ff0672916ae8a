"""An Arrow Flight SQL client made of ADBC, driven by JSON lines on its standard input.

Each line is a command, `{"do": ...}`; each answer is one line, with "error" in it where the driver
raised one.
"""

import contextlib
import json
import sys
import threading

import adbc_driver_flightsql.dbapi as flightsql
import pyarrow.flight
from adbc_driver_flightsql import DatabaseOptions

connections = {}
readers = {}


def plain(value):
    """A value as JSON: what JSON does not have is written as Python does."""
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return str(value)


def connect(command):
    options = {}
    if "token" in command:
        header = DatabaseOptions.AUTHORIZATION_HEADER.value
        options[header] = f"Bearer {command['token']}"
    if "user" in command:
        options["username"] = command["user"]
        options["password"] = command["password"]
    if "certificate" in command:
        with open(command["certificate"], encoding="ascii") as file:
            options[DatabaseOptions.TLS_ROOT_CERTS.value] = file.read()
    connection = flightsql.connect(command["url"], db_kwargs=options, autocommit=True)
    connections[command.get("as", "main")] = connection
    return {}


def cursor(command):
    return connections[command.get("as", "main")].cursor()


def columns(schema):
    return [[field.name, str(field.type)] for field in schema]


def rows(command):
    """All rows, each value as Python prints it beside its column's type."""
    with cursor(command) as at:
        at.execute(command["sql"], command.get("parameters"))
        table = at.fetch_arrow_table()
        # Times go as nanoseconds: Python's own have microseconds.
        cells = [
            column.cast("int64") if str(column.type).startswith("timestamp") else column
            for column in table.columns
        ]
        lists = [plain(column.to_pylist()) for column in cells]
        found = [list(row) for row in zip(*lists)]
        return {"columns": columns(table.schema), "rows": found}


def count(command):
    """Reads all rows batch by batch, and keeps none."""
    with cursor(command) as at:
        at.execute(command["sql"])
        reader = at.fetch_record_batch()
        seen, batches = 0, 0
        for batch in reader:
            seen, batches = seen + batch.num_rows, batches + 1
        return {"rows": seen, "batches": batches}


def prepared(command):
    """One statement, prepared once and executed for each set of parameters."""
    with cursor(command) as at:
        found = []
        for parameters in command["each"]:
            at.execute(command["sql"], parameters)
            found.append(plain(at.fetchall()))
        return {"rows": found}


def objects(command):
    connection = connections[command.get("as", "main")]
    found = connection.adbc_get_objects(depth=command["depth"]).read_all().to_pylist()
    return {"objects": plain(found)}


def about(command):
    connection = connections[command.get("as", "main")]
    info = plain(connection.adbc_get_info())
    types = plain(connection.adbc_get_table_types())
    schema = connection.adbc_get_table_schema("samples")
    return {"info": info, "types": types, "samples": columns(schema)}


def begin(command):
    """Starts to read, and keeps the rest for later."""
    at = cursor(command)
    at.execute(command["sql"])
    reader = at.fetch_record_batch()
    first = reader.read_next_batch()
    readers[command.get("as", "main")] = (at, reader)
    return {"rows": first.num_rows}


def rest(command):
    at, reader = readers.pop(command.get("as", "main"))
    try:
        if command.get("cancel"):
            at.adbc_cancel()
        return {"rows": sum(batch.num_rows for batch in reader)}
    finally:
        # Whose rights have ended cannot close either, which is not what the answer is about.
        with contextlib.suppress(Exception):
            at.close()


def leave(command):
    """Goes away in the middle."""
    at, reader = readers.pop(command.get("as", "main"))
    reader.close()
    at.close()
    return {}


def cancel_while_it_computes(command):
    """Cancels a statement that gives no row for long."""
    with cursor(command) as at:
        timer = threading.Timer(command["after"], at.adbc_cancel)
        timer.start()
        try:
            at.execute(command["sql"])
            at.fetchall()
        finally:
            timer.cancel()
        return {}


def flight(command):
    """The same with Arrow's own client, without ADBC: sign-in, actions, and cancellation by name."""
    options = {}
    if "certificate" in command:
        with open(command["certificate"], "rb") as file:
            options["tls_root_certs"] = file.read()
    client = pyarrow.flight.FlightClient(command["url"], **options)
    header = client.authenticate_basic_token(command["user"], command["password"])
    call = pyarrow.flight.FlightCallOptions(headers=[header])
    actions = sorted(action.type for action in client.list_actions(call))
    return {"actions": actions, "header": header[0].decode()}


COMMANDS = {
    "connect": connect,
    "rows": rows,
    "count": count,
    "prepared": prepared,
    "objects": objects,
    "about": about,
    "begin": begin,
    "rest": rest,
    "leave": leave,
    "cancel": cancel_while_it_computes,
    "flight": flight,
}


def main():
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = COMMANDS[command["do"]](command)
        except Exception as error:  # noqa: BLE001 - each is an answer
            status = getattr(error, "status_code", None)
            answer = {
                "error": str(error),
                "kind": type(error).__name__,
                "status": getattr(status, "name", str(status)),
            }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
