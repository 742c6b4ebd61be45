// Walks every step of a link, breaks it in every way, and sees whether it comes up once the fault
// is gone. A fake network and a fake clock; the policy and the AMQP machine are real.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "net/link.hpp"
#include "protocol/link_policy.hpp"
#include "support/amqp_script.hpp"

namespace fault_walk {

using namespace std::chrono_literals;
namespace net = oslo::messaging::net;
namespace protocol = oslo::messaging::protocol;
namespace act = protocol::act;
using amqp_script::method;
using oslo::messaging::errc;
using oslo::messaging::failure;
using instant = protocol::link_policy::instant;

/// Where a walk is broken. The steps of AMQP are known by the method that the client sends.
struct step {
  enum class kind { look_up, dial, tls, greeting, method, settled };
  kind at = kind::dial;
  method sent = method::none;
  std::string name;
};

inline step step_of(method sent, std::string name) {
  return {step::kind::method, sent, std::move(name)};
}
/// What every connection goes through until it is open, and then its quiet life.
inline std::vector<step> connecting_steps() {
  return {{step::kind::look_up, method::none, "look-up"},
          {step::kind::dial, method::none, "dial"},
          {step::kind::tls, method::none, "TLS"},
          {step::kind::greeting, method::none, "connection.start"},
          step_of(method::connection_start_ok, "connection.tune"),
          step_of(method::connection_open, "connection.open-ok"),
          {step::kind::settled, method::none, "open"}};
}

enum class fault { refused, closed, reset, silence, garbage, verdict, exception };
inline constexpr fault all_faults[] = {fault::refused,  fault::closed,  fault::reset,
                                       fault::silence,  fault::garbage, fault::verdict,
                                       fault::exception};
inline const char* name_of(fault f) {
  constexpr const char* names[] = {"refused", "closed",  "reset",    "silence",
                                   "garbage", "verdict", "exception"};
  return names[static_cast<int>(f)];
}

struct report {
  int passes_failed = 0;  ///< link_down of a pass
  int losses = 0;         ///< of an open connection
  int verdicts = 0;
  std::optional<protocol::link_loss> last;
  bool up_while_faulty = false;  ///< a healthy host was reached, or the fault does not apply
  bool up_afterwards = false;
  bool applied = false;  ///< the fault was met at all
  std::chrono::milliseconds longest_pause{0};
  std::string stuck;  ///< not empty: there was no next step
};

/// One link in a world of hosts, of which some have the fault. To its user it is the link.
class world final : public net::link, private amqp091::event_handler {
 public:
  /// `faulty`: of each host whether it has the fault.
  world(step where, fault how, const std::vector<bool>& faulty, std::uint64_t seed = 1)
      : where_(std::move(where)),
        how_(how),
        faulty_(faulty),
        policy_(options(faulty.size()), seed) {}

  /// `is_content`: the user has all that it wants from an open link.
  void attach(net::link_user& user, std::function<bool()> is_content) {
    user_ = &user;
    is_content_ = std::move(is_content);
  }

  /// Lives with the fault for a while, then without it until the user is content.
  report walk(std::chrono::milliseconds with_fault = 3min) {
    open();
    run(now_ + with_fault, [] { return false; });
    report_.up_while_faulty = is_settled();
    faulty_.assign(faulty_.size(), false);
    if (session_ && silent_) end_session();  // a peer that forgot us resets at the next packet
    run(now_ + 1min, [&] { return is_settled(); });
    report_.up_afterwards = is_settled();
    return report_;
  }
  bool is_settled() const { return is_open() && is_content_() && !silent_; }

  /// For timers of the user.
  void later(std::chrono::milliseconds after, std::function<void()> work) {
    due_.emplace(now_ + after, std::move(work));
  }

  // Of `link`.
  void open() override { obey(policy_.open(now_)); }
  bool is_open() const noexcept override { return policy_.is_open() && session_ && !closed_; }
  bool is_shut() const noexcept override { return policy_.is_shut(); }
  bool is_blocked() const noexcept override { return policy_.is_blocked(); }
  amqp091::connection& machine() noexcept override { return *session_; }
  void renew(failure why) override {
    closed_ = {.from = amqp091::close_reason::origin::timeout, .text = why.message()};
    later(0ms, [this, g = generation_] {
      if (g == generation_) after_machine();
    });
  }
  void flush_later() override {
    later(0ms, [this, g = generation_] {
      if (g == generation_) flush();
    });
  }
  void read_with(net::patience) override {}
  const std::string& broker_name() const noexcept override { return policy_.where(); }
  const std::optional<failure>& last_failure() const noexcept override {
    return policy_.last_failure();
  }
  const failure* verdict() const noexcept override { return policy_.verdict(); }
  const oslo::messaging::logger& log() const noexcept override { return log_; }
  instant now() const override { return now_; }

 private:
  static protocol::link_policy_options options(std::size_t hosts) {
    protocol::link_policy_options o;
    for (std::size_t i = 0; i < hosts; ++i)
      o.hosts.push_back({"host" + std::to_string(i), static_cast<std::uint16_t>(1000 + i)});
    o.purpose = "walk";
    return o;
  }

  bool breaks(step::kind at, std::size_t host, method sent = method::none) {
    const bool here = faulty_[host] && where_.at == at && where_.sent == sent;
    report_.applied |= here;
    return here;
  }
  std::size_t host_of(const protocol::endpoint& e) const { return e.port - 1000u; }

  // ---- What is due, in the order of time ---------------------------------------------------

  template <class Predicate>
  void run(instant until, Predicate done) {
    for (int turns = 0; now_ < until && !done(); ++turns) {
      if (turns > 200'000) {
        report_.stuck = "it spins";
        return;
      }
      auto next = policy_.next_wake();
      if (session_) next = std::min(next, session_->next_deadline());
      if (!due_.empty()) next = std::min(next, due_.begin()->first);
      if (next == instant::max() && !policy_.is_open()) {
        report_.stuck = "there is no next step";
        return;
      }
      if (next > until) {
        now_ = until;
        return;
      }
      now_ = std::max(now_, next);
      if (!due_.empty() && due_.begin()->first <= now_) {
        const auto work = std::move(due_.begin()->second);
        due_.erase(due_.begin());
        work();
      } else if (session_ && session_->next_deadline() <= now_) {
        session_->on_tick(now_);
        after_machine();
      } else {
        obey(policy_.tick(now_));
      }
    }
  }

  // ---- The network -------------------------------------------------------------------------

  void obey(const protocol::link_actions& actions) {
    for (const auto& a : actions) std::visit([this](const auto& x) { perform(x); }, a);
  }

  /// An exception while obeying is a failed attempt.
  void threw(act::try_id id) {
    obey(policy_.failed(id, {errc::unreachable, "threw: out of memory"}, false, now_));
  }

  void perform(const act::look_up& a) {
    tries_.insert(a.id);
    const auto host = host_of(a.host);
    if (breaks(step::kind::look_up, host)) {
      if (how_ == fault::silence) return;
      if (how_ == fault::exception) return threw(a.id);
      return later(1ms, [this, id = a.id, host] {
        if (tries_.erase(id) == 0) return;
        // A name cannot be reset; an empty answer stands for the strange ones.
        if (how_ == fault::garbage)
          obey(policy_.resolved(id, {}, now_));
        else
          obey(policy_.failed(id, dial_failure(host), false, now_));
      });
    }
    later(1ms, [this, id = a.id, host] {
      if (tries_.erase(id) != 0)
        obey(policy_.resolved(id, {"10.0.0." + std::to_string(host)}, now_));
    });
  }

  failure dial_failure(std::size_t host) const {
    const bool tls = where_.at == step::kind::tls;
    if (tls && (how_ == fault::verdict || how_ == fault::garbage || how_ == fault::refused))
      return {errc::tls_failed, "TLS with host" + std::to_string(host) + " failed"};
    return {errc::unreachable, "host" + std::to_string(host) + " is unreachable: " + name_of(how_)};
  }

  void perform(const act::dial& a) {
    tries_.insert(a.id);
    const auto host = host_of(a.host);
    const bool at_tls = breaks(step::kind::tls, host);
    if (breaks(step::kind::dial, host) || at_tls) {
      if (how_ == fault::silence) return;
      if (how_ == fault::exception) return threw(a.id);
      return later(1ms, [this, id = a.id, host, at_tls] {
        if (tries_.erase(id) != 0) obey(policy_.failed(id, dial_failure(host), at_tls, now_));
      });
    }
    later(1ms, [this, id = a.id] {
      if (tries_.erase(id) != 0) obey(policy_.connected(id, now_));
    });
  }

  void perform(const act::give_up& a) { tries_.erase(a.id); }

  void perform(const act::converse& a) {
    host_ = a.broker;
    silent_ = false;
    closed_.reset();
    from_client_.clear();
    greeted_ = false;
    closing_.clear();
    published_.clear();
    if (breaks(step::kind::greeting, host_) && how_ == fault::exception)
      return obey(policy_.ended(failure{errc::unreachable, "threw: out of memory"}, now_));
    session_ = std::make_shared<amqp091::connection>(
        amqp091::connection_options{}, static_cast<amqp091::event_handler&>(*this), now_);
    ++generation_;
    flush();
  }
  void perform(const act::limit_silence&) {}
  void perform(const act::say_goodbye&) {
    session_->close(200, "goodbye", now_);
    flush();
  }
  /// Whatever is on the call stack holds the machine as well.
  void perform(const act::hang_up&) {
    session_.reset();
    ++generation_;
  }
  void perform(const act::report_up&) { user_->link_up(); }
  void perform(const act::report_down& a) {
    ++(a.loss.was_open ? report_.losses : report_.passes_failed);
    report_.verdicts += a.loss.verdict;
    report_.last = a.loss;
    const auto pause = policy_.next_wake() - now_;
    report_.longest_pause = std::max(report_.longest_pause,
                                     std::chrono::duration_cast<std::chrono::milliseconds>(pause));
    user_->link_down(a.loss);
  }
  void perform(const act::report_shut&) {}
  void perform(const act::say&) {}

  // ---- The broker --------------------------------------------------------------------------

  void flush() {
    if (!session_) return;
    std::string out;
    session_->take_output(out, now_);
    if (out.empty() || silent_) return;
    later(1ms, [this, g = generation_, out] {
      if (g != generation_) return;
      from_client_ += out;
      serve();
    });
  }

  void serve() {
    if (!greeted_) {
      if (from_client_.size() < 8) return;
      from_client_.erase(0, 8);
      greeted_ = true;
      if (breaks(step::kind::greeting, host_)) return misbehave(method::none);
      answer(amqp_script::start());
    }
    while (from_client_.size() >= 7 && !silent_) {
      amqp_script::reader head{from_client_};
      const auto type = static_cast<amqp_script::frame_type>(head.u8());
      const auto channel = head.u16();
      const std::size_t size = head.u32();
      if (from_client_.size() < size + 8) return;
      const std::string payload = from_client_.substr(7, size);
      from_client_.erase(0, size + 8);
      if (type == amqp_script::frame_type::heartbeat)
        answer(amqp_script::frame(amqp_script::frame_type::heartbeat, 0, ""));
      if (type != amqp_script::frame_type::method) continue;
      const auto sent = static_cast<method>(amqp_script::reader{payload}.u32());
      if (closing_.contains(channel)) {  // what was on its way when the channel was closed
        if (sent == method::channel_close_ok) closing_.erase(channel);
        continue;
      }
      if (breaks(step::kind::method, host_, sent)) {
        if (misbehave(sent, channel); how_ != fault::verdict) return;
        continue;
      }
      answer(answer_to(sent, channel, payload.substr(4)));
      if (sent == method::connection_open && breaks(step::kind::settled, host_))
        later(5ms, [this, g = generation_] {
          if (g == generation_) misbehave(method::none);
        });
    }
  }

  /// The answer of a broker that is well.
  std::string answer_to(method sent, amqp091::channel_id ch, const std::string& arguments) {
    using namespace amqp_script;
    const auto name = [&] {
      amqp_script::reader in{arguments};
      in.u16();
      return std::string(in.shortstr());
    };
    switch (sent) {
      case method::connection_start_ok: return tune();
      case method::connection_open: return open_ok();
      case method::connection_close: return close_ok(0);
      case method::channel_open: published_[ch] = 0; return channel_open_ok(ch);
      case method::basic_publish: return confirm(ch, method::basic_ack, ++published_[ch], false);
      case method::channel_close: return close_ok(ch);
      case method::channel_flow: return flow_ok(ch);
      case method::confirm_select: return method_frame(ch, method::confirm_select_ok);
      case method::exchange_declare: return method_frame(ch, method::exchange_declare_ok);
      case method::queue_bind: return method_frame(ch, method::queue_bind_ok);
      case method::basic_qos: return method_frame(ch, method::basic_qos_ok);
      case method::queue_declare: return declare_ok(ch, name());
      case method::basic_consume: {
        amqp_script::reader in{arguments};
        in.u16();
        in.shortstr();
        return consume_ok(ch, std::string(in.shortstr()));
      }
      default: return {};
    }
  }

  /// `sent`: in answer to this; a verdict over a channel's method closes the channel only.
  void misbehave(method sent, amqp091::channel_id channel = 0) {
    switch (how_) {
      case fault::refused:
        return answer(amqp_script::close_frame(0, 320, "CONNECTION_FORCED - going down", sent));
      case fault::verdict:
        if (channel != 0) closing_.insert(channel);
        return answer(amqp_script::close_frame(channel, 403, "ACCESS_REFUSED - no", sent));
      case fault::garbage: return answer("HTTP/1.1 400 Bad Request\r\n\r\n");
      case fault::silence: silent_ = true; return;
      case fault::exception:
        return later(1ms, [this, g = generation_] {
          if (g != generation_) return;
          // Somewhere below: nobody knows how far it came.
          tries_.clear();
          perform(act::hang_up{});
          obey(policy_.fault({errc::unreachable, "threw: out of memory"}, now_));
        });
      case fault::closed: return end_session("");
      case fault::reset: return end_session("Connection reset by peer");
    }
  }

  void end_session(const char* text = "Connection reset by peer") {
    silent_ = false;
    later(1ms, [this, g = generation_, text] {
      if (g != generation_) return;
      const auto holds = session_;
      holds->on_stream_end(text, now_);
      after_machine();
    });
  }

  void answer(const std::string& bytes) {
    if (bytes.empty() || silent_) return;
    later(1ms, [this, g = generation_, bytes] {
      if (g != generation_) return;
      const auto holds = session_;
      user_->input_begins();
      holds->on_bytes({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}, now_);
      user_->input_done();
      after_machine();
    });
  }

  void after_machine() {
    const auto holds = session_;
    flush();
    if (session_ && closed_)
      obey(policy_.ended(*std::exchange(closed_, std::nullopt), now_));
    else
      flush();
  }

  // ---- Events of the machine ---------------------------------------------------------------

  void on_open(const amqp091::field_table&) override { obey(policy_.opened(now_)); }
  void on_closed(const amqp091::close_reason& why) override { closed_ = why; }
  void on_channel_open(amqp091::channel_id ch) override { user_->on_channel_open(ch); }
  void on_channel_closed(amqp091::channel_id ch, const amqp091::close_reason& why) override {
    user_->on_channel_closed(ch, why);
  }
  void on_request_ok(amqp091::channel_id ch, amqp091::request_id request, std::string_view name,
                     std::uint32_t messages, std::uint32_t consumers) override {
    user_->on_request_ok(ch, request, name, messages, consumers);
  }
  void on_delivery(const amqp091::delivery& d) override { user_->on_delivery(d); }
  void on_delivery_refused(const amqp091::delivery& d, std::string_view why) override {
    user_->on_delivery_refused(d, why);
  }
  void on_return(const amqp091::returned_message& m) override { user_->on_return(m); }
  void on_consumer_cancelled(amqp091::channel_id ch, std::string_view tag) override {
    user_->on_consumer_cancelled(ch, tag);
  }
  void on_confirm(amqp091::channel_id ch, std::uint64_t sequence, bool multiple,
                  bool ack) override {
    user_->on_confirm(ch, sequence, multiple, ack);
  }

  step where_;
  fault how_;
  std::vector<bool> faulty_;
  net::link_user* user_ = nullptr;
  std::function<bool()> is_content_;
  oslo::messaging::logger log_;
  protocol::link_policy policy_;
  instant now_{1h};
  std::multimap<instant, std::function<void()>> due_;
  std::set<act::try_id> tries_;
  std::shared_ptr<amqp091::connection> session_;
  std::optional<amqp091::close_reason> closed_;
  std::uint64_t generation_ = 0;
  std::size_t host_ = 0;
  std::string from_client_;
  std::set<amqp091::channel_id> closing_;  ///< by us, not yet confirmed
  std::map<amqp091::channel_id, std::uint64_t> published_;
  bool greeted_ = false;
  bool silent_ = false;
  report report_;
};

/// Counts of a whole walk, for one line of output.
struct totals {
  int walks = 0, recovered = 0, verdicts = 0, passes = 0, losses = 0, reached_other = 0;
  void add(const report& r) {
    ++walks;
    recovered += r.up_afterwards;
    verdicts += r.verdicts;
    passes += r.passes_failed;
    losses += r.losses;
    reached_other += r.up_while_faulty;
  }
};

}  // namespace fault_walk
