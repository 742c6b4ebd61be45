"""What bench/run.py makes of figures, and how its Python peer calls, without running a program."""

import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import unittest

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
sys.path[:0] = [str(BENCH), str(BENCH / "peers")]

import oslo_peer  # noqa: E402
from harness import cases, running, table, targets  # noqa: E402


def figures(rate, client=1.0, server=2.0, **more):
    return {"rate": rate, "errors": 0, "latency_us": {"p50": rate / 10, "curve": [[0.5, rate]]},
            "cpu_us": {"client": client, "server": server, "broker": 5.0},
            "peak_memory_kib": {"client": 1024, "server": None},
            "connections": {"client": 2}} | more


def program(text):
    return [sys.executable, "-c", text]


class Cases(unittest.TestCase):
    def setUp(self):
        self.all = cases.all_cases(cases.Context(
            bin=pathlib.Path("/b"), url="rabbit://u:p@h:1/v", broker_pid=7,
            python_18=pathlib.Path("/p18"), python_site=pathlib.Path("/site"), seconds=1))

    def test_names_are_unique_and_ours_comes_first(self):
        names = [case.name for case in self.all]
        self.assertEqual(len(names), len(set(names)))
        for case in self.all:
            self.assertTrue(next(iter(case.programs)).startswith("ours"), case.name)

    def test_every_peer_says_what_it_does(self):
        for case in self.all:
            for label in case.programs:
                known = [name for name in cases.WORK if label.startswith(name.split(",")[0])]
                self.assertTrue(known, label)

    def test_all_over_a_broker_tell_its_processor_time(self):
        for case in self.all:
            for label, command in case.programs.items():
                words = [str(word) for word in command]
                if "inproc" not in case.name:
                    self.assertIn("--broker-pid 7", " ".join(words), label)

    def test_urls(self):
        for url, wanted in [("rabbit://u:p@h:1/", "amqp://u:p@h:1/%2F"),
                            ("rabbit://u:p@h:1/v", "amqp://u:p@h:1/v"),
                            ("rabbit://u:p@h:1/%2Fx", "amqp://u:p@h:1/%2Fx")]:
            self.assertEqual(cases.amqp_url(url), wanted)


class Running(unittest.TestCase):
    def test_medians(self):
        merged = running.merge([figures(r) for r in (10.0, 30.0, 20.0)])
        self.assertEqual(merged["rate"], 20)
        self.assertEqual(merged["latency_us"], {"p50": 2, "curve": [[0.5, 20]]})
        self.assertIsNone(merged["peak_memory_kib"]["server"])
        self.assertFalse(running.merge([{"reached": True}, {"reached": False}])["reached"])

    def test_a_drain_counts_its_server_alone(self):
        self.assertEqual(running.summarise("drain", [figures(1.0)])["cpu_us_totals"], [2])
        self.assertEqual(running.summarise("call-1", [figures(1.0)])["cpu_us_totals"], [3])

    def test_a_ratio_is_the_median_of_the_rounds_ratios(self):
        self.assertEqual(running.ratio([3, 2, 8], [1, 2, 4]), 2)  # of the medians: 1.5
        self.assertEqual(running.ratio([None, 4], [1, 2]), 2)
        self.assertIsNone(running.ratio([1, 2], [0, None]))
        self.assertIsNone(running.ratio([1], []))

    def test_programs_take_turns(self):
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder, "log")

            def says(name):
                line = json.dumps(figures(1.0))
                return program(f"open({str(log)!r}, 'a').write('{name}'); print('''{line}''')")

            case = cases.Case("c", "", {"ours": says("a"), "other": says("b")})
            results = running.run_cases([case], 3, lambda text: None)
            self.assertEqual(log.read_text(encoding="ascii"), "abbaab")
            self.assertEqual(results["c"]["other"]["runs"], 3)

    def test_a_program_that_fails_is_named(self):
        for pattern, text in [("status 3:\nwhy", "import sys; sys.stderr.write('why'); sys.exit(3)"),
                              ("printed no figures", "print('hello')"),
                              ("reports 2 errors", """print('{"errors": 2}')""")]:
            with self.assertRaisesRegex(running.ProgramFailed, pattern):
                running.run_once(program(text))
        with self.assertRaisesRegex(running.ProgramFailed, "No such file"):
            running.run_once(["/nowhere/program"])


class Targets(unittest.TestCase):
    def check(self, results):
        return {row["what"]: row for row in targets.check(results)}

    def test_reached_missed_and_not_measured(self):
        summary = running.summarise
        rows = self.check({"call-64": {
            cases.OURS: summary("call-64", [figures(1000.0, 1, 1)]),
            cases.RABBITMQ_C: summary("call-64", [figures(800.0, 1, 1)]),
            cases.OSLO_14: summary("call-64", [figures(20.0)]),
            cases.OSLO_18: summary("call-64", [figures(25.0)])}})
        row = rows["calls/s, 64 in flight, ours / rabbitmq-c"]
        self.assertEqual((row["measured"], row["reached"]), (1.25, False))
        row = rows["calls/s, 64 callers, ours / the better oslo.messaging"]
        self.assertEqual((row["measured"], row["reached"]), (40, True))
        row = rows["CPU a call of client and server, 64 in flight, ours / rabbitmq-c"]
        self.assertEqual((row["measured"], row["reached"]), (1, False))
        row = rows["casts drained/s, ours / plain kombu"]
        self.assertEqual((row["measured"], row["reached"]), (None, None))

    def test_in_process_the_echo_is_compared_and_the_typed_call_on_all_cores_counted(self):
        rows = self.check({"inproc-64": running.summarise_case("inproc-64", {
            cases.OURS: [figures(300)], cases.TYPED: [figures(400_000)],
            cases.TYPED_2: [figures(500_000)], cases.GRPC_INPROC: [figures(100)]})})
        row = rows["in-process calls/s, 64 in flight, echo, ours / gRPC unary"]
        self.assertEqual((row["measured"], row["reached"]), (3, True))
        row = rows["in-process calls/s, 64 in flight, int(a, b), 2 transports"]
        self.assertEqual((row["measured"], row["reached"]), (500_000, True))

    def test_the_better_of_several_is_that_of_each_round(self):
        results = {"call-8": running.summarise_case("call-8", {
            cases.OURS: [figures(r) for r in (60.0, 80.0, 100.0)],
            cases.OSLO_14: [figures(r) for r in (1.0, 4.0, 5.0)],
            cases.OSLO_18: [figures(r) for r in (2.0, 2.0, 4.0)]})}
        row = self.check(results)["calls/s, 8 callers, ours / the better oslo.messaging"]
        self.assertEqual(row["measured"], 20)  # 30, 20, 20
        self.assertEqual(results["call-8"][cases.OSLO_14]["ours_to_it"], 20)  # 60, 20, 20

    def test_memory_of_a_pending_call_is_the_larger_figure(self):
        for bytes_a_call, reached in ((2048, True), (2049, False)):
            rows = self.check({"memory": {cases.OURS: {
                "bytes_a_call": {"heap": 10, "resident": bytes_a_call}}}})
            row = rows["memory of a pending call, 10,000 in flight, bytes"]
            self.assertEqual((row["measured"], row["reached"]), (bytes_a_call, reached))


class PythonCallers(unittest.TestCase):
    def test_at_a_rate_no_call_waits_for_another_caller(self):
        others, done = threading.Event(), []

        def work(n):
            if n == 0:
                self.assertTrue(others.wait(60))
            else:
                done.append(n)
                if len(done) == 9:
                    others.set()

        latencies, _, sent = oslo_peer.in_threads(2, 10, work, rate=1000)
        self.assertEqual((done, len(latencies)), ([*range(1, 10)], 10))
        self.assertLessEqual(sent, 1001)

    def test_a_latency_counts_from_the_time_a_call_was_due(self):
        latencies, _, sent = oslo_peer.in_threads(1, 3, lambda n: time.sleep(0.01), rate=1e6)
        self.assertGreaterEqual(latencies[2], 0.03 - 2e-6)
        self.assertLessEqual(sent, 2 / 0.02)

    def test_the_error_of_a_call_is_raised(self):
        with self.assertRaises(ZeroDivisionError):
            oslo_peer.in_threads(2, 4, lambda n: 1 / (n - 3))


class Report(unittest.TestCase):
    def test_who_did_not_keep_up_with_an_open_loop_is_marked(self):
        for rate, reached, mark in ((99.0, True, "   2"), (94.0, True, "answers fell behind"),
                                    (60.0, False, "the rate was not reached")):
            run = figures(rate, open_loop={"rate": 100, "sent": 100, "reached": reached})
            *_, line = table.case_lines("rate-100", running.summarise_case("rate-100", {
                cases.OURS: [run]}))
            self.assertTrue(line.endswith(mark), line)

    def test_text(self):
        results = running.summarise_case("call-1", {cases.OURS: [figures(1000.0)],
                                                    cases.RABBITMQ_C: [figures(400.0)]})
        text = table.report({
            "environment": {"commit": "abc"}, "rounds": 1, "profile": "quick",
            "work": {"ours": "all"}, "targets": targets.check({"call-1": results}),
            "cases": {"call-1": {"title": "one", "in_flight": 1, "programs": results}}})
        self.assertRegex(text, r"rabbitmq-c +400 +2\.50 +40 ")
        self.assertRegex(text, r"calls/s, 1 in flight, ours / rabbitmq-c +>= 1\.0 +2\.50   reached")
        self.assertIn("not measured", text)

    def test_cases_are_listed_and_a_wrong_name_is_an_error(self):
        run = [sys.executable, str(BENCH / "run.py"), "--url", "rabbit://h/", "--bin", "/nowhere"]
        listed = subprocess.run([*run, "--list", "--only", "^call"], capture_output=True, text=True,
                                check=True, timeout=60)
        self.assertEqual(len(listed.stdout.splitlines()), 5)
        few = subprocess.run([*run, "--list", "--only", "^call", "--programs", "ours|rabbitmq-c"],
                             capture_output=True, text=True, check=True, timeout=60)
        for line in few.stdout.splitlines():
            self.assertTrue(line.endswith(": ours, rabbitmq-c"), line)
        wrong = subprocess.run([*run, "--only", "nothing"], capture_output=True, text=True,
                               check=False, timeout=60)
        self.assertEqual(wrong.returncode, 1)
        self.assertIn("--list shows them", wrong.stderr)


if __name__ == "__main__":
    unittest.main()
