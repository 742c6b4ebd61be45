"""A broker of one test file, which may be rough with it."""

import os
import subprocess

from broker import Broker


class OwnBroker:
    """A context manager. `settings`: lines of its rabbitmq.conf. `plugins`: those it has."""

    def __init__(self, name, *settings, plugins=()):
        self.broker = Broker(f"{os.environ['OSLO_TEST_BROKER_DIR']}-{name}")
        self.settings, self.plugins = settings, plugins

    def __enter__(self):
        try:
            self.broker.start(self.settings, self.plugins)
        except BaseException:
            self.broker.stop()
            raise
        return self

    def __exit__(self, *_):
        self.broker.stop()

    @property
    def port(self):
        return self.broker.state()["port"]

    def url(self, user="guest", password="guest"):
        return f"rabbit://{user}:{password}@127.0.0.1:{self.port}/"

    def run_ctl(self, *arguments):
        return self.broker.ctl(
            arguments, run=subprocess.run, capture_output=True, text=True, timeout=60, check=False
        )

    def ctl(self, *arguments):
        done = self.run_ctl(*arguments)
        if "requires the 'rabbit' app to be running" in done.stderr + done.stdout:
            # It answers AMQP shortly before it says that it runs.
            self.run_ctl("await_startup")
            done = self.run_ctl(*arguments)
        if done.returncode != 0:
            raise AssertionError(f"rabbitmqctl {arguments}: {done.stdout}{done.stderr}")
        return done.stdout
