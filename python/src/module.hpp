// The parts of the module.
#pragma once

#include <nanobind/nanobind.h>

namespace oslo::messaging::python {

void add_waiting(nanobind::module_& m);
void add_errors(nanobind::module_& m);
void add_options(nanobind::module_& m);
void add_messages(nanobind::module_& m);
void add_bus(nanobind::module_& m);

}  // namespace oslo::messaging::python
