// The driver with a peer that is nothing but a socket of libzmq, and what it refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <oslo/messaging/messaging.hpp>
#include <zmq.hpp>

#include "core/unique_id.hpp"

namespace oslo::messaging {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr auto patience = 60s;

std::string free_address() {
  boost::asio::io_context io;
  namespace ip = boost::asio::ip;
  const ip::tcp::acceptor held(io, ip::tcp::endpoint(ip::address_v4::loopback(), 0));
  return "127.0.0.1:" + std::to_string(held.local_endpoint().port());
}

target on(const std::string& topic, const std::string& server = {}) {
  target t;
  t.topic = topic;
  if (!server.empty()) t.server = server;
  return t;
}

std::unique_ptr<rpc::server> serve(const transport& bus, const std::string& topic) {
  auto e = std::make_shared<rpc::endpoint>();
  e->bind("echo", [](raw_json args) { return args; });
  auto server = std::make_unique<rpc::server>(bus, on(topic, "s1"), std::vector{e});
  server->start();
  return server;
}

value call(const transport& bus, const std::string& topic, value args,
           std::chrono::milliseconds timeout = patience) {
  return blocking::client(bus, on(topic), {.timeout = timeout}).call("echo", {}, std::move(args));
}

/// A peer that is not of this library.
class raw_peer {
 public:
  explicit raw_peer(const std::string& address) {
    socket_.set(::zmq::sockopt::linger, 0);
    socket_.set(::zmq::sockopt::rcvtimeo, 60'000);
    socket_.connect("tcp://" + address);
  }
  void send(const std::vector<std::string>& frames) {
    for (std::size_t i = 0; i < frames.size(); ++i)
      socket_.send(::zmq::buffer(frames[i]),
                   i + 1 < frames.size() ? ::zmq::send_flags::sndmore : ::zmq::send_flags::none);
  }
  std::vector<std::string> receive() {
    std::vector<std::string> all;
    for (bool more = true; more;) {
      ::zmq::message_t part;
      if (!socket_.recv(part)) return {"nothing came"};
      all.push_back(part.to_string());
      more = part.more();
    }
    return all;
  }

 private:
  ::zmq::context_t context_{1};
  ::zmq::socket_t socket_{context_, ::zmq::socket_type::dealer};
};

TEST(zmq_driver, a_peer_that_acknowledges_nothing_is_answered_as_it_asks) {
  const auto at = free_address();
  const auto bus = open_transport("zmq+static://" + at + "/");
  const auto server = serve(bus, "t");
  raw_peer peer(at);
  peer.send(
      {"", "1.0", "1", "an-id", R"([{"user": "ada"}, {"method": "echo", "args": {"a": 1}}])"});
  EXPECT_EQ(peer.receive(),
            (std::vector<std::string>{"", "1.0", "5", "an-id", R"([{"a": 1}, null])"}));
  peer.send({"", "1.0", "1", "other", R"([{}, {"method": "missing", "args": {}}])"});
  const auto failed = peer.receive();
  ASSERT_EQ(failed.size(), 5u);
  EXPECT_EQ(failed[3], "other");
  EXPECT_THAT(failed[4], HasSubstr("NoSuchMethod"));
}

TEST(zmq_driver, garbage_hurts_nobody_else) {
  const auto at = free_address();
  const auto bus = open_transport("zmq+static://" + at + "/");
  const auto server = serve(bus, "t");
  raw_peer peer(at);
  peer.send({"x"});
  peer.send({"", "1.0"});
  peer.send({"", "1.0", "1", "id", "no json"});
  peer.send({"", "1.0", "9", "id", "[{}, {}]"});
  peer.send({"", "oslo-cpp-1", "Q", "id", "1 0 0 0 0 -1", "no json"});  // without a hello
  peer.send({"", "oslo-cpp-1", "H", "", std::string(1'000, 'x'), ""});
  peer.send({"", "oslo-cpp-1", "H", "", "a-client", ""});
  peer.send({"", "oslo-cpp-1", "Q", "id", "no head", "{}"});
  peer.send({"", "oslo-cpp-1", "Q", "id", "1 0 1 0 0 -1", "no json"});
  peer.send(std::vector<std::string>(100, "many"));
  peer.send({"", "1.0", "1", "last", R"([{}, {"method": "echo", "args": {}}])"});
  for (auto m = peer.receive(); m.size() < 4 || m[3] != "last"; m = peer.receive())
    ASSERT_GT(m.size(), 1u) << "nothing came";
  EXPECT_EQ(call(bus, "t", value{{"a", 1}}), (value{{"a", 1}}));
}

TEST(zmq_driver, a_port_that_is_taken_is_an_error_of_the_listener) {
  const auto at = free_address();
  const auto first = open_transport("zmq+static://" + at + "/");
  const auto server = serve(first, "t");
  const auto second = open_transport("zmq+static://" + at + "/");
  try {
    serve(second, "t");
    FAIL() << "both listen at the same port";
  } catch (const messaging_error& e) {
    EXPECT_EQ(e.code(), errc::unreachable) << e.what();
  }
}

TEST(zmq_driver, a_message_of_a_server_that_has_gone_comes_to_the_next) {
  const auto bus = open_transport("zmq+dummy://");
  const auto topic = "t" + unique_id();
  std::promise<void> first_has_it;
  std::promise<value> second_has_it;
  auto first = std::make_unique<transport>(open_transport("zmq+dummy://"));
  const auto listen = [&](const transport& t, auto then) {
    std::promise<std::shared_ptr<listener>> made;
    t.loop().post([&] {
      auto l = t.driver().listen(on(topic, "s"), {});
      auto* const raw = l.get();
      raw->ready([&made, l](result<void> r) {
        EXPECT_TRUE(r.has_value());
        made.set_value(l);
      });
      raw->next(1, then);
    });
    return made.get_future().get();
  };
  incoming_batch held;
  auto one = listen(*first, [&](incoming_batch b) {
    held = std::move(b);
    first_has_it.set_value();
  });
  bus.driver().send(on(topic), {R"({"method": "m"})", {}}, {.timeout = patience},
                    [](result<reply> r) { EXPECT_TRUE(r.has_value()); });
  ASSERT_EQ(first_has_it.get_future().wait_for(patience), std::future_status::ready);
  const auto second = open_transport("zmq+dummy://");
  const auto two = listen(second, [&](incoming_batch b) {
    ASSERT_EQ(b.size(), 1u);
    b[0]->acknowledge();
    second_has_it.set_value(b[0]->redelivered());
  });
  first->close();
  auto got = second_has_it.get_future();
  ASSERT_EQ(got.wait_for(patience), std::future_status::ready);
  EXPECT_EQ(got.get(), value(true));
  held.clear();
  one.reset();
}

class keys {
 public:
  keys() { std::filesystem::create_directory(folder_); }
  ~keys() { std::filesystem::remove_all(folder_); }
  keys(const keys&) = delete;
  keys& operator=(const keys&) = delete;
  /// Files NAME and NAME.pub.
  void make(const std::string& name) const {
    std::array<char, 41> open{}, secret{};
    ASSERT_EQ(zmq_curve_keypair(open.data(), secret.data()), 0);
    std::ofstream(folder_ / name) << secret.data() << '\n';
    std::ofstream(folder_ / (name + ".pub")) << open.data() << '\n';
  }
  std::string file(const std::string& name) const { return (folder_ / name).string(); }

 private:
  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("oslo-zmq-" + unique_id());
};

TEST(zmq_driver, curve_lets_in_whom_the_server_knows) {
  const keys k;
  for (const auto* const who : {"server", "friend", "stranger"}) k.make(who);
  const auto url = "zmq+static://" + free_address() + "/";
  const auto server_bus = open_transport(url + "?cpp_curve_secret_key_file=" + k.file("server") +
                                         "&cpp_curve_client_keys_file=" + k.file("friend.pub"));
  const auto server = serve(server_bus, "t");
  const auto client_of = [&](const char* who) {
    return open_transport(url + "?cpp_curve_secret_key_file=" + k.file(who) +
                          "&cpp_curve_server_key_file=" + k.file("server.pub"));
  };
  EXPECT_EQ(call(client_of("friend"), "t", value{{"a", 1}}), (value{{"a", 1}}));
  const auto refused = [&](const transport& bus) -> std::error_code {
    try {
      call(bus, "t", value{{"a", 1}}, 1s);
    } catch (const messaging_error& e) {
      return e.code();
    }
    return {};
  };
  EXPECT_EQ(refused(client_of("stranger")), errc::timed_out);
  EXPECT_EQ(refused(open_transport(url)), errc::timed_out) << "without a key";
}

}  // namespace
}  // namespace oslo::messaging
