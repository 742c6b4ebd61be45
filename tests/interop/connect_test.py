"""TLS both ways, and how to log in, from one configuration file for both languages."""

import os
import sys
import tempfile
import unittest

import both_languages
import oslo_messaging
from both_languages import file_of
from broker import free_ports
from certificates import Authority
from hosts import RETRY, dead_host, python_transport, url_of
from own_broker import OwnBroker
from programs import CommandClient, Server, unique

EXTERNAL = "rabbit_login_method = EXTERNAL\n"

files = None


class Files:
    def __init__(self, folder):
        self.authority = Authority(folder, "authority")
        self.broker, self.broker_key = self.authority.sign(
            "broker", "DNS:localhost,IP:127.0.0.1,IP:127.0.0.2"
        )
        # The broker has that user from the beginning.
        self.certificate, self.key = self.authority.sign("guest", "DNS:guest")
        self.port = free_ports(1)[0]

    def options(self):
        return (
            "ssl = true\nssl_enforce_hostname_verification = true\n"
            f"ssl_ca_file = {self.authority.file}\n"
            f"ssl_cert_file = {self.certificate}\nssl_key_file = {self.key}\n"
        )


def setUpModule():
    global files
    files = Files(unittest.enterModuleContext(tempfile.TemporaryDirectory()))
    unittest.enterModuleContext(
        OwnBroker(
            f"connect-{os.environ['OSLO_TEST_PEER_VERSION']}",
            f"listeners.ssl.1 = 127.0.0.1:{files.port}",
            f"ssl_options.cacertfile = {files.authority.file}",
            f"ssl_options.certfile = {files.broker}",
            f"ssl_options.keyfile = {files.broker_key}",
            "ssl_options.verify = verify_peer",
            "ssl_options.fail_if_no_peer_cert = true",
            "ssl_cert_login_from = common_name",
            *["auth_mechanisms.1 = EXTERNAL", "auth_mechanisms.2 = AMQPLAIN"],
            "auth_mechanisms.3 = PLAIN",
            plugins=["rabbitmq_auth_mechanism_ssl"],
        )
    )


class Connect(both_languages.BothLanguages):
    def check_both(self, options, url):
        self.check_rpc(options, url)
        self.check_notifications(options + RETRY, url)

    def test_tls_with_client_certificates(self):
        self.check_both(files.options(), url_of(f"localhost:{files.port}"))

    def test_external(self):
        """The client's certificate is its login."""
        self.check_both(files.options() + EXTERNAL, url_of(f"localhost:{files.port}", user=""))

    def test_one_of_two_hosts_is_dead(self):
        # Of several hosts Python checks the name of the first one that it has tried, and of
        # "localhost" the address. So the certificate names both addresses.
        with dead_host("127.0.0.2") as dead:
            hosts = [dead, f"127.0.0.1:{files.port}"]
            self.check_both(files.options(), url_of(*hosts))
            self.check_both(files.options() + EXTERNAL, url_of(*hosts, user=""))


class NameOfAnotherHost(unittest.TestCase):
    """The certificate names the host that lives and not the one that is dead."""

    def setUp(self):
        dead = self.enterContext(dead_host("127.0.0.3"))
        url = url_of(dead, f"127.0.0.1:{files.port}")
        self.file = self.enterContext(file_of(files.options(), url=url))

    def test_each_host_is_checked_by_its_own_name(self):
        topic, client = unique("topic"), CommandClient(config_file=self.file)
        with Server(both_languages.cpp_program(self.file), topic, "one"):
            for _ in range(4):
                self.assertEqual(client.call(topic, "add", {"a": 2, "b": 3}), 5)

    def test_python_checks_the_name_of_the_host_that_it_tried_first(self):
        """A fault of Python's library alone that docs/deployment.md tells how to avoid."""
        with python_transport(self.file) as transport:
            notifier = oslo_messaging.Notifier(
                transport, driver="messagingv2", topics=[unique("notify")], retry=1
            )
            with self.assertLogs("oslo_messaging.notify.messaging", "ERROR") as log:
                notifier.info({}, "event", 1)
        self.assertRegex(
            str(log.records[0].exc_info[1]), "certificate is not valid for '127.0.0.3'"
        )


if __name__ == "__main__":
    sys.exit(unittest.main())
