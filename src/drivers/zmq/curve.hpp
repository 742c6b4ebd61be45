// CURVE: who may speak with whom.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <zmq.hpp>

#include "drivers/zmq/context.hpp"
#include "drivers/zmq/socket.hpp"

namespace oslo::messaging::zmq {

/// Nothing when there are no keys.
void secure_server(const curve_keys& keys, ::zmq::socket_t& socket);
void secure_client(const curve_keys& keys, ::zmq::socket_t& socket);

/// Answers libzmq, which asks for each client of a server with CURVE whether it may come in (ZAP,
/// RFC 27). On the loop; alive for as long as servers are.
class gatekeeper {
 public:
  explicit gatekeeper(const context_ptr& c);

 private:
  void look();

  const context_ptr context_;
  std::set<std::string> allowed_;  // keys as 32 bytes
  watched_socket socket_;
  received in_;
};

}  // namespace oslo::messaging::zmq
