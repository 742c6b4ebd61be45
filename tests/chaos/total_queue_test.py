"""The checker finds what it is there for, in logs made by hand."""

import os
import tempfile
import unittest

from total_queue import check, read


def events(text):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "log")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return read(path)


def sent(*outcomes):
    """A log of messages 0, 1, ... with these outcomes; none: it is still under way."""
    lines = [f"{number} try {number} \n" for number in range(len(outcomes))]
    lines += [
        f"{100 + number} {outcome} {number} some words\n"
        for number, outcome in enumerate(outcomes)
        if outcome
    ]
    return events("".join(lines))


def received(*numbers):
    return events("".join(f"{200 + i} got {number} \n" for i, number in enumerate(numbers)))


class TotalQueue(unittest.TestCase):
    def test_all_is_well(self):
        verdict = check(sent("ok", "ok", "error", "unknown"), received(1, 0))
        self.assertEqual(
            (verdict.sent, verdict.confirmed, verdict.received), (4, 2, 2), verdict
        )
        self.assertEqual((verdict.failed, verdict.unknown), (1, 1))
        self.assertEqual(verdict.complaints(), [])

    def test_lost_is_what_was_confirmed_and_not_received(self):
        verdict = check(sent("ok", "ok", "unknown", "error"), received(0))
        self.assertEqual(verdict.lost, [1])
        self.assertEqual(
            verdict.complaints(), ["1 messages confirmed and never received, the first is 1"]
        )

    def test_doubled(self):
        verdict = check(sent("ok", "ok"), received(0, 1, 0, 0))
        self.assertEqual((verdict.doubled, verdict.received), ([0], 2))
        self.assertEqual(verdict.complaints(), [])

    def test_unexpected(self):
        verdict = check(sent("ok"), received(0, 7))
        self.assertEqual(verdict.unexpected, [7])
        self.assertEqual(len(verdict.complaints()), 1)

    def test_recovered_and_refuted(self):
        verdict = check(sent("unknown", "error"), received(0, 1))
        self.assertEqual((verdict.recovered, verdict.refuted), ([0], [1]))
        self.assertIn("in spite of a definite error", verdict.complaints()[0])

    def test_no_outcome_and_two(self):
        two = sent("ok", None) + events("300 unknown 0 late\n")
        verdict = check(two, received(0))
        self.assertEqual((verdict.unanswered, verdict.answered_twice), ([1], [0]))
        self.assertEqual(len(verdict.complaints()), 2)

    def test_second_copies_that_the_library_dropped_are_counted(self):
        self.assertEqual(check([], events("1 dropped 3 \n2 dropped 4 \n")).dropped, 7)

    def test_a_line_that_was_cut_off_does_not_count(self):
        self.assertEqual([e.number for e in events("1.5 try 1 \n1.6 tr")], [1])

    def test_the_longest_stall_is_between_two_confirmations(self):
        log = events("0 try 0 \n1 ok 0 \n5 try 1 \n7.5 ok 1 \n8 try 2 \n8.5 ok 2 \n")
        self.assertEqual(check(log, received(0, 1, 2)[:0]).longest_stall, 6.5)

    def test_or_between_two_arrivals(self):
        log = events("0 try 0 \n1 ok 0 \n")
        self.assertEqual(check(log, events("2 got 0 \n11 got 0 \n")).longest_stall, 9)

    def test_the_stall_does_not_count_while_nothing_could_go_on(self):
        log = events("0 try 0 \n1 ok 0 \n2 try 1 \n9 ok 1 \n")
        self.assertEqual(check(log, [], away=[(2, 6)]).longest_stall, 4)
        self.assertEqual(check(log, [], away=[(2, 6), (8.5, 20)]).longest_stall, 3.5)
        self.assertEqual(check(log, [], away=[(0, 20)]).longest_stall, 0)


if __name__ == "__main__":
    unittest.main()
