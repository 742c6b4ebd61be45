"""Logins, certificates, addresses and permissions of a real Kafka, seen through oslo-msg."""

import glob
import os
import sys
import unittest
import urllib.parse
from unittest import mock

import confluent_kafka

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("chaos", "interop", "integration"):
    sys.path.append(os.path.join(HERE, "..", folder))

from error_case import DONE, UNUSABLE, ErrorCase
from load import let_pass
from notify_test import Listener
from programs import oslo_msg_program, unique
from secured_kafka import PASSWORD, SecuredKafka, write_token

kafka = None


def setUpModule():
    global kafka
    kafka = unittest.enterModuleContext(SecuredKafka())


def url(listener, host="localhost", user=None, password=PASSWORD, **options):
    login = f"{user}:{urllib.parse.quote(password, safe='')}@" if user else ""
    query = urllib.parse.urlencode(options)
    return f"kafka://{login}{host}:{kafka.port(listener)}/?{query}"


def new_librdkafka():
    """A folder with that of the client for Python. By SCRAM those before 2.6.1, as Debian's, cannot
    log in to this Kafka."""
    (library,) = glob.glob(
        os.path.join(os.path.dirname(confluent_kafka.__file__) + ".libs", "librdkafka-*.so.1")
    )
    folder = os.path.join(kafka.folder.name, "lib")
    if not os.path.exists(folder):
        os.mkdir(folder)
        os.symlink(library, os.path.join(folder, "librdkafka.so.1"))
    return folder


def sasl(mechanism, user="ada", password=PASSWORD):
    return url("SASL", "127.0.0.1", user, password, security_protocol="SASL_PLAINTEXT",
               sasl_mechanism=mechanism)  # fmt: skip


def tls(listener="TLS", authority=None, host="localhost", **options):
    authority = authority or kafka.files.trusted
    return url(listener, host, security_protocol="SSL", ssl_cafile=authority.file, **options)


class Secured(ErrorCase):
    def setUp(self):
        self.topic = unique("secured")

    def run_program(self, *arguments, url=None):
        done = super().run_program(*arguments, url=url)
        for secret in (PASSWORD, urllib.parse.quote(PASSWORD, safe="")):
            self.assertNotIn(secret, done.stdout + done.stderr)
        return done

    def notify(self, *more, topic=None):
        return ["notify", "event", "1", "--topic", topic or self.topic, *more]

    def assert_carried(self, where):
        kafka.make_topics(f"{self.topic}.info")
        with Listener(
            [oslo_msg_program(), "--url", where], self.topic, count=1, priority="info",
            pool=unique("pool"),
        ) as listener:  # fmt: skip
            done = self.run_program(*self.notify(), url=where)
            self.assertEqual(done.returncode, DONE, done.stderr)
            (line,) = listener.lines()
        self.assertEqual(line["event_type"], "event")

    def assert_refused(self, where, pattern):
        """At once for a notifier, and for a listener before it is ready."""
        kafka.make_topics(f"{self.topic}.info")
        self.assert_ends(UNUSABLE, pattern, *self.notify(), url=where)
        listen = ["listen", self.topic, "--priority", "info", "--count", "1"]
        self.assert_ends(UNUSABLE, pattern, *listen, url=where)


class Logins(Secured):
    def test_a_password(self):
        self.assert_carried(sasl("PLAIN"))

    def test_scram_with_a_librdkafka_that_this_broker_takes(self):
        with mock.patch.dict(os.environ, LD_LIBRARY_PATH=new_librdkafka()):
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
                with self.subTest(mechanism):
                    self.topic = unique("secured")
                    self.assert_carried(sasl(mechanism))
            self.topic = unique("secured")
            self.assert_carried(
                url("BOTH", user="ada", security_protocol="SASL_SSL",
                    sasl_mechanism="SCRAM-SHA-512", ssl_cafile=kafka.files.trusted.file)
            )  # fmt: skip

    def test_a_wrong_password(self):
        for mechanism in ("PLAIN", "SCRAM-SHA-512"):
            with self.subTest(mechanism):
                self.topic = unique("secured")
                self.assert_refused(sasl(mechanism, password="wrong"), "[Aa]uthentication")

    def test_login_and_encryption(self):
        self.assert_carried(
            url("BOTH", user="ada", security_protocol="SASL_SSL", sasl_mechanism="PLAIN",
                ssl_cafile=kafka.files.trusted.file)
        )  # fmt: skip

    def oauth(self, file):
        return url("SASL", "127.0.0.1", security_protocol="SASL_PLAINTEXT",
                   sasl_mechanism="OAUTHBEARER", cpp_oauthbearer_token_file=file)  # fmt: skip

    def test_a_token(self):
        file = os.path.join(kafka.folder.name, "token")
        write_token(file, "ada", 300)
        self.assert_carried(self.oauth(file))

    def test_a_token_that_is_renewed(self):
        file = os.path.join(kafka.folder.name, "short-token")
        write_token(file, "ada", 8)
        kafka.make_topics(f"{self.topic}.info")
        with Listener(
            [oslo_msg_program(), "--url", self.oauth(file)], self.topic, count=6, priority="info",
            pool=unique("pool"),
        ) as listener:  # fmt: skip
            for _ in range(6):
                write_token(file, "ada", 8)
                done = self.run_program(*self.notify(), url=self.oauth(file))
                self.assertEqual(done.returncode, DONE, done.stderr)
                let_pass(2)
            self.assertEqual(len(listener.lines()), 6)

    def test_no_token(self):
        self.assert_ends(
            UNUSABLE, "no file that can be read", *self.notify("--retry", "0"),
            url=self.oauth("/nowhere"),
        )  # fmt: skip


class Doctor(Secured):
    def look(self, where, status):
        done = self.run_program("doctor", "--topic", self.topic, "--as", "notifier", "--as",
                                "listener", url=where)  # fmt: skip
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout

    def test_what_nobody_reads(self):
        name, group = f"{self.topic}.info", unique("group")
        where = sasl("PLAIN") + f"&consumer_group={group}"
        kafka.make_topics(name)
        out = self.look(where, DONE)
        self.assertIn(f"ok      topic {name}: It has 1 partition.", out)
        self.assertIn(f"note    group {group}: It has no listener.", out)
        done = self.run_program(*self.notify(), url=where)
        self.assertEqual(done.returncode, DONE, done.stderr)
        out = self.look(where, 1)
        self.assertIn(
            f"warning group {group}: 1 message waits for it, which has never acknowledged one.", out
        )

    def test_what_is_refused(self):
        for where, text in (
            (sasl("PLAIN", password="wrong"), "Check user and password of the URL"),
            (tls(authority=kafka.files.stranger), "Give ssl_cafile the authority"),
            (url("SASL", "127.0.0.1"), "whether security_protocol is that of this port"),
        ):
            with self.subTest(text):
                self.assertRegex(self.look(where, 1), f"(?m)^error   host .*{text}")
        group = unique("group")
        kafka.make_topics(f"{self.topic}.info")
        kafka.allow("TOPIC", f"{self.topic}.info", "DESCRIBE")
        out = self.look(sasl("PLAIN", "bob") + f"&consumer_group={group}", 1)
        self.assertIn(f"error   group {group}: This user may not look at it:", out)


class Tls(Secured):
    def test_a_certificate_that_is_trusted(self):
        self.assert_carried(tls())

    def test_an_authority_that_is_not_trusted(self):
        self.assert_refused(tls(authority=kafka.files.stranger), "certificate verify failed")

    def test_a_name_that_the_certificate_has_not(self):
        self.assert_refused(tls(host="127.0.0.1"), "certificate verify failed|hostname mismatch")

    def test_a_certificate_of_the_client(self):
        files = kafka.files
        self.assert_carried(
            tls("MUTUAL", ssl_client_cert_file=files.client, ssl_client_key_file=files.client_key)
        )

    def test_without_a_certificate_of_the_client(self):
        """TLS 1.3 has a client connected before the broker refuses it: that looks like a lost link."""
        self.assert_ends(
            UNUSABLE, "certificate required|bad certificate|[Dd]isconnected|closed by peer",
            *self.notify("--retry", "0"), url=tls("MUTUAL"),
        )  # fmt: skip


class Addresses(Secured):
    def test_ipv6(self):
        self.assert_carried(url("V6", "[::1]"))


class Permissions(Secured):
    """Nothing needs the right to create a topic."""

    def setUp(self):
        super().setUp()
        self.name = f"{self.topic}.info"
        self.group = unique("group")
        self.bob = sasl("PLAIN", "bob")

    def listen(self, **options):
        return Listener(
            [oslo_msg_program(), "--url", self.bob], self.topic, count=1, priority="info",
            pool=self.group, **options,
        )  # fmt: skip

    def test_literal_permissions_are_enough(self):
        kafka.make_topics(self.name)
        kafka.allow("TOPIC", self.name, "READ", "WRITE", "DESCRIBE")
        kafka.allow("GROUP", self.group, "READ")
        with self.listen() as listener:
            done = self.run_program(*self.notify(), url=self.bob)
            self.assertEqual(done.returncode, DONE, done.stderr)
            self.assertEqual([line["payload"] for line in listener.lines()], [1])

    def test_a_listener_waits_for_a_topic_that_somebody_else_makes(self):
        kafka.allow("TOPIC", self.name, "READ", "WRITE", "DESCRIBE")
        kafka.allow("GROUP", self.group, "READ")
        self.bob += "&cpp_rdkafka_consumer.topic.metadata.refresh.interval.ms=300"
        with self.listen() as listener:
            kafka.make_topics(self.name)
            done = self.run_program(*self.notify(), url=self.bob)
            self.assertEqual(done.returncode, DONE, done.stderr)
            self.assertEqual([line["payload"] for line in listener.lines()], [1])

    def test_a_topic_that_may_not_be_made(self):
        kafka.allow("TOPIC", self.name, "WRITE", "DESCRIBE")
        where = self.bob + "&cpp_rdkafka_producer.topic.metadata.propagation.max.ms=2000"
        done = self.run_program(*self.notify(), url=where)
        self.assertIn(done.returncode, (4, UNUSABLE), done.stderr)
        self.assertRegex(done.stderr, "does not exist|not authorized|authorization failed")

    def test_no_permission_to_write(self):
        kafka.make_topics(self.name)
        kafka.allow("TOPIC", self.name, "DESCRIBE")
        self.assert_ends(UNUSABLE, "authorization failed", *self.notify(), url=self.bob)

    def test_no_permission_to_read(self):
        """The broker says so when it is asked for messages; the listener goes on asking."""
        kafka.make_topics(self.name)
        kafka.allow("TOPIC", self.name, "DESCRIBE")
        kafka.allow("GROUP", self.group, "READ")
        with self.listen() as listener:
            for line in listener.process.stderr:
                if "authorization failed" in line:
                    break
            kafka.allow("TOPIC", self.name, "READ")
            done = self.run_program(*self.notify(), url=sasl("PLAIN"))
            self.assertEqual(done.returncode, DONE, done.stderr)
            self.assertEqual([line["payload"] for line in listener.lines()], [1])

    def test_no_permission_for_the_group(self):
        kafka.make_topics(self.name)
        kafka.allow("TOPIC", self.name, "READ", "DESCRIBE")
        self.assert_ends(
            UNUSABLE, "authorization failed", "listen", self.topic, "--priority", "info",
            "--pool", self.group, "--count", "1", url=self.bob,
        )  # fmt: skip


if __name__ == "__main__":
    unittest.main()
