"""Two brokers of a cluster, one of which dies in a call."""

import os
import threading
import unittest

from buses import LIMIT, cleaned_up, client, rpc_server, rpc_transport, unique
from cluster import Cluster


class Endpoint:
    def __init__(self):
        self.called = threading.Event()
        self.release = threading.Event()

    def hold(self, ctxt):
        self.called.set()
        self.release.wait(LIMIT)
        return "released"

    def echo(self, ctxt, value):
        return value


class Failover(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster(f"{os.environ['OSLO_TEST_BROKER_DIR']}-python-{os.getpid()}", 2)
        self.addCleanup(self.cluster.stop)
        self.cluster.start()

    def node_of(self, peer):
        port = int(peer.rpartition(":")[2])
        return next(node for node in self.cluster.nodes if node.state()["port"] == port)

    def test_a_call_outlives_the_node_that_its_reply_would_come_from(self):
        url = "cpp+" + self.cluster.url()
        topic = unique("failover")
        endpoint = Endpoint()
        with cleaned_up(rpc_transport(url)) as near, cleaned_up(rpc_transport(url)) as far:
            with rpc_server(far, endpoint, topic):
                one = client(near, topic, timeout=2 * LIMIT)
                self.assertEqual(one.call({}, "echo", value=1), 1)
                peer = near._driver.health().consuming_peer
                got = []
                calling = threading.Thread(target=lambda: got.append(one.call({}, "hold")))
                calling.start()
                self.assertTrue(endpoint.called.wait(LIMIT))
                self.node_of(peer).kill()
                endpoint.release.set()
                calling.join(2 * LIMIT)
                self.assertEqual(got, ["released"])
                self.assertEqual(one.call({}, "echo", value=2), 2)
                self.assertNotEqual(near._driver.health().consuming_peer, peer)


if __name__ == "__main__":
    unittest.main()
