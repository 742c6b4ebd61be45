"""The broker tool starts, kills, restarts and ends RabbitMQ, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import tempfile
import unittest

from broker import Broker, amqp_version, start_time, wait_for_exit

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


if __name__ == "__main__":
    unittest.main()
