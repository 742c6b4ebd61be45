#!/usr/bin/env python3
"""check.py --ledger FILE... --db FILE...: is every confirmed notification stored?

The ledgers are those of agents, the databases those of collectors that share a queue: each message
has to be in one of them. Prints what it found as a JSON object; the exit status is 1 when something
is missing.
"""

import argparse
import json
import sqlite3
import sys


def check(ledgers, databases):
    confirmed = set()
    for name in ledgers:
        with open(name, encoding="ascii") as file:
            confirmed.update(file.read().split())
    times = {}
    for name in databases:
        # A collector may be writing to it.
        database = sqlite3.connect(name, timeout=10)
        try:
            for key, count in database.execute("SELECT id, times FROM message"):
                times[key] = times.get(key, 0) + count
        finally:
            database.close()
    return {
        "confirmed": len(confirmed),
        "missing": len(confirmed - times.keys()),
        "stored": len(times),
        "came_again": sum(times.values()) - len(times),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ledger", nargs="+", required=True)
    parser.add_argument("--db", nargs="+", required=True)
    options = parser.parse_args()
    found = check(options.ledger, options.db)
    print(json.dumps(found))
    return 1 if found["missing"] else 0


if __name__ == "__main__":
    sys.exit(main())
