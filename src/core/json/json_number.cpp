#include "core/json/json_number.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

#include "core/text.hpp"

namespace oslo::messaging::json_number {
namespace {

const char* skip_digits(const char* p, const char* end) noexcept {
  while (p != end && is_digit(*p)) ++p;
  return p;
}

/// What a number that is out of a double's range stands for: zero or infinity.
double out_of_range_value(std::string_view number) noexcept {
  const bool negative = number.front() == '-';
  if (negative) number.remove_prefix(1);
  // The decimal position of the first digit that counts says on which side it fell out.
  long long position = 0;
  bool counting = false, fraction = false;
  const char* p = number.data();
  const char* const end = p + number.size();
  for (; p != end && *p != 'e' && *p != 'E'; ++p) {
    if (*p == '.') {
      fraction = true;
      continue;
    }
    counting = counting || *p != '0';
    if (counting && !fraction) ++position;
    if (!counting && fraction) --position;
  }
  if (p != end) {
    const bool minus = p[1] == '-';
    if (!is_digit(*++p)) ++p;
    long long exponent = 0;
    for (; p != end; ++p)
      if (exponent < std::numeric_limits<int>::max()) exponent = exponent * 10 + (*p - '0');
    position += minus ? -exponent : exponent;
  }
  const double magnitude = position > 0 ? std::numeric_limits<double>::infinity() : 0.0;
  return negative ? -magnitude : magnitude;
}

}  // namespace

const char* end_of(const char* p, const char* end) noexcept {
  if (p != end && *p == '-') ++p;
  if (p == end || !is_digit(*p)) return nullptr;
  p = *p == '0' ? p + 1 : skip_digits(p, end);
  if (end - p >= 2 && *p == '.' && is_digit(p[1])) p = skip_digits(p + 1, end);
  if (p != end && (*p == 'e' || *p == 'E')) {
    const char* digits = p + 1;
    if (digits != end && (*digits == '+' || *digits == '-')) ++digits;
    if (digits != end && is_digit(*digits)) p = skip_digits(digits, end);
  }
  return p;
}

double to_double(std::string_view number) noexcept {
  if (number == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (number == "Infinity") return std::numeric_limits<double>::infinity();
  if (number == "-Infinity") return -std::numeric_limits<double>::infinity();
  double v = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), v);
  return error == std::errc::result_out_of_range ? out_of_range_value(number) : v;
}

bool is_integer(std::string_view number) noexcept {
  return std::all_of(number.begin(), number.end(), [](char c) { return is_digit(c) || c == '-'; });
}

}  // namespace oslo::messaging::json_number
