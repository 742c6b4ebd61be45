// A publisher on a link without a socket, with everything that its owner learns as text.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "drivers/rabbit/publisher.hpp"
#include "support/fake_link.hpp"

namespace oslo::messaging::rabbit {

using amqp091::method;
using amqp_script::broker_script;
using amqp_script::confirm;
using namespace std::chrono_literals;

class publisher_fixture : public ::testing::Test, public send_owner {
 protected:
  publisher_fixture() : out(link, *this) { link.serve(out); }

  send_ptr make(std::string body, std::string exchange = "openstack", std::string key = "t") {
    auto s = std::make_shared<pending_send>();
    s->to = topic_destination({}, std::move(exchange), std::move(key));
    s->body = std::move(body);
    s->begun = link.now();
    s->patience_refused = publisher::confirm_limit;
    return s;
  }
  send_ptr call(std::string body) {
    auto s = make(std::move(body));
    s->wants_reply = s->needs_reply_queue = s->mandatory = true;
    s->patience_returned = s->patience_refused = 24h;
    return s;
  }
  send_ptr publish(const send_ptr& s) {
    names[s.get()] = s->body;
    kept.push_back(s);
    out.publish(s);
    return s;
  }
  send_ptr publish(std::string body, std::string exchange = "openstack", std::string key = "t") {
    return publish(make(std::move(body), std::move(exchange), std::move(key)));
  }

  void published(const send_ptr& s, result<void> r) override {
    const auto& name = names[s.get()];
    EXPECT_FALSE(outcome.contains(name)) << name << " ended twice";
    outcome[name] = r ? "confirmed" : code_name(r.error().code());
    order += name;
    if (!r) why[name] = r.error().message();
    if (on_end) on_end();
  }
  void wake_at(pending_send::instant when) override { wake = std::min(wake, when); }
  void blocked_changed() override { ++blocked_changes; }

  static std::string code_name(errc c) { return make_error_code(c).message(); }
  std::string next_body() { return link.next(method::basic_publish).body; }
  void ack(std::uint64_t sequence, bool multiple = false, amqp091::channel_id ch = 1) {
    link.send(confirm(ch, method::basic_ack, sequence, multiple));
  }
  void nack(std::uint64_t sequence, amqp091::channel_id ch = 1) {
    link.send(confirm(ch, method::basic_nack, sequence, false));
  }
  void advance(std::chrono::milliseconds by) {
    link.advance(by);
    out.on_tick(link.now());
    link.run();
  }
  /// Bodies of what arrived since, in order.
  std::string arrived() {
    std::string all;
    for (const auto& r : link.rest())
      if (r.what == method::basic_publish) all += r.body;
    return all;
  }
  int asked(method what) {
    int n = 0;
    for (const auto& r : link.rest()) n += r.what == what;
    return n;
  }

  amqp_script::fake_link link;
  publisher out;
  std::map<std::string, std::string> outcome;
  std::map<std::string, std::string> why;
  std::map<const pending_send*, std::string> names;
  std::vector<send_ptr> kept;
  std::string order;
  std::function<void()> on_end;  ///< what the owner does in `published`
  pending_send::instant wake = pending_send::instant::max();
  int blocked_changes = 0;
};

}  // namespace oslo::messaging::rabbit
