"""Compares what was sent with what arrived: the "total queue" check.

A log has lines "SECONDS EVENT NUMBER TEXT" (tests/chaos/event_log.hpp). A sender writes `try`
before it sends a message, and one outcome: `ok` (the bus has it; a call: its result came),
`unknown` (it may have arrived) or `error` (it did not). A receiver writes `got`, and at its end
`dropped` with the number of second copies that the library kept from the handlers.
"""

import collections
import dataclasses
import sys

OUTCOMES = ("ok", "unknown", "error")
KINDS = ("try", *OUTCOMES, "got", "dropped")
Event = collections.namedtuple("Event", "at what number text")


def read(path):
    """The events of a log; a last line that is not complete does not count."""
    events = []
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.endswith("\n"):
                at, what, number, text = line.rstrip("\n").split(" ", 3)
                if what in KINDS:
                    events.append(Event(float(at), sys.intern(what), int(number), text))
    return events


@dataclasses.dataclass
class Verdict:
    """Numbers of messages; each list is in order."""

    sent: int = 0
    confirmed: int = 0
    received: int = 0  # different ones
    unknown: int = 0
    failed: int = 0
    dropped: int = 0
    lost: list = dataclasses.field(default_factory=list)  # confirmed, never received
    doubled: list = dataclasses.field(default_factory=list)  # handled more than once
    unexpected: list = dataclasses.field(default_factory=list)  # received, never attempted
    recovered: list = dataclasses.field(default_factory=list)  # received though unknown
    refuted: list = dataclasses.field(default_factory=list)  # received in spite of an error
    unanswered: list = dataclasses.field(default_factory=list)  # attempted, without an outcome
    answered_twice: list = dataclasses.field(default_factory=list)
    longest_stall: float = 0.0

    def complaints(self):
        """What must never be, as sentences."""
        texts = {
            "lost": "confirmed and never received",
            "unexpected": "received and never attempted",
            "refuted": "received in spite of a definite error",
            "unanswered": "without an outcome",
            "answered_twice": "with two outcomes",
        }
        return [
            f"{len(found)} messages {text}, the first is {found[0]}"
            for name, text in texts.items()
            if (found := getattr(self, name))
        ]


def without(start, end, away):
    """How much of a time lies outside the spans of `away`, which do not overlap."""
    inside = sum(max(0.0, min(end, to) - max(start, since)) for since, to in away)
    return end - start - inside


def longest_gap(begin, events, away):
    longest, before = 0.0, begin
    for event in events:
        if event.at > before:
            longest = max(longest, without(before, event.at, away))
            before = event.at
    return longest


def check(sent, received, away=()):
    """`sent`, `received`: events of all senders and all receivers of one topic. `away`: spans in
    which nothing could go on (from, to); the longest stall is that between two confirmations, or
    two arrivals, outside of these."""
    verdict = Verdict()
    tried, outcomes = {}, collections.defaultdict(list)
    for event in sent:
        if event.what == "try":
            tried[event.number] = event.at
        elif event.what in OUTCOMES:
            outcomes[event.number].append(event.what)
    got = collections.Counter(event.number for event in received if event.what == "got")
    verdict.dropped = sum(event.number for event in received if event.what == "dropped")
    verdict.sent, verdict.received = len(tried), len(got)
    for number in sorted(tried):
        outcome = outcomes[number][0] if outcomes[number] else None
        verdict.confirmed += outcome == "ok"
        verdict.unknown += outcome == "unknown"
        verdict.failed += outcome == "error"
        for found, where in (
            (outcome == "ok" and not got[number], verdict.lost),
            (outcome == "unknown" and got[number], verdict.recovered),
            (outcome == "error" and got[number], verdict.refuted),
            (outcome is None, verdict.unanswered),
            (len(outcomes[number]) > 1, verdict.answered_twice),
        ):
            if found:
                where.append(number)
    verdict.doubled = sorted(number for number, times in got.items() if times > 1)
    verdict.unexpected = sorted(number for number in got if number not in tried)
    if tried:
        begin = min(tried.values())
        for events, what in ((sent, "ok"), (received, "got")):
            progress = sorted(event for event in events if event.what == what)
            verdict.longest_stall = max(
                verdict.longest_stall, longest_gap(begin, progress, away)
            )
    return verdict
