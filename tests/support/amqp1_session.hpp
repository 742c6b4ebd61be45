// A client of AMQP 1.0 that does what the driver does, beside whatever answers it.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "drivers/amqp1/connection.hpp"

namespace amqp1_script {

namespace om1 = oslo::messaging::amqp1;

/// Attaches a reply link, a sender and a receiver, sends one message and settles what it gets.
class client final : private om1::connection_events {
 public:
  client() { speak(); }

  void take(std::string_view bytes) {
    if (ends_ != 0) return;  // whoever owns a connection hangs up then
    machine_.on_bytes(bytes, now_);
    now_ += std::chrono::milliseconds(1);
    machine_.on_tick(now_);
    speak();
  }
  void end_of_stream() {
    machine_.on_stream_end("end", now_);
    speak();
  }
  int ends() const { return ends_; }
  bool told_more() const { return told_more_; }
  std::size_t said() const { return said_; }
  /// What it has said since the last call.
  std::string output() { return std::exchange(output_, {}); }

 private:
  static om1::connection_options options() {
    om1::connection_options o;
    o.container_id = "client";
    o.mechanisms = "ANONYMOUS";
    o.idle_timeout = std::chrono::seconds(60);
    return o;
  }
  void speak() {
    std::string piece;
    while (machine_.has_output()) {
      machine_.take_output(piece);
      if (piece.empty()) break;
      said_ += piece.size();
      output_ += piece;
    }
  }
  void note() { told_more_ = told_more_ || ends_ != 0; }

  void on_open(const om1::peer_description&) override {
    note();
    machine_.open_reply_receiver(10);
    sender_ = machine_.open_sender("to");
    machine_.open_receiver("from", 10);
  }
  void on_closed(const om1::ending&) override { ++ends_; }
  void on_link_open(om1::link_id, std::string_view) override { note(); }
  void on_link_closed(om1::link_id l, const om1::condition&) override {
    note();
    if (l == sender_) sender_ = 0;
  }
  void on_credit(om1::link_id l) override {
    note();
    if (l != sender_ || machine_.credit(l) == 0 || sent_ == 100) return;
    ++sent_;
    machine_.send(l, "message", false);
  }
  void on_outcome(om1::link_id, om1::delivery_id, const om1::disposition&) override { note(); }
  void on_delivery(om1::link_id l, om1::delivery_id m, std::string_view, bool settled) override {
    note();
    if (!settled) machine_.settle(l, m, om1::settlement::accept);
    machine_.add_credit(l, 1);
  }

  om1::connection::instant now_{std::chrono::hours(1)};
  int ends_ = 0;
  int sent_ = 0;
  bool told_more_ = false;
  std::size_t said_ = 0;
  std::string output_{};
  om1::link_id sender_ = 0;
  om1::connection machine_{options(), *this, now_};
};

}  // namespace amqp1_script
