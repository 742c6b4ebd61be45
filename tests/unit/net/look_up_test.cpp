#include "net/look_up.hpp"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <netdb.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>

namespace {

using namespace std::chrono_literals;

/// Look-ups of names that begin with "hang" hang until this is opened.
struct gate {
  std::mutex mutex;
  std::condition_variable changed;
  bool open = false;
  int waiting = 0;

  void pass() {
    std::unique_lock lock(mutex);
    ++waiting;
    changed.notify_all();
    changed.wait_for(lock, 60s, [this] { return open; });
    --waiting;
    changed.notify_all();
  }
  bool wait_for(int count) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, 10s, [&] { return waiting == count; });
  }
  void set_open(bool o) {
    const std::lock_guard lock(mutex);
    open = o;
    changed.notify_all();
  }
};
gate hanging;

}  // namespace

/// Instead of the C library's, which the test cannot make hang.
extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints,
                           addrinfo** found) {
  if (node != nullptr && std::string_view(node).starts_with("hang")) {
    hanging.pass();
    return EAI_AGAIN;
  }
  static const auto real =
      reinterpret_cast<decltype(&::getaddrinfo)>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  return real(node, service, hints, found);
}

namespace oslo::messaging::net {
namespace {

using found = std::optional<result<look_up::addresses>>;

auto into(found& f) {
  return [&f](result<look_up::addresses> r) { f = std::move(r); };
}

TEST(look_up, finds_the_addresses_of_a_name) {
  boost::asio::io_context io;
  found f;
  const look_up l(io.get_executor(), {"localhost", 5672}, into(f));
  EXPECT_FALSE(f) << "never inside the call";
  io.run_for(10s);
  ASSERT_TRUE(f && f->has_value());
  EXPECT_THAT(**f, testing::Contains(testing::AnyOf("127.0.0.1", "::1")));
}

TEST(look_up, says_which_name_is_unknown) {
  boost::asio::io_context io;
  found f;
  const std::string name(100, 'x');  // no name has a part as long as this
  const look_up l(io.get_executor(), {name, 5672}, into(f));
  io.run_for(10s);
  ASSERT_TRUE(f && f->has_error());
  EXPECT_EQ(f->error().code(), errc::unreachable);
  EXPECT_TRUE(f->error().message().starts_with(name + ":5672 is unreachable: "));
}

TEST(look_up, one_that_hangs_holds_up_neither_others_nor_the_end_of_the_loop) {
  hanging.set_open(false);
  found f;
  {
    boost::asio::io_context io;
    auto hangs = std::make_unique<look_up>(io.get_executor(), endpoint{"hang.a", 1},
                                           [](auto) { ADD_FAILURE() << "destroyed before"; });
    ASSERT_TRUE(hanging.wait_for(1));
    const look_up other(io.get_executor(), {"localhost", 5672}, into(f));
    while (!f) ASSERT_NE(io.run_one_for(10s), 0u);
    EXPECT_TRUE(f->has_value());
    hangs.reset();
    io.restart();
    io.run_for(10s);
  }  // the loop is gone, the thread still hangs
  hanging.set_open(true);
  EXPECT_TRUE(hanging.wait_for(0));
}

TEST(look_up, a_name_that_hangs_does_not_collect_threads) {
  hanging.set_open(false);
  boost::asio::io_context io;
  const endpoint where{"hang.b", 7};
  std::vector<std::unique_ptr<look_up>> two;
  for (int i = 0; i < 2; ++i)
    two.push_back(std::make_unique<look_up>(io.get_executor(), where, [](auto) {}));
  ASSERT_TRUE(hanging.wait_for(2));
  two.clear();  // nobody waits, but the threads are still there
  try {
    const look_up third(io.get_executor(), where, [](auto) {});
    FAIL();
  } catch (const messaging_error& e) {
    EXPECT_EQ(e.failure().code(), errc::unreachable);
    EXPECT_THAT(e.what(), testing::HasSubstr("hang.b:7"));
  }
  found f;
  const look_up other(io.get_executor(), {"localhost", 5672}, into(f));
  while (!f) ASSERT_NE(io.run_one_for(10s), 0u);
  EXPECT_TRUE(f->has_value());
  hanging.set_open(true);
  EXPECT_TRUE(hanging.wait_for(0));
}

}  // namespace
}  // namespace oslo::messaging::net
