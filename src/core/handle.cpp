#include <oslo/messaging/detail/handle.hpp>
#include <string>

namespace oslo::messaging::detail {

failure moved_from(const char* what) {
  return {errc::invalid_argument, "A " + std::string(what) +
                                      " was used after it had been moved from: it can only be "
                                      "assigned to or destroyed."};
}

void throw_moved_from(const char* what) {
  throw messaging_error(moved_from(what));
}

}  // namespace oslo::messaging::detail
