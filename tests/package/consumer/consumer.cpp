#include <iostream>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/target.hpp>

int main() {
  const auto code = make_error_code(oslo::messaging::errc::timed_out);
  std::cout << code.category().name() << ": " << code.message() << '\n';
}
