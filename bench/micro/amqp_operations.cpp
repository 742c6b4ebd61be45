// Frames in and out of the AMQP machine, without a socket.
#include <benchmark/benchmark.h>

#include <memory>
#include <stdexcept>

#include "operation.hpp"
#include "support/amqp_script.hpp"

namespace micro {
namespace {

using namespace amqp_script;

/// An open connection with one channel in confirm mode.
struct session : event_handler {
  explicit session() {
    const instant now{};
    feed(start() + tune() + open_ok());
    machine.take_output(output, now);
    channel = machine.open_channel();
    machine.confirm_select(channel, 0);
    machine.basic_consume(channel, 1, "queue", "tag", false, false);
    feed(channel_open_ok(channel) + method_frame(channel, method::confirm_select_ok) +
         consume_ok(channel, "tag"));
    machine.take_output(output, now);
  }
  void feed(std::string_view text) { machine.on_bytes(std::as_bytes(std::span(text)), {}); }

  void on_closed(const close_reason& why) override { throw std::runtime_error(why.text); }
  void on_delivery(const delivery& d) override {
    machine.ack(d.channel, d.delivery_tag);
    ++deliveries;
  }
  void on_confirm(channel_id, std::uint64_t, bool, bool) override { ++confirms; }

  connection machine{{}, *this, {}};
  channel_id channel = 0;
  std::string output;
  std::size_t deliveries = 0, confirms = 0;
  std::uint64_t last_tag = 0;
};

properties request_properties() {
  properties p;
  p.content_type = "application/json";
  p.content_encoding = "utf-8";
  p.headers = field_table{};
  p.delivery_mode = std::uint8_t{2};
  p.priority = std::uint8_t{0};
  p.expiration = "60000";
  return p;
}

/// As many as a busy connection writes or reads at once.
constexpr std::size_t group = 16;

}  // namespace

void add_amqp(std::vector<operation>& all) {
  const auto out = std::make_shared<session>();
  all.push_back({"amqp/publish_confirm/400B",
                 [out, p = request_properties(), body = std::string(400, 'x')](std::size_t times) {
                   while (times > 0) {
                     const auto n = std::min(times, group);
                     std::uint64_t last = 0;
                     for (std::size_t i = 0; i < n; ++i)
                       last = out->machine.publish(out->channel, "openstack", "topic.host", true, p,
                                                   body);
                     out->machine.take_output(out->output, {});
                     benchmark::DoNotOptimize(out->output.data());
                     out->feed(confirm(out->channel, method::basic_ack, last, true));
                     times -= n;
                   }
                 }});
  const auto in = std::make_shared<session>();
  all.push_back({"amqp/deliver_ack/400B",
                 [in, rest = content(in->channel, std::string(400, 'x'), request_properties())](
                     std::size_t times) {
                   std::string input;
                   while (times > 0) {
                     const auto n = std::min(times, group);
                     input.clear();
                     for (std::size_t i = 0; i < n; ++i) {
                       input += method_frame(in->channel, method::basic_deliver, [&](writer& w) {
                         w.shortstr("tag");
                         w.u64(++in->last_tag);
                         w.u8(0);
                         w.shortstr("openstack");
                         w.shortstr("topic.host");
                       });
                       input += rest;
                     }
                     const auto before = in->deliveries;
                     in->feed(input);
                     if (in->deliveries != before + n)
                       throw std::runtime_error("A message is lost.");
                     in->machine.take_output(in->output, {});
                     times -= n;
                   }
                 }});
}

}  // namespace micro
