#!/usr/bin/env python3
"""A server whose answers depend on namespaces, policies and serializers; the same as
tests/interop/rules_service.cpp.

    rules_service.py --url URL serve TOPIC --server NAME [--policy legacy|default|explicit]
                     [--tagging yes]
"""

import argparse
import logging
import signal
import sys

import oslo_messaging
from oslo_config import cfg

POLICIES = {
    "legacy": oslo_messaging.LegacyRPCAccessPolicy,
    "default": oslo_messaging.DefaultRPCAccessPolicy,
    "explicit": oslo_messaging.ExplicitRPCAccessPolicy,
}


class Tagging(oslo_messaging.NoOpSerializer):
    def serialize_entity(self, ctxt, entity):
        return {"tagged": entity}

    def deserialize_entity(self, ctxt, entity):
        return entity["tagged"]


class Renamed:
    target = oslo_messaging.Target(
        namespace="new", version="2.1", legacy_namespaces=["old", None]
    )

    def ping(self, ctxt):
        return "pong"


class Guarded:
    target = oslo_messaging.Target(namespace="guarded")

    @oslo_messaging.expose
    def shown(self, ctxt):
        return 1

    def hidden(self, ctxt):
        return 2

    def _private(self, ctxt):
        return 3

    @oslo_messaging.expose
    def identity(self, ctxt, value):
        return value

    @oslo_messaging.expected_exceptions(KeyError)
    def expected(self, ctxt):
        raise KeyError("gone")

    def unexpected(self, ctxt):
        raise KeyError("lost")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    serve = parser.add_subparsers(dest="command", required=True).add_parser("serve")
    serve.add_argument("topic")
    serve.add_argument("--server", required=True)
    serve.add_argument("--policy", choices=POLICIES, default="default")
    serve.add_argument("--tagging")
    options = parser.parse_args()

    logging.basicConfig(stream=sys.stderr, level=logging.ERROR)
    # Blocked in every thread and fetched below.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    cfg.CONF([], project="rules", default_config_files=[])
    transport = oslo_messaging.get_rpc_transport(cfg.CONF, options.url)
    server = oslo_messaging.get_rpc_server(
        transport,
        oslo_messaging.Target(topic=options.topic, server=options.server),
        [Renamed(), Guarded()],
        serializer=Tagging() if options.tagging == "yes" else None,
        access_policy=POLICIES[options.policy],
    )
    server.start()
    print("ready", flush=True)
    signal.sigwait({signal.SIGTERM})
    server.stop()
    server.wait()
    transport.cleanup()
    return 0


if __name__ == "__main__":
    sys.exit(main())
