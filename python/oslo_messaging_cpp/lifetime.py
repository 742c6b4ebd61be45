"""Forks, and the end of the interpreter."""

import atexit
import os
import weakref

from oslo_messaging_cpp import _core
from oslo_messaging_cpp import logs

# Seconds that the end of the program may wait for brokers, all drivers together.
_PATIENCE = 2.0

_drivers = weakref.WeakSet()


def add(driver):
    """It hears of forks, and is closed at the end: it has `forget_bus` and `take_bus`."""
    _drivers.add(driver)


def _in_child():
    """Threads and connections are the parent's. Drivers make their own when they are used."""
    logs.replace_drain()
    for driver in list(_drivers):
        driver.forget_bus()


def _at_exit():
    """Threads that wait in the core stay there, so that nobody comes back into the ruins."""
    logs.drain.close()
    _core.close_exit_gate()
    closing = []
    for driver in list(_drivers):
        bus = driver.take_bus()
        if bus is not None:
            try:
                closing.append(bus.close(_PATIENCE))
            except RuntimeError:  # a bus of the parent
                continue
    for pending in closing:
        pending.wait(_PATIENCE)


os.register_at_fork(after_in_child=_in_child)
atexit.register(_at_exit)
