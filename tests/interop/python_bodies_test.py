"""What Python's library writes into bodies and makes of them, seen without a broker: docs/wire."""

import datetime
import decimal
import importlib.metadata
import ipaddress
import json
import sys
import types
import unittest
import uuid

import oslo_messaging
from kombu.utils import json as kombu_json
from oslo_messaging._drivers import amqp, amqpdriver, common
from oslo_messaging.notify import notifier
from oslo_messaging.rpc import dispatcher
from oslo_serialization import jsonutils

OLD = importlib.metadata.version("oslo.messaging") == "14.0.3"
FAILS = Exception


class Json(unittest.TestCase):
    def check(self, dumps, table):
        for value, expected in table:
            with self.subTest(repr(value)):
                if expected is FAILS:
                    with self.assertRaises(Exception):
                        dumps(value)
                else:
                    self.assertEqual(dumps(value), expected)

    MOMENT = datetime.datetime(2026, 1, 2, 3, 4, 5)
    LATER = datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc)

    def test_inside_an_envelope(self):
        self.check(
            jsonutils.dumps,
            [
                (self.MOMENT, '"2026-01-02T03:04:05.000000"'),
                (self.LATER, '"2026-01-02T03:04:05.000006"'),
                (b"ab", '"ab"'),
                (b"\xff", FAILS),
                ({1}, "[1]"),
                ((1, 2), "[1, 2]"),
                (iter([1]), "[1]"),
                (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
                (ipaddress.ip_address("::1"), '"::1"'),
                (ValueError("x"), "\"ValueError('x')\""),
                ({1: 2, None: 3}, '{"1": 2, "null": 3}'),
                ({True: 4}, '{"true": 4}'),
                (datetime.date(2026, 1, 2), FAILS if OLD else '"2026-01-02"'),
                (decimal.Decimal("1.5"), FAILS if OLD else '"1.5"'),
                (2**70, "1180591620717411303424"),
                ([1e22, 1e-07, 1.0], "[1e+22, 1e-07, 1.0]"),
                ("\x7f/\x01é😀\n", '"\\u007f/\\u0001\\u00e9\\ud83d\\ude00\\n"'),
            ],
        )

    def test_of_a_bare_body(self):
        def marked(kind, text):
            return f'{{"__type__": "{kind}", "__value__": {text}}}'

        moment, later = '"2026-01-02T03:04:05"', '"2026-01-02T03:04:05.000006'
        one = '"00000000-0000-0000-0000-000000000001"'
        self.check(
            kombu_json.dumps,
            [
                (self.MOMENT, moment if OLD else marked("datetime", moment)),
                (self.LATER, later + 'Z"' if OLD else marked("datetime", later + '+00:00"')),
                (
                    datetime.date(2026, 1, 2),
                    '"2026-01-02T00:00:00"' if OLD else marked("date", '"2026-01-02"'),
                ),
                (decimal.Decimal("1.5"), '"1.5"' if OLD else marked("decimal", '"1.5"')),
                (
                    uuid.UUID(int=1),
                    one if OLD else marked("uuid", '{"hex": "' + "0" * 31 + '1"}'),
                ),
                (b"ab", FAILS if OLD else marked("bytes", '"ab"')),
                (b"\xff", FAILS if OLD else marked("base64", '"/w=="')),
                ({1}, FAILS),
            ],
        )

    def test_marked_objects_of_a_bare_body(self):
        unknown = '{"payload": {"__type__": "x", "__value__": 1}}'
        enveloped = json.dumps({"oslo.version": "2.0", "oslo.message": unknown})
        self.assertEqual(
            common.deserialize_msg(kombu_json.loads(enveloped)), json.loads(unknown)
        )
        known = '{"__type__": "bytes", "__value__": "ab"}'
        if OLD:
            self.assertEqual(kombu_json.loads(unknown), json.loads(unknown))
            self.assertEqual(kombu_json.loads(known), json.loads(known))
        else:
            with self.assertRaises(ValueError):
                kombu_json.loads(unknown)
            self.assertEqual(kombu_json.loads(known), b"ab")


class Requests(unittest.TestCase):
    def test_the_context_has_the_timeout_of_the_monitor(self):
        for timeout in (None, 10):
            message = {"method": "m", "_context_user": "bob", "_timeout": timeout}
            context = amqp.unpack_context(message)
            self.assertEqual(context.to_dict(), {"user": "bob", "client_timeout": timeout})
            self.assertEqual(message, {"method": "m"})

    def test_the_last_16_are_remembered(self):
        seen = amqp._MsgIdCache()
        for number in range(17):
            seen.add(str(number))
        with self.assertRaises(common.DuplicateMessageError):
            seen.check_duplicate_message({"_unique_id": "1"})
        self.assertEqual(seen.check_duplicate_message({"_unique_id": "0"}), "0")
        self.assertIsNone(seen.check_duplicate_message({}))

    def test_heartbeats_come_every_half_of_whole_seconds(self):
        def pauses_of(timeout):
            pauses = []
            event = types.SimpleNamespace(wait=lambda pause: pauses.append(pause) or True)
            incoming = types.SimpleNamespace(client_timeout=timeout, message={})
            dispatcher.RPCDispatcher._watchdog(None, event, incoming)
            return pauses

        self.assertEqual(pauses_of(7.9), [3.5])
        self.assertEqual(pauses_of(2), [1])
        self.assertEqual(pauses_of(1.9), [])


class Replies(unittest.TestCase):
    def wait(self, *messages, monitor=None):
        replies = iter(messages)
        waiter = amqpdriver.ReplyWaiter.__new__(amqpdriver.ReplyWaiter)
        waiter.msg_id_cache = amqp._MsgIdCache()
        waiter.allowed_remote_exmods = []
        waiter.waiters = types.SimpleNamespace(get=lambda msg_id, timeout: next(replies))
        return waiter.wait("id", 60, monitor, *([] if OLD else ["reply_x"]))

    HEARTBEAT = {"result": None, "failure": None, "ending": False}
    LAST = {"result": None, "failure": None, "ending": True}

    def test_of_two_messages(self):
        self.assertEqual(self.wait({"result": 5, "failure": None}, self.LAST), 5)
        self.assertIsNone(self.wait(self.LAST))

    def test_failure_must_be_there(self):
        with self.assertRaises(KeyError):
            self.wait({"result": 5, "ending": True})

    def test_heartbeats_nobody_asked_for_end_the_call(self):
        self.assertIsNone(self.wait(self.HEARTBEAT, self.LAST, monitor=10))
        with self.assertRaises(AttributeError):
            self.wait(self.HEARTBEAT, self.LAST)


class Picky(Exception):
    def __init__(self, number):
        if number == 0:
            raise RuntimeError("not nought")
        super().__init__(number)


class Failures(unittest.TestCase):
    def rebuilt(self, name, *args, module=__name__, **more):
        failure = {"class": name, "module": module, "message": "m", "tb": [], "args": args, **more}
        return common.deserialize_remote_exception(
            json.dumps(failure), [__name__, "no.such.module"]
        )

    def test_a_class_that_takes_the_arguments(self):
        self.assertIsInstance(self.rebuilt("Picky", 5), Picky)
        self.assertIsInstance(self.rebuilt("Picky", kwargs={"number": 5}), Picky)

    def test_a_class_that_cannot_be_made(self):
        for failure in (
            self.rebuilt("Picky"),
            self.rebuilt("NoSuchClass"),
            self.rebuilt("Failures"),  # no exception
            self.rebuilt("Picky", 5, module="no.such.module"),
            self.rebuilt("Picky", 5, module="not.allowed"),
        ):
            self.assertIsInstance(failure, oslo_messaging.RemoteError)

    def test_another_exception_of_the_constructor_takes_its_place(self):
        with self.assertRaises(RuntimeError):
            self.rebuilt("Picky", 0)

    def test_arguments_that_are_not_json_leave_no_failure_to_send(self):
        try:
            raise ValueError(2 + 3j)
        except ValueError:
            with self.assertRaises(ValueError) as caught:
                common.serialize_remote_exception(sys.exc_info())
        self.assertNotEqual(caught.exception.args, (2 + 3j,))


class Message(dict):
    """One that arrived, which notes how it is settled."""

    def __init__(self, **keys):
        super().__init__(keys)
        self.settled = []

    def acknowledge(self):
        self.settled.append("acknowledged")

    def requeue(self):
        self.settled.append("given back")


class Listeners(unittest.TestCase):
    def test_requests_are_acknowledged_when_they_arrive(self):
        listener = amqpdriver.RpcAMQPListener(types.SimpleNamespace(prefetch_size=0), None)
        first, copy = Message(method="m", _unique_id="u"), Message(method="m", _unique_id="u")
        for message in (first, copy):
            listener(message)
            self.assertEqual(message.settled, ["acknowledged"])
        self.assertEqual(len(listener.incoming), 1)

    def test_a_copy_of_a_notification_is_never_settled(self):
        listener = amqpdriver.NotificationAMQPListener(
            types.SimpleNamespace(prefetch_size=0), None
        )
        first, copy = Message(payload=1, _unique_id="u"), Message(payload=1, _unique_id="u")
        listener(first)
        (incoming,) = listener.incoming
        self.assertEqual(first.settled, [])
        incoming.acknowledge()
        listener._message_operations_handler.process()
        self.assertEqual(first.settled, ["acknowledged"])
        listener(copy)
        listener._message_operations_handler.process()
        self.assertEqual(copy.settled, [])
        self.assertEqual(len(listener.incoming), 1)


class Context:
    def redacted_copy(self):
        return {"user_id": "u", "by": "copy"}

    def to_dict(self):
        return {"user_id": "u", "auth_token": "t"}

    @classmethod
    def from_dict(cls, values):
        return values


# What 14.0.3 lets through.
KNOWN = """user_id project_id domain_id user_domain_id project_domain_id is_admin request_id roles
user_name project_name domain_name user_domain_name project_domain_name service_user_id
service_user_domain_id service_user_domain_name service_project_id service_project_name
service_project_domain_id service_project_domain_name service_roles global_request_id system_scope
user domain user_domain project_domain""".split()
UNKNOWN = ["auth_token", "service_token", "tenant", "read_only", "show_deleted", "password", "User"]


class ContextsOfNotifications(unittest.TestCase):
    def test_what_is_sent(self):
        self.assertEqual(
            notifier._sanitize_context(dict.fromkeys(KNOWN + UNKNOWN, 1)),
            dict.fromkeys(KNOWN, 1) if OLD else {},
        )
        self.assertEqual(
            notifier._sanitize_context(Context()),
            {"user_id": "u"} if OLD else {"user_id": "u", "by": "copy"},
        )


if __name__ == "__main__":
    unittest.main()
