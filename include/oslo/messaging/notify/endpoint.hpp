// Handlers of notifications.
#pragma once

#include <map>
#include <memory>
#include <oslo/messaging/notify/detail/handlers.hpp>
#include <oslo/messaging/notify/filter.hpp>
#include <oslo/messaging/notify/notification.hpp>
#include <oslo/messaging/notify/priority.hpp>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace oslo::messaging::notify {

/// Handlers by priority, and a filter for all of them (docs/notifications-listening.md). A listener
/// subscribes to the priorities that its endpoints have a handler for.
///
/// A handler is any callable whose parameters, in any order, are among: the payload (a described
/// struct, `value`, `raw_json`, …), `const context&`, `const notification&`. It returns nothing,
/// which means handled, or an `outcome`. What it throws is logged and counts as requeue, as with
/// oslo. A payload that cannot be read as the handler's type, by `notification::payload` in the
/// handler, or by the listener's serializer, is logged and counts as handled, whatever codec or
/// serializer have thrown: it would not become readable by another delivery.
///
/// A handler of batches is called with the notifications of one priority, as a
/// `std::span<const notification>` or a `std::span<const typed_notification<P>>`. The latter leaves
/// out, as handled and with a line in the log, those whose payload is no `P`. When it throws, the
/// batch counts as requeue, but for those that `notification::payload` could not read.
///
/// Either kind may be a coroutine, which returns `asio::awaitable<void>` or
/// `asio::awaitable<outcome>`, or deferred: it takes a `notify::responder` and returns nothing. No
/// thread is held while their outcome is awaited. What they get by reference stays valid until
/// then.
///
/// Bind before the listener starts. Thread safety: handlers are called from several threads at once
/// unless the executor has only one.
class endpoint {
 public:
  endpoint() = default;
  /// Gets only notifications that match.
  explicit endpoint(notify::filter wanted) : filter_(std::move(wanted)) {}
  virtual ~endpoint() = default;
  endpoint(const endpoint&) = delete;
  endpoint& operator=(const endpoint&) = delete;

  /// Each throws `configuration_error` when that priority has a handler already, or this one is a
  /// null pointer or an empty `std::function`.
  template <class F>
  requires(!std::is_member_function_pointer_v<F>) void bind(priority p, F f) {
    add(singles_, p, detail::make_single(std::move(f)));
  }
  template <class Member>
  requires std::is_member_function_pointer_v<Member>
  void bind(priority p, Member m) { add(singles_, p, detail::make_single(member(m))); }
  /// Likewise for whole batches.
  template <class F>
  requires(!std::is_member_function_pointer_v<F>) void bind_batch(priority p, F f) {
    add(batches_, p, detail::make_batch(std::move(f)));
  }
  template <class Member>
  requires std::is_member_function_pointer_v<Member>
  void bind_batch(priority p, Member m) { add(batches_, p, detail::make_batch(member(m))); }

  /// What it was made with.
  const notify::filter& wanted() const noexcept { return filter_; }
  /// The handler, or null.
  const detail::handler* single(priority p) const noexcept;
  /// The handler of batches, or null.
  const detail::handler* batch(priority p) const noexcept;

 private:
  template <class Member>
  auto member(Member m) {
    using C = typename detail::class_of<Member>::type;
    return detail::bound_member<C, Member>{m, static_cast<C*>(this)};
  }
  using handlers = std::map<priority, std::unique_ptr<const detail::handler>>;
  static void add(handlers& all, priority p, std::unique_ptr<const detail::handler> h);

  notify::filter filter_;
  handlers singles_;
  handlers batches_;
};

}  // namespace oslo::messaging::notify

#pragma GCC visibility pop
