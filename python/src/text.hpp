// Text of the library as str.
#pragma once

#include <nanobind/nanobind.h>

#include <string_view>

namespace oslo::messaging::python {

/// Lone surrogates, which UTF-8 does not know, pass.
inline nanobind::str to_str(std::string_view utf8) {
  auto* const s =
      PyUnicode_DecodeUTF8(utf8.data(), static_cast<Py_ssize_t>(utf8.size()), "surrogatepass");
  if (s == nullptr) throw nanobind::python_error();
  return nanobind::steal<nanobind::str>(s);
}

}  // namespace oslo::messaging::python
