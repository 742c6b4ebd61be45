"""Options of the configuration and the URL on their way to the core. No broker."""

import logging
import unittest

import oslo_messaging
from buses import cleaned_up, make_conf, rpc_transport
from oslo_messaging_cpp import _core, logs, options, opts

URL = "cpp+rabbit://user:pass%2Fword@h1:5672,h2:5673/vhost"


def made(url=URL, **overrides):
    conf = make_conf()
    parsed = oslo_messaging.TransportURL.parse(conf, url)
    options.Options(conf, parsed)  # so that the options are registered
    for name, value in overrides.items():
        conf.set_override(name, value, group="oslo_messaging_rabbit")
    return options.Options(conf, parsed)


def settings(*arguments, **overrides):
    return {name: text for _, name, text in made(*arguments, **overrides).settings()}


class Options(unittest.TestCase):
    def test_the_url_of_the_core(self):
        for url, core in (
            (URL, "rabbit://user:pass%2Fword@h1:5672,h2:5673/vhost"),
            ("cpp+rabbit://", "rabbit://"),
            ("cpp+rabbit://u:p@[::1]:5673/", "rabbit://u:p@[::1]:5673/"),
            ("cpp+rabbit:///", "rabbit:///"),
            ("cpp+rabbit://h//vhost", "rabbit://h//vhost"),
            ("cpp+rabbit://u%40x:p@h/", "rabbit://u%40x:p@h/"),
            ("cpp+rabbit://u@h/?ssl=true", "rabbit://u@h/"),
            ("rabbit://h/", "rabbit://h/"),
        ):
            with self.subTest(url=url):
                self.assertEqual(made(url).core_url(), core)

    def test_defaults_are_those_of_the_oslo_messaging_that_is_installed(self):
        known = made()._known
        ours = settings()
        for theirs in options.upstream_rabbit_opts():
            option = known[theirs.dest]
            if theirs.default is not None and option.has_effect:
                self.assertEqual(ours[option.name], options._text(theirs.default), theirs.dest)
        self.assertNotIn("kombu_compression", ours)

    def test_values_come_as_text(self):
        ours = settings(amqp_durable_queues=True, kombu_reconnect_splay=0.5, ssl_key_file="/a$$b")
        self.assertEqual(ours["amqp_durable_queues"], "true")
        self.assertEqual(ours["kombu_reconnect_splay"], "0.5")
        self.assertEqual(ours["ssl_key_file"], "/a$b")

    def test_the_url_goes_before_the_configuration(self):
        ours = settings(URL + "?rabbit_qos_prefetch_count=7", rabbit_qos_prefetch_count=9)
        self.assertEqual(ours["rabbit_qos_prefetch_count"], "7")

    def test_what_cannot_be_done_is_named(self):
        with self.assertRaisesRegex(oslo_messaging.DriverLoadFailure, "rabbit_login_method"):
            rpc_transport(URL + "?rabbit_login_method=RABBIT-CR-DEMO")
        with self.assertRaisesRegex(RuntimeError, "rabbit_qos_prefetch_count"):
            settings(rabbit_qos_prefetch_count=70_000)

    def test_a_name_that_is_no_option_is_an_error_as_with_upstream(self):
        kinds = []
        for url in (URL, URL.replace("cpp+", "")):
            with self.assertRaises(Exception) as raised:
                rpc_transport(url + "?no_such_option=1")
            kinds.append(type(raised.exception))
        self.assertEqual(kinds[0], kinds[1])

    def test_a_refused_tls_version_ends_the_first_use(self):
        with cleaned_up(rpc_transport(URL + "?ssl=true&ssl_version=SSLv2")) as transport:
            with self.assertRaisesRegex(RuntimeError, "ssl_version"):
                transport._send(oslo_messaging.Target(topic="t"), {}, {"method": "m"})

    def test_what_of_a_certificate_is_checked(self):
        name, insecure = "ssl_enforce_hostname_verification", "cpp_insecure_accept_any_certificate"
        for query, checks_name, checks_nothing in (
            ({"ssl_ca_file": "/ca", name: True}, "true", "false"),
            ({"ssl_ca_file": "/ca", name: False}, "false", "false"),
            ({name: True}, "false", "false"),
            ({"ssl_version": "TLSv1_2"}, "false", "true"),
            ({"ssl_version": "TLSv1_2", "ssl_ca_file": "/ca", name: True}, "true", "false"),
        ):
            with self.subTest(query=query):
                ours = settings(ssl=True, **query)
                self.assertEqual(ours[name], checks_name)
                self.assertEqual(ours[insecure], checks_nothing)

    def test_warnings_about_what_is_not_checked(self):
        for query, text in (
            ({"ssl_version": "TLSv1_2"}, "INSECURE"),
            ({}, "any certificate that an authority"),
        ):
            with self.assertLogs("oslo_messaging_cpp", "WARNING") as lines:
                made(ssl=True, **query).warn()
            self.assertIn(text, lines.output[0])
        with self.assertNoLogs("oslo_messaging_cpp", "WARNING"):
            made(ssl=True, ssl_ca_file="/ca").warn()
            made().warn()

    def test_own_options_are_listed_for_the_generator(self):
        ((group, listed),) = opts.list_opts()
        self.assertEqual(group, "oslo_messaging_rabbit")
        names = {o.dest for o in listed}
        self.assertIn("cpp_unacknowledged_replies", names)
        # 14.0.3 lacks some that 18.3.1 has.
        self.assertEqual(names & {o.dest for o in options.upstream_rabbit_opts()}, set())


class Logs(unittest.TestCase):
    def test_levels(self):
        logger = logging.getLogger("oslo_messaging_cpp")
        self.addCleanup(logger.setLevel, logger.level)
        for level, core in (
            (logging.DEBUG, 1),
            (logging.INFO, 2),
            (logging.WARNING, 3),
            (logging.ERROR, 4),
            (logging.CRITICAL, 5),
        ):
            logger.setLevel(level)
            self.assertEqual(logs.core_level(), core)

    def test_a_drain_ends(self):
        drain = logs.Drain()
        drain.start()
        drain.start()
        drain.close()
        self.assertFalse(drain._thread.is_alive())


class Waitables(unittest.TestCase):
    def test_a_closed_queue_is_ready(self):
        queue = _core.LogQueue()
        self.assertFalse(queue.wait(0))
        announcer = _core.Announcer()
        self.assertTrue(queue.watch(announcer, 7))
        queue.close()
        self.assertTrue(queue.wait(None))
        self.assertEqual(announcer.take(), [7])
        self.assertEqual(announcer.take(), [])
        self.assertFalse(queue.watch(announcer, 8))


if __name__ == "__main__":
    unittest.main()
