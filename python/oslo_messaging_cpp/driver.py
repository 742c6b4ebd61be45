"""The driver: all that oslo.messaging asks of a message bus, done by the C++ core."""

import os
import sys
import threading
import uuid

from oslo_messaging import exceptions
from oslo_messaging._drivers import base

from oslo_messaging_cpp import _core
from oslo_messaging_cpp import errors
from oslo_messaging_cpp import lifetime
from oslo_messaging_cpp import listener
from oslo_messaging_cpp import logs
from oslo_messaging_cpp import messages
from oslo_messaging_cpp import options
from oslo_messaging_cpp import waiting

# Seconds that `cleanup` waits for the broker.
_CLOSE_LIMIT = 5.0


def _system_lock():
    """A lock of the system under eventlet, too: nothing green happens while it is held."""
    patcher = sys.modules.get("eventlet.patcher")
    if patcher is not None and patcher.is_monkey_patched("thread"):
        return patcher.original("threading").Lock()
    return threading.Lock()


def _retries(retry):
    """Of upstream: None and anything negative mean for ever."""
    return -1 if retry is None or retry < 0 else min(int(retry), 2**31 - 1)


class CppDriver(base.BaseDriver):
    """Makes its transport when it is first used, and in a child process another one."""

    def __init__(self, conf, url, default_exchange=None, allowed_remote_exmods=None):
        self._options = options.Options(conf, url)
        self.prefetch_size = self._options.prefetch
        super().__init__(
            self._options.conf,
            url,
            default_exchange=default_exchange,
            allowed_remote_exmods=allowed_remote_exmods,
        )
        self._lock = _system_lock()
        self._bus = None
        self._closed = False
        lifetime.add(self)

    def require_features(self, requeue=False):
        pass

    # -- the transport ---------------------------------------------------------------------------

    def _check_open(self):
        if self._closed:
            raise exceptions.MessageDeliveryFailure("The transport was cleaned up.")

    def _open_bus(self):
        if not logs.drain.started:
            logs.drain.start()
        bus = self._bus
        if bus is not None:
            return bus
        self._check_open()
        settings = self._options.settings()
        self._options.warn()
        name = f"{os.path.basename(sys.argv[0])}:{os.getpid()}:{uuid.uuid4()}"
        with self._lock:
            if self._bus is None:
                self._bus = _core.open(
                    self._options.core_url(),
                    settings,
                    name,
                    logs.core_level(),
                    logs.drain.queue,
                )
            bus = self._bus
        if self._closed:  # meanwhile, by somebody who may have seen no bus to close
            self.cleanup()
        self._check_open()
        return bus

    def forget_bus(self):
        """In a child process, where the transport is the parent's."""
        self._lock = _system_lock()
        self._bus = None

    def take_bus(self):
        """Whoever takes it closes it."""
        self._closed = True
        bus, self._bus = self._bus, None
        return bus

    def health(self):
        """State of the connections (_core.Health); None before the first use."""
        bus = self._bus
        return None if bus is None else bus.health()

    def cleanup(self):
        bus = self.take_bus()
        if bus is not None:
            waiting.wait(bus.close(_CLOSE_LIMIT), 2 * _CLOSE_LIMIT)

    # -- sending ---------------------------------------------------------------------------------

    def _exchange(self, target):
        return target.exchange or self._default_exchange

    def _finish(self, pending, message):
        try:
            waiting.wait(pending)
        except BaseException:
            pending.cancel()
            raise
        outcome = pending.outcome()
        if isinstance(outcome, str):
            return outcome
        return errors.raise_for_send(outcome, message, self._allowed_remote_exmods)

    def send(
        self,
        target,
        ctxt,
        message,
        wait_for_reply=None,
        timeout=None,
        call_monitor_timeout=None,
        retry=None,
        transport_options=None,
    ):
        body, plain_keys = messages.encode(ctxt, message)
        pending = self._open_bus().send(
            self._exchange(target),
            target.topic,
            target.server or None,
            bool(target.fanout),
            body,
            plain_keys,
            bool(wait_for_reply),
            timeout,
            call_monitor_timeout or None,
            _retries(retry),
            bool(transport_options and transport_options.at_least_once),
        )
        outcome = self._finish(pending, message)
        return messages.loads(outcome) if wait_for_reply else None

    def send_notification(self, target, ctxt, message, version, retry=None):
        body, plain_keys = messages.encode(ctxt, message)
        pending = self._open_bus().send_notification(
            self._exchange(target), target.topic, body, plain_keys, version == 2.0, _retries(retry)
        )
        self._finish(pending, message)

    # -- listening -------------------------------------------------------------------------------

    def _adapter(self, subscription, message_class, batch_size, batch_timeout):
        """Once the broker has confirmed the subscription."""
        try:
            waiting.wait(subscription.confirmed)
        except BaseException:
            subscription.stop()
            raise
        outcome = subscription.confirmed.outcome()
        if not isinstance(outcome, str):
            subscription.stop()
            errors.raise_for_listen(outcome)
        # Upstream compares the two where both are given.
        prefetch_size = self.prefetch_size if batch_size is not None else 0
        made = listener.CppListener(subscription, message_class, prefetch_size)
        return base.PollStyleListenerAdapter(made, batch_size, batch_timeout)

    def listen(self, target, batch_size, batch_timeout):
        subscription = self._open_bus().listen(
            self._exchange(target), target.topic, target.server, self.prefetch_size
        )
        return self._adapter(subscription, messages.RpcMessage, batch_size, batch_timeout)

    def listen_for_notifications(self, targets_and_priorities, pool, batch_size, batch_timeout):
        topics = [
            (self._exchange(target), target.topic, priority)
            for target, priority in targets_and_priorities
        ]
        subscription = self._open_bus().listen_for_notifications(topics, pool, self.prefetch_size)
        return self._adapter(subscription, messages.NotificationMessage, batch_size, batch_timeout)
