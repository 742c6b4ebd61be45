// What a broker would say: reads what a client sends, keeps its requests for a test to look at, and
// answers handshakes and topology as usual, unless the test says otherwise. No socket.
#pragma once

#include <deque>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "support/amqp_script.hpp"

namespace amqp_script {

/// Reads one connection at a time.
class broker_script {
 public:
  /// One frame of the client. A publish carries its body; its header and body frames do not appear.
  struct request {
    method what = method::none;
    channel_id channel = 0;
    std::string arguments;
    std::string body;
    properties props;
    int connection = 1;  ///< which it came from, where there are several
  };
  /// What to send in answer to a request; empty: nothing.
  using answer = std::function<std::string(const request&)>;

  /// Takes bytes of the client and returns what to send back.
  std::string take(std::string_view bytes) {
    buffer_ += bytes;
    std::string out;
    if (!greeted_) {
      if (buffer_.size() < protocol_header.size()) return out;
      buffer_.erase(0, protocol_header.size());
      greeted_ = true;
      const auto special = answers_->find(method::connection_start);
      out += special != answers_->end() ? special->second({}) : start();
    }
    while (buffer_.size() >= frame_header_size) {
      reader header{buffer_};
      const auto type = static_cast<frame_type>(header.u8());
      const channel_id ch = header.u16();
      const std::size_t size = header.u32();
      if (buffer_.size() < size + frame_overhead) break;
      const std::string payload = buffer_.substr(frame_header_size, size);
      buffer_.erase(0, size + frame_overhead);
      out += on_frame(type, ch, payload);
    }
    return out;
  }

  /// A new connection: nothing of the old one is left, except for what the test asked for.
  void begin_connection() {
    buffer_.clear();
    requests_.clear();
    closing_.clear();
    publishing_ = {};
    published_.clear();
    greeted_ = false;
  }

  bool has_requests() const noexcept { return !requests_.empty(); }
  std::optional<request> pop() {
    if (requests_.empty()) return std::nullopt;
    auto r = std::move(requests_.front());
    requests_.pop_front();
    return r;
  }
  std::vector<request> rest() {
    auto all = std::exchange(requests_, {});
    return {std::make_move_iterator(all.begin()), std::make_move_iterator(all.end())};
  }

  /// From now on, what to say to such a request; `connection_start`: what to greet with.
  void on(method what, answer a) { (*answers_)[what] = std::move(a); }
  void as_usual(method what) { answers_->erase(what); }
  /// Another connection to the same broker.
  broker_script another() const {
    broker_script s;
    s.answers_ = answers_;
    return s;
  }
  /// Sequence number of the last publish on a channel.
  std::uint64_t published(channel_id ch) { return published_[ch]; }
  /// The channel that was opened last.
  channel_id last_channel() const noexcept { return last_channel_; }
  /// From now on each publish is confirmed at once.
  void confirm_everything() {
    on(method::basic_publish, [this](const request& r) {
      return confirm(r.channel, method::basic_ack, published(r.channel), false);
    });
  }

  /// The name that a declare, a bind, a delete or a publish begins with.
  static std::string name_in(const request& r) {
    reader in{r.arguments};
    in.u16();
    return std::string(in.shortstr());
  }
  /// The tag of a basic.consume, or the routing key of a publish.
  static std::string tag_in(const request& r) {
    reader in{r.arguments};
    in.u16();
    in.shortstr();
    return std::string(in.shortstr());
  }

 private:
  std::string on_frame(frame_type type, channel_id ch, const std::string& payload) {
    if (type == frame_type::method) {
      reader r{payload};
      request q{static_cast<method>(r.u32()), ch, payload.substr(4), {}, {}};
      if (q.what != method::basic_publish) return answer_to(std::move(q));
      publishing_ = std::move(q);
    } else if (type == frame_type::header) {
      reader r{payload};
      r.u32();  // class and weight
      body_left_ = r.u64();
      read_properties(r, publishing_.props);
      if (body_left_ == 0) return answer_to(std::exchange(publishing_, {}));
    } else if (type == frame_type::body) {
      publishing_.body += payload;
      body_left_ -= payload.size();
      if (body_left_ == 0) return answer_to(std::exchange(publishing_, {}));
    }
    return {};
  }

  std::string answer_to(request r) {
    if (closing_.contains(r.channel)) {  // what was on its way when the channel was closed
      if (r.what == method::channel_close_ok) closing_.erase(r.channel);
      return {};
    }
    if (r.what == method::channel_open) {
      published_[r.channel] = 0;
      last_channel_ = r.channel;
    }
    if (r.what == method::basic_publish) ++published_[r.channel];
    const auto special = answers_->find(r.what);
    std::string say = special != answers_->end() ? special->second(r) : usual_answer(r);
    note_close(r.channel, say);
    requests_.push_back(std::move(r));
    return say;
  }

 public:
  /// To be called with what the test sends on its own: a channel.close ends the channel.
  void note_close(channel_id ch, std::string_view say) {
    std::string start;
    writer w{start};
    w.u8(static_cast<std::uint8_t>(frame_type::method));
    w.u16(ch);
    if (ch != 0 && say.starts_with(start) &&
        reader{say.substr(frame_header_size)}.u32() ==
            static_cast<std::uint32_t>(method::channel_close))
      closing_.insert(ch);
  }

 private:
  static std::string usual_answer(const request& r) {
    const auto plain = [&](method m) { return method_frame(r.channel, m); };
    switch (r.what) {
      case method::connection_start_ok: return tune();
      case method::connection_open: return open_ok();
      case method::connection_close: return close_ok(0);
      case method::channel_open: return channel_open_ok(r.channel);
      case method::channel_close: return close_ok(r.channel);
      case method::channel_flow: return flow_ok(r.channel);
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

  std::string buffer_;
  bool greeted_ = false;
  request publishing_;
  std::uint64_t body_left_ = 0;
  std::deque<request> requests_;
  std::shared_ptr<std::map<method, answer>> answers_ = std::make_shared<std::map<method, answer>>();
  std::map<channel_id, std::uint64_t> published_;
  channel_id last_channel_ = 0;
  std::set<channel_id> closing_;  ///< closed by us, not yet confirmed
};

}  // namespace amqp_script
