"""Python -> C++ -> Python: errors keep their class over every hop, and a trace is not broken."""

import contextlib
import json
import os
import unittest

import interop_errors
import oslo_messaging
from oslo_config import cfg
from programs import Server, rabbit_url, unique
from python_peer import PythonClient, peer_server


def relay():
    return [os.environ["OSLO_TEST_RELAY"], "--url", rabbit_url()]


class Errors(unittest.TestCase):
    """Through one relay and through two."""

    @classmethod
    def setUpClass(cls):
        last, cls.one, cls.two = unique("last"), unique("one"), unique("two")
        with contextlib.ExitStack() as stack:
            stack.enter_context(Server(peer_server(), last, "s"))
            stack.enter_context(Server(relay(), cls.one, "s", next=last))
            stack.enter_context(Server(relay(), cls.two, "s", next=cls.one))
            cls.addClassCleanup(stack.pop_all().close)
        cls.client = PythonClient(allowed_remote_exmods=["interop_errors"])
        cls.addClassCleanup(cls.client.close)

    def test_results_pass(self):
        for topic in (self.one, self.two):
            self.assertEqual(self.client.call(topic, "add", {"a": 1, "b": 2}), 3)

    def test_a_context_keeps_the_digits_of_its_numbers(self):
        given = {"n": [2**64, 2**64 + 1, -(2**63) - 1], "big": 10**400 + 7, "f": 0.1, "e": 1e300}
        for topic in (self.one, self.two):
            seen = self.client.call(topic, "context", context=given)
            self.assertEqual({key: seen[key] for key in given}, given)

    def test_an_exception_of_an_application_keeps_its_class(self):
        arguments = {"module": "interop_errors", "type": "InstanceNotFound", "message": "no 7"}
        for topic in (self.one, self.two):
            with self.subTest(topic), self.assertRaises(interop_errors.InstanceNotFound) as caught:
                self.client.raw_call(topic, "fail", arguments, timeout=20)
            error = caught.exception
            self.assertEqual(type(error).__name__, "InstanceNotFound_Remote")
            # The line that each server adds, or passes on, is the last one of the first traceback.
            self.assertEqual(str(error), "no 7\ninterop_errors.InstanceNotFound: no 7\n")

    def test_an_exception_of_python_keeps_its_class(self):
        arguments = {"module": "builtins", "type": "ValueError", "message": "bad"}
        for topic in (self.one, self.two):
            with self.subTest(topic), self.assertRaises(ValueError) as caught:
                self.client.raw_call(topic, "fail", arguments, timeout=20)
            self.assertEqual(caught.exception.args, ("bad\nValueError: bad\n",))


class Endpoint:
    def context(self, ctxt):
        return ctxt


@unittest.skipIf(
    os.environ["OSLO_TEST_PEER_VERSION"] == "14.0.3", "this release of oslo.messaging has no tracing"
)
class Trace(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        cls.exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(cls.exporter))
        trace.set_tracer_provider(provider)

        cls.client = PythonClient()
        cls.addClassCleanup(cls.client.close)
        cfg.CONF.set_override("tracing_enabled", True, "oslo_messaging_tracing")
        cls.addClassCleanup(
            cfg.CONF.clear_override, "tracing_enabled", group="oslo_messaging_tracing"
        )
        cls.topic, cls.last = unique("relay"), unique("last")
        cls.server = oslo_messaging.get_rpc_server(
            cls.client.transport, oslo_messaging.Target(topic=cls.last, server="s"), [Endpoint()]
        )
        cls.server.start()
        cls.addClassCleanup(cls.server.wait)
        cls.addClassCleanup(cls.server.stop)

    def test_from_python_through_cpp_to_python(self):
        from opentelemetry import baggage, context, trace

        with Server(relay(), self.topic, "s", next=self.last) as server:
            with trace.get_tracer("test").start_as_current_span("root") as root:
                token = context.attach(baggage.set_baggage("color", "blue"))
                try:
                    seen = self.client.call(
                        self.topic, "context", context={"request_id": "req-9"}, timeout=20
                    )
                finally:
                    context.detach(token)
            cpp = [
                json.loads(line.split("span ", 1)[1])
                for line in server.stderr().splitlines()
                if "INFO span {" in line
            ]
        trace_id = format(root.get_span_context().trace_id, "032x")
        python = {
            span.name: span
            for span in self.exporter.get_finished_spans()
            if format(span.context.trace_id, "032x") == trace_id
        }
        cpp = {span["name"]: span for span in cpp if span["trace_id"] == trace_id}

        def of_python(name):
            span = python[name]
            return {
                "id": format(span.context.span_id, "016x"),
                "parent": format(span.parent.span_id, "016x") if span.parent else None,
                "facts": dict(span.attributes),
            }

        def of_cpp(name):
            span = cpp[name]
            return {
                "id": span["span_id"],
                "parent": span["parent_id"],
                "facts": span["attributes"],
            }

        chain = [
            of_python("root"),
            of_python(f"{self.topic}.context"),
            of_cpp("context receive"),
            of_cpp(f"{self.last}.context"),
            of_python("context receive"),
        ]
        for above, below in zip(chain, chain[1:]):
            self.assertEqual(below["parent"], above["id"])
        # Both languages say the same of a send and of a receive.
        for one, other in ((1, 3), (2, 4)):
            self.assertEqual(chain[one]["facts"].keys(), chain[other]["facts"].keys())
            for name in ("messaging.system", "messaging.operation", "rpc.method"):
                self.assertEqual(chain[one]["facts"][name], chain[other]["facts"][name])
            self.assertEqual(chain[other]["facts"]["openstack.request_id"], "req-9")
        self.assertEqual(seen["traceparent"], f"00-{trace_id}-{chain[3]['id']}-03")
        self.assertEqual(seen["baggage"], "color=blue")


if __name__ == "__main__":
    unittest.main()
