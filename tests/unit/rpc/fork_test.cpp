#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <optional>
#include <oslo/messaging/rpc/completion.hpp>

#include "support/forked.hpp"

namespace oslo::messaging::rpc {
namespace {

namespace asio = boost::asio;
using testing::in_a_child;

inline constexpr method<int()> count{"count"};
inline constexpr method<int(std::string)> spell{"spell"};

class clients_in_a_child : public ::testing::Test {
 protected:
  transport bus = open_transport("fake://");
  client c{bus, {.topic = "t"}};
};

/// What a coroutine on a loop of the child's is told, and whether it went on there.
struct told {
  std::optional<errc> code{};
  bool at_home = false;
};

template <class Ask>
told ask_on_a_loop(Ask ask) {
  asio::io_context io;
  told out;
  asio::co_spawn(
      io,
      [](asio::io_context& home, told& to, Ask f) -> asio::awaitable<void> {
        to.code = co_await f();
        to.at_home = home.get_executor().running_in_this_thread();
      }(io, out, std::move(ask)),
      asio::detached);
  // Not yet: a coroutine is never resumed by what it has called.
  io.run();
  return out;
}

TEST_F(clients_in_a_child, tell_callbacks_before_they_return) {
  EXPECT_EQ(in_a_child([&] {
              std::optional<errc> called, cast;
              rpc::detail::start_call(c, "m", {}, "{}", {},
                                      [&](result<std::string> r) { called = r.error().code(); });
              if (called != errc::wrong_process) return 1;
              rpc::detail::start_cast(c, "m", {}, "{}", {},
                                      [&](result<void> r) { cast = r.error().code(); });
              if (cast != errc::wrong_process) return 2;
              rpc::detail::start_call(c, "m", {}, "{}", {}, {});
              return 0;
            }),
            0);
}

TEST_F(clients_in_a_child, tell_coroutines_on_their_own_executor) {
  EXPECT_EQ(in_a_child([&] {
              const auto is_right = [](const told& t) {
                return t.code == errc::wrong_process && t.at_home;
              };
              if (!is_right(ask_on_a_loop([&]() -> asio::awaitable<errc> {
                    try {
                      co_await c.call(count, {});
                    } catch (const messaging_error& e) {
                      co_return e.failure().code();
                    }
                    co_return errc{};
                  })))
                return 1;
              if (!is_right(ask_on_a_loop([&]() -> asio::awaitable<errc> {
                    const auto r = co_await c.try_call(count, {});
                    co_return r.error().code();
                  })))
                return 2;
              if (!is_right(ask_on_a_loop([&]() -> asio::awaitable<errc> {
                    const auto r = co_await c.try_cast(count, {});
                    co_return r.error().code();
                  })))
                return 3;
              if (!is_right(ask_on_a_loop([&]() -> asio::awaitable<errc> {
                    const auto r = co_await async_try_call(c, count, {}, asio::use_awaitable);
                    co_return r.error().code();
                  })))
                return 4;
              const std::string unwritable = "\xff";
              const auto t = ask_on_a_loop([&]() -> asio::awaitable<errc> {
                const auto r = co_await c.try_call(spell, {}, unwritable);
                co_return r.error().code();
              });
              return t.code == errc::serialization_failed && t.at_home ? 0 : 5;
            }),
            0);
}

TEST_F(clients_in_a_child, tell_futures) {
  EXPECT_EQ(in_a_child([&] {
              auto told = async_call(c, count, {}, asio::use_future);
              try {
                told.get();
              } catch (const messaging_error& e) {
                return e.failure().code() == errc::wrong_process ? 0 : 1;
              }
              return 2;
            }),
            0);
}

}  // namespace
}  // namespace oslo::messaging::rpc
