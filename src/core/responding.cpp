#include <oslo/messaging/detail/responding.hpp>
#include <oslo/messaging/error.hpp>

namespace oslo::messaging::detail {

void throw_answered_twice() {
  throw messaging_error(
      {errc::invalid_argument, "The request or notification has been answered already."});
}

}  // namespace oslo::messaging::detail
