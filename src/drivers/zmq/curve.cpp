#include "drivers/zmq/curve.hpp"

#include <array>

namespace oslo::messaging::zmq {

void secure_server(const curve_keys& keys, ::zmq::socket_t& socket) {
  if (keys.secret.empty()) return;
  socket.set(::zmq::sockopt::curve_server, true);
  socket.set(::zmq::sockopt::curve_secretkey, keys.secret);
  socket.set(::zmq::sockopt::zap_domain, "oslo.messaging");
}

void secure_client(const curve_keys& keys, ::zmq::socket_t& socket) {
  if (keys.secret.empty()) return;
  socket.set(::zmq::sockopt::curve_serverkey, keys.server);
  socket.set(::zmq::sockopt::curve_publickey, keys.own_public);
  socket.set(::zmq::sockopt::curve_secretkey, keys.secret);
}

gatekeeper::gatekeeper(const context_ptr& c) : context_(c), socket_(c, ::zmq::socket_type::rep) {
  for (const auto& key : c->opts.curve.clients) {
    std::array<std::uint8_t, 32> raw{};
    if (zmq_z85_decode(raw.data(), key.c_str()) != nullptr)
      allowed_.emplace(raw.begin(), raw.end());
  }
  socket_.raw().bind("inproc://zeromq.zap.01");
  socket_.start([this] { look(); });
}

void gatekeeper::look() {
  while (socket_.receive(in_)) {
    // version, request id, domain, address, identity, mechanism, key
    const auto all = in_.views();
    const bool sound = all.size() == 7 && all[0] == "1.0" && all[5] == "CURVE";
    const bool welcome = sound && allowed_.contains(std::string(all[6]));
    if (!welcome)
      context_->log(log_level::warning,
                    "A client of zmq:// at " +
                        (all.size() > 3 ? std::string(all[3]) : std::string("an unknown address")) +
                        " was refused: its key is not in cpp_curve_client_keys_file.");
    socket_.send({"1.0", all.size() > 1 ? std::string(all[1]) : std::string(),
                  welcome ? "200" : "400", welcome ? "OK" : "unknown key", "", ""});
  }
}

}  // namespace oslo::messaging::zmq
