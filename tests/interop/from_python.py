#!/usr/bin/env python3
"""The Python pieces of docs/coming-from-python.md, as one program over oslo's fake driver.

The C++ ones stand in examples/12_from_python.cpp.
"""

import tempfile

import oslo_messaging
from oslo_config import cfg
from oslo_messaging.rpc.server import RPCServer


class InstanceNotFound(Exception):
    pass


class Forbidden(Exception):
    pass


class ComputeEndpoint:
    target = oslo_messaging.Target(namespace="compute", version="1.2")

    @oslo_messaging.expected_exceptions(InstanceNotFound)
    def resize(self, ctxt, instance, ram=1024):
        if instance == "i-404":
            raise InstanceNotFound(instance)
        return ram

    @oslo_messaging.expose
    def who(self, ctxt):
        return ctxt["user"]


class LegacyEndpoint:
    target = oslo_messaging.Target(
        namespace="compute2", version="2.0", legacy_namespaces=["compute1", None]
    )

    def ping(self, ctxt):
        return "pong"


class UpperSerializer(oslo_messaging.NoOpSerializer):
    def serialize_context(self, ctxt):
        return {**ctxt, "serialized": True}


class AdminsOnly(oslo_messaging.RPCDispatcher):
    def dispatch(self, incoming):
        if not incoming.ctxt.get("is_admin"):
            raise Forbidden("not for you")
        return super().dispatch(incoming)


def main():
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write("[DEFAULT]\nrpc_response_timeout = 10\nrpc_ping_enabled = true\n")
        # A call of 14.0.3 leaves a thread behind that holds up the end of the program for that long.
        file.write("[oslo_messaging_metrics]\nmetrics_thread_stop_timeout = 1\n")
        file.flush()
        run(file.name)


def run(nova_conf):
    # -- transport and server
    conf = cfg.CONF
    conf(["--config-file", nova_conf])
    transport = oslo_messaging.get_rpc_transport(
        conf, "fake://", allowed_remote_exmods=["nova.exception", __name__]
    )
    server = oslo_messaging.get_rpc_server(
        transport,
        oslo_messaging.Target(topic="compute", server="host1"),
        [ComputeEndpoint(), LegacyEndpoint()],
    )
    server.start()

    # -- client
    client = oslo_messaging.get_rpc_client(
        transport,
        oslo_messaging.Target(topic="compute", namespace="compute", version="1.0"),
        timeout=5,
        version_cap="1.2",
    )
    ctxt = {"user": "ada"}
    ram = client.call(ctxt, "resize", instance="i-1", ram=2048)
    assert ram == 2048

    # -- prepare, cast, fanout
    one = client.prepare(version="1.1", server="host1", timeout=2)
    assert one.call(ctxt, "who") == "ada"
    client.cast(ctxt, "who")
    client.prepare(fanout=True).cast(ctxt, "who")

    # -- version cap
    assert not client.can_send_version("1.3")
    try:
        client.prepare(version="1.3").call(ctxt, "who")
        raise AssertionError("refused")
    except oslo_messaging.RPCVersionCapError as e:
        print(e)

    # -- legacy namespaces
    old = client.prepare(namespace="compute1", version="2.0", version_cap=None)
    assert old.call(ctxt, "ping") == "pong"

    # -- remote errors
    try:
        client.call(ctxt, "resize", instance="i-404")
        raise AssertionError("there is none")
    except InstanceNotFound as e:
        print(str(e).splitlines()[0])

    # -- timeouts
    try:
        client.prepare(topic="nobody", timeout=0.1).call(ctxt, "who")
        raise AssertionError("nobody answers")
    except oslo_messaging.MessagingTimeout:
        print("nobody answered")

    # -- monitored calls
    monitored = client.prepare(timeout=3600, call_monitor_timeout=10)
    assert monitored.call(ctxt, "who") == "ada"

    # -- explicit policy, serializer and ping
    strict = oslo_messaging.get_rpc_server(
        transport,
        oslo_messaging.Target(topic="strict", server="host1"),
        [ComputeEndpoint()],
        serializer=UpperSerializer(),
        access_policy=oslo_messaging.ExplicitRPCAccessPolicy,
    )
    strict.start()
    exposed = oslo_messaging.get_rpc_client(
        transport,
        oslo_messaging.Target(topic="strict", namespace="compute"),
        serializer=UpperSerializer(),
    )
    assert exposed.call(ctxt, "who") == "ada"
    ping = client.prepare(namespace=None, version=None, version_cap=None)
    assert ping.call(ctxt, "oslo_rpc_server_ping") == "pong"

    # -- authorization
    guarded = RPCServer(
        transport,
        oslo_messaging.Target(topic="guarded", server="host1"),
        AdminsOnly([ComputeEndpoint()], serializer=None),
    )
    guarded.start()
    try:
        client.prepare(topic="guarded").call(ctxt, "who")
        raise AssertionError("refused")
    except Forbidden as e:
        print(str(e).splitlines()[0])

    # -- end
    for s in (server, strict, guarded):
        s.stop()
        s.wait(log_after=30, timeout=60)
    transport.cleanup()


if __name__ == "__main__":
    main()
