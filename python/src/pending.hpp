// The outcome of something that was begun on the loop.
#pragma once

#include <memory>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/function.hpp>
#include <stop_token>
#include <string>
#include <utility>

#include "waitable.hpp"

namespace oslo::messaging::python {

/// A text, or why there is none.
class pending final : public waitable, public std::enable_shared_from_this<pending> {
 public:
  using work = unique_function<void(std::shared_ptr<pending>)>;

  pending() = default;
  /// `w` begins it, once somebody waits.
  explicit pending(work w) : work_(std::move(w)) {}

  void start() override {
    work w;
    {
      const std::lock_guard lock(mutex_);
      w = std::exchange(work_, {});
    }
    if (w) w(shared_from_this());
  }
  /// The first one counts.
  void complete(result<std::string> r) {
    const std::lock_guard lock(mutex_);
    if (outcome_) return;
    outcome_.emplace(std::move(r));
    changed();
  }
  bool done() const {
    const std::lock_guard lock(mutex_);
    return outcome_.has_value();
  }
  /// Precondition: `done()`. The outcome does not change any more.
  const result<std::string>& outcome() const noexcept { return *outcome_; }

  /// Gives up: it completes with `errc::cancelled` soon, unless it completes otherwise.
  void cancel() noexcept { stop_.request_stop(); }
  std::stop_token token() const noexcept { return stop_.get_token(); }

 private:
  bool ready() const override { return outcome_.has_value(); }

  work work_;
  std::optional<result<std::string>> outcome_;
  std::stop_source stop_;
};

}  // namespace oslo::messaging::python
