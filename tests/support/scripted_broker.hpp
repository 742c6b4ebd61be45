// A scripted AMQP broker behind a real socket: it shares the io_context of what it talks to, so
// that a test decides every step. It answers handshakes and topology like a broker, unless told
// otherwise.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "net/amqp_link.hpp"
#include "support/amqp_script.hpp"

namespace amqp_script {

class scripted_broker {
 public:
  using tcp = boost::asio::ip::tcp;

  /// One frame of the client. A publish carries its body; its header and body frames do not appear.
  struct request {
    method what = method::none;
    channel_id channel = 0;
    std::string arguments;
    std::string body;
    properties props;
  };
  /// What to send in answer to a request; empty: nothing.
  using answer = std::string (*)(const request&);

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

  /// The next request of that kind; those before it are forgotten.
  request next(method what) {
    for (;;) {
      run_until([this] { return !requests_.empty(); }, "a request of the client");
      auto r = std::move(requests_.front());
      requests_.pop_front();
      if (r.what == what) return r;
    }
  }
  /// Everything that arrived and was not asked for, after the client has had its say.
  std::vector<request> rest() {
    settle();
    return {std::make_move_iterator(requests_.begin()),
            std::make_move_iterator(std::exchange(requests_, {}).end())};
  }

  /// From now on, what to say to such a request.
  void on(method what, answer a) { answers_[what] = a; }
  void as_usual(method what) { answers_.erase(what); }

  void send(std::string bytes) {
    boost::asio::write(*socket_, boost::asio::buffer(bytes));
    settle();
  }
  /// Ends the connection without a word; the next one is accepted.
  void drop() {
    close_socket();
    settle();
  }
  /// The same by a reset, and nothing runs until the test lets it: the client does not know yet.
  void reset() {
    socket_->set_option(boost::asio::socket_base::linger(true, 0));
    close_socket();
  }
  /// Nobody listens on the port any more.
  void vanish() {
    acceptor_.close();
    drop();
  }
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
  void close_socket() {
    socket_->close();
    socket_.reset();
    buffer_.clear();
    requests_.clear();
    closing_.clear();
  }
  /// Lets both sides do what they can do now: bytes on loopback are there once they are written.
  void settle() {
    io_.restart();
    while (io_.poll() != 0) {
    }
  }

  void accept() {
    auto fresh = std::make_shared<tcp::socket>(io_);
    acceptor_.async_accept(*fresh, [this, fresh](boost::system::error_code ec) {
      if (ec) return;
      ++connections_;
      socket_ = fresh;
      buffer_.clear();
      greeted_ = false;
      read(fresh);
      accept();
    });
  }

  void read(std::shared_ptr<tcp::socket> from) {
    from->async_read_some(boost::asio::buffer(chunk_),
                          [this, from](boost::system::error_code ec, std::size_t n) {
                            if (ec || from != socket_) return;
                            buffer_.append(chunk_, n);
                            parse();
                            if (from == socket_) read(from);
                          });
  }

  void parse() {
    if (!greeted_) {
      if (buffer_.size() < protocol_header.size()) return;
      buffer_.erase(0, protocol_header.size());
      greeted_ = true;
      write(start());
    }
    while (buffer_.size() >= frame_header_size) {
      reader header{buffer_};
      const auto type = static_cast<frame_type>(header.u8());
      const channel_id ch = header.u16();
      const std::size_t size = header.u32();
      if (buffer_.size() < size + frame_overhead) return;
      const std::string payload = buffer_.substr(frame_header_size, size);
      buffer_.erase(0, size + frame_overhead);
      if (type == frame_type::method) {
        reader r{payload};
        request q{static_cast<method>(r.u32()), ch, payload.substr(4), {}, {}};
        if (q.what == method::basic_publish)
          publishing_ = std::move(q);
        else
          take(std::move(q));
      } else if (type == frame_type::header) {
        reader r{payload};
        r.u32();  // class and weight
        body_left_ = r.u64();
        read_properties(r, publishing_.props);
        if (body_left_ == 0) take(std::exchange(publishing_, {}));
      } else if (type == frame_type::body) {
        publishing_.body += payload;
        body_left_ -= payload.size();
        if (body_left_ == 0) take(std::exchange(publishing_, {}));
      }
    }
  }

  void take(request r) {
    if (closing_.contains(r.channel)) {  // what was on its way when the channel was closed
      if (r.what == method::channel_close_ok) closing_.erase(r.channel);
      return;
    }
    const auto special = answers_.find(r.what);
    const std::string say = special != answers_.end() ? special->second(r) : usual_answer(r);
    if (say.starts_with(frame_start(r.channel)) &&
        reader{std::string_view(say).substr(frame_header_size)}.u32() ==
            static_cast<std::uint32_t>(method::channel_close))
      closing_.insert(r.channel);
    requests_.push_back(std::move(r));
    if (!say.empty()) write(say);
  }

  void write(const std::string& bytes) {
    boost::system::error_code gone;
    boost::asio::write(*socket_, boost::asio::buffer(bytes), gone);
  }

  static std::string frame_start(channel_id ch) {
    std::string out;
    writer w{out};
    w.u8(static_cast<std::uint8_t>(frame_type::method));
    w.u16(ch);
    return out;
  }

  static std::string usual_answer(const request& r) {
    const auto plain = [&](method m) { return method_frame(r.channel, m); };
    switch (r.what) {
      case method::connection_start_ok: return tune();
      case method::connection_open: return open_ok();
      case method::connection_close: return close_ok(0);
      case method::channel_open: return channel_open_ok(r.channel);
      case method::channel_close: return close_ok(r.channel);
      case method::confirm_select: return plain(method::confirm_select_ok);
      case method::exchange_declare: return plain(method::exchange_declare_ok);
      case method::queue_bind: return plain(method::queue_bind_ok);
      case method::basic_qos: return plain(method::basic_qos_ok);
      case method::queue_declare: return declare_ok(r.channel, name_in(r));
      case method::queue_delete: return method_hex(r.channel, method::queue_delete_ok, "00000000");
      case method::basic_consume: return consume_ok(r.channel, tag_in(r));
      case method::basic_cancel:
        return method_frame(r.channel, method::basic_cancel_ok,
                            [&](writer& w) { w.shortstr(reader{r.arguments}.shortstr()); });
      default: return {};
    }
  }

 public:
  /// The name that a declare, a bind, a delete or a publish begins with.
  static std::string name_in(const request& r) {
    reader in{r.arguments};
    in.u16();
    return std::string(in.shortstr());
  }
  /// The tag of a basic.consume.
  static std::string tag_in(const request& r) {
    reader in{r.arguments};
    in.u16();
    in.shortstr();
    return std::string(in.shortstr());
  }

 private:
  boost::asio::io_context& io_;
  tcp::acceptor acceptor_;
  std::shared_ptr<tcp::socket> socket_;
  char chunk_[65536];
  std::string buffer_;
  bool greeted_ = false;
  request publishing_;
  std::uint64_t body_left_ = 0;
  std::deque<request> requests_;
  std::map<method, answer> answers_;
  std::set<channel_id> closing_;  ///< closed by us, not yet confirmed
  int connections_ = 0;
};

}  // namespace amqp_script
