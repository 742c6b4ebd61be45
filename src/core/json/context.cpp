#include <oslo/messaging/context.hpp>
#include <oslo/messaging/json.hpp>

namespace oslo::messaging {

void context::set(std::string_view key, value v) {
  entries_.insert_or_assign({key.data(), key.size()}, std::move(v));
  if (const auto it = exact_.find(key); it != exact_.end()) exact_.erase(it);
}

void context::set(std::string_view key, const raw_json& text) {
  json_reader r(text.text);
  auto digits = json_reader::digits::kept;
  value v = r.read_value(digits);
  r.finish();
  std::string as_value;
  if (digits == json_reader::digits::lost) as_value = to_json(v);
  set(key, std::move(v));
  if (digits == json_reader::digits::lost)
    exact_.insert_or_assign(std::string(key), exact{text.text, std::move(as_value)});
}

const std::string* context::exact_text(std::string_view key) const {
  const auto it = exact_.find(key);
  if (it == exact_.end()) return nullptr;
  const auto* const now = find(key);
  return now != nullptr && to_json(*now) == it->second.as_value ? &it->second.text : nullptr;
}

void write_json(std::string& out, const context& c) {
  out += '{';
  bool first = true;
  for (const auto& entry : c.entries()) {
    if (!first) out += ", ";
    first = false;
    const std::string_view key(entry.key().data(), entry.key().size());
    write_json(out, key);
    out += ": ";
    if (const auto* const text = c.exact_text(key))
      out += *text;
    else
      write_json(out, entry.value());
  }
  out += '}';
}

}  // namespace oslo::messaging
