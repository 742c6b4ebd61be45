// What the responders of requests and of notifications have in common. Not part of the API.
#pragma once

#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace oslo::messaging::detail {

/// Throws `messaging_error` (`errc::invalid_argument`).
[[noreturn]] void throw_answered_twice();

/// Ends an `Invocation` once: by what its owner takes it for, by `fail`, or as abandoned.
///
/// Move-only. Thread safety: one thread at a time, any thread.
template <class Invocation>
class responding {
 public:
  responding(responding&&) noexcept = default;
  responding& operator=(responding&& other) noexcept {
    if (this != &other) {
      abandon();
      call_ = std::move(other.call_);
    }
    return *this;
  }

  /// As if the handler had thrown it.
  void fail(std::exception_ptr error) { take()->fail(std::move(error)); }
  /// Likewise.
  template <class E>
  requires std::is_base_of_v<std::exception, std::decay_t<E>>
  void fail(E&& error) { fail(std::make_exception_ptr(std::forward<E>(error))); }
  /// True until it has ended.
  bool pending() const noexcept { return call_ != nullptr; }

 protected:
  explicit responding(std::shared_ptr<Invocation> call) noexcept : call_(std::move(call)) {}
  ~responding() { abandon(); }

  /// Throws `messaging_error` when there is none any more.
  std::shared_ptr<Invocation> take() {
    if (!call_) throw_answered_twice();
    return std::exchange(call_, nullptr);
  }
  /// Ends it by `how`, unless that throws.
  template <class F>
  void end(F how) {
    auto call = take();
    try {
      how(*call);
    } catch (...) {
      call_ = std::move(call);
      throw;
    }
  }

 private:
  void abandon() noexcept {
    if (call_) std::exchange(call_, nullptr)->abandon();
  }
  std::shared_ptr<Invocation> call_;
};

}  // namespace oslo::messaging::detail

#pragma GCC visibility pop
