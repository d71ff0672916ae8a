"""CSV files of many kinds, written by Python's csv module, for the tests of weir-pickup.

Usage: writer.py FOLDER SEED

Writes one folder a kind of file below FOLDER and prints one JSON line for each:
{"settings": {...}, "rows": [[time in milliseconds, number or null, text], ...]}. Its columns are `time`,
`value` and `note`; without a header they are numbers 1 to 3.
"""

import csv
import datetime
import itertools
import json
import pathlib
import random
import sys
import zoneinfo

ENCODINGS = {"utf-8": ["utf-8", "utf-8-sig"], "gbk": ["gbk", "gb18030"], "utf-16": ["utf-16", "utf-16-le"]}
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
FORMATS = {
    "iso": lambda t: t.isoformat(sep=" ", timespec="milliseconds"),
    "%d.%m.%Y %H:%M:%S%.f": lambda t: t.strftime("%d.%m.%Y %H:%M:%S.%f")[:-3],
    "%Y年%m月%d日 %H:%M:%S%.f": lambda t: f"{t.year}年{t.month:02}月{t.day:02}日 " + t.strftime("%H:%M:%S.%f")[:-3],
    "epoch_ms": None,
    "epoch_s": None,
}
NOTES = ["", "ok", "换刀, 左", 'a "quoted" word', "two\nlines", " spaces ", "5\" pipe;|\t,", "température"]


def main():
    folder, rng = pathlib.Path(sys.argv[1]), random.Random(int(sys.argv[2]))
    kinds = itertools.product(ENCODINGS, SEPARATORS, FORMATS, ["point", "comma"], [True, False])
    for number, (encoding, separator, form, decimal, header) in enumerate(kinds):
        if decimal == "comma" and separator == "comma":
            continue
        zone = rng.choice(["UTC", "Asia/Shanghai", "Europe/Berlin", "America/St_Johns"])
        here = folder / str(number)
        here.mkdir()
        name = rng.choice(ENCODINGS[encoding])
        rows, written = [], []
        # Summer, so that no time comes twice.
        at = datetime.datetime(2026, 6, 1, tzinfo=datetime.timezone.utc)
        for _ in range(rng.randrange(1, 40)):
            at += datetime.timedelta(milliseconds=rng.randrange(1, 100_000))
            millis = round(at.timestamp() * 1000)
            value = None if rng.random() < 0.1 else rng.choice([rng.uniform(-1e6, 1e6), float(rng.randrange(100))])
            note = rng.choice(NOTES)
            if name == "gbk":
                note = note.encode("gbk", "ignore").decode("gbk")
            rows.append([millis, value, note])
            number_text = "" if value is None else repr(value)
            if decimal == "comma":
                number_text = number_text.replace(".", ",")
            if form == "epoch_ms":
                time_text = str(millis)
            elif form == "epoch_s":
                time_text = f"{millis // 1000}.{millis % 1000:03}"
            else:
                time_text = FORMATS[form](at.astimezone(zoneinfo.ZoneInfo(zone)).replace(tzinfo=None))
            written.append([time_text, number_text, note])
        skip = rng.choice([0, 0, 3])
        with open(here / "table.csv", "w", encoding=name, newline="") as file:
            for line in range(skip):
                file.write(f"Prüfstand {line}\n" if encoding != "gbk" else f"试验台 {line}\n")
            quoting = rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
            ending = rng.choice(["\r\n", "\n"])
            writer = csv.writer(file, delimiter=SEPARATORS[separator], quoting=quoting, lineterminator=ending)
            if header:
                writer.writerow(["time", "value", "note"])
            writer.writerows(written)
        settings = {
            "folder": str(here), "encoding": encoding, "separator": separator, "time_format": form, "time_zone": zone,
            "decimal": decimal, "header": header, "skip_lines": skip, "time_column": "time" if header else 1,
            "poll_s": 1, "stable_s": 0,
        }
        print(json.dumps({"settings": settings, "rows": rows}), flush=True)


if __name__ == "__main__":
    main()
