#!/usr/bin/env python3
"""Prints wire_golden.inc: bodies as Python's oslo.messaging builds them. Run by hand:

    /usr/bin/python3 tests/unit/wire/wire_golden.py > tests/unit/wire/wire_golden.inc

with oslo.messaging 14.0.3, oslo.serialization 5.0.0 and kombu 5.2.4 of Debian 12.
"""
from kombu.utils import json as kombu_json
from oslo_messaging._drivers import amqp, common
from oslo_serialization import jsonutils

REPLY_Q = "reply_00000000000000000000000000000001"
MSG_ID = "aaaaaaaa000040008000000000000005"
UNIQUE_ID = "aaaaaaaa000040008000000000000006"


def literal(text):
    raw = text.encode("utf-8")
    # Pieces, because compilers limit the length of one literal.
    return "".join('R"~(%s)~" ' % raw[i:i + 4000].decode() for i in range(0, len(raw), 4000)).strip() or '""'


def body(msg):
    return kombu_json.dumps(common.serialize_msg(msg))


def request(inner, context, call=True, timeout=None):
    msg = dict(inner)
    if call:
        msg.update(_msg_id=MSG_ID, _reply_q=REPLY_Q, _timeout=timeout)
    msg["_unique_id"] = UNIQUE_ID
    amqp.pack_context(msg, context)
    print("    {%s,\n     %s,\n     %s, %s,\n     %s}," % (
        literal(jsonutils.dumps(inner)), literal(jsonutils.dumps(context)),
        "true" if call else "false", -1 if timeout is None else timeout, literal(body(msg))))


def reply(result=None, failure=None, ending=True):
    msg = {"result": result, "failure": failure, "ending": ending, "_msg_id": MSG_ID,
           "_unique_id": UNIQUE_ID}
    print("    {%s,\n     %s, %s,\n     %s}," % (
        literal(jsonutils.dumps(result)), literal(failure or ""), "true" if ending else "false",
        literal(body(msg))))


class Custom(Exception):
    def __init__(self, message, **kwargs):
        super().__init__(message)
        self.kwargs = kwargs


Custom.__module__ = "nova.exception"
Passed_Remote = type("Passed_Remote", (ValueError,), {"__module__": "nova.exception_Remote"})
Half_Remote = type("Half_Remote", (ValueError,), {"__module__": "nova.exception"})


def failures():
    for e in (ValueError("bad", 3), KeyError("k"), Exception(), RuntimeError("h\u00e9llo \u20ac \U0001f600"),
              Custom("Instance 5 could not be found.", instance_id=5, tags=["a", None]),
              Passed_Remote("again"), Half_Remote("kept"), ZeroDivisionError("division by zero"),
              OSError(2, "No such file", "x\"y\\z\n")):
        yield common.serialize_remote_exception((type(e), e, None))


def main():
    print("// clang-format off")
    print("// Made by: /usr/bin/python3 tests/unit/wire/wire_golden.py")
    print("// {inner message, context, is a call, _timeout or -1, body}")
    print("constexpr request_case python_requests[] = {")
    base = {"method": "foo", "args": {"a": 1, "when": "2026-01-02T03:04:05.000000"},
            "namespace": "ns", "version": "1.1"}
    request(base, {"user": "bob"})
    request(base, {"user": "bob"}, timeout=10)
    request(base, {"user": "bob"}, timeout=1.5)
    request(base, {"user": "bob"}, call=False)
    request({"method": "m", "args": {}}, {})
    request({"method": "m", "args": {}}, {}, call=False)
    request({"method": "caf\u00e9", "args": {"\u20ac": "\U0001f600 \" \\ / \b\f\n\r\t\x00\x7f", "\ud800x": None}},
            {"\u00fc": {"nested": [1, 2.5, True, None]}, "quote\"d": "\\"})
    request({"method": "n", "args": {"f": [1e22, 1e-07, 1.0, float("nan"), float("inf"), float("-inf"), 2 ** 70]}},
            {"request_id": "req-1", "roles": ["admin", "member"], "is_admin": True, "tenant": None, "n": -5})
    request({"method": "long", "args": {"text": "\"x\" \u00e9" * 400}}, {"k": "v" * 600})
    print("};")
    print("// {result, failure or empty, ending, body}")
    print("constexpr reply_case python_replies[] = {")
    reply({"r": [1, 2]})
    reply(None)
    reply("h\u00e9llo \"w\u00f6rld\"")
    reply(None, ending=False)
    for failure in failures():
        reply(None, failure)
    print("};")


main()
