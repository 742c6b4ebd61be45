#include <oslo/messaging/notify/responder.hpp>

namespace oslo::messaging::notify {

std::shared_ptr<detail::invocation> detail::take_call(std::shared_ptr<invocation>& call) {
  if (!call)
    throw messaging_error(
        {errc::invalid_argument, "The notification has been answered for already."});
  return std::move(call);
}

void responder::abandon() noexcept {
  if (call_) std::exchange(call_, nullptr)->abandon();
}

}  // namespace oslo::messaging::notify
