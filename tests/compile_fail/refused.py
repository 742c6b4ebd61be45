#!/usr/bin/env python3
"""refused.py MESSAGE COMPILER ARG...: the compiler refuses, and says MESSAGE about its first error.

MESSAGE stands between the first error and the second, notes included: what comes later nobody reads.
"""

import subprocess
import sys


def first_error(output):
    """The lines from the first error up to the second."""
    lines = output.splitlines()
    errors = [i for i, line in enumerate(lines) if "error:" in line] + [len(lines)]
    return "\n".join(lines[errors[0] : errors[1]]) if len(errors) > 1 else ""


def main():
    message, command = sys.argv[1], sys.argv[2:]
    compiled = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    if compiled.returncode == 0:
        sys.exit("it compiles")
    if message not in first_error(compiled.stderr):
        sys.exit(f"the first error does not say: {message}\n{compiled.stderr[:8000]}")


if __name__ == "__main__":
    main()
