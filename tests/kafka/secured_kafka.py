"""A Kafka with a listener for each way to log in, and permissions."""

import base64
import json
import os
import shutil
import tempfile
import time

from certificates import Authority
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)
from kafka_broker import KafkaBroker
from own_kafka import OwnKafka

LOGIN = "org.apache.kafka.common.security"
PASSWORD = "s3cr3t/p@ss:word"


class SecuredBroker(KafkaBroker):
    listeners = [
        ("PLAINTEXT", "PLAINTEXT", "127.0.0.1"),
        ("V6", "PLAINTEXT", "[::1]"),
        ("SASL", "SASL_PLAINTEXT", "127.0.0.1"),
        ("TLS", "SSL", "localhost"),
        ("MUTUAL", "SSL", "localhost"),
        ("BOTH", "SASL_SSL", "localhost"),
    ]


class Files:
    """The broker's certificate is for "localhost" and no address."""

    def __init__(self, folder):
        self.trusted = Authority(folder, "trusted")
        self.stranger = Authority(folder, "stranger")
        certificate, key = self.trusted.sign("broker", "DNS:localhost")
        self.broker = os.path.join(folder, "broker-with-key.pem")
        with open(self.broker, "wb") as whole:
            for part in (key, certificate):
                with open(part, "rb") as file:
                    shutil.copyfileobj(file, whole)
        self.client, self.client_key = self.trusted.sign("client", "DNS:client")


def write_token(file, user, seconds):
    """A JSON Web Token that nobody has signed."""
    now = time.time()
    parts = ({"alg": "none"}, {"sub": user, "iat": now, "exp": now + seconds})
    encoded = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts
    ]
    with open(file, "w", encoding="ascii") as out:
        out.write(".".join([*encoded, ""]) + "\n")


class SecuredKafka(OwnKafka):
    """Anonymous users and ada may do anything, bob what `allow` says. Both have PASSWORD."""

    kind = SecuredBroker

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.files = Files(self.folder.name)
        users = " ".join(f'user_{name}="{PASSWORD}"' for name in ("ada", "bob"))
        lines = [
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users=User:ANONYMOUS;User:ada;User:CN=client",
            "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
            "ssl.keystore.type=PEM",
            f"ssl.keystore.location={self.files.broker}",
            "ssl.truststore.type=PEM",
            f"ssl.truststore.location={self.files.trusted.file}",
            "listener.name.mutual.ssl.client.auth=required",
        ]
        for listener in ("sasl", "both"):
            at = f"listener.name.{listener}"
            lines.append(
                f"{at}.plain.sasl.jaas.config={LOGIN}.plain.PlainLoginModule required {users};"
            )
            # Tokens without a signature, as its default has it.
            lines.append(
                f"{at}.oauthbearer.sasl.jaas.config="
                f'{LOGIN}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="ada";'
            )
            for mechanism in ("scram-sha-256", "scram-sha-512"):
                lines.append(
                    f"{at}.{mechanism}.sasl.jaas.config={LOGIN}.scram.ScramLoginModule required;"
                )
        super().__init__("secured", *lines)

    def __enter__(self):
        super().__enter__()
        try:
            self.add_scram_users()
        except BaseException:
            self.broker.stop()
            raise
        return self

    def __exit__(self, *_):
        super().__exit__()
        self.folder.cleanup()

    def add_scram_users(self):
        self.configure(
            *(
                ["--entity-type", "users", "--entity-name", name, "--add-config",
                 f"{how}=[iterations=4096,password={PASSWORD}]"]
                for name in ("ada", "bob") for how in ("SCRAM-SHA-256", "SCRAM-SHA-512")
            )
        )  # fmt: skip

    def port(self, listener):
        return self.broker.port_of(listener)

    def allow(self, resource, name, *operations):
        """Bob may do that with a topic or group of exactly that name."""
        wanted = [
            AclBinding(
                getattr(ResourceType, resource),
                name,
                ResourcePatternType.LITERAL,
                "User:bob",
                "*",
                getattr(AclOperation, operation),
                AclPermissionType.ALLOW,
            )
            for operation in operations
        ]
        admin = self.admin()
        for done in admin.create_acls(wanted).values():
            done.result(30)
