// _core: why something failed.
#include <nanobind/stl/shared_ptr.h>

#include <oslo/messaging/error.hpp>
#include <stdexcept>

#include "module.hpp"
#include "pending.hpp"
#include "text.hpp"

namespace nb = nanobind;

namespace oslo::messaging::python {
namespace {

nb::object outcome_of(const pending& p) {
  if (!p.done()) throw std::logic_error("It is not done.");
  const auto& outcome = p.outcome();
  if (outcome) return to_str(*outcome);
  return nb::cast(outcome.error());
}

}  // namespace

void add_errors(nb::module_& m) {
  nb::enum_<errc>(m, "Errc", "Why something failed (error.hpp).")
      .value("invalid_argument", errc::invalid_argument)
      .value("invalid_url", errc::invalid_url)
      .value("invalid_config", errc::invalid_config)
      .value("invalid_target", errc::invalid_target)
      .value("unknown_driver", errc::unknown_driver)
      .value("not_supported", errc::not_supported)
      .value("version_cap", errc::version_cap)
      .value("would_deadlock", errc::would_deadlock)
      .value("wrong_process", errc::wrong_process)
      .value("not_sent", errc::not_sent)
      .value("outcome_unknown", errc::outcome_unknown)
      .value("undeliverable", errc::undeliverable)
      .value("rejected", errc::rejected)
      .value("timed_out", errc::timed_out)
      .value("cancelled", errc::cancelled)
      .value("closed", errc::closed)
      .value("limit_exceeded", errc::limit_exceeded)
      .value("authentication_failed", errc::authentication_failed)
      .value("access_refused", errc::access_refused)
      .value("vhost_not_found", errc::vhost_not_found)
      .value("precondition_failed", errc::precondition_failed)
      .value("broker_error", errc::broker_error)
      .value("unreachable", errc::unreachable)
      .value("tls_failed", errc::tls_failed)
      .value("protocol_error", errc::protocol_error)
      .value("malformed_message", errc::malformed_message)
      .value("serialization_failed", errc::serialization_failed)
      .value("no_such_method", errc::no_such_method)
      .value("unsupported_version", errc::unsupported_version)
      .value("remote_error", errc::remote_error)
      .value("handler_failed", errc::handler_failed);

  nb::class_<failure>(m, "Failure", "What went wrong.")
      .def_prop_ro("code", &failure::code)
      .def_prop_ro(
          "message", [](const failure& f) { return to_str(f.message()); },
          "A sentence that holds no password.")
      .def_prop_ro(
          "remote",
          [](const failure& f) -> nb::object {
            if (f.remote() == nullptr) return nb::none();
            return to_str(f.remote()->json);
          },
          nb::sig("def remote(self) -> str | None"), "The failure of the peer, JSON as it came.")
      .def_prop_ro("exchange", [](const failure& f) { return to_str(f.subject().exchange); })
      .def_prop_ro("routing_key", [](const failure& f) { return to_str(f.subject().routing_key); });

  nb::class_<pending, waitable>(m, "Pending", "Something that was begun.")
      .def_prop_ro("done", &pending::done)
      .def("cancel", &pending::cancel, "Gives up: it ends soon.")
      .def("outcome", &outcome_of, nb::sig("def outcome(self) -> str | Failure"),
           "JSON text or nothing (an empty text), or why it failed. Once it is done.");
}

}  // namespace oslo::messaging::python
