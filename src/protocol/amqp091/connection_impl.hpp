// Inside of amqp091::connection. One class; its members live in one file for each concern.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/amqp091/channel.hpp"
#include "protocol/amqp091/codec.hpp"
#include "protocol/amqp091/connection.hpp"

namespace amqp091 {

class connection::impl {
 public:
  impl(connection_options options, event_handler& handler, instant now);

  // connection.cpp: stimuli, output, time, the end.
  void on_bytes(std::string_view bytes, instant now);
  void on_stream_end(std::string_view error_text, instant now);
  void on_tick(instant now);
  instant next_deadline() const;
  bool has_output() const noexcept { return !out_.empty() || !channels_with_acks_.empty(); }
  std::size_t output_size() const noexcept { return out_.size(); }
  void take_output(std::string& buffer, instant now);
  void output_moves(instant now);  // heartbeats.cpp
  void close(std::uint16_t code, std::string_view text, instant now);
  bool has_channel(channel_id id) const noexcept;
  const field_table& server_properties() const noexcept { return server_properties_; }

  // requests.cpp: what the user asks for.
  channel_id open_channel();
  void close_channel(channel_id id, std::uint16_t code, std::string_view text);
  /// `write(writer&)` puts the arguments behind the method id.
  template <class Write>
  void request(channel_id id, request_id req, method what, method answer, Write&& write,
               bool no_ack = false, std::string_view consumer_tag = {});
  void confirm_select(channel_id id, request_id req);
  void reads_stream(channel_id id, std::string_view consumer_tag);
  std::uint64_t publish(channel_id id, std::string_view exchange, std::string_view routing_key,
                        bool mandatory, const properties& props, std::string_view body);
  void ack(channel_id id, std::uint64_t tag);
  void reject(channel_id id, std::uint64_t tag, bool requeue);

 private:
  enum class state : std::uint8_t { handshake, open, closing, closed };
  enum class step : std::uint8_t { start, tune, open_ok, done };

  struct frame {
    frame_type type;
    channel_id channel;
    std::string_view payload;
  };

  // connection.cpp
  void consume(std::string_view in);
  std::size_t frame_size(std::string_view in) const;
  void end(close_reason why);
  void broken(const violation& v);
  std::chrono::milliseconds interval() const { return std::chrono::seconds{heartbeat_}; }
  /// How long an answer may take.
  std::chrono::milliseconds patience() const { return interval() * 3 / 4; }
  void flush_acks(channel_id id, channel& ch);
  void flush_all_acks();

  // heartbeats.cpp
  void watch_peer(instant now, instant last_stimulus);
  void ask(instant now);
  void peer_spoke() noexcept;
  void note_sent(instant now);
  instant dead_at() const;
  instant next_watch() const;

  // frames.cpp: from frames to methods.
  void on_frame(std::string_view whole);
  void dispatch(const frame& f);
  void on_method(const frame& f);
  void on_connection_method(method m, reader& in);
  void on_channel_method(channel_id id, method m, reader& in, std::string_view arguments);
  channel& known_channel(channel_id id);
  bool is_over(channel_id id) const noexcept;
  /// The arguments of connection.close and of channel.close.
  static close_reason read_close(reader& in);

  // handshake.cpp
  void encode_start_ok();
  [[noreturn]] void not_amqp(std::string_view in) const;
  void on_handshake_method(method m, reader& in);
  void on_start(reader& in);
  void on_tune(reader& in);
  std::string_view step_name() const noexcept;

  // channel_methods.cpp
  static void forget_consumer(channel& ch, std::string_view tag);
  void on_channel_close(channel_id id, channel& ch, reader& in);
  void drop_channel(channel_id id);
  void on_closing_channel(channel_id id, channel& ch, method m, reader& in);
  void on_answer(channel_id id, channel& ch, method m, reader& in);
  void on_confirm(channel_id id, channel& ch, method m, reader& in);
  void on_cancel(channel_id id, channel& ch, reader& in);

  // content.cpp: messages in.
  void on_content_method(channel_id id, channel& ch, method m, std::string_view arguments);
  void on_header(channel_id id, std::string_view payload);
  void on_body(channel_id id, std::string_view payload);
  void hand_over(incoming_content& c, std::string_view body);
  void refuse(channel_id id, channel& ch, std::string_view why);

  // requests.cpp
  channel& usable(channel_id id);
  channel* find_usable(channel_id id) noexcept;
  template <class Write>
  void send_method(channel_id id, method m, Write&& write);
  void send_empty_method(channel_id id, method m) {
    send_method(id, m, [](writer&) {});
  }
  /// As `send_method`, for what the broker can make us say as often as it likes: `on_frame` bounds
  /// what of it may wait.
  template <class Write>
  void answer(channel_id id, method m, Write&& write);

  connection_options options_;
  event_handler& handler_;

  state state_ = state::handshake;
  step step_ = step::start;
  std::uint32_t frame_max_ = frame_min_size;
  std::uint16_t heartbeat_ = 0;    // seconds
  std::uint16_t channel_max_ = 0;  // until connection.tune only channel 0 exists
  std::string start_ok_, open_;    // frames, made and checked by the constructor
  field_table server_properties_;

  std::string out_;
  std::size_t answers_ = 0;  // bytes of `answer` in out_
  std::string partial_;      // the start of a frame whose rest has not come

  std::vector<std::unique_ptr<channel>> channels_;  // by id
  std::vector<channel_id> free_ids_;
  std::vector<channel_id> channels_with_acks_;

  instant limit_;                        // end of the handshake or of the wait for close-ok
  instant heartbeat_due_{};              // when to send one, unless something else is sent before
  instant heard_{};                      // last sign of life
  instant spoke_{};                      // last one that was more than a heartbeat
  bool asked_ = false;                   // and it was asked for one since
  instant answer_due_ = instant::max();  // once the question has left
  bool blocked_ = false;                 // it reads nothing, and says so
  instant stimulus_{};                   // last time that the caller came by
  close_reason why_closing_;

  method current_method_ = method::none;  // for the text and the ids of a violation
  channel_id current_channel_ = 0;
};

template <class Write>
void connection::impl::send_method(channel_id id, method m, Write&& write) {
  output_mark mark{out_};
  writer w{out_};
  const std::size_t start = w.begin_method(id, m);
  write(w);
  w.end_frame(start, frame_max_);
  mark.keep();
}

template <class Write>
void connection::impl::answer(channel_id id, method m, Write&& write) {
  const std::size_t before = out_.size();
  send_method(id, m, write);
  answers_ += out_.size() - before;
}

template <class Write>
void connection::impl::request(channel_id id, request_id req, method what, method answer,
                               Write&& write, bool no_ack, std::string_view consumer_tag) {
  channel& ch = usable(id);
  send_method(id, what, write);
  ch.pending.push_back({answer, req, no_ack, std::string{consumer_tag}});
}

}  // namespace amqp091
