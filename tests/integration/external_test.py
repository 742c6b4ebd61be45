"""rabbit_login_method = EXTERNAL: the certificate is the login, and the URL has neither name nor password."""

import tempfile
import unittest
import urllib.parse

from broker import free_ports
from certificates import Authority
from error_case import DONE, UNUSABLE, ErrorCase
from own_broker import OwnBroker
from programs import Server, oslo_msg

files = None


class Files:
    def __init__(self, folder):
        self.authority = Authority(folder, "authority")
        self.broker, self.broker_key = self.authority.sign("broker", "DNS:localhost")
        self.certificates = {
            user: self.authority.sign(user, f"DNS:{user}") for user in ("store", "unknown")
        }
        self.certificates["stranger"] = Authority(folder, "other").sign("s", "DNS:store")
        self.port = free_ports(1)[0]

    def url(self, user):
        options = {
            "ssl": "true",
            "ssl_ca_file": self.authority.file,
            "rabbit_login_method": "EXTERNAL",
        }
        if user is not None:
            options["ssl_cert_file"], options["ssl_key_file"] = self.certificates[user]
        return f"rabbit://localhost:{self.port}/?{urllib.parse.urlencode(options)}"


def setUpModule():
    global files
    files = Files(unittest.enterModuleContext(tempfile.TemporaryDirectory()))
    own = unittest.enterModuleContext(
        OwnBroker(
            "external",
            f"listeners.ssl.1 = 127.0.0.1:{files.port}",
            f"ssl_options.cacertfile = {files.authority.file}",
            f"ssl_options.certfile = {files.broker}",
            f"ssl_options.keyfile = {files.broker_key}",
            "ssl_options.verify = verify_peer",
            "ssl_options.fail_if_no_peer_cert = true",
            "ssl_cert_login_from = common_name",
            "auth_mechanisms.1 = EXTERNAL",
            plugins=["rabbitmq_auth_mechanism_ssl"],
        )
    )
    own.ctl("add_user", "store", "unused")
    own.ctl("clear_password", "store")
    own.ctl("set_permissions", "store", ".*", ".*", ".*")


class External(ErrorCase):
    def test_the_certificate_is_the_login(self):
        with Server([oslo_msg()[0], "--url", files.url("store")], "t", "one"):
            done = self.run_program("call", "t", "add", '{"a": 1, "b": 2}', url=files.url("store"))
        self.assertEqual((done.returncode, done.stdout), (DONE, "3\n"), done.stderr)

    def test_a_certificate_of_nobody_is_refused(self):
        self.assert_ends(
            UNUSABLE, "ACCESS_REFUSED", "call", "t", "hits", "--timeout", "20", url=files.url("unknown")
        )

    def test_a_certificate_that_the_broker_does_not_trust(self):
        done = self.assert_ends(
            *[UNUSABLE, "the broker refused, with the alert", "call", "t", "hits"],
            *["--timeout", "20"],
            url=files.url("stranger"),
        )
        self.assertIn(
            f"got that of ssl_cert_file {files.certificates['stranger'][0]}", done.stderr
        )

    def test_no_certificate(self):
        self.assert_ends(
            UNUSABLE,
            "it asks for a client certificate, and ssl_cert_file is not set",
            *["call", "t", "hits", "--timeout", "20"],
            url=files.url(None),
        )

    def test_another_mechanism_is_not_offered(self):
        other = files.url("store").replace("EXTERNAL", "PLAIN")
        self.assert_ends(
            UNUSABLE,
            'does not offer the login mechanism PLAIN, only "EXTERNAL"',
            *["call", "t", "hits", "--timeout", "20"],
            url=other,
        )


if __name__ == "__main__":
    unittest.main()
