"""What is measured: the cases, and for each the programs that do the same work."""

import dataclasses
import pathlib
import urllib.parse

# What JSON envelopes add to an argument of oslo-msg bench, in bytes: the C peer sends bodies as long.
CALL, REPLY, CAST, NOTIFICATION = 276, 215, 146, 328

OURS = "ours"
UNACKNOWLEDGED = "ours, replies unacknowledged"
RABBITMQ_C = "rabbitmq-c"
FOLDED = "rabbitmq-c, folded acks"
KOMBU = "kombu"
OSLO_14 = "oslo.messaging 14.0.3"
OSLO_18 = "oslo.messaging 18.3.1"
EVENTLET = "oslo.messaging 14.0.3, eventlet"
ON_OURS_14 = "oslo.messaging 14.0.3 on ours"
ON_OURS_18 = "oslo.messaging 18.3.1 on ours"
ON_OURS_EVENTLET = "oslo.messaging 14.0.3 on ours, eventlet"
ON_OURS = (ON_OURS_14, ON_OURS_18)
THREADS, COROUTINES, COMPLETIONS = "ours, 64 threads", "ours, 64 coroutines", "ours, completions"
GRPC_INPROC, GRPC_LOOPBACK = "gRPC in-process", "gRPC over loopback"
TYPED, TYPED_2 = "ours, int(a, b)", "ours, int(a, b), 2 transports"

# What each does with a message, so that a reader can judge how fair a ratio is.
WORK = {
    "ours": "full oslo semantics: JSON in JSON, unique ids, deadlines, confirms, mandatory replies, "
            "duplicate check; every message acknowledged before its handler, acknowledgements folded; "
            "2 connections a process; handlers inline on the I/O thread",
    "ours, executor threads": "the same with handlers on 64 threads, the default of a server",
    UNACKNOWLEDGED: "ours with cpp_unacknowledged_replies: the broker forgets a reply once it has sent "
                    "it",
    TYPED: "ours in one process, arguments and result typed at both ends instead of an echo of JSON "
           "text; client and server on one thread",
    TYPED_2: "the same calls divided between two transports, each with a thread of its own for its "
             "client and its server",
    RABBITMQ_C: "persistent messages of the same length from memory, confirms in a window, mandatory "
                "replies, one basic.ack a message, 1 connection a process; no JSON, no ids, no "
                "deadlines, no recovery",
    FOLDED: "the same; one basic.ack for all that a read has brought",
    KOMBU: "drain: prefetch 256, JSON parsed, one ack a message; publish: waits for each confirm, as "
           "py-amqp does",
    OSLO_14: "RPCClient in N threads, server with its threading executor (64), its defaults; Debian's "
             "Python and packages",
    OSLO_18: "the same, newest release",
    EVENTLET: "the same with green threads in client and server",
    ON_OURS_14: "as oslo.messaging 14.0.3, with cpp+rabbit:// in place of rabbit:// at both ends",
    ON_OURS_18: "the same, newest release",
    ON_OURS_EVENTLET: "the same with green threads in client and server",
    GRPC_INPROC: "protobuf with one bytes field, callback API at both ends, in-process channel; "
                 "--sync at 1 in flight by the synchronous API",
    GRPC_LOOPBACK: "the same between two processes over TCP; no broker between them",
}


@dataclasses.dataclass
class Context:
    """Where programs, broker and Pythons are."""

    bin: pathlib.Path
    url: str
    broker_pid: int | None
    python_18: pathlib.Path
    python_site: pathlib.Path  # where the wheel is installed
    seconds: float  # how long one program should take to do its work


@dataclasses.dataclass
class Case:
    name: str
    title: str
    programs: dict  # label -> command
    in_flight: int = 0  # for plots
    quick: tuple = ()  # labels that the quick profile leaves out


def amqp_url(url):
    """rabbit://… as rabbitmq-c reads it: an empty virtual host means "/"."""
    parts = urllib.parse.urlsplit(url)
    vhost = urllib.parse.unquote(parts.path[1:]) or "/"
    return f"amqp://{parts.netloc}/{urllib.parse.quote(vhost, safe='')}"


class Programs:
    """Command lines."""

    def __init__(self, context):
        self.c = context
        self.peers = pathlib.Path(__file__).resolve().parent.parent / "peers"
        self.broker = ["--broker-pid", str(context.broker_pid)] if context.broker_pid else []

    def count(self, rate, most=100_000):
        """Messages that take about as long as they should, at a guessed rate."""
        return max(20, min(most, int(rate * self.c.seconds)))

    def ours(self, mode, *options, rate=None, url=None, query="", most=100_000):
        command = [self.c.bin / "oslo-msg", "--url", (url or self.c.url) + query, "bench", mode,
                   *options, "--json", "-"]
        if rate:
            command += ["--count", self.count(rate, most)]
        return command + (self.broker if url is None else [])

    def rabbitmq_c(self, program, *options, rate):
        return [self.c.bin / f"rabbitmqc_{program}", "--url", amqp_url(self.c.url), *options,
                "--count", self.count(rate), *self.broker]

    def python(self, python, script, mode, *options, rate):
        return [python, self.peers / script, mode, "--url", self.c.url, *options,
                "--count", self.count(rate), *self.broker]

    def oslo(self, version, mode, *options, rate):
        python = self.c.python_18 if version in (OSLO_18, ON_OURS_18) else "/usr/bin/python3"
        if version in (EVENTLET, ON_OURS_EVENTLET):
            options += ("--executor", "eventlet")
        if version in (*ON_OURS, ON_OURS_EVENTLET):
            # The last --url counts.
            options += ("--url", f"cpp+{self.c.url}")
            python_path = ("env", f"PYTHONPATH={self.c.python_site}")
            return [*python_path, *self.python(python, "oslo_peer.py", mode, *options, rate=rate)]
        return self.python(python, "oslo_peer.py", mode, *options, rate=rate)

    def kombu(self, mode, *options, rate):
        return self.python("/usr/bin/python3", "kombu_peer.py", mode, *options, rate=rate)

    def grpc(self, over, *options, rate):
        return [self.c.bin / "grpc_unary", "--over", over, *options,
                "--count", self.count(rate, 1_000_000)]


def calls(p):
    """Calls at several numbers in flight."""
    for flight, rate in ((1, 2_000), (8, 9_000), (64, 18_000), (256, 20_000), (1024, 20_000)):
        at = ("--in-flight", flight)
        envelope = ("--overhead", CALL, "--reply-overhead", REPLY)
        programs = {
            OURS: p.ours("call", *at, rate=rate),
            RABBITMQ_C: p.rabbitmq_c("rpc", *at, *envelope, rate=rate),
        }
        if flight <= 64:
            for version in (OSLO_14, OSLO_18):
                programs[version] = p.oslo(version, "call", *at, rate=500)
            for version in ON_OURS:
                programs[version] = p.oslo(version, "call", *at, rate=min(1_000 * flight, 6_000))
        if flight in (64, 1024):
            programs[UNACKNOWLEDGED] = p.ours("call", *at, rate=rate,
                                              query="?cpp_unacknowledged_replies=true")
            programs[FOLDED] = p.rabbitmq_c("rpc", *at, *envelope, "--acks", "folded", rate=rate)
        if flight == 64:
            programs["ours, executor threads"] = p.ours("call", *at, "--executor", "threads",
                                                        rate=rate)
            programs[EVENTLET] = p.oslo(EVENTLET, "call", *at, rate=500)
            programs[ON_OURS_EVENTLET] = p.oslo(ON_OURS_EVENTLET, "call", *at, rate=3_000)
        title = f"{flight:,} call{'s' * (flight > 1)} in flight"
        yield Case(f"call-{flight}", title, programs, flight,
                   quick=("ours, executor threads", UNACKNOWLEDGED, FOLDED, EVENTLET,
                          ON_OURS_EVENTLET))


def others(p):
    """Everything else over the broker."""
    waiting = p.count(100_000)  # the full profile: 100,000
    drained = ("--count", waiting)
    # Three seconds' work: the clock of oslo.messaging includes its start, some 30 ms.
    oslo_drain = {v: p.oslo(v, "drain", rate=9_000) for v in (OSLO_14, OSLO_18, EVENTLET)}
    oslo_drain |= {v: p.oslo(v, "drain", rate=20_000) for v in ON_OURS}
    yield Case("drain", f"{waiting:,} waiting casts drained (Python peers: fewer)", {
        OURS: p.ours("drain", "--in-flight", 1024, *drained),
        "ours, executor threads": p.ours("drain", "--in-flight", 1024, "--executor", "threads",
                                         *drained),
        RABBITMQ_C: p.rabbitmq_c("drain", "--overhead", CAST, rate=100_000),
        FOLDED: p.rabbitmq_c("drain", "--overhead", CAST, "--acks", "folded", rate=100_000),
        KOMBU: p.kombu("drain", rate=8_000),
        **oslo_drain,
    }, quick=("ours, executor threads", FOLDED, EVENTLET))
    window = ("--window", 1024)
    yield Case("cast", "casts with confirms, 1,024 unconfirmed (Python: 8 threads), a server reads", {
        OURS: p.ours("cast", "--in-flight", 1024, rate=25_000),
        RABBITMQ_C: p.rabbitmq_c("publish", *window, "--overhead", CAST, "--readers", 1,
                                 rate=25_000),
        OSLO_14: p.oslo(OSLO_14, "cast", "--in-flight", 8, rate=1_500),
        OSLO_18: p.oslo(OSLO_18, "cast", "--in-flight", 8, rate=1_500),
        **{v: p.oslo(v, "cast", "--in-flight", 8, rate=5_000) for v in ON_OURS},
    })
    yield Case("notify", "notifications with confirms, 1,024 unconfirmed (oslo: 8 threads, kombu: 1)", {
        OURS: p.ours("notify", "--in-flight", 1024, rate=30_000),
        RABBITMQ_C: p.rabbitmq_c("publish", *window, "--overhead", NOTIFICATION, rate=30_000),
        KOMBU: p.kombu("publish", rate=2_000),
        OSLO_14: p.oslo(OSLO_14, "notify", "--in-flight", 8, rate=1_500),
        OSLO_18: p.oslo(OSLO_18, "notify", "--in-flight", 8, rate=1_500),
        **{v: p.oslo(v, "notify", "--in-flight", 8, rate=5_000) for v in ON_OURS},
    })
    yield Case("fanout", "fanout to 10 servers, until each has every cast", {
        OURS: p.ours("fanout", "--in-flight", 64, rate=2_000),
        RABBITMQ_C: p.rabbitmq_c("publish", "--window", 64, "--overhead", CAST, "--readers", 10,
                                 rate=2_000),
        OSLO_18: p.oslo(OSLO_18, "fanout", "--in-flight", 8, rate=200),
    }, quick=(OSLO_18,))
    for body, flight, rate, title in (("0", 64, 18_000, "empty"), ("128", 64, 18_000, "128 bytes"),
                                      ("simulator", 64, 8_000, "2.4 kB median (simulator)"),
                                      ("1048576", 8, 60, "1 MiB, 8 in flight")):
        options = ("--in-flight", flight, "--body", body)
        yield Case(f"body-{body}", f"calls with bodies: {title}", {
            OURS: p.ours("call", *options, rate=rate),
            RABBITMQ_C: p.rabbitmq_c("rpc", *options, "--overhead", CALL, "--reply-overhead", REPLY,
                                     rate=rate),
        })
    heavier = ("--in-flight", 64, "--body", 3_500, "--context", 20)
    yield Case("context", "64 threads call: 3.5 kB, of Python with a context of 20 keys", {
        OURS: p.ours("call", "--in-flight", 64, "--body", 3_500, rate=8_000),
        **{v: p.oslo(v, "call", *heavier, rate=3_000) for v in ON_OURS},
        **{v: p.oslo(v, "call", *heavier, rate=400) for v in (OSLO_14, OSLO_18)},
    }, quick=(ON_OURS_14, OSLO_14))
    for rate in (200, 500, 2_000, 8_000):
        at = ("--in-flight", 64, "--rate", rate)
        count = max(600, rate)  # three seconds of 200 calls: enough for a 99th percentile
        programs = {
            OURS: p.ours("call", *at, rate=count),
            RABBITMQ_C: p.rabbitmq_c("rpc", *at, "--overhead", CALL, "--reply-overhead", REPLY,
                                     rate=count),
        }
        if rate == 200:  # about what oslo.messaging can keep up with
            programs |= {v: p.oslo(v, "call", *at, rate=count) for v in (OSLO_14, OSLO_18, EVENTLET)}
        yield Case(f"rate-{rate}", f"open loop: {rate:,} calls a second, latency from the time due",
                   programs, quick=(EVENTLET,))
    yield Case("faces", "64 callers: threads that wait beside coroutines", {
        COROUTINES: p.ours("call", "--callers", "coroutines", rate=18_000),
        THREADS: p.ours("call", "--callers", "threads", rate=12_000),
        COMPLETIONS: p.ours("call", rate=18_000),
    })
    yield Case("memory", "10,000 pending calls",
               {OURS: p.ours("memory", "--in-flight", 10_000)})


def in_process(p):
    """Without a broker."""
    for flight in (1, 64):
        at = ("--in-flight", flight)
        here = {"url": "fake://", "most": 1_000_000}
        programs = {
            OURS: p.ours("call", *at, "--callers", "completions", rate=150_000, **here),
            "ours, coroutines": p.ours("call", *at, "--callers", "coroutines", rate=150_000,
                                       **here),
            GRPC_INPROC: p.grpc("inproc", *at, rate=15_000),
            GRPC_LOOPBACK: p.grpc("loopback", *at, rate=8_000),
        }
        if flight == 1:
            programs["gRPC in-process, sync"] = p.grpc("inproc", "--sync", rate=15_000)
        if flight == 64:
            programs[TYPED] = p.ours("call", *at, "--body", "int", rate=300_000, **here)
            programs[TYPED_2] = p.ours("call", *at, "--body", "int", "--transports", 2,
                                       rate=400_000, **here)
        yield Case(f"inproc-{flight}",
                   f"in-process (fake://, inline) beside gRPC, {flight} in flight", programs)


def all_cases(context):
    p = Programs(context)
    return [*calls(p), *others(p), *in_process(p)]
