"""TLS with RabbitMQ's own listener: what is trusted, what is not, and what is only a lost link."""

import concurrent.futures
import tempfile
import time
import unittest
import urllib.parse

from broker import free_ports
from certificates import Authority
from error_case import DONE, TIMED_OUT, UNUSABLE, ErrorCase
from fault_proxy import FaultProxy
from own_broker import OwnBroker
from programs import Server, oslo_msg, unique

files = None
own = None


class Files:
    """The broker's certificate is for "localhost" and no address."""

    def __init__(self, folder):
        self.trusted = Authority(folder, "trusted")
        self.stranger = Authority(folder, "stranger")
        self.certificate, self.key = self.trusted.sign("server", "DNS:localhost")
        self.port = free_ports(1)[0]


def setUpModule():
    global files, own
    files = Files(unittest.enterModuleContext(tempfile.TemporaryDirectory()))
    own = unittest.enterModuleContext(
        OwnBroker(
            "tls",
            f"listeners.ssl.1 = 127.0.0.1:{files.port}",
            f"ssl_options.cacertfile = {files.trusted.file}",
            f"ssl_options.certfile = {files.certificate}",
            f"ssl_options.keyfile = {files.key}",
            "ssl_options.verify = verify_none",
            "ssl_options.fail_if_no_peer_cert = false",
        )
    )


def url(*hosts, authority=None, **options):
    """Each host: "name:port"."""
    options = {"ssl": "true", "ssl_ca_file": (authority or files.trusted).file} | options
    where = ",".join(f"guest:guest@{host}" for host in hosts)
    return f"rabbit://{where}/?{urllib.parse.urlencode(options)}"


def right():
    return f"localhost:{files.port}"


def wrong_name():
    """The same broker by a name that its certificate does not hold."""
    return f"127.0.0.1:{files.port}"


def plain():
    return f"localhost:{own.port}"


class Tls(ErrorCase):
    @classmethod
    def setUpClass(cls):
        cls.topic = unique("tls")
        cls.enterClassContext(Server([oslo_msg()[0], "--url", url(right())], cls.topic, "one"))

    def assert_answered(self, url):
        done = self.run_program("call", self.topic, "hits", "--timeout", "25", url=url)
        self.assertEqual((done.returncode, done.stdout), (DONE, "0\n"), done.stderr)

    def assert_refused(self, pattern, url):
        """At once, and for calls and casts alike."""
        for command in ("call", "cast"):
            with self.subTest(command):
                started = time.monotonic()
                self.assert_ends(
                    UNUSABLE, pattern, command, "nobody", "hit", "--timeout", "25", url=url
                )
                self.assertLess(time.monotonic() - started, 15)

    def test_call(self):
        self.assert_answered(url(right()))

    def test_unknown_authority(self):
        self.assert_refused(
            f"CN=trusted.* not in ssl_ca_file {files.stranger.file}",
            url(right(), authority=files.stranger),
        )

    def test_another_name(self):
        self.assert_refused(
            "the certificate is not for 127.0.0.1, but for localhost",
            url(wrong_name()),
        )

    def test_without_the_check_of_the_name(self):
        self.assert_answered(url(wrong_name(), ssl_enforce_hostname_verification="false"))

    def test_without_the_check_of_the_name_a_stranger_is_refused(self):
        self.assert_refused(
            f"CN=trusted.* not in ssl_ca_file {files.stranger.file}",
            url(
                right(),
                authority=files.stranger,
                ssl_enforce_hostname_verification="false",
            ),
        )

    def test_without_verification(self):
        done = self.run_program(
            *["call", self.topic, "hits", "--timeout", "25"],
            url=url(
                wrong_name(),
                authority=files.stranger,
                cpp_insecure_accept_any_certificate="true",
            ),
        )
        self.assertEqual((done.returncode, done.stdout), (DONE, "0\n"), done.stderr)
        self.assertIn("cpp_insecure_accept_any_certificate", done.stderr)

    def test_one_host_has_another_name(self):
        for hosts in ((wrong_name(), right()), (right(), wrong_name())):
            with self.subTest(hosts):
                self.assert_answered(url(*hosts))

    def assert_tried_again(self, faults):
        with FaultProxy(files.port, first=3, **faults) as proxy:
            self.assert_answered(url(f"localhost:{proxy.port}"))
            self.assertGreater(proxy.accepted, 3, faults)

    def test_a_handshake_that_breaks_off_is_tried_again(self):
        """In the client's hello, before the broker's, and in its certificate."""
        faults = [
            place | {"reset": reset}
            for place in ({"client_bytes": 100}, {"broker_bytes": 0}, {"broker_bytes": 400})
            for reset in (False, True)
        ]
        with concurrent.futures.ThreadPoolExecutor(len(faults)) as threads:
            list(threads.map(self.assert_tried_again, faults))

    def test_a_handshake_that_always_breaks_off_ends_at_the_deadline(self):
        """Nothing says that TLS is wrong: that is an unreachable broker."""
        with FaultProxy(files.port, broker_bytes=400) as proxy:
            self.assert_ends(
                TIMED_OUT,
                "(?i)connect|TLS",
                *["call", "nobody", "hit", "--timeout", "3"],
                url=url(f"localhost:{proxy.port}"),
            )
            self.assertGreater(proxy.accepted, 2)

    def test_no_tls_at_the_port(self):
        self.assert_refused("does not speak TLS; is that a plain port", url(plain()))

    def test_tls_at_the_port_of_a_client_without_it(self):
        """The broker may also say nothing and close."""
        self.assert_ends(
            TIMED_OUT,
            "which looks like TLS|closed the connection",
            *["call", "nobody", "hit", "--timeout", "3"],
            url=f"rabbit://guest:guest@{right()}/",
        )


if __name__ == "__main__":
    unittest.main()
