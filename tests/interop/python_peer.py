"""Python's oslo.messaging behind the face of programs.CommandClient."""

import os
import sys

import forked
import oslo_messaging
import polls  # noqa: F401
from oslo_config import cfg
from kombu.exceptions import OperationalError
from programs import (
    RemoteFailure,
    TimedOut,
    Undeliverable,
    Unreachable,
    VersionRefused,
    rabbit_url,
)

HERE = os.path.dirname(os.path.abspath(__file__))
forked.prepare(os.path.join(HERE, "prepared.py"))


def peer_server():
    return [sys.executable, os.path.join(HERE, "peer_server.py"), "--url", rabbit_url()]


class PythonClient:
    """oslo.messaging in this process."""

    def __init__(self, url=None, allowed_remote_exmods=(), config_files=()):
        # Parts of oslo.messaging read the global configuration whatever they are given.
        cfg.CONF([], project="peer", default_config_files=list(config_files))
        # A call of 14.0.3 leaves a thread behind that holds up the end of the program for that long.
        cfg.CONF.set_override("metrics_thread_stop_timeout", 1, "oslo_messaging_metrics")
        self.transport = oslo_messaging.get_rpc_transport(
            cfg.CONF,
            url or (None if config_files else rabbit_url()),
            allowed_remote_exmods=list(allowed_remote_exmods),
        )

    def close(self):
        self.transport.cleanup()

    def prepared(self, topic, options):
        options = dict(options)
        target = {
            name: options.pop(name)
            for name in ("exchange", "namespace", "version", "server", "fanout")
            if name in options
        }
        context = options.pop("context", {})
        if options.pop("at_least_once", False):
            options["transport_options"] = oslo_messaging.TransportOptions(at_least_once=True)
        if "call_monitor_timeout" in options:
            options["call_monitor_timeout"] = int(options["call_monitor_timeout"])
        client = oslo_messaging.get_rpc_client(
            self.transport, oslo_messaging.Target(topic=topic, **target), **options
        )
        return client, context

    def raw_call(self, topic, method, arguments=None, **options):
        """A call whose errors arrive as oslo.messaging raises them."""
        client, context = self.prepared(topic, options)
        return client.call(context, method, **(arguments or {}))

    def call(self, topic, method, arguments=None, **options):
        options.setdefault("timeout", 20)
        try:
            return self.raw_call(topic, method, arguments, **options)
        except oslo_messaging.RemoteError as error:
            raise RemoteFailure(error.exc_type, None, error.value, error.traceback) from error
        except oslo_messaging.MessagingTimeout as error:
            raise TimedOut(str(error)) from error
        except oslo_messaging.RPCVersionCapError as error:
            raise VersionRefused(str(error)) from error
        except oslo_messaging.MessageUndeliverable as error:
            raise Undeliverable(str(error)) from error
        except (ValueError, KeyError, ZeroDivisionError) as error:
            # Exceptions of builtins come back as themselves; their text is message and traceback.
            message, _, traceback = error.args[0].partition("\n")
            raise RemoteFailure(type(error).__name__, "builtins", message, [traceback]) from error

    def cast(self, topic, method, arguments=None, **options):
        client, context = self.prepared(topic, options)
        try:
            client.cast(context, method, **(arguments or {}))
        except oslo_messaging.MessageUndeliverable as error:
            raise Undeliverable(str(error)) from error
        except OperationalError as error:
            raise Unreachable(str(error)) from error

    def ping(self, topic, **options):
        return self.call(topic, "oslo_rpc_server_ping", **options)
