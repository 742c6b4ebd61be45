"""Publishes messages whose content header is made by hand: what a broker lets through counts, not
what a decent library would write."""

import struct

import kombu

FRAME_METHOD, FRAME_HEADER, FRAME_BODY, FRAME_END = 1, 2, 3, b"\xce"
CONTENT_TYPE, HEADERS = 1 << 15, 1 << 13
# RabbitMQ's limit of a frame is 131,072 bytes.
LARGEST_BODY = 100_000


def short_string(text):
    data = text.encode()
    return struct.pack("B", len(data)) + data


def table(*fields):
    """Each field: name and the bytes of its typed value."""
    data = b"".join(short_string(name) + value for name, value in fields)
    return struct.pack(">I", len(data)) + data


def nested_table(levels):
    data = b""
    for _ in range(levels):
        data = b"\x00F" + struct.pack(">I", len(data)) + data
    return struct.pack(">I", len(data)) + data


class RawPublisher:
    """One connection and channel, which other code may use, too."""

    def __init__(self, url):
        self.link = kombu.Connection(url.replace("rabbit://", "amqp://"), connect_timeout=20)
        self.channel = self.link.default_channel

    def close(self):
        self.link.release()

    def publish(self, queue, property_list, body):
        """`property_list`: flags and values, as they are to go out. Returns when the broker has
        handled it; raises `amqp.AMQPError` when it refused."""
        method = struct.pack(">HHH", 60, 40, 0) + short_string("") + short_string(queue) + b"\x00"
        self.send_frame(FRAME_METHOD, method)
        self.send_frame(FRAME_HEADER, struct.pack(">HHQ", 60, 0, len(body)) + property_list)
        for start in range(0, len(body), LARGEST_BODY):
            self.send_frame(FRAME_BODY, body[start : start + LARGEST_BODY])
        # The broker treats a channel's frames in order. A question about the queue would fail: its
        # reader may have ended, and the queue with it.
        self.channel.basic_qos(0, 0, False)

    def messages_in(self, queue):
        return self.channel.queue_declare(queue, passive=True).message_count

    def send_frame(self, kind, payload):
        head = struct.pack(">BHI", kind, self.channel.channel_id, len(payload))
        self.link.connection.transport.write(head + payload + FRAME_END)
