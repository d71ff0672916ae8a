"""Runs OR-Tools CP-SAT on the standard text instances of a folder and prints a line of JSON for each, as
crates/platform/schedule/examples/bench_schedule.rs does: cp_sat.py FOLDER [--time S] [--workers N] [--seed N] [--only P,P]
"""

import argparse
import json
import pathlib
import resource
import time

from ortools.sat.python import cp_model


def rows(text):
    lines = (line.strip() for line in text.splitlines())
    return [line.split() for line in lines if line and not line.startswith("#")]


def parse_job_shop(lines, machines):
    """Jobs as lists of operations, these as lists of (machine, time); None when it is not a job shop."""
    jobs = []
    for line in lines:
        numbers = [int(word) for word in line]
        if sorted(numbers[0::2]) != list(range(machines)) or len(numbers) != 2 * machines:
            return None
        jobs.append([[pair] for pair in zip(numbers[0::2], numbers[1::2])])
    return jobs


def parse_flexible(lines):
    jobs = []
    for line in lines:
        numbers = iter(int(word) for word in line)
        operations = []
        for _ in range(next(numbers)):
            operations.append([(next(numbers) - 1, next(numbers)) for _ in range(next(numbers))])
        jobs.append(operations)
    return jobs


def solve(jobs, seconds, workers, seed):
    model = cp_model.CpModel()
    horizon = sum(max(time for _, time in operation) for job in jobs for operation in job)
    makespan = model.new_int_var(0, horizon, "makespan")
    on_machine = {}
    for job in jobs:
        before = 0
        for operation in job:
            start = model.new_int_var(0, horizon, "")
            end = model.new_int_var(0, horizon, "")
            model.add(start >= before)
            chosen = []
            for machine, duration in operation:
                if len(operation) == 1:
                    interval = model.new_interval_var(start, duration, end, "")
                else:
                    here = model.new_bool_var("")
                    interval = model.new_optional_interval_var(start, duration, end, here, "")
                    chosen.append(here)
                on_machine.setdefault(machine, []).append(interval)
            if chosen:
                model.add_exactly_one(chosen)
            before = end
        model.add(makespan >= before)
    for intervals in on_machine.values():
        model.add_no_overlap(intervals)
    model.minimize(makespan)
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.num_workers = workers
    solver.parameters.random_seed = seed
    status = solver.solve(model)
    found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    return (int(solver.objective_value) if found else None), int(solver.best_objective_bound)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--time", type=float, default=10.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    prefixes = tuple(arguments.only.split(",")) if arguments.only else ("",)
    for file in sorted(arguments.folder.glob("*.txt")):
        if not file.stem.startswith(prefixes):
            continue
        header, *lines = rows(file.read_text())
        jobs = parse_job_shop(lines, int(header[1])) or parse_flexible(lines)
        begin, cpu = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_utime
        makespan, bound = solve(jobs, arguments.time, arguments.workers, arguments.seed)
        print(json.dumps({
            "name": file.stem,
            "operations": sum(len(job) for job in jobs),
            "makespan": makespan,
            "bound": bound,
            "seconds": round(time.monotonic() - begin, 3),
            "cpu_seconds": round(resource.getrusage(resource.RUSAGE_SELF).ru_utime - cpu, 2),
            "seed": arguments.seed,
            "threads": arguments.workers,
        }), flush=True)


if __name__ == "__main__":
    main()
