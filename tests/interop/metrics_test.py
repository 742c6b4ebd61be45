"""The collector of oslo.metrics understands what we send it."""

import json
import os
import socket
import subprocess
import tempfile
import unittest

from oslo_metrics import message_router
from prometheus_client import REGISTRY

LIMIT = 60


class Collector(unittest.TestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.path = os.path.join(folder, "collector.sock")
        self.config = os.path.join(folder, "metrics.conf")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(
                "[oslo_messaging_metrics]\n"
                "metrics_enabled = true\n"
                f"metrics_socket_file = {self.path}\n"
                "metrics_process_name = demo\n"
            )
        self.socket = self.enterContext(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self.socket.bind(self.path)
        self.socket.settimeout(LIMIT)

    def test_counts_calls_and_requests(self):
        router = message_router.MessageRouter()
        demo = subprocess.Popen(
            [os.environ["OSLO_TEST_OSLO_MSG"], "--config-file", self.config,
             "--url", "fake://", "demo"],
            stdout=subprocess.DEVNULL,
        )
        waiting = {"rpc_client_invocation_end_total", "rpc_client_processing_seconds",
                   "rpc_client_exception_total", "rpc_server_invocation_end_total",
                   "rpc_server_exception_total"}
        try:
            while waiting:
                datagram = self.socket.recv(65565)
                router.process(datagram)
                waiting.discard(json.loads(datagram)["name"])
        finally:
            self.socket.close()  # nothing more is read, and the demo must end all the same
            status = demo.wait(LIMIT)
        self.assertEqual(status, 0)
        counted = {
            (sample.name, sample.labels.get("method"), sample.labels.get("exception"))
            for metric in REGISTRY.collect()
            for sample in metric.samples
            if sample.labels.get("process") == "demo" and sample.value > 0
        }
        self.assertIn(
            ("oslo_messaging_rpc_client_invocation_start_total", "add", None), counted
        )
        self.assertIn(
            ("oslo_messaging_rpc_client_exception_total", "resize", "FlavorNotFound"), counted
        )
        self.assertIn(
            ("oslo_messaging_rpc_server_invocation_start_total", "add", None), counted
        )
        self.assertIn(
            ("oslo_messaging_rpc_client_processing_seconds_count", "add", None), counted
        )


if __name__ == "__main__":
    unittest.main()
