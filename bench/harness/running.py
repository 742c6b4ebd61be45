"""Runs programs, one at a time and in turn, and boils their figures down to medians."""

import json
import pathlib
import statistics
import subprocess
import sys

LIMIT = 600.0


class ProgramFailed(Exception):
    pass


def run_once(command):
    command = [str(word) for word in command]
    name = " ".join([pathlib.Path(command[0]).name, *command[1:3]])
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=LIMIT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProgramFailed(f"{name}: {error}") from error
    if done.returncode != 0:
        raise ProgramFailed(f"{name} ended with status {done.returncode}:\n{done.stderr[-2000:]}")
    try:
        figures = json.loads(done.stdout)
    except ValueError as error:
        raise ProgramFailed(f"{name} printed no figures: {done.stdout[:200]!r}") from error
    if figures["errors"]:
        raise ProgramFailed(f"{name} reports {figures['errors']} errors")
    return figures


def merge(values):
    """Medians of numbers, of objects by key, of equally long lists by place."""
    present = [v for v in values if v is not None]
    if not present:
        return None
    first = present[0]
    if isinstance(first, bool) or isinstance(first, str):
        return all(present) if isinstance(first, bool) else first
    if isinstance(first, (int, float)):
        return statistics.median(present)
    if isinstance(first, dict):
        keys = dict.fromkeys(key for v in present for key in v)
        return {key: merge([v.get(key) for v in present]) for key in keys}
    return [merge(list(column)) for column in zip(*present)]


def processor_time(mode, run):
    cpu = {who: us for who, us in run.get("cpu_us", {}).items() if us is not None}
    if mode == "drain":  # the client only filled the queue
        cpu.pop("client", None)
    return cpu


def both_ends(cpu):
    ends = [us for who, us in cpu.items() if who != "broker"]
    return sum(ends) if ends else None


def summarise(mode, runs):
    """Medians, and what ratios are made of by round: rates and the CPU time of both ends."""
    result = merge(runs)
    result["runs"] = len(runs)
    result["rates"] = [run["rate"] for run in runs]
    result["cpu_us"] = processor_time(mode, result)
    result["cpu_us_totals"] = [both_ends(processor_time(mode, run)) for run in runs]
    return result


def ratio(mine, theirs):
    """The median of the ratios of each round: what slowed the machine in a round slowed both."""
    ratios = [m / t for m, t in zip(mine, theirs) if m is not None and t]
    return statistics.median(ratios) if ratios else None


def summarise_case(mode, runs):
    """Of each program by its label; the first is ours."""
    results = {label: summarise(mode, each) for label, each in runs.items()}
    ours = next(iter(results.values()))
    for result in results.values():
        result["ours_to_it"] = ratio(ours["rates"], result["rates"])
    return results


def run_cases(cases, rounds, say):
    """Every program of a case once a round, in turn, so that whatever else the machine does hits
    all of them. Returns results[case][program]."""
    results = {}
    for case in cases:
        runs = {label: [] for label in case.programs}
        for number in range(rounds):
            # The other way round every second time: nobody is always the first after a pause.
            order = list(case.programs) if number % 2 == 0 else list(reversed(case.programs))
            for label in order:
                say(f"{case.name}: round {number + 1} of {rounds}, {label}")
                runs[label].append(run_once(case.programs[label]))
        results[case.name] = summarise_case(case.name, runs)
    return results


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
