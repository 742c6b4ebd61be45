#!/usr/bin/env python3
"""check_symbols.py LIBRARY INCLUDE: a shared library shows what public headers declare, and no more.

Names are compared by namespace and class: those that stand in a header below INCLUDE.
"""

import pathlib
import re
import subprocess
import sys

PREFIX = re.compile(
    r"^(?:typeinfo (?:name )?for |vtable for |VTT for |guard variable for "
    r"|(?:non-virtual |virtual )thunk to )?(.*)$"
)
# What every program needs of it.
NEEDED = [
    "oslo::messaging::open_transport(",
    "oslo::messaging::rpc::server::start(",
    "oslo::messaging::version()",
    "typeinfo for oslo::messaging::messaging_error",
]


def exported(library):
    text = subprocess.run(
        ["nm", "--dynamic", "--defined-only", "--demangle", library],
        check=True, capture_output=True, text=True,
    ).stdout
    return [line.split(" ", 2)[2] for line in text.splitlines()]


def path_of(symbol):
    """The qualified name, without arguments, templates and result type."""
    name = PREFIX.match(symbol).group(1)
    name = re.sub(r"\[abi:\w+\]", "", name)
    name = re.sub(r"operator(<=>|<<|>>|<=|>=|->\*?|<|>|\(\))", "operator", name)
    depth, flat = 0, ""
    for c in name:
        depth -= c in ">)}"
        if depth == 0 and c not in ">)}<({":
            flat += c
        elif depth == 0 and c == "(":
            break  # the arguments
        depth += c in "<({"
    conversion = flat.find("operator ")
    if conversion >= 0:
        return flat[: conversion + len("operator")].split(" ")[-1]
    return flat.split(" ")[-1]


def main():
    library, include = sys.argv[1:]
    headers = "\n".join(p.read_text(encoding="utf-8") for p in pathlib.Path(include).rglob("*.hpp"))
    words = set(re.findall(r"\w+", re.sub(r"//.*|\"[^\"\n]*\"", "", headers)))
    symbols = exported(library)
    faults = []
    for symbol in symbols:
        parts = path_of(symbol).split("::")
        if parts[:2] != ["oslo", "messaging"]:
            faults.append(f"not ours: {symbol}")
        # A class inside one, or a member of a namespace, is public when a header has its name.
        elif not all(part.lstrip("~") in words or part.startswith("operator") for part in parts):
            faults.append(f"in no header: {symbol}")
    faults += [f"missing: {name}" for name in NEEDED if not any(s.startswith(name) for s in symbols)]
    for fault in faults[:20]:
        print(fault)
    print(f"{len(symbols)} symbols, {len(faults)} faults")
    return 1 if faults or not symbols else 0


if __name__ == "__main__":
    sys.exit(main())
