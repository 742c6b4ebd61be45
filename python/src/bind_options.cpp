// _core: the options that the library knows.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <oslo/messaging/config.hpp>

#include "bus.hpp"
#include "module.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace oslo::messaging::python {

void add_options(nb::module_& m) {
  nb::enum_<option_type>(m, "OptionType")
      .value("string", option_type::string)
      .value("boolean", option_type::boolean)
      .value("integer", option_type::integer)
      .value("floating", option_type::floating)
      .value("list", option_type::list)
      .value("multi_string", option_type::multi_string)
      .value("dict", option_type::dict);

  nb::class_<option>(m, "Option", "One option of a group.")
      .def_ro("name", &option::name)
      .def_ro("type", &option::type)
      .def_prop_ro(
          "default",
          [](const option& o) {
            return o.has_default ? std::optional(o.default_value) : std::nullopt;
          },
          "Its text; None: not set.")
      .def_ro("help", &option::help)
      .def_ro("secret", &option::secret)
      .def_ro("min", &option::min)
      .def_ro("max", &option::max)
      .def_ro("choices", &option::choices)
      .def_prop_ro(
          "has_effect", [](const option& o) { return o.effect == option_effect::works; },
          "False: accepted, and without any effect.")
      .def_ro("former_names", &option::deprecated, "name or group/name");

  m.def(
      "option_groups",
      [] {
        nb::dict groups;
        for (const auto& g : option_groups()) {
          nb::list options;
          for (const auto& o : g.options) options.append(nb::cast(&o, nb::rv_policy::reference));
          groups[nb::cast(g.name)] = options;
        }
        return groups;
      },
      nb::sig("def option_groups() -> dict[str, list[Option]]"),
      "Every group that the library reads.");
  m.def("check_settings", &check_settings, "settings"_a,
        "Raises RuntimeError for a value that the library refuses: (group, name, text).");
}

}  // namespace oslo::messaging::python
