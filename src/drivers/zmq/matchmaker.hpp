// Who knows where servers are.
#pragma once

#include <memory>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/function.hpp>
#include <string>
#include <vector>

#include "drivers/zmq/context.hpp"

namespace oslo::messaging::zmq {

/// Where a server listens.
struct server_address {
  std::string endpoint;  ///< as libzmq connects to it: "tcp://host:port"
  bool own = true;       ///< it speaks as this library does; else as Python's 8.1.4
  bool operator==(const server_address&) const = default;
};
using addresses = std::vector<server_address>;

/// What a listener is found by.
struct service_name {
  std::string topic, server{};
  bool operator==(const service_name&) const = default;
};

/// On the loop.
class matchmaker {
 public:
  virtual ~matchmaker() = default;
  /// True: an address belongs to a topic, and each listener has one of its own. False: `find`
  /// brings all addresses, and each server says what it listens to.
  virtual bool by_topic() const noexcept { return false; }
  /// Where to bind, one after the other until one can be had.
  virtual std::vector<std::string> places() const = 0;
  /// What clients connect to, of a socket that was bound to `place` and has become `bound`.
  virtual std::string address_of(const std::string& place, const std::string& bound) const = 0;
  /// Where the servers of that name are, perhaps before it returns.
  virtual void find(const service_name& name, unique_function<void(result<addresses>)> done) = 0;
  /// A listener is there; `done` when others can find it. What is added stays known until
  /// `remove`, whatever happens meanwhile.
  virtual void add(const std::string& address, std::vector<service_name> names,
                   unique_function<void(result<void>)> done) = 0;
  virtual void remove(const std::string& address) = 0;
  /// Calls `done` (may be empty) when what was removed is unknown to others, as far as that can be.
  virtual void close(unique_function<void()> done) {
    if (done) done();
  }
  /// Why it cannot be asked; empty: all is well.
  virtual std::string trouble() const { return {}; }
  /// `changed` is called whenever `trouble()` has changed; one watcher.
  void watch(unique_function<void()> changed) { changed_ = std::move(changed); }

 protected:
  void trouble_changed() {
    if (changed_) changed_();
  }

 private:
  unique_function<void()> changed_;
};

std::unique_ptr<matchmaker> make_matchmaker(const context_ptr& c);

}  // namespace oslo::messaging::zmq
