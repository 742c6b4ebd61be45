"""Exceptions that a Python client allows a server to name."""


class InstanceNotFound(Exception):
    pass
