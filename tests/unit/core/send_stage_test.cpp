#include "core/send_stage.hpp"

#include <gtest/gtest.h>

namespace oslo::messaging {
namespace {

/// Programs compare these names.
TEST(stages_of_a_send, have_names_that_stay) {
  constexpr send_stage all[] = {send_stage::connecting, send_stage::blocked,  send_stage::queued,
                                send_stage::sent,       send_stage::returned, send_stage::refused,
                                send_stage::confirmed,  send_stage::waiting,  send_stage::monitor};
  constexpr std::string_view names[] = {"connecting", "blocked",   "queued",  "sent",   "returned",
                                        "refused",    "confirmed", "waiting", "monitor"};
  for (std::size_t i = 0; i < std::size(all); ++i) EXPECT_EQ(to_string(all[i]), names[i]);
  EXPECT_EQ(to_string(static_cast<send_stage>(99)), "unknown");
}

}  // namespace
}  // namespace oslo::messaging
