// _core: what Python waits for, and the end of the interpreter.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/vector.h>

#include "announcer.hpp"
#include "exit_gate.hpp"
#include "log_queue.hpp"
#include "module.hpp"
#include "text.hpp"
#include "waiting.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace oslo::messaging::python {

// Both are shared with the loop. Made like this, their last copy may be dropped there: it does not
// belong to Python.
void add_waiting(nb::module_& m) {
  nb::class_<announcer>(m, "Announcer", "Tells an event loop what is ready, through a descriptor.")
      .def(nb::new_([] { return std::make_shared<announcer>(); }))
      .def_prop_ro("descriptor", &announcer::descriptor, "Readable while something is ready.")
      .def("take", &announcer::take, "The numbers that were announced since the last time.");

  nb::class_<waitable>(m, "Waitable", "Something to wait for, on any thread.")
      .def("wait", &wait, "seconds"_a.none() = nb::none(),
           "Blocks this thread while others run. False: the time came first.")
      .def("watch", &waitable::watch, "announcer"_a, "number"_a,
           "The number is announced once it is ready. False: it is ready already.")
      .def("unwatch", &waitable::unwatch, "Ends the watch.");

  nb::class_<log_queue, waitable>(m, "LogQueue", "Lines of the library's log.")
      .def(nb::new_([] { return std::make_shared<log_queue>(); }))
      .def(
          "take",
          [](log_queue& q) {
            nb::list lines;
            for (const auto& [level, text] : q.take())
              lines.append(nb::make_tuple(static_cast<int>(level), to_str(text)));
            return lines;
          },
          nb::sig("def take(self) -> list[tuple[int, str]]"), "Level and text of what waits.")
      .def_prop_ro("closed", &log_queue::closed)
      .def("close", &log_queue::close, "Ends all waiting.");

  m.def("close_exit_gate", &close_exit_gate,
        "Threads that wait in C++ do not come back any more. For atexit.");
}

}  // namespace oslo::messaging::python
