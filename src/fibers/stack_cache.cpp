#include "fibers/stack_cache.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <limits>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace oslo::messaging::fibers {
namespace {

constexpr std::size_t kept_at_most = 64;

std::size_t rounded_up(std::size_t bytes, std::size_t page) {
  if (bytes > std::numeric_limits<std::ptrdiff_t>::max() - 2 * page) return bytes / page * page;
  return (bytes + page - 1) / page * page;
}

/// A fiber ends without returning from its frames: the address sanitizer would still watch them.
void forget_frames([[maybe_unused]] const boost::context::stack_context& stack) {
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(static_cast<char*>(stack.sp) - stack.size, stack.size);
#endif
}

}  // namespace

stack_cache::stack_cache(std::size_t bytes)
    : page_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))), bytes_(rounded_up(bytes, page_)) {
  kept_.reserve(kept_at_most);
}

stack_cache::~stack_cache() {
  for (const auto& stack : kept_) unmap(stack);
}

boost::context::stack_context stack_cache::take() {
  if (!kept_.empty()) {
    const auto stack = kept_.back();
    kept_.pop_back();
    forget_frames(stack);
    return stack;
  }
  void* const bottom = ::mmap(nullptr, page_ + bytes_, PROT_NONE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
  if (bottom == MAP_FAILED) throw std::bad_alloc();
  if (::mprotect(static_cast<char*>(bottom) + page_, bytes_, PROT_READ | PROT_WRITE) != 0) {
    ::munmap(bottom, page_ + bytes_);
    throw std::bad_alloc();
  }
  boost::context::stack_context stack;
  stack.size = bytes_;
  stack.sp = static_cast<char*>(bottom) + page_ + bytes_;
  forget_frames(stack);
  return stack;
}

void stack_cache::give_back(const boost::context::stack_context& stack) noexcept {
  if (kept_.size() < kept_at_most)
    kept_.push_back(stack);  // within the capacity that was reserved
  else
    unmap(stack);
}

void stack_cache::unmap(const boost::context::stack_context& stack) const noexcept {
  ::munmap(static_cast<char*>(stack.sp) - bytes_ - page_, bytes_ + page_);
}

}  // namespace oslo::messaging::fibers
