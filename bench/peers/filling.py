"""Fills a queue as fast as kombu can: without waiting for each message's confirm."""

import sys

import kombu


def amqp_url(url):
    """Of a transport URL, whichever driver it names."""
    return url.removeprefix("cpp+").replace("rabbit://", "amqp://").replace("kombu://", "amqp://")


def fill(url, exchange, key, messages):
    """Publishes `messages` (what kombu turns into JSON) and returns when the broker has them all."""
    connection = kombu.Connection(amqp_url(url))
    channel = connection.channel()
    channel.confirm_select()
    unconfirmed = set(range(1, len(messages) + 1))
    lowest = 1

    def on_ack(tag, multiple):
        nonlocal lowest
        if multiple:
            unconfirmed.difference_update(range(lowest, tag + 1))
            lowest = tag + 1
        else:
            unconfirmed.discard(tag)

    channel.events["basic_ack"].add(on_ack)
    producer = kombu.Producer(channel)
    for message in messages:
        producer.publish(message, exchange=exchange, routing_key=key, delivery_mode=2)
    while unconfirmed:
        connection.drain_events(timeout=30)
    waiting = channel.queue_declare(key, passive=True).message_count
    connection.release()
    if waiting != len(messages):
        sys.exit(f"{waiting} of {len(messages)} messages are in the queue.")
