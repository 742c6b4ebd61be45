#!/usr/bin/env python3
"""Ceilometer's own notification service.

    ceilometer_peer.py --url URL --exchange X --topic T --folder DIR

Prints "ready" once it listens, then each sample and event that it has made of notifications as one
JSON object a line. DIR is for its configuration. SIGTERM ends it.
"""

import argparse
import pathlib
import signal
import sys

import ceilometer.event.converter
import ceilometer.meter.notifications
import ceilometer.notification
import ceilometer.pipeline.base
import ceilometer.sample
from ceilometer import messaging
from oslo_config import cfg

CONFIGURATION = """
[DEFAULT]
transport_url = {url}
pipeline_cfg_file = {folder}/meters.yaml
event_pipeline_cfg_file = {folder}/events.yaml
[oslo_messaging_notifications]
topics = {topic}
[oslo_messaging_rabbit]
amqp_durable_queues = true
[notification]
notification_control_exchanges = {exchange}
batch_size = 10
batch_timeout = 1
"""

PIPELINE = """
sources:
    - {{name: all, {what}: ["*"], sinks: [file]}}
sinks:
    - {{name: file, publishers: ["file:///dev/stdout?json"]}}
"""


def configuration(options):
    """Its options without those of its many other services, whose clients it would load."""
    for what in ("meters", "events"):
        (options.folder / f"{what}.yaml").write_text(PIPELINE.format(what=what))
    file = options.folder / "ceilometer.conf"
    file.write_text(CONFIGURATION.format(**vars(options)))
    conf = cfg.ConfigOpts()
    conf.register_opts([cfg.IntOpt("max_parallel_requests", default=64)])
    conf.register_opts(ceilometer.pipeline.base.OPTS)
    conf.register_opts(ceilometer.sample.OPTS)
    conf.register_opts(ceilometer.notification.OPTS, group="notification")
    conf.register_opts(ceilometer.notification.EXCHANGES_OPTS, group="notification")
    conf.register_opts(ceilometer.event.converter.OPTS, group="event")
    conf.register_opts(ceilometer.meter.notifications.OPTS, group="meter")
    conf.register_opts([cfg.BoolOpt("identity_name_discovery", default=False)], group="polling")
    conf([], project="ceilometer", default_config_files=[str(file)])
    return conf


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--exchange", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    conf = configuration(parser.parse_args())
    messaging.setup()
    ceilometer.sample.setup(conf)

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    service = ceilometer.notification.NotificationService(0, conf)
    service.run()
    print("ready", flush=True)
    signal.sigwait({signal.SIGTERM})
    service.terminate()
    return 0


if __name__ == "__main__":
    sys.exit(main())
