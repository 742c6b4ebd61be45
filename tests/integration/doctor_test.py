"""oslo-msg doctor with a broker of its own: it finds what is wrong, and leaves all as it was."""

import json
import os
import pathlib
import re
import shlex
import tempfile
import unittest
import urllib.parse

import kombu
from broker import free_ports
from certificates import Authority
from error_case import DONE, PASSWORD, ErrorCase, closed_port
from own_broker import OwnBroker
from programs import Server, oslo_msg, poll, unique

UNWELL = 1
SECURITY = pathlib.Path(__file__).parents[2] / "docs" / "security.md"

own = None
files = None


class Files:
    def __init__(self, folder):
        self.trusted = Authority(folder, "trusted")
        self.stranger = Authority(folder, "stranger")
        self.lasting = self.trusted.sign("lasting", "DNS:localhost", days=400)
        self.short = self.trusted.sign("short", "DNS:localhost")
        self.expired = self.trusted.sign("expired", "DNS:localhost", days=-1)
        self.port = free_ports(1)[0]


def setUpModule():
    global own, files
    files = Files(unittest.enterModuleContext(tempfile.TemporaryDirectory()))
    certificate, key = files.lasting
    own = unittest.enterModuleContext(
        OwnBroker(
            "doctor",
            f"listeners.ssl.1 = 127.0.0.1:{files.port}",
            f"ssl_options.cacertfile = {files.trusted.file}",
            f"ssl_options.certfile = {certificate}",
            f"ssl_options.keyfile = {key}",
            "ssl_options.verify = verify_none",
            "ssl_options.fail_if_no_peer_cert = false",
        )
    )
    add_users(
        *page_users().values(),
        ("nobody", "nothing", ["^$", "^$", "^$"]),
        ("stranger", "strange", None),
    )


def everything():
    """All that there is on the broker: a look must not change it."""
    return own.ctl(
        "eval",
        "{[rabbit_exchange:info(X, [name, type, durable, arguments]) || X <- rabbit_exchange:list()],"
        " [rabbit_amqqueue:info(Q, [name, durable, arguments, messages, consumers])"
        "  || Q <- rabbit_amqqueue:list()], lists:sort(rabbit_binding:list(<<\"/\">>))}.",
    )


def add_users(*users):
    """(name, password, permissions): in one go, as each command takes seconds."""
    calls = []
    for name, password, permissions in users:
        calls.append(f"add_user({erlang(name)}, {erlang(password)}, <<>>)")
        if permissions is not None:
            patterns = ", ".join(map(erlang, permissions))
            calls.append(f'set_permissions({erlang(name)}, <<"/">>, {patterns}, <<>>)')
    own.ctl("eval", ", ".join("rabbit_auth_backend_internal:" + call for call in calls) + ".")


def erlang(text):
    escaped = text.replace("\\", "\\\\")
    return f'<<"{escaped}">>'


def page_users():
    """Those of docs/security.md; integration_permissions types what stands there."""
    users = {}
    for line in re.findall(r"^ {4,}rabbitmqctl (.*)$", SECURITY.read_text("utf-8"), re.M):
        command, name, *rest = shlex.split(line)
        if command == "add_user":
            users[name] = [name, *rest]
        elif command == "set_permissions":
            users[name].append(rest)
    return users


def tls_url(port, authority=None, **options):
    options = {"ssl": "true", "ssl_ca_file": (authority or files.trusted).file} | options
    return f"rabbit://guest:guest@localhost:{port}/?{urllib.parse.urlencode(options)}"


class Doctor(ErrorCase):
    def setUp(self):
        self.link = self.enterContext(kombu.Connection(f"amqp://guest:guest@127.0.0.1:{own.port}/"))
        self.channel = self.link.default_channel

    def look(self, status, *arguments, url=None):
        done = self.run_program("doctor", "--json", *arguments, url=url or own.url())
        self.assertEqual((done.returncode, done.stderr), (status, ""), done.stdout)
        document = json.loads(done.stdout)
        self.assertEqual(document["ok"], status == DONE)
        return document["findings"]

    def expect(self, findings, severity, pattern):
        lines = [" ".join(f.values()) for f in findings if f["severity"] == severity]
        self.assertTrue(any(re.search(pattern, line) for line in lines), f"{pattern}: {findings}")

    def queue(self, name, messages=0, **properties):
        queue = kombu.Queue(
            name, channel=self.channel, auto_delete=False, **({"durable": False} | properties)
        )
        queue.declare()
        self.addCleanup(queue.delete)
        for _ in range(messages):
            self.channel.basic_publish(kombu.transport.pyamqp.amqp.Message("x"), "", name)
        return queue

    # -- nothing is wrong, nothing is changed --------------------------------------------------

    def test_a_fresh_broker(self):
        before = everything()
        findings = self.look(DONE)
        self.expect(findings, "ok", r'host 127\.0\.0\.1:\d+ Connected to RabbitMQ 3.*host "/"')
        self.expect(findings, "ok", "No alarm")
        self.expect(findings, "note", "RabbitMQ 4.3 refuses by default")
        self.expect(findings, "note", "cannot list queues")
        self.look(UNWELL, "--topic", "calc")
        self.look(DONE, "--topic", "calc", "--as", "server", "--as", "notifier", "--as", "listener")
        self.assertEqual(everything(), before)

    def test_a_served_topic_stays_as_it_is(self):
        topic = unique("calc")
        with Server([oslo_msg()[0], "--url", own.url()], topic, "one"):
            before = everything()
            findings = self.look(DONE, "--topic", topic)
            self.assertEqual(everything(), before)
        self.expect(findings, "ok", f"queue {topic} It holds 0 messages and has 1 consumers")
        self.expect(findings, "ok", f"exchange {topic}_fanout It is as this configuration wants it")

    def test_messages_are_not_touched(self):
        topic = unique("n")
        queue = self.queue(f"{topic}.info", messages=2)
        findings = self.look(
            UNWELL, "--topic", topic, "--as", "listener", "--as", "notifier", "--as", "client"
        )
        self.expect(findings, "warning", f"queue {topic}.info It holds 2 messages.*Nobody reads it")
        for _ in range(2):
            message = queue.get(no_ack=True)
            self.assertFalse(message.delivery_info["redelivered"])

    # -- what is wrong -------------------------------------------------------------------------

    def test_wrong_password(self):
        url = own.url(password=urllib.parse.quote(PASSWORD))
        self.expect(self.look(UNWELL, url=url), "error", "ACCESS_REFUSED.*user and password")

    def test_missing_virtual_host(self):
        self.expect(self.look(UNWELL, url=own.url() + "nosuch"), "error", "nosuch.*add_vhost")

    def test_one_of_two_hosts(self):
        port = closed_port()
        url = own.url().removesuffix("/") + f",guest:guest@127.0.0.1:{port}/"
        findings = self.look(UNWELL, url=url)
        self.expect(findings, "error", rf"host 127\.0\.0\.1:{port} ")
        self.expect(findings, "ok", rf"host 127\.0\.0\.1:{own.port} ")

    def test_permissions_of_the_page_are_enough_for_their_roles_and_no_others(self):
        passwords = {name: password for name, password, _ in page_users().values()}
        for user, topic in (
            ("store-server", "store"),
            ("store-notifier", "store-events"),
            ("store-listener", "store-events"),
            ("store-client", "store"),
        ):
            role = user.removeprefix("store-")
            with self.subTest(user):
                findings = self.look(
                    UNWELL if role == "client" else DONE,  # nobody serves its topic
                    *["--topic", topic, "--as", role],
                    url=own.url(user, passwords[user]),
                )
                self.assertNotIn("error", [f["severity"] for f in findings], findings)
            other = "notifier" if role in ("client", "server") else "server"
            with self.subTest(user, other=other):
                findings = self.look(
                    UNWELL, "--topic", topic, "--as", other, url=own.url(user, passwords[user])
                )
                self.expect(findings, "error", "ACCESS_REFUSED.*pattern for")

    def test_no_permission_at_all(self):
        findings = self.look(
            UNWELL, "--topic", "calc", "--as", "server", "--as", "client", url=own.url("nobody", "nothing")
        )
        for kind, name in [
            ("configure", "openstack"),
            ("configure", "calc_fanout"),
            ("configure", "calc "),
            ("configure", "reply_"),
            ("write", "openstack"),
            ("write", "calc_fanout"),
            ("write", "amq.default"),
            ("write", "calc "),
            ("read", "calc "),
            ("read", "reply_"),
        ]:
            with self.subTest(kind=kind, name=name):
                self.expect(findings, "error", f'"{kind}" has to match {name}')

    def test_a_virtual_host_that_is_not_for_this_user(self):
        findings = self.look(UNWELL, url=own.url("stranger", "strange"))
        self.expect(findings, "error", "access to vhost.*set_permissions")

    def test_a_queue_with_other_properties(self):
        topic = unique("calc")
        self.queue(topic, durable=True)
        findings = self.look(UNWELL, "--topic", topic)
        self.expect(findings, "error", f"queue {topic} .*give option amqp_durable_queues")
        self.expect(findings, "warning", "No server takes requests from it")

    def test_an_alarm(self):
        before = everything()
        own.ctl("set_vm_memory_high_watermark", "0.0000001")
        try:
            shown = poll(
                lambda: any("low on memory" in f["text"] for f in self.look_anyhow()), True, 30
            )
            self.assertTrue(shown)
        finally:
            own.ctl("set_vm_memory_high_watermark", "0.6")
        poll(lambda: any("low on memory" in f["text"] for f in self.look_anyhow()), False, 30)
        self.assertEqual(everything(), before)

    def look_anyhow(self):
        done = self.run_program("doctor", "--json", url=own.url())
        return json.loads(done.stdout)["findings"]

    # -- TLS -----------------------------------------------------------------------------------

    def test_certificates(self):
        findings = self.look(DONE, url=tls_url(files.port))
        self.expect(findings, "ok", "Its certificate is good until 20")
        for (certificate, key), severity, words in (
            (files.lasting, "ok", "is good until"),
            (files.short, "warning", "expires on"),
            (files.expired, "error", "has expired on"),
        ):
            with self.subTest(os.path.basename(certificate)):
                url = tls_url(files.port, ssl_cert_file=certificate, ssl_key_file=key)
                findings = self.look(DONE if severity == "ok" else UNWELL, url=url)
                self.expect(findings, severity, f"client certificate .*{words}")

    def test_an_authority_that_is_not_trusted(self):
        findings = self.look(UNWELL, url=tls_url(files.port, authority=files.stranger))
        self.expect(findings, "error", "TLS with localhost.*ssl_ca_file")

    def test_tls_on_one_side_only(self):
        self.look(UNWELL, url=tls_url(own.port))
        plain = f"rabbit://guest:guest@localhost:{files.port}/"
        self.look(UNWELL, url=plain)

    def test_an_expired_certificate_of_the_broker(self):
        certificate, key = files.expired
        port = free_ports(1)[0]
        with OwnBroker(
            "doctor-expired",
            f"listeners.ssl.1 = 127.0.0.1:{port}",
            f"ssl_options.cacertfile = {files.trusted.file}",
            f"ssl_options.certfile = {certificate}",
            f"ssl_options.keyfile = {key}",
            "ssl_options.verify = verify_none",
        ):
            findings = self.look(UNWELL, url=tls_url(port))
            self.expect(findings, "error", "certificate of CN=expired has expired on ")


if __name__ == "__main__":
    unittest.main()
