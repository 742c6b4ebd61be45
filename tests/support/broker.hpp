// RabbitMQ for tests: the one of the whole run, and private ones that a test may kill.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/child_process.hpp"

namespace oslo::messaging::testing {

/// A variable of the environment. Throws `std::runtime_error` that says how to run the test when it
/// is missing.
std::string environment(const char* name);

/// URL of the broker that all tests of a run share: rabbit://guest:guest@127.0.0.1:PORT/.
std::string rabbit_url();
/// Runs rabbitmqctl against it and returns what it printed.
std::string rabbitmqctl(const std::vector<std::string>& arguments);

/// A name that no other test or run uses.
std::string unique_name(std::string_view prefix);

/// A broker of one test, with its own ports and data. The destructor ends it.
class private_broker {
 public:
  /// Starts it; returns when it answers. `name` tells it from those of other tests.
  explicit private_broker(std::string_view name);
  ~private_broker();
  private_broker(const private_broker&) = delete;
  private_broker& operator=(const private_broker&) = delete;

  const std::string& url() const noexcept { return url_; }
  /// kill -9; returns when it is gone.
  void kill();
  /// SIGSTOP and SIGCONT: in between it keeps its sockets and does nothing.
  void pause();
  void resume();
  /// Starts it again on the same port with the same data; returns when it answers.
  void restart();
  std::string rabbitmqctl(const std::vector<std::string>& arguments);

 private:
  std::string control(std::string_view action, const std::vector<std::string>& arguments = {});

  std::string folder_;
  std::string url_;
};

/// A serving program: `oslo-msg serve` or a Python one with the same arguments. The destructor
/// kills it.
class served_program {
 public:
  /// `program` is a command up to and without "--url". Returns when it consumes; throws
  /// `std::runtime_error` when it does not.
  served_program(const std::string& program, const std::string& url,
                 const std::vector<std::string>& arguments);

  child_process& process() noexcept { return process_; }
  /// SIGTERM; its exit code, none when it does not end.
  std::optional<int> stop();

 private:
  child_process process_;
};

/// Words separated by blanks.
std::vector<std::string> split_words(std::string_view text);

}  // namespace oslo::messaging::testing
