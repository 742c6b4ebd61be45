#include "drivers/rabbit/queue_names.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>

#include "support/lock_holder.hpp"

namespace oslo::messaging::rabbit {
namespace {

using ::testing::MatchesRegex;

class rabbit_queue_names : public ::testing::Test {
 protected:
  rabbit_queue_names() {
    std::string pattern = ::testing::TempDir() + "/names-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no folder");
    folder = pattern;
    names = {"h", "p", folder + "/counter", folder + "/locks/lock"};
  }
  ~rabbit_queue_names() override { std::filesystem::remove_all(folder); }

  std::string count() const {
    std::ifstream file(names.counter);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  void write_count(const std::string& text) const { std::ofstream(names.counter) << text; }
  std::string own() const {
    write_count("");
    next_name(names);
    const auto text = count();
    return text;
  }
  /// In a process of its own, which may leave its group.
  static int in_child(const std::function<int()>& work) {
    const auto pid = ::fork();
    if (pid == 0) ::_exit(work());
    int status = 0;
    if (::waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return -1;
    return WEXITSTATUS(status);
  }

  std::string folder;
  stable_names names;
};

TEST_F(rabbit_queue_names, files_are_those_of_python) {
  EXPECT_EQ(counter_file(names), "/dev/shm/h_p_qmanager");
  EXPECT_EQ(lock_file(names, "/var/lock/nova"), "/var/lock/nova/oslo_read_shm_h_p");
  names.processname = "../p";
  EXPECT_EQ(counter_file(names), "/dev/shm/h_.._p_qmanager");
}

TEST_F(rabbit_queue_names, a_service_counts_from_one) {
  EXPECT_EQ(next_name(names), "h:p:1");
  EXPECT_EQ(next_name(names), "h:p:2");
  EXPECT_THAT(count(), MatchesRegex(std::to_string(::getpgrp()) + ":2:[0-9]+"));
}

/// It finds the queues of its last life.
TEST_F(rabbit_queue_names, a_service_that_starts_again_counts_from_one_again) {
  const auto mine = own();
  for (const std::string old : {"1:4:123456789012",  // the group of another process by now
                                "2147483000:4:1",    // no process any more
                                "99999999999999:4:1"}) {
    write_count(old);
    EXPECT_EQ(next_name(names), "h:p:1") << old;
    EXPECT_EQ(count(), mine) << old;
  }
}

/// Of the same group, as the workers of a service.
TEST_F(rabbit_queue_names, processes_of_one_service_share_the_count) {
  EXPECT_EQ(next_name(names), "h:p:1");
  EXPECT_EQ(in_child([this] { return next_name(names) == "h:p:2" ? 0 : 1; }), 0);
  EXPECT_EQ(next_name(names), "h:p:3");
}

TEST_F(rabbit_queue_names, another_service_of_that_name_that_still_runs_keeps_its_numbers) {
  EXPECT_EQ(next_name(names), "h:p:1");
  EXPECT_EQ(in_child([this] {
              ::setpgid(0, 0);
              return next_name(names) == "h:p:2" ? 0 : 1;
            }),
            0);
  EXPECT_EQ(next_name(names), "h:p:3");
}

TEST_F(rabbit_queue_names, a_file_without_a_count_is_as_none) {
  const auto mine = own();
  for (const std::string broken : {"", "x", "1", "1:2", "1:2:", "::", "1:-2:3",
                                   "1:99999999999999999999:3", "1:9223372036854775807:3"}) {
    write_count(broken);
    EXPECT_EQ(next_name(names), "h:p:1") << broken;
    EXPECT_EQ(count(), mine) << broken;
  }
}

TEST_F(rabbit_queue_names, a_count_that_cannot_be_kept_is_an_error) {
  names.counter = folder + "/missing/counter";
  EXPECT_THROW(next_name(names), std::runtime_error);
}

TEST_F(rabbit_queue_names, there_is_none_while_another_process_holds_the_lock) {
  next_name(names);
  testing::lock_holder other(names.lock);
  EXPECT_EQ(next_name(names), std::nullopt);
  other.release();
  EXPECT_EQ(next_name(names), "h:p:2");
}

TEST_F(rabbit_queue_names, a_link_is_not_followed) {
  std::ofstream(folder + "/precious") << "precious";
  std::filesystem::create_symlink(folder + "/precious", names.counter);
  EXPECT_THROW(next_name(names), std::runtime_error);
}

}  // namespace
}  // namespace oslo::messaging::rabbit
