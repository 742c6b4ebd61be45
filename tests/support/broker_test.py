"""The tools start, kill, restart and end RabbitMQ, one node or three, and leave nothing behind."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import unittest

import kombu
from broker import Broker, amqp_version, start_time, wait_for_exit
from certificates import Files
from cluster import Cluster
from programs import poll

HERE = os.path.dirname(os.path.abspath(__file__))
RUNNER = [sys.executable, os.path.join(HERE, "with_broker.py")]


class BrokerControl(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="oslo-broker-")
        self.addCleanup(self.folder.cleanup)

    def processes(self):
        state = Broker(self.folder.name).state()
        return [state["node"], state["epmd"]]

    def assert_gone(self, processes, limit=30.0):
        for pid, started in processes:
            self.assertTrue(wait_for_exit(pid, started, limit), f"process {pid} still runs")

    def test_kill_and_restart_keep_port_and_queues(self):
        broker = Broker(self.folder.name)
        self.addCleanup(broker.stop)
        broker.start()
        port = broker.state()["port"]
        processes = self.processes()
        self.assertRegex(amqp_version(port), r"^\d+\.\d+")
        broker.start()
        self.assertEqual(self.processes(), processes, "a running broker is used again")

        broker.kill()
        self.assertFalse(broker.running())
        self.assertIsNone(amqp_version(port))
        broker.restart()
        self.assertEqual(broker.state()["port"], port)
        self.assertRegex(amqp_version(port), r"^\d+\.\d+")
        processes += self.processes()

        broker.stop()
        self.assert_gone(processes)
        self.assertEqual(broker.state(), {})

    def test_command_gets_the_broker_and_its_exit_code_counts(self):
        folder = os.path.join(self.folder.name, "main")
        # A broker of a test that did not end it: whatever process its state names.
        sleeper = subprocess.Popen(["sleep", "600"])
        self.addCleanup(sleeper.wait)
        self.addCleanup(sleeper.kill)
        private = Broker(f"{folder}-private")
        os.makedirs(private.folder)
        private.save({"node": [sleeper.pid, start_time(sleeper.pid)]})
        script = (
            "import os, sys; sys.path.insert(0, sys.argv[1]); import broker;"
            "port = int(os.environ['OSLO_TEST_RABBIT_URL'].rstrip('/').rsplit(':', 1)[1]);"
            "sys.exit(7 if broker.amqp_version(port) else 1)"
        )
        code = subprocess.call(
            [*RUNNER, "--dir", folder, "--", sys.executable, "-c", script, HERE]
        )
        self.assertEqual(code, 7)
        for stopped in (Broker(folder), private):
            self.assertEqual(stopped.state(), {})
        self.assertIsNone(start_time(sleeper.pid))

    def test_broker_ends_when_its_runner_is_ended_or_killed(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(signal=number.name):
                script = "print('up', flush=True); import sys; sys.stdin.read()"
                runner = subprocess.Popen(
                    [*RUNNER, "--dir", self.folder.name, "--", sys.executable, "-c", script],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
                self.assertEqual(runner.stdout.readline(), "up\n")
                processes = self.processes()
                runner.send_signal(number)
                runner.stdin.close()
                runner.wait(60)
                runner.stdout.close()
                self.assert_gone(processes)


class ClusterControl(unittest.TestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="oslo-cluster-"))
        self.files = Files(folder)
        self.cluster = Cluster(os.path.join(folder, "node"))
        self.addCleanup(self.cluster.stop)
        self.cluster.start(["channel_max = 77"], self.files)

    def open(self, node):
        link = self.enterContext(
            kombu.Connection(self.cluster.url([node]).replace("rabbit://", "amqp://"))
        )
        return link.default_channel

    def test_leaders_move_alarms_block_and_tls_is_served(self):
        channel = self.open(0)
        self.assertEqual(channel.connection.channel_max, 77)
        channel.queue_declare(
            "queue", durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"}
        )
        for node in (2, 1, 0):
            self.cluster.move_leader("queue", node)
            self.assertEqual(self.cluster.leader_of("queue"), node)

        context = ssl.create_default_context(cafile=self.files.authority.file)
        for node in self.cluster.nodes:
            port = node.state()["tls_port"]
            with socket.create_connection(("127.0.0.1", port), timeout=20) as link:
                with context.wrap_socket(link, server_hostname="localhost") as secure:
                    self.assertEqual(secure.version(), "TLSv1.3")

        alarms = "length(rabbit_alarm:get_alarms())."
        self.assertEqual(self.cluster.nodes[1].evaluate(alarms), "0")
        self.cluster.nodes[1].raise_alarm()
        self.assertEqual(self.cluster.nodes[1].evaluate(alarms), "1")
        self.cluster.nodes[1].clear_alarm()
        self.assertEqual(self.cluster.nodes[1].evaluate(alarms), "0")

        self.cluster.nodes[0].kill()
        self.assertTrue(poll(lambda: self.cluster.leader_of("queue", 1) != 0, True, 30))


if __name__ == "__main__":
    unittest.main()
