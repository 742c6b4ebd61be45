"""TLS to a broker whose certificate is for localhost alone, over the core and over upstream."""

import os
import tempfile
import unittest
from importlib import metadata

from broker import free_ports
from buses import both, cleaned_up, client, rpc_server, rpc_transport, unique
from certificates import Authority, Files
from own_broker import OwnBroker

NAMED, UNNAMED = "localhost", "127.0.0.1"
NAME_TOO = {"ssl_enforce_hostname_verification": True}
CHAIN_ONLY = {"ssl_enforce_hostname_verification": False}


class Endpoint:
    def echo(self, ctxt, value):
        return value


class Cases:
    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        files = Files(folder, "DNS:localhost")
        cls.authority = {"ssl_ca_file": files.authority.file}
        cls.stranger = {"ssl_ca_file": Authority(folder, "stranger").file}
        cls.port = free_ports(1)[0]
        broker = OwnBroker(f"python-tls-{os.getpid()}", *files.settings(cls.port))
        cls.enterClassContext(broker)

    def transport(self, host, options):
        url = f"{self.prefix}rabbit://guest:guest@{host}:{self.port}/"
        return cleaned_up(rpc_transport(url, rabbit_options={"ssl": True, **options}))

    def check_accepted(self, host, **options):
        topic = unique("tls")
        with self.transport(host, options) as transport:
            with rpc_server(transport, Endpoint(), topic):
                self.assertEqual(client(transport, topic).call({}, "echo", value=1), 1)

    def check_refused(self, host, **options):
        """Upstream has several exceptions for it."""
        with self.transport(host, options) as transport:
            with self.assertRaises(Exception) as raised:
                client(transport, unique("tls"), retry=0).cast({}, "echo", value=1)
        self.assertRegex(str(raised.exception), "certificate|CERTIFICATE|TLS|[Rr]etry")

    def test_chain_and_name(self):
        self.check_accepted(NAMED, **self.authority, **NAME_TOO)
        self.check_refused(UNNAMED, **self.authority, **NAME_TOO)
        self.check_refused(NAMED, **self.stranger, **NAME_TOO)

    def test_chain(self):
        self.check_accepted(UNNAMED, **self.authority, **CHAIN_ONLY)
        self.check_refused(UNNAMED, **self.stranger, **CHAIN_ONLY)

    def test_without_a_file_the_authorities_of_the_system_count(self):
        self.check_refused(NAMED)

    def test_a_version_without_a_file_checks_nothing(self):
        self.check_accepted(UNNAMED, ssl_version="TLSv1_2")


class Upstream(Cases, unittest.TestCase):
    prefix = ""

    def test_chain(self):
        if metadata.version("oslo.messaging") == "14.0.3":
            super().test_chain()
        else:  # it has the option, and checks the name of a single host all the same
            self.check_refused(UNNAMED, **self.authority, **CHAIN_ONLY)


class Core(Cases, unittest.TestCase):
    prefix = "cpp+"


def load_tests(loader, _tests, _pattern):
    return both(loader, Core, Upstream)


if __name__ == "__main__":
    unittest.main()
