"""Namespaces, access policies, serializers and expected exceptions, in every pair of languages."""

import os
import sys
import unittest

from programs import CommandClient, RemoteFailure, Server, rabbit_url, servers, unique
from python_peer import PythonClient

HERE = os.path.dirname(os.path.abspath(__file__))


def python_rules():
    return [sys.executable, os.path.join(HERE, "rules_service.py"), "--url", rabbit_url()]


def cpp_rules():
    return [os.environ["OSLO_TEST_RULES"], "--url", rabbit_url()]


class RuleCases:
    server_program = None
    make_client = None

    @classmethod
    def setUpClass(cls):
        cls.topic = unique("rules")
        cls.client = cls.make_client()
        cls.addClassCleanup(cls.client.close)

    def call(self, method, arguments=None, namespace="guarded", **options):
        if namespace is not None:
            options["namespace"] = namespace
        return self.client.call(self.topic, method, arguments, **options)

    def assert_fails(self, type, *arguments, **options):
        with self.assertRaises(RemoteFailure) as caught:
            self.call(*arguments, **options)
        self.assertEqual(caught.exception.type, type)
        return caught.exception

    def test_legacy_namespaces(self):
        with servers(self.server_program(), self.topic, "one"):
            for namespace in ("new", "old", None):
                for version in ("2.0", "2.1"):
                    with self.subTest(namespace=namespace, version=version):
                        self.assertEqual(
                            self.call("ping", namespace=namespace, version=version), "pong"
                        )
            self.assert_fails("UnsupportedVersion", "ping", namespace="other", version="2.0")
            self.assert_fails("UnsupportedVersion", "ping", namespace="old", version="2.2")

    def test_access_policies(self):
        allowed = {
            "legacy": {"shown", "hidden", "_private"},
            "default": {"shown", "hidden"},
            "explicit": {"shown"},
        }
        for policy, methods in allowed.items():
            with servers(self.server_program(), self.topic, "one", policy=policy):
                for answer, method in enumerate(("shown", "hidden", "_private"), 1):
                    with self.subTest(policy=policy, method=method):
                        if method in methods:
                            self.assertEqual(self.call(method), answer)
                        else:
                            self.assert_fails("NoSuchMethod", method)

    def test_serializer_of_the_server(self):
        with servers(self.server_program(), self.topic, "one", tagging="yes"):
            for value in (5, "text", [1, {"a": None}], {"tagged": "inside"}):
                tagged = {"tagged": value}
                self.assertEqual(self.call("identity", {"value": tagged}), tagged)

    def test_expected_exceptions_leave_no_error_in_the_log(self):
        with Server(self.server_program(), self.topic, "one") as server:
            self.assertIn("gone", self.assert_fails("KeyError", "expected").message)
            self.assert_fails("NoSuchMethod", "not_there_ignore_errors")
            self.assertEqual(server.stderr(), "")
            self.assertIn("lost", self.assert_fails("KeyError", "unexpected").message)
            self.assertIn("Exception during message handling", server.stderr())
            self.assertIn("KeyError", server.stderr())


class PythonToPython(RuleCases, unittest.TestCase):
    make_client = PythonClient
    server_program = staticmethod(python_rules)


class PythonToCpp(RuleCases, unittest.TestCase):
    make_client = PythonClient
    server_program = staticmethod(cpp_rules)


class CppToPython(RuleCases, unittest.TestCase):
    make_client = CommandClient
    server_program = staticmethod(python_rules)


class CppToCpp(RuleCases, unittest.TestCase):
    make_client = CommandClient
    server_program = staticmethod(cpp_rules)


if __name__ == "__main__":
    unittest.main()
