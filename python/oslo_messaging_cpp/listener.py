"""A subscription, polled by upstream's PollStyleListenerAdapter."""

import collections
import logging
import os
import time

from oslo_messaging._drivers import base

from oslo_messaging_cpp import waiting

LOG = logging.getLogger(__name__)

# Messages that are taken from the core at once.
_AT_ONCE = 64

# Seconds that `cleanup` waits for the broker.
_CLEANUP_LIMIT = 5


class CppListener(base.PollStyleListener):
    """One thread polls; any thread stops."""

    def __init__(self, subscription, message_class, prefetch_size):
        super().__init__(prefetch_size)
        self._subscription = subscription
        self._message_class = message_class
        self._taken = collections.deque()
        self._process = os.getpid()

    def poll(self, timeout=None, batch_size=1, batch_timeout=None):
        """A batch: as soon as it is full, or `batch_timeout` seconds after its first message.

        `batch_size` None: no limit; without `batch_timeout` what is there. Fewer, at last none, after
        `stop`, or when `timeout` has passed and nothing has come.
        """
        if batch_size is not None:
            if self.prefetch_size > 0:
                batch_size = min(batch_size, self.prefetch_size)
            batch_size = max(batch_size, 1)
        batch = []
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            began = bool(batch)
            while self._taken and (batch_size is None or len(batch) < batch_size):
                batch.append(self._taken.popleft())
            if batch_size is not None and len(batch) >= batch_size:
                return batch
            if batch and not began:
                if batch_timeout is not None:
                    end = time.monotonic() + batch_timeout
                elif batch_size is None:
                    return batch
                else:
                    end = None
            left = None if end is None else max(end - time.monotonic(), 0)
            if not waiting.wait(self._subscription, left):
                return batch
            messages = self._subscription.take(_AT_ONCE)
            if not messages:
                return batch  # stopped, and all were taken
            self._taken.extend(self._read(messages))

    def _read(self, messages):
        for message in messages:
            try:
                yield self._message_class(message)
            except Exception:
                LOG.exception("A message that cannot be read is dropped.")
                message.acknowledge()

    def _is_ours(self):
        """False in a child process: it is the parent's, and goes on there."""
        return self._process == os.getpid()

    def stop(self):
        if self._is_ours():
            self._subscription.stop()

    def cleanup(self):
        """Messages that are not settled go back to the broker when they are dropped."""
        if not self._is_ours():
            return
        self._subscription.stop()
        self._taken.clear()
        waiting.wait(self._subscription.gone(), _CLEANUP_LIMIT)
