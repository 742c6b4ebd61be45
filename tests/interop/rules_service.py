#!/usr/bin/env python3
"""A server whose answers depend on namespaces, policies and serializers; the same as
tests/interop/rules_service.cpp.

    rules_service.py --url URL serve TOPIC --server NAME [--policy legacy|default|explicit]
                     [--tagging yes]
"""

import sys

import oslo_messaging
import service

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
    parser, serve = service.parser()
    serve.add_argument("--policy", choices=POLICIES, default="default")
    serve.add_argument("--tagging")
    options = parser.parse_args()

    transport = oslo_messaging.get_rpc_transport(service.prepare("rules"), options.url)
    server = oslo_messaging.get_rpc_server(
        transport,
        oslo_messaging.Target(topic=options.topic, server=options.server),
        [Renamed(), Guarded()],
        serializer=Tagging() if options.tagging == "yes" else None,
        access_policy=POLICIES[options.policy],
    )
    return service.serve_until_told(server, transport)


if __name__ == "__main__":
    sys.exit(main())
