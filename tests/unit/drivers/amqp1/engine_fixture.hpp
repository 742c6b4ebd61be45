// An engine on a link without a socket, beside a scripted broker.
#pragma once

#include <gmock/gmock.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "drivers/amqp1/engine.hpp"
#include "drivers/amqp1/listener.hpp"
#include "drivers/amqp1/message.hpp"
#include "support/amqp1_fake_link.hpp"

namespace oslo::messaging::amqp1 {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class engine_fixture : public ::testing::Test {
 protected:
  std::shared_ptr<testing::stepping_loop> loop = std::make_shared<testing::stepping_loop>();
  amqp1_script::fake_link link{loop};
  std::shared_ptr<engine> e;
  std::map<std::string, std::vector<std::string>> ends;  ///< of each send, by its name
  options o;

  engine_fixture() {
    o.pre_settled.casts = o.pre_settled.replies = true;  // as by default
    loop->advance(1h);
  }
  /// While all of the test is there: it is told of the end.
  void TearDown() override {
    if (!e) return;
    e->close(0ms, [] {});
    link.run();
  }

  void start() {
    driver_environment env;
    env.loop = loop;
    env.log = link.lines.into();
    e = std::make_shared<engine>(o, env);
    e->start(link, [this](std::chrono::milliseconds, unique_function<void()> done) {
      link.shut();
      loop->post(std::move(done));
    });
    link.serve(*e);
  }
  void connect() {
    if (!e) start();
    link.connect();
  }

  static std::string text_of(const result<reply>& r) {
    if (r.has_value()) return r->result;
    if (r.error().remote() != nullptr) return "remote " + r.error().remote()->type;
    return std::string(make_error_code(r.error().code()).message()) + " @" +
           r.error().detail().stage;
  }
  send_completion note(const std::string& name) {
    return [this, name](const result<reply>& r) {
      ends[name].push_back(text_of(r));
      last = r.has_error() ? std::optional(r.error()) : std::nullopt;
    };
  }
  std::optional<failure> last;

  static destination topic(const std::string& name = "t") {
    destination d;
    d.topic = name;
    return d;
  }
  void call(const std::string& name, send_options so = {}, destination to = topic()) {
    so.wait_for_reply = true;
    if (!so.timeout) so.timeout = 30s;
    e->call(std::move(to), {R"({"method": ")" + name + R"("})", {}}, std::move(so), note(name));
    link.run();
  }
  void cast(const std::string& name, send_options so = {}, destination to = topic()) {
    e->cast(std::move(to), R"({"request": {"method": ")" + name + R"("}, "context": {}})",
            std::move(so), note(name));
    link.run();
  }
  /// Messages that the broker got on links, replies apart.
  std::vector<std::string> received() const {
    std::vector<std::string> all;
    for (const auto& m : link.broker.received) all.emplace_back(read_message(m.bytes).value().body);
    return all;
  }
  incoming_sections sections(std::size_t i) {
    return read_message(link.broker.received.at(i).bytes).value();
  }
  /// What a server would send.
  void answer(std::size_t i, std::optional<std::string_view> body) {
    const auto m = sections(i);
    std::string bytes;
    write_message(bytes, {.correlation_id = m.message_id}, body);
    link.broker.deliver(std::string(m.reply_to), bytes);
    link.run();
  }
};

}  // namespace oslo::messaging::amqp1
