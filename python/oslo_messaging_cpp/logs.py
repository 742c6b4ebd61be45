"""The log of the core, given to Python's logging by a thread of Python."""

import logging
import threading

from oslo_messaging_cpp import _core
from oslo_messaging_cpp import waiting

LOG = logging.getLogger("oslo_messaging_cpp")

# By level of the core: trace, debug, info, warning, error.
_LEVELS = (logging.DEBUG, logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)
_OFF = len(_LEVELS)


def core_level():
    """The level of the core that Python's logging asks for now."""
    wanted = LOG.getEffectiveLevel()
    for level in range(1, _OFF):
        if _LEVELS[level] >= wanted:
            return level
    return _OFF


def emit(lines):
    for level, text in lines:
        LOG.log(_LEVELS[level], "%s", text)


class Drain:
    """A queue that the core writes to, and the thread that empties it."""

    def __init__(self):
        self.queue = _core.LogQueue()
        self._thread = None

    def start(self):
        """Idempotent. Under eventlet the thread is green, and needs a hub that runs."""
        if self._thread is not None or (_green() and waiting.hub() is None):
            return
        self._thread = threading.Thread(
            target=self._run, name="oslo_messaging_cpp log", daemon=True
        )
        self._thread.start()

    @property
    def started(self):
        return self._thread is not None

    def _run(self):
        queue = self.queue
        while True:
            waiting.wait(queue)
            lines = queue.take()
            emit(lines)
            if not lines and queue.closed:
                return

    def close(self):
        """Gives what is left to the log."""
        self.queue.close()
        if self._thread is not None and not _green():
            self._thread.join(2)
        emit(self.queue.take())


def _green():
    import sys

    patcher = sys.modules.get("eventlet.patcher")
    return patcher is not None and patcher.is_monkey_patched("thread")


drain = Drain()


def replace_drain():
    """In a child: the thread is not there any more."""
    global drain
    drain = Drain()
