#include "notify/dispatcher.hpp"

#include <algorithm>
#include <oslo/messaging/json.hpp>
#include <string>
#include <utility>

namespace oslo::messaging::notify {
namespace {

/// The text of a field, or none when it is missing or something else.
std::optional<std::string> text_of(const incoming_message& m, std::string_view key) {
  const auto json = m.field(key);
  json_reader in(json);
  if (json.empty() || in.peek() != json_reader::kind::string) return std::nullopt;
  std::string out;
  in.read_string(out);
  return out;
}

}  // namespace

dispatcher::dispatcher(endpoints all, std::shared_ptr<const serializer> s, logger log, bool batches)
    : endpoints_(std::move(all)),
      serializer_(std::move(s)),
      log_(std::move(log)),
      batches_(batches) {
  std::erase(endpoints_, nullptr);
}

std::vector<priority> dispatcher::priorities() const {
  std::vector<priority> out;
  for (const priority p : all_priorities)
    if (std::any_of(endpoints_.begin(), endpoints_.end(), [&](const auto& e) {
          return batches_ ? e->batch(p) != nullptr : e->single(p) != nullptr;
        }))
      out.push_back(p);
  return out;
}

std::optional<notification> dispatcher::read(const incoming_message& m) const {
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
  if (const auto payload = m.field("payload"); !payload.empty()) n.payload_json = payload;
  if (serializer_)
    n.payload_json = to_json(serializer_->deserialize_entity(n.ctxt, parse_json(n.payload_json)));
  return n;
}

template <class Call>
outcome dispatcher::guarded(Call&& call) const {
  try {
    return call();
  } catch (const detail::wrong_payload& e) {
    log_(
        log_level::error,
        std::string("A notification was dropped, because its handler cannot read it: ") + e.what());
    return outcome::handled;
  } catch (const std::exception& e) {
    log_(log_level::error, std::string("Exception during message handling: ") + e.what());
  } catch (...) {
    log_(log_level::error, "Exception during message handling: not a std::exception");
  }
  return outcome::requeue;
}

outcome dispatcher::dispatch(const incoming_message& m) const {
  return guarded([&] {
    const auto n = read(m);
    if (!n) return outcome::handled;
    for (const auto& e : endpoints_) {
      const auto* handler = e->single(n->priority);
      if (handler == nullptr || !e->wanted().matches(*n)) continue;
      if (guarded([&] { return (*handler)(*n); }) == outcome::requeue) return outcome::requeue;
    }
    return outcome::handled;
  });
}

std::vector<outcome> dispatcher::dispatch(const incoming_batch& batch) const {
  std::vector<outcome> out(batch.size(), outcome::handled);
  struct group {
    std::vector<notification> read;
    std::vector<std::size_t> from;  ///< where in the batch
  };
  std::map<priority, group> groups;
  for (std::size_t i = 0; i < batch.size(); ++i)
    out[i] = guarded([&] {
      if (auto n = read(*batch[i])) {
        auto& g = groups[n->priority];
        g.read.push_back(*std::move(n));
        g.from.push_back(i);
      }
      return outcome::handled;
    });
  for (const auto& [p, g] : groups) {
    for (const auto& e : endpoints_) {
      const auto* handler = e->batch(p);
      if (handler == nullptr) continue;
      const auto answer = guarded([&] {
        std::vector<notification> wanted;
        std::copy_if(g.read.begin(), g.read.end(), std::back_inserter(wanted),
                     [&](const auto& n) { return e->wanted().matches(n); });
        return wanted.empty() ? outcome::handled : (*handler)(wanted);
      });
      if (answer == outcome::handled) continue;
      for (const auto i : g.from) out[i] = outcome::requeue;
      break;
    }
  }
  return out;
}

}  // namespace oslo::messaging::notify
