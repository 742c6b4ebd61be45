#include "module.hpp"

#include <oslo/messaging/version.hpp>

NB_MODULE(_core, m) {
  using namespace oslo::messaging::python;
  // Messages and transports may well be there when the interpreter ends.
  nanobind::set_leak_warnings(false);
  m.doc() = "oslo.messaging for C++, as the driver of this package sees it.";
  m.attr("version") = OSLO_MESSAGING_VERSION;
  add_waiting(m);
  add_errors(m);
  add_options(m);
  add_messages(m);
  add_bus(m);
}
