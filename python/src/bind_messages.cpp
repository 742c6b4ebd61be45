// _core: subscriptions and what comes out of them.
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>

#include "message.hpp"
#include "module.hpp"
#include "subscription.hpp"
#include "text.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace oslo::messaging::python {

void add_messages(nb::module_& m) {
  nb::class_<message>(m, "Message", "A message that arrived.")
      .def(
          "body", [](const message& one) { return to_str(one.body()); },
          "The whole inner message, JSON text.")
      .def_prop_ro("redelivered", &message::redelivered)
      .def("acknowledge", &message::acknowledge)
      .def("requeue", &message::requeue)
      .def("reply", &message::reply, "json"_a, "Hands over the result of a call.")
      .def("reply_failure", &message::reply_failure, "json"_a, "Hands over the failure of a call.")
      .def("heartbeat", &message::heartbeat, "Tells the caller that the call goes on.");

  nb::class_<subscription, waitable>(m, "Subscription", "Messages that wait.")
      .def_prop_ro("confirmed", &subscription::confirmed, "Ends once the broker has confirmed it.")
      .def(
          "take",
          [](subscription& s, std::size_t max) {
            nb::list messages;
            for (auto& one : s.take(max)) messages.append(nb::cast(message(std::move(one))));
            return messages;
          },
          "max"_a, nb::sig("def take(self, max: int) -> list[Message]"),
          "Those that wait. None after stop: there will be no more.")
      .def("stop", &subscription::stop, "Takes nothing more from the bus.")
      .def("gone", &subscription::gone, "After stop: ends once nothing is left on the bus.");
}

}  // namespace oslo::messaging::python
