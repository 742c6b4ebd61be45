// Bodies made by Python's oslo.messaging; see wire_golden.py.
#pragma once

#include <string_view>

namespace oslo::messaging::wire {

struct request_case {
  std::string_view inner;
  std::string_view context;
  bool is_call;
  double timeout;
  std::string_view body;
};
struct reply_case {
  std::string_view result;
  std::string_view failure;
  bool ending;
  std::string_view body;
};

#include "wire_golden.inc"

inline constexpr std::string_view golden_msg_id = "aaaaaaaa000040008000000000000005";
inline constexpr std::string_view golden_reply_q = "reply_00000000000000000000000000000001";
inline constexpr std::string_view golden_unique_id = "aaaaaaaa000040008000000000000006";

}  // namespace oslo::messaging::wire
