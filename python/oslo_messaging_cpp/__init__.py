"""oslo.messaging for C++ as a driver of oslo.messaging: put ``cpp+`` before a transport URL."""

from oslo_messaging_cpp import _core

__version__ = _core.version
__all__ = ["replace_rabbit"]


def replace_rabbit():
    """Makes ``rabbit://`` mean what ``cpp+rabbit://`` means, in this process.

    For tests, and for programs whose URL cannot be changed. To be called before the first transport
    is made. Returns a function that takes it back, for transports that are made later.
    """
    from oslo_messaging._drivers import impl_rabbit

    from oslo_messaging_cpp.driver import CppDriver

    before = impl_rabbit.RabbitDriver
    impl_rabbit.RabbitDriver = CppDriver

    def take_back():
        impl_rabbit.RabbitDriver = before

    return take_back
