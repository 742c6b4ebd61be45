// RabbitMQ for tests: the one of the whole run, and private ones that a test may kill.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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

/// One RabbitMQ of a test: its folder is known to tests/support/broker.py.
class broker_node {
 public:
  const std::string& url() const noexcept { return url_; }
  /// "HOST:PORT" of its URL.
  std::string address() const;
  /// kill -9; returns when it is gone.
  void kill();
  /// SIGSTOP and SIGCONT: in between it keeps its sockets and does nothing.
  void pause();
  void resume();
  /// Starts it again on the same port with the same data; returns when it answers.
  void restart();
  std::string rabbitmqctl(const std::vector<std::string>& arguments);

 protected:
  explicit broker_node(std::string folder) : folder_(std::move(folder)) {}
  std::string control(std::string_view action, const std::vector<std::string>& arguments = {});
  void find_url();

 private:
  friend class broker_cluster;
  std::string folder_;
  std::string url_;
};

/// A broker of one test, with its own ports and data. The destructor ends it.
class private_broker : public broker_node {
 public:
  /// Starts it; returns when it answers. `name` tells it from those of other tests; `settings` are
  /// lines of rabbitmq.conf.
  explicit private_broker(std::string_view name, const std::vector<std::string>& settings = {});
  ~private_broker();
  private_broker(const private_broker&) = delete;
  private_broker& operator=(const private_broker&) = delete;
};

/// Three brokers that are one cluster. The destructor ends them.
class broker_cluster {
 public:
  explicit broker_cluster(std::string_view name);
  ~broker_cluster();
  broker_cluster(const broker_cluster&) = delete;
  broker_cluster& operator=(const broker_cluster&) = delete;

  std::size_t size() const noexcept { return nodes_.size(); }
  broker_node& node(std::size_t i) { return nodes_.at(i); }
  /// Its name, as rabbitmqctl prints it.
  const std::string& name_of(std::size_t i) const { return names_.at(i); }
  /// The node whose name is in `text`. Throws `std::runtime_error` when there is none.
  std::size_t find_in(std::string_view text) const;
  /// A URL with these nodes as hosts, in that order.
  std::string url(const std::vector<std::size_t>& nodes = {0, 1, 2}) const;

 private:
  void control(std::string_view action);

  std::string folder_;
  std::vector<broker_node> nodes_;
  std::vector<std::string> names_;
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
