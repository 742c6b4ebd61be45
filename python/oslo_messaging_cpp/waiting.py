"""Waiting for the core: on a thread of the system, or green, on an eventlet hub.

What ends in the core is announced through one file descriptor a hub, so that a hub watches one more
descriptor however many drivers, calls and listeners there are.
"""

import itertools
import os
import sys

from oslo_messaging_cpp import _core

_ATTRIBUTE = "_oslo_messaging_cpp_reader"


def hub():
    """The eventlet hub that green threads of this thread of the system share, or None.

    None also on threads that have no hub (those of eventlet.tpool), in the hub itself, and before
    the first green thread: who blocks there blocks nobody else.
    """
    patcher = sys.modules.get("eventlet.patcher")
    if patcher is None or not patcher.is_monkey_patched("thread"):
        return None
    hubs = sys.modules.get("eventlet.hubs")
    found = getattr(hubs._threadlocal, "hub", None) if hubs else None
    if found is not None:
        import greenlet

        if greenlet.getcurrent() is found.greenlet:
            return None
    return found


def wait(waitable, seconds=None):
    """Waits for it, at most that long. False: the time came first."""
    own = hub()
    if own is None:
        return waitable.wait(seconds)
    reader = getattr(own, _ATTRIBUTE, None)
    if reader is None or not reader.is_ours():
        reader = _Reader(own)
        setattr(own, _ATTRIBUTE, reader)
    return reader.wait(waitable, seconds)


def _nothing(*_):
    pass


class _Reader:
    """Wakes the green threads of one hub."""

    def __init__(self, own):
        import greenlet

        self._current = greenlet.getcurrent
        self._hub = own
        self._process = os.getpid()
        self._announcer = _core.Announcer()
        self._numbers = itertools.count(1)
        self._waiting = {}
        own.add(own.READ, self._announcer.descriptor, self._announced, _nothing, _nothing)

    def is_ours(self):
        """False in a child that took over the hub of its parent."""
        return self._process == os.getpid()

    def wait(self, waitable, seconds):
        number = next(self._numbers)
        if not waitable.watch(self._announcer, number):
            return True
        self._waiting[number] = self._current()
        timer = None
        if seconds is not None:
            timer = self._hub.schedule_call_global(seconds, self._wake, number, False)
        try:
            return self._hub.switch()
        finally:
            if self._waiting.pop(number, None) is not None:
                waitable.unwatch()
            if timer is not None:
                timer.cancel()

    def _announced(self, _descriptor):
        if not self.is_ours():
            return  # what is announced there is for the parent
        for number in self._announcer.take():
            # Not at once: an exception of that thread would come out here, and the others wait.
            self._hub.schedule_call_global(0, self._wake, number, True)

    def _wake(self, number, ready):
        """That thread may have left, by an exception, since this was scheduled."""
        thread = self._waiting.pop(number, None)
        if thread is not None:
            thread.switch(ready)
