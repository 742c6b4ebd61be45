// Handlers of notifications.
#pragma once

#include <map>
#include <oslo/messaging/notify/detail/handlers.hpp>
#include <oslo/messaging/notify/filter.hpp>
#include <oslo/messaging/notify/notification.hpp>
#include <oslo/messaging/notify/priority.hpp>
#include <type_traits>
#include <utility>

namespace oslo::messaging::notify {

/// Handlers by priority, and a filter for all of them (spec section 1.12). A listener subscribes to
/// the priorities that its endpoints have a handler for.
///
/// A handler is any callable whose parameters, in any order, are among: the payload (a described
/// struct, `value`, `raw_json`, …), `const context&`, `const notification&`. It returns nothing,
/// which means handled, or an `outcome`. What it throws is logged and counts as requeue. A payload
/// that cannot be read as the handler's type is logged and counts as handled: it would not become
/// readable by another delivery.
///
/// A handler of batches is called with a `std::span<const notification>` of one priority.
///
/// Bind before the listener starts. Thread safety: handlers are called from several threads at once
/// unless the executor has only one.
class endpoint {
 public:
  endpoint() = default;
  explicit endpoint(notify::filter wanted) : filter_(std::move(wanted)) {}
  virtual ~endpoint() = default;
  endpoint(const endpoint&) = delete;
  endpoint& operator=(const endpoint&) = delete;

  /// Each throws `configuration_error` when that priority has a handler already.
  template <class F>
  requires(!std::is_member_function_pointer_v<F>) void bind(priority p, F f) {
    add(p, detail::make_single(std::move(f)));
  }
  template <class Member>
  requires std::is_member_function_pointer_v<Member>
  void bind(priority p, Member m) { add(p, detail::make_single(member(m))); }
  template <class F>
  requires(!std::is_member_function_pointer_v<F>) void bind_batch(priority p, F f) {
    add(p, detail::make_batch(std::move(f)));
  }
  template <class Member>
  requires std::is_member_function_pointer_v<Member>
  void bind_batch(priority p, Member m) { add(p, detail::make_batch(member(m))); }

  const notify::filter& wanted() const noexcept { return filter_; }
  /// The handler, or null.
  const detail::single_handler* single(priority p) const noexcept;
  const detail::batch_handler* batch(priority p) const noexcept;

 private:
  template <class Member>
  auto member(Member m) {
    using C = typename detail::class_of<Member>::type;
    return detail::bound_member<C, Member>{m, static_cast<C*>(this)};
  }
  void add(priority p, detail::single_handler h);
  void add(priority p, detail::batch_handler h);

  notify::filter filter_;
  std::map<priority, detail::single_handler> singles_;
  std::map<priority, detail::batch_handler> batches_;
};

}  // namespace oslo::messaging::notify
