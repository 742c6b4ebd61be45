// A link without a socket, on a loop that is stepped by hand: what lives on it is tested against a
// scripted broker.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "drivers/amqp1/link.hpp"
#include "support/amqp1_peer.hpp"
#include "support/log_lines.hpp"
#include "support/stepping_loop.hpp"

namespace amqp1_script {

namespace amqp1 = oslo::messaging::amqp1;

class fake_link final : public amqp1::link, private amqp1::connection_events {
 public:
  using failure = oslo::messaging::failure;
  using errc = oslo::messaging::errc;

  explicit fake_link(std::shared_ptr<oslo::messaging::testing::stepping_loop> l)
      : loop_(std::move(l)) {}

  void serve(amqp1::link_user& user) { user_ = &user; }

  // ---- what the test does ----
  /// The broker accepts the connection, and everything is said that is to be said.
  void connect() {
    broker.begin();
    ended_.reset();
    machine_ = std::make_unique<amqp1::connection>(
        options, static_cast<amqp1::connection_events&>(*this), now());
    run();
  }
  /// Both sides say all they have to say, and the loop does all it has to do.
  void run() {
    for (bool more = true; more;) {
      more = loop_->turn();
      if (!machine_) continue;
      if (machine_->has_output()) {
        std::string out;
        machine_->take_output(out);
        broker.take(out);
        if (open_ && !machine_->has_output()) user_->output_drained();
        more = true;
      }
      if (!machine_) continue;
      const auto said = broker.output();
      if (!said.empty()) {
        machine_->on_bytes(said, now());
        if (open_ && user_ != nullptr) user_->input_done();
        more = true;
      }
      if (ended_) lose(amqp1::to_failure(*std::exchange(ended_, std::nullopt), name_), true);
    }
  }
  void advance(std::chrono::milliseconds by) {
    loop_->advance(by);
    run();
  }
  /// The connection is lost without a word.
  void drop() {
    lose(failure(errc::unreachable, name_ + " closed the connection"), true);
    run();
  }
  /// A pass over the hosts fails.
  void fail_pass(failure why = {errc::unreachable, "nobody is there"}, bool verdict = false) {
    failure_ = why;
    user_->link_down({std::move(why), false, verdict, {}});
    run();
  }
  void shut() {
    if (machine_ && open_) {
      machine_->close();
      std::string out;
      while (machine_->has_output()) {
        machine_->take_output(out);
        broker.take(out);
      }
    }
    open_ = false;
    shut_ = true;
    machine_.reset();
  }

  peer broker;
  amqp1::connection_options options{.container_id = "test"};
  oslo::messaging::testing::log_lines lines;
  int opens = 0;

  // ---- amqp1::link ----
  void open() override { ++opens; }
  bool is_open() const noexcept override { return machine_ && open_ && !ended_; }
  bool is_shut() const noexcept override { return shut_; }
  amqp1::connection& machine() noexcept override { return *machine_; }
  void flush_later() override {}
  const std::string& broker_name() const noexcept override { return name_; }
  const std::optional<failure>& last_failure() const noexcept override { return failure_; }
  const oslo::messaging::logger& log() const noexcept override { return log_; }
  instant now() const override { return loop_->now(); }

 private:
  void lose(failure why, bool was_open) {
    const bool told = std::exchange(open_, false);
    machine_.reset();
    failure_ = why;
    if (told) user_->link_down({std::move(why), was_open, false, {}});
  }

  void on_open(const amqp1::peer_description& p) override {
    open_ = true;
    user_->link_up(p);
  }
  void on_closed(const amqp1::ending& why) override { ended_ = why; }
  void on_link_open(amqp1::link_id l, std::string_view address) override {
    user_->on_link_open(l, address);
  }
  void on_link_closed(amqp1::link_id l, const amqp1::condition& why) override {
    user_->on_link_closed(l, why);
  }
  void on_link_gone(amqp1::link_id l) override { user_->on_link_gone(l); }
  void on_credit(amqp1::link_id l) override { user_->on_credit(l); }
  void on_outcome(amqp1::link_id l, amqp1::delivery_id m, const amqp1::disposition& v) override {
    user_->on_outcome(l, m, v);
  }
  void on_delivery(amqp1::link_id l, amqp1::delivery_id m, std::string_view bytes,
                   bool settled) override {
    user_->on_delivery(l, m, bytes, settled);
  }

  std::shared_ptr<oslo::messaging::testing::stepping_loop> loop_;
  amqp1::link_user* user_ = nullptr;
  std::string name_ = "broker:5672";
  oslo::messaging::logger log_ = lines.into();
  std::unique_ptr<amqp1::connection> machine_;
  std::optional<failure> failure_;
  std::optional<amqp1::ending> ended_;
  bool open_ = false;
  bool shut_ = false;
};

}  // namespace amqp1_script
