"""Failures of the core as the exceptions that callers of oslo.messaging know."""

import oslo_messaging
from oslo_messaging import exceptions
from oslo_messaging._drivers import common as rpc_common

from oslo_messaging_cpp._core import Errc


def raise_for_send(failure, message, allowed_remote_exmods):
    """Raises what a send that ended like this raises.

    None of it is a TransportDriverError, which rpc/client.py would make a ClientSendError of.
    """
    code = failure.code
    if code == Errc.remote_error:
        if not failure.remote:  # it came, but is no JSON object
            raise oslo_messaging.RemoteError(None, failure.message, [])
        raise rpc_common.deserialize_remote_exception(failure.remote, allowed_remote_exmods)
    if code == Errc.timed_out:
        raise exceptions.MessagingTimeout(failure.message)
    if code == Errc.undeliverable:
        reason = exceptions.MessageDeliveryFailure(failure.message)
        raise exceptions.MessageUndeliverable(
            reason, failure.exchange, failure.routing_key, message
        )
    raise exceptions.MessageDeliveryFailure(failure.message)


def raise_for_listen(failure):
    """Not a TransportDriverError either: server.py reads an attribute then that RPCServer lacks."""
    raise exceptions.MessageDeliveryFailure(failure.message)
