#include <oslo/messaging/patch.hpp>

namespace om = oslo::messaging;

struct changes {
  om::patch<std::string> version{};
  om::patch<bool> fanout{};
  om::patch<int> retry{};
};

void apply(const changes&);

void taken() {
  apply({.version = "1.2", .fanout = false, .retry = short{3}});
  apply({.version = std::nullopt, .fanout = std::nullopt, .retry = std::nullopt});
  apply({.version = std::optional<std::string>("1.2"), .retry = std::optional<int>()});
}

void refused() {
#if defined(null_pointer)
  apply({.version = nullptr});
#elif defined(null_pointer_of_number)
  apply({.retry = nullptr});
#elif defined(pointer_as_bool)
  apply({.fanout = "false"});
#elif defined(bool_as_number)
  apply({.retry = false});
#elif defined(fraction_as_integer)
  apply({.retry = 0.9});
#elif defined(wider_integer)
  apply({.retry = 1L});
#elif defined(number_as_text)
  apply({.version = 1.2});
#elif defined(fraction_in_optional)
  apply({.retry = std::optional<double>(0.9)});
#endif
}
