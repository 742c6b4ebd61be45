#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/system_executor.hpp>
#include <optional>
#include <oslo/messaging/blocking/notifier.hpp>
#include <oslo/messaging/notify.hpp>

#include "support/forked.hpp"

namespace oslo::messaging::notify {
namespace {

namespace asio = boost::asio;
using testing::in_a_child;

class notifiers_in_a_child : public ::testing::Test {
 protected:
  /// The thread sanitizer lets no child start threads, and Asio's own system context has some.
  notifiers_in_a_child() { (void)asio::query(asio::system_executor(), asio::execution::context); }
  transport bus = messaging::open_transport("fake://");
  notifier n{bus, {.drivers = {{"messagingv2"}}}};
};

TEST_F(notifiers_in_a_child, report_before_they_return) {
  EXPECT_EQ(in_a_child([&] {
              for (const std::string payload : {"fine", "\xff"}) {
                std::optional<errc> code;
                n.post(priority::info, {}, "ev", payload,
                       [&](result<void> r) { code = r.error().code(); });
                if (code != errc::wrong_process) return 1;
                n.post(priority::info, {}, "ev", payload);
              }
              if (blocking::notifier(n).info({}, "ev", 1).error().code() != errc::wrong_process)
                return 2;
              return 0;
            }),
            0);
}

TEST_F(notifiers_in_a_child, report_to_coroutines_on_their_own_executor) {
  EXPECT_EQ(in_a_child([&] {
              asio::io_context io;
              std::optional<errc> code;
              bool at_home = false;
              asio::co_spawn(
                  io,
                  [](const notifier& from, asio::io_context& home, std::optional<errc>& told,
                     bool& there) -> asio::awaitable<void> {
                    const auto r = co_await from.info({}, "ev", 1);
                    told = r.error().code();
                    there = home.get_executor().running_in_this_thread();
                  }(n, io, code, at_home),
                  asio::detached);
              io.run();
              return code == errc::wrong_process && at_home ? 0 : 1;
            }),
            0);
}

TEST_F(notifiers_in_a_child, refuse_what_is_posted_to_an_outbox) {
  outbox box(n);
  EXPECT_EQ(in_a_child([&] {
              const auto r = box.post(priority::info, {}, "ev", 1);
              if (r.error().code() != errc::wrong_process) return 1;
              if (box.flush(std::chrono::seconds(20)).error().code() != errc::wrong_process)
                return 2;
              return 0;
            }),
            0);
}

}  // namespace
}  // namespace oslo::messaging::notify
