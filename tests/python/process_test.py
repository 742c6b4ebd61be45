"""Forks, signals and the end of the process. Each case is a program of its own."""

import os
import signal
import subprocess
import sys
import textwrap
import unittest

from buses import LIMIT, core_url

HERE = os.path.dirname(os.path.abspath(__file__))

HEAD = """
import os, signal, sys, threading, time
sys.path.insert(0, {here!r})
import oslo_messaging
from buses import *

class Endpoint:
    def __init__(self):
        self.called = threading.Event()

    def pid(self, ctxt):
        return os.getpid()

    def hold(self, ctxt, seconds):
        self.called.set()
        time.sleep(seconds)

def say(text):
    print(text, flush=True)

def serving():  # a transport and a server that runs until the end
    transport = rpc_transport(core_url())
    target = oslo_messaging.Target(topic=topic, server="s")
    server = oslo_messaging.get_rpc_server(transport, target, [Endpoint()], executor="threading")
    server.start()
    return transport, server

topic = unique("process")
"""


def program(text):
    return HEAD.format(here=HERE) + textwrap.dedent(text)


def run(text, limit=4 * LIMIT):
    """Exit code and output of a program; it may not hang."""
    done = subprocess.run(
        [sys.executable, "-c", program(text)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=limit,
        check=False,
    )
    return done.returncode, done.stdout


class Processes(unittest.TestCase):
    def check(self, text, *lines, limit=4 * LIMIT):
        code, output = run(text, limit)
        self.assertEqual(code, 0, output)
        self.assertEqual(output.splitlines(), list(lines), output)

    # -- forks -----------------------------------------------------------------------------------

    def test_children_of_a_parent_that_uses_its_transport(self):
        """Four workers serve and call; the parent goes on."""
        self.check(
            """
            transport = rpc_transport(core_url())
            with rpc_server(transport, Endpoint(), topic, "parent"):
                parent = client(transport, topic, server="parent")
                assert parent.call({}, "pid") == os.getpid()
                children = []
                for n in range(4):
                    child = os.fork()
                    if child == 0:
                        code = 1
                        try:
                            with rpc_server(transport, Endpoint(), topic, f"child{n}"):
                                own = client(transport, topic, server=f"child{n}")
                                assert own.call({}, "pid") == os.getpid()
                                assert client(transport, topic, server="parent").call(
                                    {}, "pid") == os.getppid()
                            transport.cleanup()
                            code = 0
                        finally:
                            os._exit(code)
                    children.append(child)
                assert parent.call({}, "pid") == os.getpid()
                for child in children:
                    say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
                assert parent.call({}, "pid") == os.getpid()
            transport.cleanup()
            say("done")
            """,
            "0",
            "0",
            "0",
            "0",
            "done",
        )

    def test_a_child_ends_by_itself(self):
        """With an open transport of the parent, and one of its own."""
        self.check(
            """
            transport = rpc_transport(core_url())
            client(transport, topic).cast({}, "pid")
            child = os.fork()
            if child == 0:
                client(transport, topic).cast({}, "pid")
                sys.exit(0)
            say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            child = os.fork()
            if child == 0:
                sys.exit(0)
            say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            client(transport, topic).cast({}, "pid")
            """,
            "0",
            "0",
        )

    def test_forks_while_other_threads_call(self):
        self.check(
            """
            transport = rpc_transport(core_url())
            over = threading.Event()
            with rpc_server(transport, Endpoint(), topic):
                def run():
                    while not over.is_set():
                        assert client(transport, topic).call({}, "pid") == os.getpid()
                threads = [threading.Thread(target=run) for _ in range(4)]
                for thread in threads:
                    thread.start()
                for n in range(10):
                    child = os.fork()
                    if child == 0:
                        code = 1
                        try:
                            client(transport, unique("nobody")).cast({}, "pid")
                            code = 0
                        finally:
                            os._exit(code)
                    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
                over.set()
                for thread in threads:
                    thread.join()
            transport.cleanup()
            say("done")
            """,
            "done",
        )

    # -- signals ---------------------------------------------------------------------------------

    def interrupted(self, text, number=signal.SIGINT):
        process = subprocess.Popen(
            [sys.executable, "-c", program(text)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            self.assertEqual(process.stdout.readline(), "waiting\n")
            process.send_signal(number)
            output = process.communicate(timeout=LIMIT)[0]
        finally:
            process.kill()
            process.wait()
        return process.returncode, output

    def test_an_interrupt_ends_a_call(self):
        code, output = self.interrupted(
            """
            transport = rpc_transport(core_url())
            with rpc_server(transport, Endpoint(), topic):
                client(transport, topic).call({}, "pid")
                try:
                    say("waiting")
                    client(transport, unique("nobody"), timeout=600).call({}, "pid")
                except KeyboardInterrupt:
                    say("interrupted")
                assert client(transport, topic).call({}, "pid") == os.getpid()
                say("and on")
            """
        )
        self.assertEqual((code, output), (0, "interrupted\nand on\n"))

    def test_an_interrupt_ends_a_start_without_a_broker(self):
        code, output = self.interrupted(
            """
            transport = rpc_transport("cpp+rabbit://guest:guest@127.0.0.1:1/")
            try:
                say("waiting")
                with rpc_server(transport, Endpoint(), topic):
                    pass
            except KeyboardInterrupt:
                say("interrupted")
            """
        )
        self.assertEqual(code, 0, output)
        self.assertEqual(output.splitlines()[-1], "interrupted", output)

    def test_other_signals_have_their_handlers_run(self):
        code, output = self.interrupted(
            """
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
            transport = rpc_transport(core_url())
            client(transport, topic).cast({}, "pid")
            say("waiting")
            client(transport, topic, timeout=600).call({}, "pid")
            """,
            signal.SIGTERM,
        )
        self.assertEqual((code, output), (7, ""))

    # -- the end ---------------------------------------------------------------------------------

    def test_the_end_with_an_open_transport(self):
        self.check(
            """
            transport = rpc_transport(core_url())
            client(transport, topic).cast({}, "pid")
            say("end")
            """,
            "end",
        )

    def test_the_end_with_a_server_that_runs(self):
        self.check(
            """
            transport, server = serving()
            client(transport, topic).call({}, "pid")
            say("end")
            """,
            "end",
        )

    def test_the_end_while_daemon_threads_call(self):
        self.check(
            """
            transport, server = serving()
            first = threading.Semaphore(0)
            def run():
                while True:
                    client(transport, topic).call({}, "pid")
                    first.release()
            for n in range(8):
                threading.Thread(target=run, daemon=True).start()
            for n in range(50):
                first.acquire()
            say("end")
            """,
            "end",
        )

    def test_the_end_while_a_daemon_thread_waits_for_a_broker(self):
        self.check(
            """
            import logging
            logging.getLogger("oslo_messaging_cpp").setLevel(logging.CRITICAL)
            transport = rpc_transport("cpp+rabbit://guest:guest@127.0.0.1:1/")
            def run():
                client(transport, topic).cast({}, "pid")
            threading.Thread(target=run, daemon=True).start()
            wait_until(lambda: transport._driver.health() is not None, "it was opened")
            say("end")
            """,
            "end",
        )

    def test_many_opens_and_closes_leave_nothing(self):
        """OSLO_TEST_OPENS: how many."""
        count = int(os.environ.get("OSLO_TEST_OPENS", "300"))
        self.check(
            f"""
            import gc, resource
            def held():
                return len(os.listdir("/proc/self/fd")) + len(os.listdir("/proc/self/task"))
            def memory():
                with open("/proc/self/statm") as file:
                    return int(file.read().split()[1]) * resource.getpagesize()
            def once(clean):
                transport = rpc_transport(core_url())
                client(transport, topic).cast({{}}, "pid")
                if clean:
                    transport.cleanup()
            def many(count):
                for n in range(count):
                    once(n % 2)
                gc.collect()
            many(50)  # with what is made once in a process
            before, first = held(), memory()
            many({count})
            wait_until(lambda: held() <= before, f"{{before}} are held")
            grown = (memory() - first) / {count}
            assert grown < 3000, f"{{grown}} bytes each"
            say("done")
            """,
            "done",
            limit=4 * LIMIT + count / 10,
        )


if __name__ == "__main__":
    unittest.main()
