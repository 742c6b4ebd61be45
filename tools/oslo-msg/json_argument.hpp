// JSON on the command line, and JSON as one line of output.
#pragma once

#include <oslo/messaging/context.hpp>
#include <string>
#include <string_view>

namespace oslo::messaging::cli {

/// Checks that `text` is one JSON object and returns it, untouched: integers of any length and NaN
/// survive. "-" stands for all of standard input, "@FILE" for a file. Throws `usage_error` with
/// line, column and what was expected; `what` names the argument.
std::string read_json_object(std::string_view what, const std::string& text);

/// The same for any JSON value.
std::string read_json(std::string_view what, const std::string& text);

/// An object as a context.
context read_context(const std::string& text);

/// JSON text without line breaks. They stand only between tokens, so none is lost.
std::string one_line(std::string json);

}  // namespace oslo::messaging::cli
