// A link without a socket and with a clock that stands still until it is moved: what lives on it
// is tested by hand, in microseconds, against a scripted broker.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "net/link.hpp"
#include "support/broker_script.hpp"
#include "support/log_lines.hpp"

namespace amqp_script {

class fake_link final : public oslo::messaging::net::link, private event_handler {
 public:
  using link_loss = oslo::messaging::net::link_loss;
  using failure = oslo::messaging::failure;
  using errc = oslo::messaging::errc;

  void serve(oslo::messaging::net::link_user& user) { user_ = &user; }

  // ---- what the test does ----
  /// The broker accepts the connection, and everything is said that is to be said.
  void connect() {
    script.begin_connection();
    machine_ = std::make_unique<connection>(options, static_cast<event_handler&>(*this), now_);
    ++connections;
    failure_.reset();
    verdict_ = false;
    run();
  }
  /// Both sides say all they have to say.
  void run() {
    std::string out;
    while (machine_ && machine_->has_output()) {
      machine_->take_output(out, now_);
      feed(script.take(out));
    }
  }
  void send(const std::string& bytes) {
    if (bytes.size() > frame_header_size)
      script.note_close(reader{std::string_view(bytes).substr(1)}.u16(), bytes);
    feed(bytes);
    run();
  }
  /// The connection is lost, without a word of the broker or with its close.
  void drop() { lose({failure(errc::unreachable, "lost"), true, false, {}}); }
  /// It is given up, because the broker answers nothing.
  void give_up_deaf() { lose({failure(errc::unreachable, "deaf"), true, false, {}, true}); }
  void close(close_reason why) {
    lose({failure(errc::broker_error, why.text), true, false, std::move(why)});
  }
  /// A pass over the hosts fails.
  void fail_pass(failure why = {errc::unreachable, "nobody is there"}, bool verdict = false) {
    failure_ = why;
    verdict_ = verdict;
    user_->link_down({std::move(why), false, verdict, {}});
  }
  void shut_down() { shut_ = true; }
  void advance(std::chrono::milliseconds by) { now_ += by; }
  /// The next request of that kind; those before it are forgotten.
  broker_script::request next(method what) {
    run();
    while (auto r = script.pop())
      if (r->what == what) return std::move(*r);
    throw std::runtime_error("the client did not ask for that");
  }
  std::vector<broker_script::request> rest() {
    run();
    return script.rest();
  }

  broker_script script;
  connection_options options;
  oslo::messaging::testing::log_lines lines;
  int connections = 0;
  int opens = 0;

  // ---- net::link ----
  void open() override { ++opens; }
  bool is_open() const noexcept override { return machine_ && open_; }
  bool is_shut() const noexcept override { return shut_; }
  bool is_blocked() const noexcept override { return blocked_; }
  connection& machine() noexcept override { return *machine_; }
  void renew(failure why) override {
    open_ = false;
    renewed = std::move(why);
  }
  void flush_later() override {}
  void read_with(oslo::messaging::net::patience p) override { patience = p; }
  const std::string& broker_name() const noexcept override { return name_; }
  const std::optional<failure>& last_failure() const noexcept override { return failure_; }
  const failure* verdict() const noexcept override { return verdict_ ? &*failure_ : nullptr; }
  const oslo::messaging::logger& log() const noexcept override { return log_; }
  instant now() const override { return now_; }

  /// What `renew` was called with; the test lets the loss follow.
  std::optional<failure> renewed;
  oslo::messaging::net::patience patience = oslo::messaging::net::patience::none;

 private:
  void feed(const std::string& bytes) {
    if (bytes.empty() || !machine_) return;
    user_->input_begins();
    machine_->on_bytes({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}, now_);
    if (ended_) {
      auto why = *std::exchange(ended_, std::nullopt);
      if (why.from == close_reason::origin::broker) return close(std::move(why));
      return lose({failure(errc::protocol_error, why.text), true, false, {}});
    }
    user_->input_done();
  }
  void lose(link_loss loss) {
    open_ = blocked_ = false;
    machine_.reset();
    failure_ = loss.why;
    user_->link_down(loss);
  }

  void on_open(const field_table&) override {
    open_ = true;
    user_->link_up();
  }
  void on_closed(const close_reason& why) override {
    open_ = false;
    ended_ = why;
  }
  void on_channel_open(channel_id ch) override { user_->on_channel_open(ch); }
  void on_channel_closed(channel_id ch, const close_reason& why) override {
    user_->on_channel_closed(ch, why);
  }
  void on_request_ok(channel_id ch, request_id id, std::string_view name, std::uint32_t messages,
                     std::uint32_t consumers) override {
    user_->on_request_ok(ch, id, name, messages, consumers);
  }
  void on_delivery(const delivery& d) override { user_->on_delivery(d); }
  void on_delivery_refused(const delivery& d, std::string_view why) override {
    user_->on_delivery_refused(d, why);
  }
  void on_consumer_cancelled(channel_id ch, std::string_view tag) override {
    user_->on_consumer_cancelled(ch, tag);
  }
  void on_return(const returned_message& m) override { user_->on_return(m); }
  void on_confirm(channel_id ch, std::uint64_t sequence, bool multiple, bool ack) override {
    user_->on_confirm(ch, sequence, multiple, ack);
  }
  void on_blocked(std::string_view reason) override {
    blocked_ = true;
    user_->on_blocked(reason);
  }
  void on_unblocked() override {
    blocked_ = false;
    user_->on_unblocked();
  }

  oslo::messaging::net::link_user* user_ = nullptr;
  instant now_{std::chrono::hours(1)};
  std::string name_ = "broker:5672";
  oslo::messaging::logger log_ = lines.into();
  std::unique_ptr<connection> machine_;
  std::optional<failure> failure_;
  std::optional<close_reason> ended_;
  bool verdict_ = false;
  bool open_ = false;
  bool blocked_ = false;
  bool shut_ = false;
};

}  // namespace amqp_script
