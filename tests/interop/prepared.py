"""What every Python program of these tests does first, for tests/support/forked.py: imports, and
the search for drivers among everything that is installed."""

import oslo_messaging
import polls  # noqa: F401
from oslo_config import cfg

conf = cfg.ConfigOpts()
conf([], project="prepared", default_config_files=[])
# Neither connects: that is for the first message.
transport = oslo_messaging.get_notification_transport(conf, "rabbit://")
oslo_messaging.Notifier(transport, driver="messagingv2", topics=["prepared"])
