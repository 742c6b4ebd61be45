"""The options of a driver of the core, from oslo.config and the URL.

Those of RabbitMQ are upstream's own, with upstream's defaults, and further ones of the core, cpp_*.
Values are handed over as text. What the core cannot do is a RuntimeError that names the option,
which get_transport makes a DriverLoadFailure.
"""

import logging
from urllib import parse

from oslo_config import cfg
from oslo_messaging._drivers import amqp as rpc_amqp
from oslo_messaging._drivers import base
from oslo_messaging._drivers import common as rpc_common
from oslo_messaging._drivers import impl_rabbit
from oslo_utils import netutils

from oslo_messaging_cpp import _core

LOG = logging.getLogger(__name__)

RABBIT_GROUP = "oslo_messaging_rabbit"
_RABBIT_SCHEMES = ("rabbit", "kombu")

_KINDS = {
    _core.OptionType.string: cfg.StrOpt,
    _core.OptionType.boolean: cfg.BoolOpt,
    _core.OptionType.integer: cfg.IntOpt,
    _core.OptionType.floating: cfg.FloatOpt,
    _core.OptionType.list: cfg.ListOpt,
    _core.OptionType.multi_string: cfg.MultiStrOpt,
    _core.OptionType.dict: cfg.DictOpt,
}


def scheme_of(url):
    """The driver of the core that a URL names: what stands after ``cpp+``, or all of it."""
    first, _, rest = url.transport.partition("+")
    return rest if first == "cpp" else first


def upstream_rabbit_opts():
    # 14.0.3 has those of the pool apart.
    return [*impl_rabbit.rabbit_opts, *rpc_amqp.amqp_opts, *getattr(base, "base_opts", ())]


def _converted(option):
    arguments = {"help": option.help}
    if option.default is not None:
        if option.type == _core.OptionType.boolean:
            arguments["default"] = option.default == "true"
        elif option.type == _core.OptionType.integer:
            arguments["default"] = int(option.default)
        elif option.type == _core.OptionType.floating:
            arguments["default"] = float(option.default)
        elif option.type == _core.OptionType.string:
            arguments["default"] = option.default
    if option.type in (_core.OptionType.integer, _core.OptionType.floating):
        number = int if option.type == _core.OptionType.integer else float
        arguments["min"] = None if option.min is None else number(option.min)
        arguments["max"] = None if option.max is None else number(option.max)
    if option.choices:
        arguments["choices"] = list(option.choices)
    if option.secret:
        arguments["secret"] = True
    return _KINDS[option.type](option.name, **arguments)


def own_opts(group):
    """The options of a group that upstream does not have."""
    theirs = {o.dest for o in upstream_rabbit_opts()} if group == RABBIT_GROUP else set()
    # Upstream has had these, and they have no effect here.
    theirs.add("heartbeat_in_pthread")
    return [
        _converted(o)
        for o in _core.option_groups().get(group, ())
        if theirs.isdisjoint((o.name, *o.former_names))
    ]


def _text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(str(one) for one in value)
    if isinstance(value, dict):
        return ",".join(f"{key}:{one}" for key, one in value.items())
    return str(value)


class Options:
    """What one driver is configured with."""

    def __init__(self, conf, url):
        self.scheme = scheme_of(url)
        self._url = url
        if not self.scheme:
            raise RuntimeError(
                f'"{url.transport}" names no driver of the core: write cpp+rabbit://'
            )
        groups = _core.option_groups()
        if self.scheme in _RABBIT_SCHEMES:
            self._group = RABBIT_GROUP
        else:
            self._group = f"oslo_messaging_{self.scheme}"
            if self._group not in groups and self.scheme != "fake":
                raise RuntimeError(f'The core has no driver "{self.scheme}".')
        # A name that upstream has may be a former one here: 14.0.3 misspells two.
        self._known = {}
        for option in groups.get(self._group, ()):
            for name in (*option.former_names, option.name):
                self._known[name] = option
        self.conf = self._register(conf)
        self.settings()

    def _register(self, conf):
        if not self._known:
            return conf
        group = cfg.OptGroup(name=self._group, title=f"Options of driver cpp+{self.scheme}")
        conf.register_group(group)
        if self._group == RABBIT_GROUP:
            conf.register_opts(upstream_rabbit_opts(), group=group)
        conf.register_opts(own_opts(self._group), group=group)
        # Raises for a name in the query of the URL that is no option.
        return rpc_common.ConfigOptsProxy(conf, self._url, self._group)

    def value(self, name):
        return getattr(getattr(self.conf, self._group), name)

    @property
    def prefetch(self):
        if self._group != RABBIT_GROUP:
            return 0
        return self.value("rabbit_qos_prefetch_count")

    def settings(self):
        """(group, name, text) of each option, as it is now. RuntimeError: the core cannot do it."""
        if not self._known:
            return []
        values = {}
        for name in getattr(self.conf, self._group):
            value = self.value(name)
            if name in self._known:
                option = self._known[name]
                # Of one without effect the core says so when it is set to something.
                if value is not None and (option.has_effect or value != self._default(name)):
                    values[option.name] = _text(value)
            elif value != self._default(name):
                raise RuntimeError(
                    f"Option {name} of [{self._group}] is not supported by driver "
                    f"cpp+{self.scheme}, and its value is {value!r}."
                )
        if self._group == RABBIT_GROUP:
            values.update(tls_settings(values))
            if self.value("rpc_conn_pool_size") < self.value("conn_pool_min_size"):
                raise RuntimeError(
                    "rpc_conn_pool_size is below conn_pool_min_size. Neither has an effect here, "
                    "and driver rabbit would not start."
                )
        settings = [(self._group, name, text) for name, text in values.items()]
        _core.check_settings(settings)
        return settings

    def _default(self, name):
        conf = getattr(self.conf, "_conf", self.conf)
        return conf._get_opt_info(name, self._group)["opt"].default

    def warn(self):
        """What an operator should know before the first connection."""
        if self._group == RABBIT_GROUP and self.value("ssl") and not self.value("ssl_ca_file"):
            if self.value("ssl_version"):
                LOG.warning(
                    "INSECURE: TLS with ssl_version and without ssl_ca_file checks NO certificate, "
                    "as it does in driver rabbit: anybody on the way can pose as the broker, and "
                    "read the password and all messages. Set ssl_ca_file in [%s].",
                    self._group,
                )
            else:
                LOG.warning(
                    "TLS without ssl_ca_file takes any certificate that an authority of the system "
                    "has signed, for whatever host, as it does in driver rabbit. Set ssl_ca_file "
                    "in [%s].",
                    self._group,
                )

    def core_url(self):
        """The URL for the core. Its query is in the settings."""
        netlocs = []
        for host in self._url.hosts:
            netloc = ""
            if host.username is not None or host.password is not None:
                netloc = parse.quote(host.username or "", "")
                if host.password is not None:
                    netloc += ":" + parse.quote(host.password, "")
                netloc += "@"
            if host.hostname:
                netloc += netutils.escape_ipv6(host.hostname)
            if host.port is not None:
                netloc += f":{host.port}"
            netlocs.append(netloc)
        url = f"{self.scheme}://{','.join(netlocs)}"
        if self._url.virtual_host is not None:
            url += "/" + parse.quote(self._url.virtual_host)
        return url


def tls_settings(values):
    """What upstream checks of a broker's certificate, in the words of the core.

    With ssl_ca_file: the chain, and the name where ssl_enforce_hostname_verification says so.
    Without: the chain by the authorities of the system, and no name; with ssl_version nothing at
    all, because Python's ssl checks nothing in a context of a fixed version.
    """
    if values.get("ssl") != "true" or values.get("ssl_ca_file"):
        return {}
    checks = {"ssl_enforce_hostname_verification": "false"}
    if values.get("ssl_version"):
        checks["cpp_insecure_accept_any_certificate"] = "true"
    return checks
