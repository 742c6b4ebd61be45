// The destinations that messages are on their way to, each with a window of its own.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "drivers/rabbit/pending_send.hpp"

namespace oslo::messaging::rabbit {

struct lane;

/// One exchange and routing key. What the broker does not confirm here costs others nothing: only
/// `window` sends of a route are ready or on the wire, the others are held back behind them.
struct route {
  /// Beyond about a thousand a larger window only adds latency.
  static constexpr std::size_t window = 2048;

  lane* through = nullptr;   ///< where it is published
  bool comes_back = false;   ///< to the main one, as soon as nothing of it is on the way apart
  std::size_t admitted = 0;  ///< ready, or on the wire
  std::size_t cost = 0;      ///< of its sends, also of those that are held back
  std::size_t count = 0;
  std::deque<send_ptr> held;
  std::uint64_t exchange_on = 0;  ///< the channel's life in which it was declared
  std::uint64_t queue_on = 0;
  std::uint64_t refused_on = 0;  ///< the channel's life that has only refused since `refused_from`
  pending_send::instant refused_from{};

  bool has_room() const noexcept { return admitted < window && !comes_back; }
  bool idle() const noexcept { return admitted == 0 && count == 0 && held.empty(); }
};

class route_table {
 public:
  /// The route of a destination; references stay valid until `drop_idle` finds it idle.
  route& at(const destination& to) {
    const auto it = routes_.find(key_view{to.to.name, to.routing_key});
    if (it != routes_.end()) return it->second;
    if (routes_.size() >= drop_above_) drop_idle();
    return routes_.try_emplace(key{to.to.name, to.routing_key}).first->second;
  }
  template <class Each>
  void for_each(Each&& each) {
    for (auto& [name, r] : routes_) each(r);
  }
  std::size_t size() const noexcept { return routes_.size(); }

 private:
  /// Reply queues come and go: beyond so many, routes without a message are forgotten.
  static constexpr std::size_t kept = 256;

  using key = std::pair<std::string, std::string>;
  using key_view = std::pair<std::string_view, std::string_view>;
  struct hash {
    using is_transparent = void;
    std::size_t operator()(const key_view& k) const noexcept {
      const std::hash<std::string_view> h;
      return h(k.second) * 31 + h(k.first);
    }
    std::size_t operator()(const key& k) const noexcept {
      return (*this)(key_view{k.first, k.second});
    }
  };
  struct equal {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const noexcept {
      return std::string_view(a.second) == b.second && std::string_view(a.first) == b.first;
    }
  };

  void drop_idle() {
    std::erase_if(routes_, [](const auto& r) { return r.second.idle(); });
    drop_above_ = std::max(kept, 2 * routes_.size());
  }

  std::unordered_map<key, route, hash, equal> routes_;
  std::size_t drop_above_ = kept;
};

}  // namespace oslo::messaging::rabbit
