// In place of everything else here when the library is built without Boost.Fiber.
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/fibers.hpp>

namespace oslo::messaging {

std::shared_ptr<executor> fiber_executor(fiber_options) {
  throw configuration_error(
      {errc::not_supported, "There are no fibers: this library was built without Boost.Fiber."});
}

}  // namespace oslo::messaging
