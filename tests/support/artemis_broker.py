#!/usr/bin/env python3
"""A private ActiveMQ Artemis for the tests of amqp://, controlled by one folder (java_broker.py).

It takes everybody and keeps everything in memory.
"""

import os
import sys

from java_broker import JAVA, JavaBroker, main


class ArtemisBroker(JavaBroker):
    title = "ActiveMQ Artemis"
    name = "artemis"
    ready = "AMQ221007"

    def command(self, state):
        configuration = os.path.join(self.folder, "etc")
        os.makedirs(configuration, exist_ok=True)
        with open(os.path.join(self.parts, "broker.xml"), encoding="utf-8") as file:
            text = file.read().replace("@PORT@", str(state["ports"][0]))
        with open(os.path.join(configuration, "broker.xml"), "w", encoding="utf-8") as file:
            file.write(text)
        return [
            *JAVA,
            f"-Ddata.dir={self.folder}",
            "-Dorg.slf4j.simpleLogger.log.org.apache.activemq.audit=error",
            "-cp", configuration + os.pathsep + os.path.join(state["jars"], "*"),
            "org.apache.activemq.artemis.core.server.embedded.Main", self.folder,
        ]


if __name__ == "__main__":
    sys.exit(main(ArtemisBroker))
