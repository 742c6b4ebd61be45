#include "drivers/rabbit/queue_names.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "core/tasks/orphan_threads.hpp"
#include "support/forked.hpp"
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
    // Of an earlier test: in a child the thread sanitizer takes one that is not joined for a leak.
    join_ended_orphans();
  }
  ~rabbit_queue_names() override { std::filesystem::remove_all(folder); }

  std::string count() const {
    std::ifstream file(names.counter);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  void write_count(const std::string& text) const { std::ofstream(names.counter) << text; }
  /// What a first start writes.
  std::string own() const {
    write_count("");
    EXPECT_EQ(of_another_process(), "h:p:1");
    return count();
  }
  /// The next name of another process of our service.
  std::string of_another_process() const {
    const auto file = folder + "/name";
    testing::in_a_child([&] {
      std::ofstream(file) << next_name(names).value_or("");
      return 0;
    });
    std::ifstream written(file);
    std::string name;
    written >> name;
    return name;
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
    EXPECT_EQ(of_another_process(), "h:p:1") << old;
    EXPECT_EQ(count(), mine) << old;
  }
}

/// Of the same group, as the workers of a service.
TEST_F(rabbit_queue_names, processes_of_one_service_share_the_count) {
  EXPECT_EQ(next_name(names), "h:p:1");
  EXPECT_EQ(testing::in_a_child([this] { return next_name(names) == "h:p:2" ? 0 : 1; }), 0);
  EXPECT_EQ(next_name(names), "h:p:3");
}

TEST_F(rabbit_queue_names, another_service_of_that_name_that_still_runs_keeps_its_numbers) {
  EXPECT_EQ(next_name(names), "h:p:1");
  EXPECT_EQ(testing::in_a_child([this] {
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
    EXPECT_EQ(of_another_process(), "h:p:1") << broken;
    EXPECT_EQ(count(), mine) << broken;
  }
}

/// Somebody has emptied /dev/shm; our queues are in use all the same.
TEST_F(rabbit_queue_names, a_process_gets_no_name_twice) {
  EXPECT_EQ(next_name(names), "h:p:1");
  for (const std::string text : {"", "x", "1:4:123456789012"}) {
    write_count(text);
    const auto before = next_name(names);
    std::filesystem::remove(names.counter);
    EXPECT_NE(next_name(names), before);
  }
  EXPECT_EQ(next_name(names), "h:p:8");
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

/// Opening one for writing waits for a reader, and reading for a writer.
TEST_F(rabbit_queue_names, a_pipe_is_not_waited_for) {
  ASSERT_EQ(::mkfifo(names.counter.c_str(), 0600), 0);
  EXPECT_THROW(next_name(names), std::runtime_error);
  std::filesystem::remove(names.counter);
  std::filesystem::remove(names.lock);
  ASSERT_EQ(::mkfifo(names.lock.c_str(), 0600), 0);
  EXPECT_THROW(next_name(names), std::runtime_error);
  const int reader = ::open(names.lock.c_str(), O_RDONLY | O_NONBLOCK);
  EXPECT_THROW(next_name(names), std::runtime_error);
  ::close(reader);
  EXPECT_TRUE(std::filesystem::is_fifo(names.lock));
}

/// As on a full disk, which takes a part of what is written, or nothing.
TEST_F(rabbit_queue_names, a_count_that_is_not_written_whole_is_an_error) {
  EXPECT_EQ(testing::in_a_child([this] {
              ::signal(SIGXFSZ, SIG_IGN);
              const struct rlimit three { 3, 3 };
              ::setrlimit(RLIMIT_FSIZE, &three);
              try {
                next_name(names);
                return 1;
              } catch (const std::runtime_error& e) {
                return std::string(e.what()).ends_with("No space left on device") ? 0 : 2;
              }
            }),
            0);
}

TEST_F(rabbit_queue_names, a_link_is_not_followed) {
  std::ofstream(folder + "/precious") << "precious";
  std::filesystem::create_symlink(folder + "/precious", names.counter);
  EXPECT_THROW(next_name(names), std::runtime_error);
}

}  // namespace
}  // namespace oslo::messaging::rabbit
