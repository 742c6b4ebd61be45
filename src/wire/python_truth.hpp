// Which JSON values count as true where Python's library asks `if value`.
#pragma once

#include <oslo/messaging/json.hpp>
#include <string_view>

namespace oslo::messaging::wire {

/// Reads the value.
inline bool is_true(json_reader& r) {
  using kind = json_reader::kind;
  switch (r.peek()) {
    case kind::boolean: return r.read_bool();
    case kind::number: return r.read_double() != 0;
    case kind::string: return r.skip_value().size() > 2;
    case kind::array:
    case kind::object: {
      std::string_view text = r.skip_value();
      text.remove_prefix(1);
      text.remove_suffix(1);
      return text.find_first_not_of(" \t\r\n") != text.npos;
    }
    default: r.skip_value(); return false;
  }
}

}  // namespace oslo::messaging::wire
