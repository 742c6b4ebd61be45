#include "wire/relayed.hpp"

#include <oslo/messaging/json.hpp>
#include <utility>

namespace oslo::messaging::wire {
namespace {

bool is_own(std::string_view key) noexcept {
  return key == "_msg_id" || key == "_reply_q" || key == "_timeout" || key == "_unique_id";
}

/// `take(key, json)` for each key of the object, as often as it stands there.
template <class Take>
void for_each_key(std::string_view inner, Take take) {
  json_reader r(inner);
  std::string_view key;
  std::string scratch;
  r.begin_object();
  while (r.next_key(key, scratch)) take(key, r.skip_value());
  r.finish();
}

struct findings {
  bool own_keys = false;
  bool version = false;
  bool message = false;
};

findings look_at(std::string_view inner) {
  findings found;
  try {
    for_each_key(inner, [&](std::string_view key, std::string_view) {
      found.own_keys = found.own_keys || is_own(key);
      found.version = found.version || key == "oslo.version";
      found.message = found.message || key == "oslo.message";
    });
  } catch (const messaging_error& e) {
    throw_failure({errc::serialization_failed,
                   std::string("The message to be sent is not a JSON object: ") + e.what()});
  }
  return found;
}

void rewrite(std::string& inner) {
  std::string kept = "{";
  kept.reserve(inner.size());
  for_each_key(inner, [&](std::string_view key, std::string_view json) {
    if (is_own(key)) return;
    if (kept.size() > 1) kept += ", ";
    write_json(kept, key);
    kept += ": ";
    kept += json;
  });
  kept += '}';
  inner = std::move(kept);
}

}  // namespace

void remove_own_keys(std::string& inner) {
  if (look_at(inner).own_keys) rewrite(inner);
}

void remove_own_keys(std::string& inner, notification_format f) {
  const auto found = look_at(inner);
  // Its readers would go by the keys alone (docs/wire/envelope.md, ENV-4).
  if (f == notification_format::bare && found.version && found.message)
    throw_failure({errc::serialization_failed,
                   "A bare notification cannot have both keys of an envelope, oslo.version and "
                   "oslo.message"});
  if (found.own_keys) rewrite(inner);
}

}  // namespace oslo::messaging::wire
