"""Under load for a long time, with a broker that restarts every minute: nothing may grow."""

import contextlib
import signal

from load import kill, let_pass, restart

# Messages a second. The windows in which listeners look for duplicates are then full within six
# minutes.
RATES = {"notify": 300, "call": 200}
KINDS = ("memory", "descriptors", "threads")


def sample(programs):
    """What is free does not count as memory."""
    for program in programs.values():
        before = program.log.count("trimmed")
        program.signal(signal.SIGUSR2)
        program.wait_for("trimmed", before + 1)
    return {
        name: {kind: getattr(program, kind)() for kind in KINDS}
        for name, program in programs.items()
    }


def growth(samples):
    """What has grown since the middle of the run, as sentences."""
    texts = []
    middle, end = samples[len(samples) // 2], samples[-1]
    for name in end:
        for kind in KINDS:
            before, after = middle[name][kind], end[name][kind]
            room = before // 20 + (2 << 20) if kind == "memory" else 0
            if after > before + room:
                texts.append(f"{name}: {kind} {before} -> {after}")
    return texts


def soak(bench, minutes):
    """An exit code. Samples are taken when all is well, right before a restart."""
    problems, samples = [], []
    with contextlib.ExitStack() as stack:
        loads = {
            kind: stack.enter_context(
                bench.load(kind, rate=rate, window=20_000, timeout=50, settle=90)
            )
            for kind, rate in RATES.items()
        }
        programs = {
            f"{kind} {role}": getattr(load, role)
            for kind, load in loads.items()
            for role in ("sender", "receiver")
        }
        for minute in range(minutes):
            let_pass(60)
            samples.append(sample(programs))
            memory = {name: f"{values['memory'] >> 10} KiB" for name, values in samples[-1].items()}
            print(f"minute {minute + 1}: {memory}", flush=True)
            if minute + 1 < minutes:
                kill(loads["notify"], bench.node)
                restart(loads["notify"], bench.node)
                loads["call"].away = loads["notify"].away
        for load in loads.values():
            load.stop_sending()
        for kind, load in loads.items():
            verdict = load.verdict()
            problems += verdict.complaints()
            if verdict.failed:
                problems.append(f"{verdict.failed} of {kind} failed")
            print(
                f"{kind}: {verdict.sent} sent, {verdict.confirmed} confirmed,"
                f" {verdict.unknown} unknown, {len(verdict.lost)} lost,"
                f" {len(verdict.doubled)} doubled; longest stall {verdict.longest_stall:.2f} s"
            )
    for name in samples[-1]:
        for kind in KINDS:
            values = [one[name][kind] for one in samples]
            print(
                f"{name:16} {kind:12} first {values[0]:>10} middle {values[len(values) // 2]:>10}"
                f" last {values[-1]:>10}"
            )
    problems += growth(samples)
    for problem in problems:
        print(problem)
    print(f"\n{minutes} minutes, {minutes - 1} restarts: {'failed' if problems else 'all is well'}")
    return 1 if problems else 0
