"""Certificates of a test, made by openssl."""

import os
import subprocess


def openssl(*arguments):
    subprocess.run(
        ["openssl", *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=True
    )


KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


class Authority:
    """Its certificate is `file`."""

    def __init__(self, folder, name):
        self.folder = folder
        self.file = os.path.join(folder, f"{name}.pem")
        self.key = os.path.join(folder, f"{name}.key")
        openssl(
            *["req", "-x509", *KEY, "-days", "2", "-subj", f"/CN={name}"],
            *["-keyout", self.key, "-out", self.file],
        )

    def sign(self, name, names, days=2):
        """Files of a certificate and its key; `names` as subjectAltName wants them. It is good for
        `days` from now on; -1: it has expired."""
        base = os.path.join(self.folder, name)
        openssl(
            *["req", *KEY, "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}"],
            *["-addext", "basicConstraints=critical,CA:FALSE"],
            *["-keyout", f"{base}.key", "-out", f"{base}.csr"],
        )
        openssl(
            *["x509", "-req", "-in", f"{base}.csr", "-CA", self.file, "-CAkey", self.key],
            *["-CAcreateserial", "-copy_extensions", "copy", "-days", str(days)],
            *["-out", f"{base}.pem"],
        )
        return f"{base}.pem", f"{base}.key"


class Files:
    """What a broker needs for TLS: an authority, and a certificate for `names` signed by it."""

    def __init__(self, folder, names="DNS:localhost,IP:127.0.0.1"):
        self.authority = Authority(folder, "authority")
        self.certificate, self.key = self.authority.sign("broker", names)

    def settings(self, port):
        """Lines of rabbitmq.conf."""
        return [
            f"listeners.ssl.1 = 127.0.0.1:{port}",
            f"ssl_options.cacertfile = {self.authority.file}",
            f"ssl_options.certfile = {self.certificate}",
            f"ssl_options.keyfile = {self.key}",
            "ssl_options.verify = verify_none",
            "ssl_options.fail_if_no_peer_cert = false",
        ]
