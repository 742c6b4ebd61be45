#include "notify/handler_table.hpp"

#include <algorithm>
#include <oslo/messaging/json.hpp>
#include <string>
#include <utility>

namespace oslo::messaging::notify {

std::optional<std::string> text_of(const incoming_message& m, std::string_view key) {
  const auto json = m.field(key);
  json_reader in(json);
  if (json.empty() || in.peek() != json_reader::kind::string) return std::nullopt;
  std::string out;
  in.read_string(out);
  return out;
}

handler_table::handler_table(endpoints all, std::shared_ptr<const serializer> s, logger log,
                             bool batches)
    : endpoints_(std::move(all)),
      serializer_(std::move(s)),
      log_(std::move(log)),
      batches_(batches) {
  std::erase(endpoints_, nullptr);
}

std::vector<priority> handler_table::priorities() const {
  std::vector<priority> out;
  for (const priority p : all_priorities)
    if (std::any_of(endpoints_.begin(), endpoints_.end(),
                    [&](const auto& e) { return handler(*e, p) != nullptr; }))
      out.push_back(p);
  return out;
}

std::optional<notification> handler_table::read(const incoming_message& m) const {
  const auto name = text_of(m, "priority");
  const auto p = parse_priority(name.value_or(""));
  if (!p) {
    std::string shown = name.value_or("");
    if (shown.size() > 100) shown = shown.substr(0, 100) + "...";
    log_(log_level::warning, "Unknown priority \"" + shown + "\"");
    return std::nullopt;
  }
  notification n;
  n.priority = *p;
  n.ctxt = serializer_ ? serializer_->deserialize_context(m.ctxt()) : m.ctxt();
  n.publisher_id = text_of(m, "publisher_id");
  n.event_type = text_of(m, "event_type");
  n.message_id = text_of(m, "message_id");
  n.timestamp = text_of(m, "timestamp");
  for (const auto& h : m.headers()) n.headers.insert_or_assign(h.name, h.value);
  if (const auto payload = m.field("payload"); !payload.empty()) n.payload_json = payload;
  if (serializer_)
    n.payload_json = to_json(serializer_->deserialize_entity(n.ctxt, parse_json(n.payload_json)));
  return n;
}

}  // namespace oslo::messaging::notify
