"""The ratios that this project sets itself, and whether a run has them."""

from harness import cases as c
from harness import running


def by_round(results, case, figure, *programs, best=max):
    """A figure of each round; of several programs the best. Empty when it was not measured."""
    found = [results[case][p][figure] for p in programs if p in results.get(case, {})]
    return [best(one_round) for one_round in zip(*found)]


def rate(results, case, program):
    found = results.get(case, {}).get(program)
    return found["rate"] if found else None


def ratio(results, case, *others, ours=c.OURS):
    return running.ratio(by_round(results, case, "rates", ours),
                         by_round(results, case, "rates", *others))


def cpu_ratio(results, case, *others, ours=c.OURS):
    return running.ratio(by_round(results, case, "cpu_us_totals", ours),
                         by_round(results, case, "cpu_us_totals", *others, best=min))


def pending_call(results):
    found = results.get("memory", {}).get(c.OURS)
    return max(found["bytes_a_call"].values()) if found else None


def check(results):
    """Rows of (what, target, measured, reached); measured is None where a case was left out."""
    oslo = (c.OSLO_14, c.OSLO_18, c.EVENTLET)
    at_least = [
        ("calls/s, 64 in flight, ours / rabbitmq-c", 1.3, ratio(results, "call-64", c.RABBITMQ_C)),
        ("calls/s, 8 in flight, ours / rabbitmq-c", 1.1, ratio(results, "call-8", c.RABBITMQ_C)),
        ("calls/s, 1,024 in flight, ours / rabbitmq-c", 1.35,
         ratio(results, "call-1024", c.RABBITMQ_C)),
        ("calls/s, 1 in flight, ours / rabbitmq-c", 1.0, ratio(results, "call-1", c.RABBITMQ_C)),
        ("casts drained/s, ours / rabbitmq-c with an ack a message", 1.1,
         ratio(results, "drain", c.RABBITMQ_C)),
        ("notifications/s with confirms, ours / rabbitmq-c, window 1,024", 1.0,
         ratio(results, "notify", c.RABBITMQ_C)),
        ("calls/s, 1 caller, ours / the better oslo.messaging", 5, ratio(results, "call-1", *oslo)),
        ("calls/s, 8 callers, ours / the better oslo.messaging", 15,
         ratio(results, "call-8", *oslo)),
        ("calls/s, 64 callers, ours / the better oslo.messaging", 30,
         ratio(results, "call-64", *oslo)),
        ("calls/s, 1 thread of Python, on ours / the better upstream", 3,
         ratio(results, "call-1", *oslo, ours=c.ON_OURS_18)),
        ("calls/s, 64 threads of Python, on ours / the better upstream", 10,
         ratio(results, "call-64", *oslo, ours=c.ON_OURS_18)),
        ("calls/s, 64 green threads of Python, on ours / upstream", 6,
         ratio(results, "call-64", c.EVENTLET, ours=c.ON_OURS_EVENTLET)),
        ("notifications/s of Python, on ours / the better upstream", 10,
         ratio(results, "notify", *oslo, ours=c.ON_OURS_18)),
        ("casts drained/s by Python, on ours / the better upstream", 5,
         ratio(results, "drain", *oslo, ours=c.ON_OURS_18)),
        ("casts drained/s, ours / plain kombu", 2.5, ratio(results, "drain", c.KOMBU)),
        ("casts drained/s, ours / the better oslo.messaging", 7, ratio(results, "drain", *oslo)),
        ("in-process calls/s, 64 in flight, int(a, b), 2 transports", 500_000,
         rate(results, "inproc-64", c.TYPED_2)),
        ("in-process calls/s, 64 in flight, echo, ours / gRPC unary", 3,
         ratio(results, "inproc-64", c.GRPC_INPROC)),
        ("calls/s, 64 callers, threads / coroutines", 0.7,
         ratio(results, "faces", c.COROUTINES, ours=c.THREADS)),
    ]
    at_most = [
        ("CPU a call of client and server, 64 in flight, ours / rabbitmq-c", 0.6,
         cpu_ratio(results, "call-64", c.RABBITMQ_C)),
        ("CPU a call of client and server, 64 threads of Python, on ours / the better upstream", 0.1,
         cpu_ratio(results, "call-64", *oslo, ours=c.ON_OURS_18)),
        ("memory of a pending call, 10,000 in flight, bytes", 2048, pending_call(results)),
    ]
    rows = [{"what": what, "target": f">= {want:,}", "measured": got,
             "reached": None if got is None else got >= want} for what, want, got in at_least]
    rows += [{"what": what, "target": f"<= {want:,}", "measured": got,
              "reached": None if got is None else got <= want} for what, want, got in at_most]
    return rows
