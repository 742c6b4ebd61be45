"""An idle listener of Python polls for up to 5 s at a time, and whoever stops it waits for that."""

from oslo_messaging._drivers import amqpdriver
from oslo_messaging._drivers import impl_rabbit  # noqa: F401  (makes options of the 5 s)

amqpdriver.ACK_REQUEUE_EVERY_SECONDS_MAX = 0.1
