"""zmq+redis://: `oslo-msg` and the last Python release with that driver, both ways."""

import json
import os
import subprocess
import unittest

import forked
from programs import CommandClient, RemoteFailure, Server, oslo_msg, poll, read_line, unique

HERE = os.path.dirname(os.path.abspath(__file__))
LIMIT = 60
URL = "zmq+redis://" + os.environ["OSLO_TEST_REDIS"] + "/"
CPP_URL = URL + "?rpc_zmq_host=127.0.0.1&rpc_zmq_bind_address=127.0.0.1"
PYTHON = [os.environ["OSLO_TEST_ZMQ_PYTHON"], "-W", "ignore", os.path.join(HERE, "zmq_peer.py"),
          "--url", URL]


class PythonClient:
    """A process that does one thing after the other."""

    def __init__(self, topic):
        self.process = forked.popen([*PYTHON, "client", topic], stdin=subprocess.PIPE,
                                    stdout=subprocess.PIPE, text=True)
        if read_line(self.process.stdout, LIMIT) != "ready\n":
            raise AssertionError("the client of Python did not begin")

    def do(self, what, name, arguments, **more):
        wanted = {"do": what, "name": name, "arguments": arguments, **more}
        self.process.stdin.write(json.dumps(wanted) + "\n")
        self.process.stdin.flush()
        answer = json.loads(read_line(self.process.stdout, LIMIT))
        if answer["attempts"] > 1:
            print(f"Python missed {answer['attempts'] - 1} replies of {name}")
        return answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(LIMIT)
        self.process.stdout.close()


class Listener:
    def __init__(self, program, topic, count):
        self.process = forked.popen([*program, "listen", topic, "--count", str(count)],
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if line == "ready\n":
                return
        raise AssertionError(f"{program} did not begin to listen")

    def lines(self):
        out, errors = self.process.communicate(timeout=LIMIT)
        if self.process.returncode != 0:
            raise AssertionError(f"exit code {self.process.returncode}: {errors}")
        return [json.loads(line) for line in out.splitlines()]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


class CppToPython(unittest.TestCase):
    def setUp(self):
        self.topic = unique("rpc")
        self.client = CommandClient(CPP_URL)

    def test_calls_casts_and_errors(self):
        with Server(PYTHON, self.topic, "one"):
            call = self.client.call
            self.assertEqual(call(self.topic, "add", {"a": 1, "b": 2}, version="1.0"), 3)
            values = {"n": None, "t": "ü", "l": [1.5, True]}
            self.assertEqual(call(self.topic, "echo", values, version="1.0"), values)
            self.assertEqual(call(self.topic, "echo", {}, server="one", version="1.0"), {})
            context = call(self.topic, "context", {}, context={"user": "ada"}, version="1.0")
            self.assertEqual(context["user"], "ada")
            with self.assertRaises(RemoteFailure) as caught:
                call(self.topic, "fail", {"message": "as asked"}, version="1.0")
            self.assertEqual(caught.exception.type, "ValueError")
            self.assertEqual(caught.exception.message, "as asked")
            self.client.cast(self.topic, "hit", {}, version="1.0")
            self.assertEqual(poll(lambda: call(self.topic, "hits", {}, version="1.0"), 1), 1)

    def test_a_fanout_reaches_both(self):
        with Server(PYTHON, self.topic, "one"), Server(PYTHON, self.topic, "two"):
            self.client.cast(self.topic, "hit", {}, fanout=True, version="1.0")
            for name in ("one", "two"):
                hits = lambda: self.client.call(self.topic, "hits", {}, server=name,  # noqa: E731
                                                version="1.0")
                self.assertEqual(poll(hits, 1), 1)

    def test_a_notification(self):
        with Listener(PYTHON, self.topic, 1) as listener:
            subprocess.run([*oslo_msg(CPP_URL), "notify", "event", '{"n": 1}', "--topic",
                            self.topic, "--context", '{"user": "ada"}'], check=True, timeout=LIMIT)
            (line,) = listener.lines()
        self.assertEqual((line["event_type"], line["payload"]), ("event", {"n": 1}))
        self.assertEqual(line["context"]["user"], "ada")


class PythonToCpp(unittest.TestCase):
    def setUp(self):
        self.topic = unique("rpc")

    def test_calls_casts_and_errors(self):
        with Server(oslo_msg(CPP_URL), self.topic, "one"), PythonClient(self.topic) as client:
            self.assertEqual(client.do("call", "add", {"a": 1, "b": 2})["result"], 3)
            values = {"n": None, "t": "ü", "l": [1.5, True]}
            self.assertEqual(client.do("call", "echo", values)["result"], values)
            self.assertEqual(client.do("call", "echo", {}, server="one")["result"], {})
            context = client.do("call", "context", {}, context={"user": "ada"})["result"]
            self.assertEqual(context["user"], "ada")
            failed = client.do("call", "fail", {"module": "builtins", "type": "ValueError",
                                                "message": "as asked"})
            self.assertIn("as asked", failed["message"])
            client.do("cast", "hit", {})
            hits = lambda: client.do("call", "hits", {})["result"]  # noqa: E731
            self.assertEqual(poll(hits, 1), 1)

    def test_a_fanout_reaches_both(self):
        with Server(oslo_msg(CPP_URL), self.topic, "one"), \
                Server(oslo_msg(CPP_URL), self.topic, "two"), PythonClient(self.topic) as client:
            client.do("fanout", "hit", {})
            for name in ("one", "two"):
                hits = lambda: client.do("call", "hits", {}, server=name)["result"]  # noqa: E731
                self.assertEqual(poll(hits, 1), 1)

    def test_a_notification(self):
        with Listener(oslo_msg(CPP_URL), self.topic, 1) as listener, \
                PythonClient(self.topic) as client:
            client.do("notify", "event", {"n": 1}, context={"user": "ada"})
            (line,) = listener.lines()
        self.assertEqual((line["event_type"], line["payload"]), ("event", {"n": 1}))
        self.assertEqual(line["publisher_id"], "python.host1")


if __name__ == "__main__":
    unittest.main()
