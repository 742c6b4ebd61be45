"""Entry point oslo.config.opts: what this driver adds to the groups of oslo.messaging."""

from oslo_messaging_cpp import _core
from oslo_messaging_cpp import options


def list_opts():
    """The options that the core's drivers have and upstream has not."""
    groups = [name for name in _core.option_groups() if name == options.RABBIT_GROUP]
    return [(name, options.own_opts(name)) for name in groups]
