#include <oslo/messaging/version.hpp>
#include <string_view>

namespace oslo::messaging {

#define OSLO_TEXT_OF(x) #x
#define OSLO_TEXT(x) OSLO_TEXT_OF(x)
constexpr std::string_view numbers = OSLO_TEXT(OSLO_MESSAGING_VERSION_MAJOR) "." OSLO_TEXT(
    OSLO_MESSAGING_VERSION_MINOR) "." OSLO_TEXT(OSLO_MESSAGING_VERSION_PATCH);
static_assert(numbers == OSLO_MESSAGING_VERSION, "the numbers of the version are others");

const char* version() noexcept {
  return OSLO_MESSAGING_VERSION;
}

}  // namespace oslo::messaging
