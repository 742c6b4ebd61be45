#!/usr/bin/env python3
"""make_venv.py FOLDER [REQUIREMENTS...]: a virtual environment for each requirements-VERSION.txt,
by default those of tests/support.

FOLDER/VERSION is made once, and again when its requirements change. One whose requirements have a
line "# above: OTHER" also sees the packages of OTHER, which comes before it; it need not be complete.
"""

import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig


def stamp_of(place):
    if place is None:
        return b""
    with open(os.path.join(place, "made-from"), "rb") as file:
        return file.read()


def make(folder, requirements):
    version = re.search(r"requirements-(.+)\.txt$", requirements).group(1)
    place = os.path.join(folder, version)
    with open(requirements, "rb") as file:
        text = file.read()
    above = re.search(rb"^# above: (\S+)$", text, re.MULTILINE)
    below = os.path.join(folder, above[1].decode()) if above else None
    digest = hashlib.sha256(text + sys.version.encode() + stamp_of(below)).hexdigest()
    stamp = os.path.join(place, "made-from")
    if os.path.exists(stamp):
        with open(stamp, encoding="ascii") as file:
            if file.read() == digest:
                return
    shutil.rmtree(place, ignore_errors=True)
    subprocess.check_call([sys.executable, "-m", "venv", place])
    pip = [os.path.join(place, "bin", "python3"), "-m", "pip", "--disable-pip-version-check"]
    subprocess.check_call([*pip, "install", "--quiet", "--no-deps", "-r", requirements])
    if below:
        library = sysconfig.get_path("purelib", "venv", {"base": place})
        with open(os.path.join(library, "below.pth"), "w", encoding="utf-8") as file:
            file.write(sysconfig.get_path("purelib", "venv", {"base": below}) + "\n")
    else:
        subprocess.check_call([*pip, "check"])
    with open(stamp, "w", encoding="ascii") as file:
        file.write(digest)


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    here = os.path.dirname(os.path.abspath(__file__))
    usual = sorted(glob.glob(os.path.join(here, "requirements-*.txt")))
    for requirements in sys.argv[2:] or usual:
        make(os.path.abspath(sys.argv[1]), requirements)
    return 0


if __name__ == "__main__":
    sys.exit(main())
