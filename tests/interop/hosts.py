"""URLs of two hosts, the first of which refuses connections."""

import contextlib
import socket
import urllib.parse
from unittest import mock

import oslo_messaging
from oslo_config import cfg
from programs import rabbit_url

# By default Python gives up when the first host fails: see PythonAlone in hosts_test.py.
RETRY = "[oslo_messaging_notifications]\nretry = 1\n"


@contextlib.contextmanager
def dead_host(address="127.0.0.1"):
    """Nobody else gets its port meanwhile."""
    with socket.socket() as one:
        one.bind((address, 0))
        yield f"{address}:{one.getsockname()[1]}"


def live_host():
    return urllib.parse.urlsplit(rabbit_url()).netloc.rpartition("@")[2]


def url_of(*hosts, user="guest:guest@"):
    return f"rabbit://{','.join(user + host for host in hosts)}/"


@contextlib.contextmanager
def python_transport(file):
    """Python's library tries the hosts in the order of the URL, as it otherwise does by chance."""
    conf = cfg.ConfigOpts()
    conf([], project="hosts", default_config_files=[file])
    with mock.patch("random.shuffle"):
        transport = oslo_messaging.get_notification_transport(conf)
        try:
            yield transport
        finally:
            transport.cleanup()
