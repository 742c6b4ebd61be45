#include "net/tls_client.hpp"

#include <gtest/gtest.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <thread>

#include "core/tasks/orphan_threads.hpp"

namespace oslo::messaging::net {
namespace {

using namespace std::chrono_literals;

/// A thread that uses TLS, and ends only after the program has begun to.
void leave_a_thread_that_used_tls(bool application_is_first) {
  alarm(20);
  join_ended_orphans();  // from now on the program's end joins, after whatever comes up later
  if (application_is_first) OPENSSL_init_ssl(0, nullptr);
  tls_client({.enabled = true}).context();
  std::promise<void> used;
  auto stop = std::make_shared<std::promise<void>>();
  std::thread thread([&used, wait = stop->get_future()]() mutable {
    unsigned char byte;
    if (RAND_bytes(&byte, 1) != 1) _exit(4);
    used.set_value();
    if (wait.wait_for(20s) != std::future_status::ready) _exit(3);
  });
  adopt_orphan(
      std::move(thread), [] { return false; }, [stop] { stop->set_value(); });
  if (used.get_future().wait_for(20s) != std::future_status::ready) _exit(5);
  std::exit(0);
}

TEST(tls_client_death, a_thread_that_used_it_ends_with_the_program) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  for (const bool application_is_first : {false, true})
    EXPECT_EXIT(leave_a_thread_that_used_tls(application_is_first), ::testing::ExitedWithCode(0),
                "");
}

}  // namespace
}  // namespace oslo::messaging::net
