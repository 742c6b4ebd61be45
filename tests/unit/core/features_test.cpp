#include "core/features.hpp"

#include <gtest/gtest.h>

#include "support/recording_driver.hpp"

namespace oslo::messaging {
namespace {

transport with(capabilities c) {
  auto r = std::make_shared<testing::recorder>();
  r->caps = c;
  return testing::open_recording(std::move(r));
}

TEST(features, name_the_transport_and_what_it_cannot_do) {
  struct row {
    feature what;
    bool capabilities::*member;
    const char* text;
  };
  for (const auto& [what, member, text] : {
           row{feature::rpc, &capabilities::rpc, "The driver of recording:// cannot carry RPC."},
           row{feature::notifications, &capabilities::notifications,
               "The driver of recording:// cannot carry notifications."},
           row{feature::requeue, &capabilities::requeue,
               "The driver of recording:// cannot give messages back for another delivery."},
           row{feature::fanout, &capabilities::fanout,
               "The driver of recording:// cannot send to all servers of a topic."},
           row{feature::pools, &capabilities::pools,
               "The driver of recording:// cannot copy notifications to pools of listeners."},
       }) {
    capabilities none{
        .rpc = false, .notifications = false, .requeue = false, .fanout = false, .pools = false};
    const auto why = missing(with(none), what);
    ASSERT_TRUE(why.has_value()) << text;
    EXPECT_EQ(why->message(), text);
    EXPECT_EQ(why->code(), errc::not_supported);
    try {
      require(with(none), what);
      FAIL() << text;
    } catch (const messaging_error& e) {
      EXPECT_STREQ(e.what(), text);
    }
    none.*member = true;
    EXPECT_FALSE(missing(with(none), what).has_value()) << text;
    EXPECT_NO_THROW(require(with(none), what)) << text;
  }
}

}  // namespace
}  // namespace oslo::messaging
