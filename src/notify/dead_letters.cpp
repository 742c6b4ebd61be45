#include "notify/dead_letters.hpp"

#include <functional>
#include <oslo/messaging/json.hpp>
#include <oslo/messaging/notify/notification.hpp>
#include <string>

#include "core/utf8.hpp"

namespace oslo::messaging::notify {
namespace {

/// Headers have to fit into one frame of AMQP, which may be as small as 4 kB.
constexpr std::size_t longest_error = 1'000;

std::uint64_t hash_of(const incoming_message& m) {
  const std::hash<std::string_view> hash;
  std::uint64_t out = 0;
  for (const auto& f : m.fields()) {
    out = out * 0x9e3779b97f4a7c15u + hash(f.key);
    out = out * 0x9e3779b97f4a7c15u + hash(f.json);
  }
  return out;
}

}  // namespace

std::size_t requeue_counter::add(const incoming_message& m) {
  const auto key = hash_of(m);
  const std::lock_guard lock(mutex_);
  const auto [at, is_new] = counts_.try_emplace(key);
  if (is_new) {
    at->second.age = next_age_;
    order_.emplace_back(key, next_age_++);
  }
  const std::size_t count = ++at->second.count;
  const auto is_counted = [this](const auto& entry) {
    const auto found = counts_.find(entry.first);
    return found != counts_.end() && found->second.age == entry.second;
  };
  while (counts_.size() > most_) {
    if (is_counted(order_.front())) counts_.erase(order_.front().first);
    order_.pop_front();
  }
  // Those that were forgotten leave now and then.
  if (order_.size() > 2 * most_)
    std::erase_if(order_, [&](const auto& entry) { return !is_counted(entry); });
  return count;
}

void requeue_counter::forget(const incoming_message& m) {
  const std::lock_guard lock(mutex_);
  if (counts_.empty()) return;
  counts_.erase(hash_of(m));
  if (counts_.empty()) order_.clear();
}

outgoing_message dead_letter_of(const incoming_message& m, std::size_t requeues,
                                std::string_view error) {
  outgoing_message out;
  out.body = "{";
  for (const auto& f : m.fields()) {
    if (out.body.size() > 1) out.body += ", ";
    write_json(out.body, f.key);
    out.body += ": ";
    out.body += f.json;
  }
  out.body += '}';
  out.ctxt = m.ctxt();
  std::string text = to_valid_utf8(error.substr(0, longest_error));
  if (text.empty()) text = "unknown";
  out.headers = {{std::string(dead_letter_error), std::move(text)},
                 {std::string(dead_letter_requeues), std::to_string(requeues)}};
  return out;
}

}  // namespace oslo::messaging::notify
