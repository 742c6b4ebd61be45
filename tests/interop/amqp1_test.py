"""amqp://: `oslo-msg` and Python's amqp1 driver over Qpid Broker-J or Artemis, by the cases of RabbitMQ.

What Python cannot do there (pools) and what is about RabbitMQ is left out.
"""

import os
import unittest

# Python attaches the links of callers who are gone again and again, by default every 10 s, and a
# server that ends waits for that: for the heartbeat of a monitored call, without a limit.
OPTIONS = "?link_retry_delay=1"
if "OSLO_TEST_QPID_URL" in os.environ:
    # Python takes Broker-J for a router, and its servers make no exchange for fanouts.
    OPTIONS += "&addressing_mode=legacy&broadcast_prefix=amq.direct/broadcast"
    # Broker-J closes the connection when a call follows a cast that is settled at once so closely that it
    # reads them together. Python's casts and calls to one target share a link.
    OPTIONS += "&pre_settled=rpc-reply"
    os.environ["OSLO_TEST_RABBIT_URL"] = os.environ["OSLO_TEST_QPID_URL"] + OPTIONS
else:
    os.environ["OSLO_TEST_RABBIT_URL"] = os.environ["OSLO_TEST_ARTEMIS_URL"] + OPTIONS

import notify_test  # noqa: E402
import rpc_test  # noqa: E402

setUpModule = rpc_test.setUpModule


class RpcPythonToCpp(rpc_test.PythonToCpp):
    pass


class RpcCppToPython(rpc_test.CppToPython):
    pass


class NotifyPythonToCpp(notify_test.PythonToCpp):
    test_a_pool_of_both_languages_shares_one_copy = None


class NotifyCppToPython(notify_test.CppToPython):
    test_a_pool_of_both_languages_shares_one_copy = None


if __name__ == "__main__":
    unittest.main()
