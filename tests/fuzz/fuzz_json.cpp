// JSON text: skipping, pulling and building a tree agree on what is well formed; what was read is
// written such that it is read the same again.
#include <optional>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/json.hpp>
#include <string>

#include "fuzz/fuzz.hpp"

namespace {

using namespace oslo::messaging;
using kind = json_reader::kind;

void pull(json_reader& r) {
  std::string text;
  std::string_view view;
  switch (r.peek()) {
    case kind::null: r.read_null(); break;
    case kind::boolean: r.read_bool(); break;
    case kind::number: r.read_double(); break;
    case kind::string: r.read_string(text); break;
    case kind::array:
      r.begin_array();
      while (r.next_element()) pull(r);
      break;
    case kind::object:
      r.begin_object();
      while (r.next_key(view, text)) pull(r);
      break;
    case kind::end: r.skip_value();  // throws
  }
}

template <class Read>
std::optional<std::string> error_of(std::string_view text, Read read) {
  try {
    json_reader r(text);
    read(r);
    r.finish();
    return {};
  } catch (const messaging_error& e) {
    fuzz::require(e.failure().code() == errc::malformed_message, "a refusal is malformed_message");
    return e.failure().message();
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = fuzz::text(data, size);
  value tree;
  const auto by_tree = error_of(input, [&](json_reader& r) { tree = r.read_value(); });
  const auto by_skip = error_of(input, [](json_reader& r) { r.skip_value(); });
  const auto by_pull = error_of(input, [](json_reader& r) { pull(r); });
  fuzz::require(by_tree == by_skip, "skipping and reading agree");
  fuzz::require(by_tree.has_value() == by_pull.has_value(), "pulling and reading agree");
  if (by_tree) return 0;
  // Texts and not values are compared: a NaN is not equal to itself.
  const std::string text = to_json(tree);
  for (const char c : text) fuzz::require(c >= ' ' && c <= '~', "written text is ASCII");
  fuzz::require(to_json(parse_json(text)) == text, "reading and writing is stable");
  return 0;
}
