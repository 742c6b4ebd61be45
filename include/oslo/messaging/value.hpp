// Dynamic JSON values, for peers whose types are not known at compile time.
#pragma once

#include <boost/json/value.hpp>
#include <string>

#pragma GCC visibility push(default)

namespace oslo::messaging {

/// A JSON value. Strings are UTF-8; a lone surrogate from a Python peer is kept as its three-byte
/// form and written back as `\udXXX`. NaN and infinities are doubles. Integers beyond 64 bits
/// become the nearest double; take a `raw_json` where every digit counts. (A `context` keeps them.)
using value = boost::json::value;
using object = boost::json::object;  ///< keeps the order of its keys
using array = boost::json::array;    ///< of any values

/// JSON text that is passed through without being parsed. Must hold exactly one JSON value.
struct raw_json {
  std::string text;  ///< checked when it is sent
  bool operator==(const raw_json&) const = default;
};

}  // namespace oslo::messaging

#pragma GCC visibility pop
