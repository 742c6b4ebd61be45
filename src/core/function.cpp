#include <functional>
#include <oslo/messaging/function.hpp>

namespace oslo::messaging::detail {

void null_function_called() {
  throw std::bad_function_call();
}

}  // namespace oslo::messaging::detail
