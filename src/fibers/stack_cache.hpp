// Stacks for fibers, used again.
#pragma once

#include <boost/context/stack_context.hpp>
#include <cstddef>
#include <memory>
#include <vector>

namespace oslo::messaging::fibers {

/// Maps stacks with a guard page below each, and keeps a few of those given back: mapping one costs
/// more than a short handler.
///
/// Thread safety: one thread.
class stack_cache {
 public:
  explicit stack_cache(std::size_t bytes);
  ~stack_cache();
  stack_cache(const stack_cache&) = delete;
  stack_cache& operator=(const stack_cache&) = delete;

  /// Throws std::bad_alloc.
  boost::context::stack_context take();
  void give_back(const boost::context::stack_context& stack) noexcept;

 private:
  void unmap(const boost::context::stack_context& stack) const noexcept;

  const std::size_t page_;
  const std::size_t bytes_;  // without the guard page
  std::vector<boost::context::stack_context> kept_;
};

/// What Boost calls a stack allocator, for one fiber. The stack is taken when this is made, so that
/// to start the fiber cannot fail any more. Each fiber holds one: the cache outlives them all.
class stack_allocator {
 public:
  /// Throws std::bad_alloc.
  explicit stack_allocator(std::shared_ptr<stack_cache> cache)
      : cache_(std::move(cache)), stack_(cache_->take()) {}
  boost::context::stack_context allocate() const noexcept { return stack_; }
  void deallocate(boost::context::stack_context& stack) noexcept { cache_->give_back(stack); }

 private:
  std::shared_ptr<stack_cache> cache_;
  boost::context::stack_context stack_;
};

}  // namespace oslo::messaging::fibers
