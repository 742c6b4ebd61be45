// What the handles of the API hold: something shared, until they are moved from. Not part of the
// API.
#pragma once

#include <memory>
#include <oslo/messaging/error.hpp>
#include <utility>

#pragma GCC visibility push(default)

namespace oslo::messaging::detail {

/// What there is to say of a handle that was moved from: `errc::invalid_argument`. `what`:
/// "client".
failure moved_from(const char* what);
/// Throws that as `messaging_error`.
[[noreturn]] void throw_moved_from(const char* what);

/// A `shared_ptr` that throws (`throw_moved_from`) where it would lead nowhere. `T::handle_name`
/// says what it is of.
template <class T>
class handle {
 public:
  handle() noexcept = default;
  handle(std::shared_ptr<T> held) noexcept  // NOLINT(google-explicit-constructor): made from one
      : held_(std::move(held)) {}

  const std::shared_ptr<T>& shared() const {
    if (!held_) throw_moved_from(T::handle_name);
    return held_;
  }
  T& operator*() const { return *shared(); }
  T* operator->() const { return shared().get(); }
  /// False when it was moved from.
  explicit operator bool() const noexcept { return held_ != nullptr; }
  /// Moves from it; null when that has been done before.
  std::shared_ptr<T> take() noexcept { return std::exchange(held_, nullptr); }

 private:
  std::shared_ptr<T> held_;
};

}  // namespace oslo::messaging::detail

#pragma GCC visibility pop
