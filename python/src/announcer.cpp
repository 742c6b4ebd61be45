#include "announcer.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace oslo::messaging::python {

announcer::announcer() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

announcer::~announcer() {
  ::close(descriptor_);
}

void announcer::announce(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back(number);
  // A count of one can neither overflow nor fail.
  if (waiting_.size() == 1) (void)!::eventfd_write(descriptor_, 1);
}

std::vector<std::uint64_t> announcer::take() {
  const std::lock_guard lock(mutex_);
  eventfd_t count;
  (void)!::eventfd_read(descriptor_, &count);
  return std::exchange(waiting_, {});
}

}  // namespace oslo::messaging::python
