// A callable that can be moved but not copied, with room for small captures.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace oslo::messaging {

template <class Signature>
class unique_function;

/// A move-only `std::function`: completions own move-only state (promises, handlers, buffers), and
/// C++20 has no `std::move_only_function`. Captures up to `inline_size` bytes cost no allocation.
///
/// Thread safety: distinct objects are safe; one object must be used by one thread at a time.
template <class R, class... Args>
class unique_function<R(Args...)> {
 public:
  static constexpr std::size_t inline_size = 6 * sizeof(void*);

  unique_function() noexcept = default;
  unique_function(std::nullptr_t) noexcept {}

  /// Takes ownership of `f`. Any callable with a matching signature will do.
  template <class F, class D = std::decay_t<F>>
  requires(!std::is_same_v<D, unique_function> && std::is_invocable_r_v<R, D&, Args...>)
      unique_function(F&& f) {
    if constexpr (fits<D>) {
      ::new (static_cast<void*>(storage_)) D(std::forward<F>(f));
      table_ = &inline_table<D>;
    } else {
      ::new (static_cast<void*>(storage_)) D*(new D(std::forward<F>(f)));
      table_ = &heap_table<D>;
    }
  }

  unique_function(unique_function&& other) noexcept { take(other); }
  unique_function& operator=(unique_function&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  unique_function& operator=(std::nullptr_t) noexcept {
    reset();
    return *this;
  }
  unique_function(const unique_function&) = delete;
  unique_function& operator=(const unique_function&) = delete;
  ~unique_function() { reset(); }

  explicit operator bool() const noexcept { return table_ != nullptr; }

  /// Calls the target. Precondition: not empty.
  R operator()(Args... args) { return table_->invoke(storage_, std::forward<Args>(args)...); }

 private:
  struct table {
    R (*invoke)(void*, Args&&...);
    void (*move)(void* from, void* to) noexcept;
    void (*destroy)(void*) noexcept;
  };

  template <class D>
  static constexpr bool fits =
      sizeof(D) <= inline_size &&
      alignof(D) <= alignof(std::max_align_t) && std::is_nothrow_move_constructible_v<D>;

  template <class D>
  static constexpr table inline_table{
      [](void* p, Args&&... args) -> R {
        return static_cast<R>((*static_cast<D*>(p))(std::forward<Args>(args)...));
      },
      [](void* from, void* to) noexcept {
        ::new (to) D(std::move(*static_cast<D*>(from)));
        static_cast<D*>(from)->~D();
      },
      [](void* p) noexcept { static_cast<D*>(p)->~D(); }};

  template <class D>
  static constexpr table heap_table{
      [](void* p, Args&&... args) -> R {
        return static_cast<R>((**static_cast<D**>(p))(std::forward<Args>(args)...));
      },
      [](void* from, void* to) noexcept { ::new (to) D*(*static_cast<D**>(from)); },
      [](void* p) noexcept { delete *static_cast<D**>(p); }};

  void take(unique_function& other) noexcept {
    if (other.table_ != nullptr) {
      other.table_->move(other.storage_, storage_);
      table_ = std::exchange(other.table_, nullptr);
    }
  }
  void reset() noexcept {
    if (table_ != nullptr) std::exchange(table_, nullptr)->destroy(storage_);
  }

  alignas(std::max_align_t) unsigned char storage_[inline_size];
  const table* table_ = nullptr;
};

}  // namespace oslo::messaging

#pragma GCC visibility pop
