#include "drivers/rabbit/queue_names.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>

#include "support/log_lines.hpp"

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
  /// What a first start writes.
  std::string own() const {
    write_count("");
    EXPECT_EQ(of_another_process(), "h:p:1");
    return count();
  }
  /// The next name of another process of our service.
  std::string of_another_process() const {
    const auto file = folder + "/name";
    in_child([&] {
      std::ofstream(file) << next_name(names);
      return 0;
    });
    std::ifstream written(file);
    std::string name;
    written >> name;
    return name;
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
    EXPECT_EQ(of_another_process(), "h:p:1") << old;
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

TEST_F(rabbit_queue_names, a_count_that_cannot_be_kept_makes_a_random_name_and_a_warning) {
  testing::log_lines log;
  names.counter = folder + "/missing/counter";
  EXPECT_THAT(unique_part(names, log.into()), MatchesRegex("[0-9a-f]{32}"));
  EXPECT_EQ(log.with("use_queue_manager: a queue gets a random name, because this process cannot "
                     "open " +
                     names.counter + ": No such file or directory.")
                .size(),
            1u);
  EXPECT_THAT(unique_part(std::nullopt, log.into()), MatchesRegex("[0-9a-f]{32}"));
  EXPECT_EQ(log.with("").size(), 1u);
}

TEST_F(rabbit_queue_names, a_lock_that_is_not_given_back_is_not_waited_for) {
  next_name(names);
  int told[2], done[2];
  ASSERT_EQ(::pipe(told), 0);
  ASSERT_EQ(::pipe(done), 0);
  const auto pid = ::fork();
  if (pid == 0) {
    const int file = ::open(names.lock.c_str(), O_WRONLY);
    struct flock whole {};
    whole.l_type = F_WRLCK;
    ::fcntl(file, F_SETLK, &whole);
    char c = 'x';
    if (::write(told[1], &c, 1) == 1 && ::read(done[0], &c, 1) == 1) ::_exit(0);
    ::_exit(1);
  }
  char c = 0;
  ASSERT_EQ(::read(told[0], &c, 1), 1);
  EXPECT_THROW(next_name(names), std::runtime_error);
  ASSERT_EQ(::write(done[1], &c, 1), 1);
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(next_name(names), "h:p:2");
  for (const int end : {told[0], told[1], done[0], done[1]}) ::close(end);
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
  EXPECT_EQ(in_child([this] {
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
