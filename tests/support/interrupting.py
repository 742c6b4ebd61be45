"""Ends a program in the middle of what it shows on a terminal."""

import contextlib
import os
import pty
import signal
import subprocess


def terminate_when_shown(command, text, limit, before=lambda: None):
    """Calls `before` and sends SIGTERM once `text` is on the terminal that is standard error.

    Returns the process, its standard output and all that was shown.
    """
    screen, terminal = pty.openpty()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=terminal) as child:
        try:
            os.close(terminal)
            shown = b""
            while text not in shown:
                shown += os.read(screen, 4096)
            before()
            child.send_signal(signal.SIGTERM)
            out, _ = child.communicate(timeout=limit)
        finally:
            child.kill()
    with contextlib.suppress(OSError):  # nobody has the terminal open any more
        while True:
            shown += os.read(screen, 4096)
    os.close(screen)
    return child, out, shown
