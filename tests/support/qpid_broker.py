#!/usr/bin/env python3
"""A private Apache Qpid Broker-J for the tests of amqp://, controlled by one folder (java_broker.py).

    qpid_broker.py plain --dir DIR     print the URL of the port that asks for a password

One port takes everybody, one asks for oslo with the password secret. Everything is kept in memory.
"""

import json
import os
import sys

from java_broker import JAVA, JavaBroker, main


class QpidBroker(JavaBroker):
    title = "Qpid Broker-J"
    name = "qpid"
    ready = "BRK-1004"
    ports = 2

    def command(self, state):
        with open(os.path.join(self.parts, "virtual-host.json"), encoding="utf-8") as file:
            virtual_host = json.dumps(json.load(file))
        properties = {
            "qpid.work_dir": self.folder,
            "oslo.port": state["ports"][0],
            "oslo.plain_port": state["ports"][1],
            "oslo.virtual_host": virtual_host,
        }
        command = [
            *JAVA,
            "-Dlogback.statusListenerClass=ch.qos.logback.core.status.NopStatusListener",
            "-cp", os.path.join(state["jars"], "*"), "org.apache.qpid.server.Main",
            "-st", "Memory", "-icp", os.path.join(self.parts, "broker.json"),
        ]
        for name, value in properties.items():
            command += ["-prop", f"{name}={value}"]
        return command

    def plain(self):
        self.url()  # or it says that there is none
        return f"amqp://oslo:secret@127.0.0.1:{self.state()['ports'][1]}/"


if __name__ == "__main__":
    sys.exit(main(QpidBroker, ["plain"]))
