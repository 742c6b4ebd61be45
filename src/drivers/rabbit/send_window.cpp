#include "drivers/rabbit/send_window.hpp"

#include <algorithm>

namespace oslo::messaging::rabbit {

pending_send* send_window::find_returned(std::uint64_t from, std::uint64_t to,
                                         std::string_view exchange, std::string_view routing_key,
                                         std::string_view body) {
  for (auto at = from; at < to; ++at) {
    const auto* s = entries_[at - first_].send.get();
    if (s == nullptr || !s->mandatory || s->returned || s->body.size() != body.size()) continue;
    if (s->to.routing_key != routing_key || s->to.to.name != exchange || s->body != body) continue;
    return_from_ = at + 1;
    return entries_[at - first_].send.get();
  }
  return nullptr;
}

pending_send* send_window::match_return(std::string_view exchange, std::string_view routing_key,
                                        std::string_view body) {
  const auto end = first_ + entries_.size();
  const auto middle = std::clamp(return_from_, first_, end);
  if (auto* s = find_returned(middle, end, exchange, routing_key, body)) return s;
  return find_returned(first_, middle, exchange, routing_key, body);
}

std::deque<send_ptr> send_window::take_all() {
  std::deque<send_ptr> all;
  for (auto& e : entries_)
    if (e.send) all.push_back(std::move(e.send));
  first_ += entries_.size();
  entries_.clear();
  size_ = awaited_ = 0;
  return all;
}

}  // namespace oslo::messaging::rabbit
