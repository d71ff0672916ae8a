"""What the peers of `cargo xtask bench historian` have in common: rounds, answers and numbers."""

import json
import os
import time
from pathlib import Path

# A question that takes microseconds is asked no more often than this.
ROUNDS_MAX = 100_000
ROUNDS_MIN = 3


class Question:
    """Something to ask, and how its answer becomes rows of (tag, microseconds, numbers…)."""

    def __init__(self, ask, rows):
        self.ask = ask
        self.rows = rows


def ask_all(questions, folder, seconds, cpu_seconds):
    """Asks each question for so many seconds, writes its answer down, and returns what it took."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    taken = {}
    for name, question in questions.items():
        rows = question.rows(question.ask())
        write_answer(folder / f"{name}.csv", rows)
        walls, cpu, until = [], cpu_seconds(), time.monotonic() + seconds
        while len(walls) < ROUNDS_MIN or (len(walls) < ROUNDS_MAX and time.monotonic() < until):
            started = time.perf_counter()
            question.ask()
            walls.append((time.perf_counter() - started) * 1e3)
        cpu_ms = (cpu_seconds() - cpu) / len(walls) * 1e3
        walls.sort()
        taken[name] = {"cpu_ms": cpu_ms, "wall_ms": walls[len(walls) // 2], "rows": len(rows)}
    return taken


def write_answer(path, rows):
    """One row a line; nothing between commas is null."""
    with open(path, "w", encoding="utf-8") as file:
        for row in rows:
            file.write(",".join("" if cell is None else repr(cell) for cell in row) + "\n")


def bytes_below(path):
    """What files take on the disk: holes of files that were made large beforehand do not count."""
    os.sync()
    found = (file.stat() for file in Path(path).rglob("*") if file.is_file())
    return sum(min(file.st_size, file.st_blocks * 512) for file in found)


def peak_rss_mb(pid="self"):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    return None


def told(numbers):
    """The last line of output is what xtask reads."""
    print(json.dumps(numbers), flush=True)
