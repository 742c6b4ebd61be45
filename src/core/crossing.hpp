// What other threads have handed to a loop and it has not come to yet.
#pragma once

#include <atomic>
#include <cstddef>
#include <oslo/messaging/error.hpp>
#include <string>
#include <utility>

namespace oslo::messaging {

/// The bytes of one message on its way to the loop, counted in `total`. A loop that falls behind is
/// no queue without a bound.
class crossing {
 public:
  static constexpr std::size_t most = std::size_t{256} << 20;

  /// `total` outlives this: whatever is posted holds its owner.
  crossing(std::atomic<std::size_t>& total, std::size_t bytes) noexcept
      : total_(&total), bytes_(bytes), fits_(total.fetch_add(bytes) <= most) {}
  crossing(crossing&& other) noexcept
      : total_(std::exchange(other.total_, nullptr)), bytes_(other.bytes_), fits_(other.fits_) {}
  crossing& operator=(crossing&&) = delete;
  ~crossing() {
    if (total_ != nullptr) total_->fetch_sub(bytes_);
  }
  bool fits() const noexcept { return fits_; }

  static failure fell_behind() {
    return {errc::limit_exceeded, "The transport's loop has not come to " + std::to_string(most) +
                                      " bytes of messages yet."};
  }

 private:
  std::atomic<std::size_t>* total_;
  std::size_t bytes_;
  bool fits_;
};

}  // namespace oslo::messaging
