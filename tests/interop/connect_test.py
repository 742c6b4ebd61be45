"""How to log in to the broker, from one configuration file for both languages."""

import os
import sys
import tempfile
import unittest
import unittest.mock

import options_test
from broker import free_ports
from certificates import Authority
from own_broker import OwnBroker

files = None


class Files:
    def __init__(self, folder):
        self.authority = Authority(folder, "authority")
        self.broker, self.broker_key = self.authority.sign(
            "broker", "DNS:localhost,IP:127.0.0.1"
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


class Connect(options_test.BothLanguages):
    def test_external(self):
        """TLS both ways, and the client's certificate is its login."""
        options = files.options() + "rabbit_login_method = EXTERNAL\n"
        url = f"rabbit://localhost:{files.port}/"
        with unittest.mock.patch.dict(os.environ, OSLO_TEST_RABBIT_URL=url):
            self.check_rpc(options)
            self.check_notifications(options)


if __name__ == "__main__":
    sys.exit(unittest.main())
