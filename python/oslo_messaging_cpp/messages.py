"""What arrived, and how it is answered."""

import json
import logging
import uuid

from oslo_messaging import exceptions
from oslo_messaging._drivers import base
from oslo_messaging._drivers import common as rpc_common
from oslo_serialization import jsonutils

from oslo_messaging_cpp import waiting

LOG = logging.getLogger(__name__)

_CONTEXT = "_context_"
_CONTEXT_LENGTH = len(_CONTEXT)

# Keys of an inner message that are the transport's.
TRANSPORT_KEYS = frozenset(("_msg_id", "_reply_q", "_timeout", "_unique_id"))

# What those of jsonutils do with objects and with str, which make an encoder for each text, and look
# for bytes.
dumps = json.JSONEncoder(default=jsonutils.to_primitive).encode
loads = json.loads

# Seconds that a heartbeat of a call may wait for the broker.
_HEARTBEAT_LIMIT = 30


def encode(ctxt, message):
    """The text of an inner message, and whether none of its keys is the transport's.

    The caller's message stays as it is.
    """
    inner = dict(message)
    entries = ctxt if isinstance(ctxt, dict) else ctxt.to_dict()
    for key, value in entries.items():
        inner[f"{_CONTEXT}{key}"] = value
    return dumps(inner), TRANSPORT_KEYS.isdisjoint(message)


class RpcMessage(base.RpcIncomingMessage):
    """A request. The core acknowledged it when it arrived."""

    def __init__(self, message):
        # Not the constructor of the base: what it takes differs from version to version.
        inner = {}
        ctxt = {}
        own = {}
        for key, value in loads(message.body()).items():
            if key[:1] != "_":
                inner[key] = value
            elif key[:_CONTEXT_LENGTH] == _CONTEXT:
                ctxt[key[_CONTEXT_LENGTH:]] = value
            elif key in TRANSPORT_KEYS:
                own[key] = value
            else:
                inner[key] = value
        ctxt["client_timeout"] = own.get("_timeout")
        self.ctxt = ctxt
        self.message = inner
        self.client_timeout = own.get("_timeout")
        self._wants_reply = bool(own.get("_msg_id"))
        self.msg_id = own.get("_msg_id") if self._wants_reply else str(uuid.uuid4())
        self._message = message

    def acknowledge(self):
        pass

    def requeue(self):
        pass

    def reply(self, reply=None, failure=None):
        if not self._wants_reply:
            return
        if failure:
            self._message.reply_failure(rpc_common.serialize_remote_exception(failure))
        else:
            self._message.reply(dumps(reply))

    def heartbeat(self):
        if not self._wants_reply:
            return
        pending = self._message.heartbeat()
        if not waiting.wait(pending, _HEARTBEAT_LIMIT):
            raise exceptions.MessageDeliveryFailure(
                f"Heartbeat send failed. Nothing came of it in {_HEARTBEAT_LIMIT} seconds."
            )
        outcome = pending.outcome()
        if not isinstance(outcome, str):
            raise exceptions.MessageDeliveryFailure(f"Heartbeat send failed. {outcome.message}")


class NotificationMessage(RpcMessage):
    """A notification. Whoever handles it says what becomes of it."""

    def acknowledge(self):
        try:
            self._message.acknowledge()
        except Exception as problem:
            LOG.warning("Failed to acknowledge received message: %s", problem)

    def requeue(self):
        try:
            self._message.requeue()
        except Exception as problem:
            LOG.warning("Failed to requeue received message: %s", problem)
