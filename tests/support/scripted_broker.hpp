// A scripted AMQP broker behind a real socket: it shares the io_context of what it talks to, so
// that a test decides every step. It takes any number of connections.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <deque>
#include <iterator>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "net/amqp_link.hpp"
#include "support/broker_script.hpp"

namespace amqp_script {

class scripted_broker {
 public:
  using tcp = boost::asio::ip::tcp;

  using request = broker_script::request;

  explicit scripted_broker(boost::asio::io_context& io)
      : io_(io), acceptor_(io, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)) {
    accept();
  }

  /// For a link to this broker, without pauses between attempts.
  oslo::messaging::net::link_settings settings() const {
    oslo::messaging::net::link_settings s;
    s.brokers = {{{"127.0.0.1", acceptor_.local_endpoint().port()}, "guest", "guest"}};
    s.backoff = {0ms, 1.0, 0ms, 0ms};
    s.purpose = "test";
    return s;
  }

  std::string url() const {
    return "rabbit://guest:guest@127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) +
           "/";
  }

  /// The next request of that kind, of whatever connection; those before it are forgotten.
  request next(method what) {
    for (;;) {
      run_until([this] { return has_requests(); }, "a request of the client");
      auto r = std::move(requests_.front());
      requests_.pop_front();
      if (r.what == what) return r;
    }
  }
  /// Everything that arrived and was not asked for, after the client has had its say.
  std::vector<request> rest() {
    settle();
    auto all = std::exchange(requests_, {});
    return {std::make_move_iterator(all.begin()), std::make_move_iterator(all.end())};
  }
  bool has_requests() const noexcept { return !requests_.empty(); }

  /// From now on, what to say to such a request.
  void on(method what, broker_script::answer a) { rules_.on(what, std::move(a)); }
  void as_usual(method what) { rules_.as_usual(what); }

  /// To the newest connection, or to that with the number.
  void send(std::string bytes, int connection = 0) {
    auto& to = connection == 0 ? *peers_.rbegin()->second : *peers_.at(connection);
    boost::asio::write(to.socket, boost::asio::buffer(bytes));
    settle();
  }
  /// Ends all connections without a word; the next one is accepted.
  void drop() {
    close_all();
    settle();
  }
  /// The same by a reset, and nothing runs until the test lets it: the client does not know yet.
  void reset() {
    for (const auto& [number, p] : peers_)
      p->socket.set_option(boost::asio::socket_base::linger(true, 0));
    close_all();
  }
  /// Nobody listens on the port any more.
  void vanish() {
    acceptor_.close();
    drop();
  }
  /// How many there were so far.
  int connections() const noexcept { return connections_; }

  /// Runs the loop until `done()`.
  template <class Predicate>
  void run_until(Predicate done, const char* what) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline)
        throw std::runtime_error(std::string("waited in vain for ") + what);
      io_.restart();
      io_.run_one_for(100ms);
    }
  }

 private:
  struct peer {
    explicit peer(tcp::socket s) : socket(std::move(s)) {}
    tcp::socket socket;
    broker_script script;
    int number = 0;
    char chunk[65536];
  };
  using peer_ptr = std::shared_ptr<peer>;

  void close_all() {
    for (const auto& [number, p] : peers_) p->socket.close();
    peers_.clear();
    requests_.clear();
  }
  /// Lets both sides do what they can do now: bytes on loopback are there once they are written.
  void settle() {
    io_.restart();
    while (io_.poll() != 0) {
    }
  }

  void accept() {
    acceptor_.async_accept([this](boost::system::error_code ec, tcp::socket socket) {
      if (ec) return;
      auto fresh = std::make_shared<peer>(std::move(socket));
      fresh->number = ++connections_;
      fresh->script = rules_.another();
      fresh->socket.set_option(tcp::no_delay(true));  // what the test sends is to be there at once
      peers_[fresh->number] = fresh;
      read(fresh);
      accept();
    });
  }

  void read(const peer_ptr& from) {
    from->socket.async_read_some(boost::asio::buffer(from->chunk),
                                 [this, from](boost::system::error_code ec, std::size_t n) {
                                   if (!peers_.contains(from->number)) return;
                                   if (ec) {
                                     peers_.erase(from->number);
                                     return;
                                   }
                                   const auto say = from->script.take({from->chunk, n});
                                   while (auto r = from->script.pop()) {
                                     r->connection = from->number;
                                     requests_.push_back(std::move(*r));
                                   }
                                   boost::system::error_code gone;
                                   if (!say.empty())
                                     boost::asio::write(from->socket, boost::asio::buffer(say),
                                                        gone);
                                   read(from);
                                 });
  }

 public:
  static std::string name_in(const request& r) { return broker_script::name_in(r); }
  static std::string tag_in(const request& r) { return broker_script::tag_in(r); }

 private:
  boost::asio::io_context& io_;
  tcp::acceptor acceptor_;
  broker_script rules_;
  std::map<int, peer_ptr> peers_;
  std::deque<request> requests_;
  int connections_ = 0;
};

}  // namespace amqp_script
