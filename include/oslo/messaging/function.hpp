// A callable that can be moved but not copied, with room for small captures.
#pragma once

#include <concepts>
#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace oslo::messaging {

template <class Signature>
class unique_function;

namespace detail {

template <class F>
inline constexpr bool is_unique_function = false;
template <class S>
inline constexpr bool is_unique_function<unique_function<S>> = true;

template <class F>
concept equals_null = requires(const F& f) {
  { f == nullptr } -> std::convertible_to<bool>;
};
template <class F>
concept becomes_pointer = requires(const F& f) {
  +f;
};
/// Function pointers, `std::function` and its like; not lambdas, whatever they convert to.
template <class F>
concept nullable_function = std::is_pointer_v<F> || std::is_member_pointer_v<F> ||
    is_unique_function<F> ||
    (std::is_class_v<F>&& std::is_constructible_v<bool, const F&>&& equals_null<F> &&
     !becomes_pointer<F>);

/// True for what can be called by its type, but holds no function.
template <class F>
constexpr bool is_null_function(const F& f) {
  if constexpr (nullable_function<F>)
    return !f;
  else
    return false;
}

[[noreturn]] void null_function_called();

}  // namespace detail

/// A move-only `std::function`: completions own move-only state (promises, handlers, buffers), and
/// C++20 has no `std::move_only_function`. Captures up to `inline_size` bytes cost no allocation.
/// Made from a null pointer or an empty `std::function` it is empty, too.
///
/// Thread safety: distinct objects are safe; one object must be used by one thread at a time.
template <class R, class... Args>
class unique_function<R(Args...)> {
 public:
  /// Bytes of captures that need no allocation.
  static constexpr std::size_t inline_size = 6 * sizeof(void*);

  unique_function() noexcept = default;
  /// Empty.
  unique_function(std::nullptr_t) noexcept {}

  /// Takes ownership of `f`. Any callable with a matching signature will do.
  template <class F, class D = std::decay_t<F>>
  requires(!std::is_same_v<D, unique_function> && std::is_invocable_r_v<R, D&, Args...>)
      unique_function(F&& f) {
    if constexpr (detail::nullable_function<std::remove_cvref_t<F>>)
      if (detail::is_null_function(f)) return;
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

  /// True when it can be called.
  explicit operator bool() const noexcept { return table_ != nullptr; }

  /// Calls the target. Throws `std::bad_function_call` when it is empty.
  R operator()(Args... args) {
    if (table_ == nullptr) detail::null_function_called();
    return table_->invoke(storage_, std::forward<Args>(args)...);
  }

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
