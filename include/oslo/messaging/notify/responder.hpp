// An outcome that a handler tells later.
#pragma once

#include <memory>
#include <oslo/messaging/detail/responding.hpp>
#include <oslo/messaging/notify/detail/invocation.hpp>
#include <oslo/messaging/notify/notification.hpp>
#include <utility>

#pragma GCC visibility push(default)

namespace oslo::messaging::notify {

/// Answers for one notification, or one batch, after its handler has returned: a parameter of a
/// deferred handler, `void on_info(const notification&, notify::responder)`.
///
/// Move-only. Exactly one answer: a second one throws `messaging_error` (`errc::invalid_argument`);
/// a responder destroyed without an answer counts as an exception ("The handler dropped the
/// notification without an answer."). What the handler throws before it returns counts if the
/// responder went down with it; else it is a line in the log. Until the answer the message counts
/// as running: `listener::wait` waits for it, it takes one place of
/// `listener_options::max_running`, and what the handler was given by reference stays valid.
///
/// Thread safety: one thread at a time, any thread; it may outlive listener and transport.
class responder : public messaging::detail::responding<detail::invocation> {
 public:
  /// For the library, which makes it.
  explicit responder(std::shared_ptr<detail::invocation> call) noexcept
      : responding(std::move(call)) {}

  /// The outcome, as if the handler had returned it.
  void answer(outcome what = outcome::handled) { take()->answer(what); }
  using responding::fail;
  using responding::pending;
};

}  // namespace oslo::messaging::notify

#pragma GCC visibility pop
