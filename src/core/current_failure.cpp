#include <exception>
#include <oslo/messaging/detail/current_failure.hpp>
#include <string>

namespace oslo::messaging::detail {

failure current_failure(errc code, std::string_view what) {
  std::string text(what);
  if (!text.empty()) text += ": ";
  try {
    throw;
  } catch (const messaging_error& e) {
    return e.failure();
  } catch (const std::exception& e) {
    text += e.what();
  } catch (...) {
    text += "an exception that is no std::exception";
  }
  return {code, std::move(text)};
}

}  // namespace oslo::messaging::detail
