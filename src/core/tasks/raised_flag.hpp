// A flag that is up for the rest of a block.
#pragma once

namespace oslo::messaging {

/// Also when the block ends by an exception.
class raised_flag {
 public:
  explicit raised_flag(bool& flag) noexcept : flag_(flag) { flag_ = true; }
  ~raised_flag() { flag_ = false; }
  raised_flag(const raised_flag&) = delete;
  raised_flag& operator=(const raised_flag&) = delete;

 private:
  bool& flag_;
};

}  // namespace oslo::messaging
