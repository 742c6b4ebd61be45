// A publisher and a broker that do whatever they like, for some thousand steps a seed: whatever
// happens, each message ends once, and nobody hears a lie about it.
#include <deque>
#include <map>
#include <random>

#include "publisher_fixture.hpp"

namespace oslo::messaging::rabbit {
namespace {

constexpr unsigned seeds = 60;
constexpr int steps = 1'200;
constexpr std::size_t most_messages = 3'000;

class chaos : public send_owner {
 public:
  explicit chaos(unsigned seed) : dice_(seed), out_(link_, *this) {
    link_.serve(out_);
    out_.watch_readers(7s);
    link_.script.on(method::basic_publish, [this](const auto& r) { return on_publish(r); });
    link_.script.on(method::channel_open, [this](const request& r) {
      wire_.erase(r.channel);
      return amqp_script::channel_open_ok(r.channel);
    });
    link_.script.on(method::channel_close, [this](const request& r) {
      wire_.erase(r.channel);
      return amqp_script::close_ok(r.channel);
    });
    for (const auto& [what, usual] : std::map<method, std::string (*)(const request&)>{
             {method::confirm_select, ok<method::confirm_select_ok>},
             {method::exchange_declare, ok<method::exchange_declare_ok>},
             {method::queue_bind, ok<method::queue_bind_ok>},
             {method::queue_declare, [](const request& r) {
                return amqp_script::declare_ok(r.channel, broker_script::name_in(r), 3, 0);
              }}})
      link_.script.on(what, [this, what = what, usual = usual](const request& r) {
        if (healed_ || roll(40) != 0) return usual(r);
        return close_channel(r.channel, pick({403, 404, 406, 405, 541}), "topology 'x'", what);
      });
  }

  void run() {
    for (int i = 0; i < steps; ++i) step();
    heal();
    for (const auto& [body, m] : messages_) {
      if (m.abandoned) continue;
      // A call goes on waiting for its reply when the broker is silent about it.
      EXPECT_TRUE(m.ends == 1 || m.send->wants_reply) << body;
    }
    EXPECT_EQ(out_.pending(), 0u);
    EXPECT_EQ(out_.pending_bytes(), 0u);
    EXPECT_TRUE(out_.idle());
    set_apart_ = link_.lines.with("has confirmed nothing").size();
  }
  std::size_t set_apart() const { return set_apart_; }
  std::size_t sent() const { return messages_.size(); }
  std::size_t confirmed() const { return confirmed_; }

 private:
  using request = broker_script::request;
  enum class fate { ack, nack, silence };
  struct message {
    send_ptr send;
    int ends = 0;
    bool abandoned = false;
    bool taken = false;   ///< the broker has it, whatever it says
    bool poison = false;  ///< the broker closes the channel over it
  };
  struct unconfirmed {
    std::uint64_t sequence;
    fate how;
  };

  unsigned roll(unsigned sides) { return static_cast<unsigned>(dice_() % sides); }
  std::uint16_t pick(std::initializer_list<std::uint16_t> codes) {
    return *(codes.begin() + roll(static_cast<unsigned>(codes.size())));
  }
  template <method What>
  static std::string ok(const request& r) {
    return amqp_script::method_frame(r.channel, What);
  }
  std::string close_channel(amqp091::channel_id ch, std::uint16_t code, const std::string& words,
                            method cause) {
    wire_.erase(ch);
    return amqp_script::close_frame(ch, code, words, cause);
  }

  // ---- the broker ----

  std::string on_publish(const request& r) {
    auto& m = messages_.at(r.body);
    const auto exchange = broker_script::name_in(r), key = broker_script::tag_in(r);
    if (m.poison)
      return close_channel(r.channel, pick({406, 311}), "PRECONDITION_FAILED - poison",
                           method::basic_publish);
    if (!healed_ && roll(60) == 0) {
      const std::string words[] = {
          "no exchange '" + exchange + "' in vhost '/'", "access to exchange '" + exchange + "'",
          "access to topic '" + key + "' in exchange '" + exchange + "' refused", "anything"};
      return close_channel(r.channel, pick({404, 403, 541}), words[roll(4)],
                           roll(4) == 0 ? method::none : method::basic_publish);
    }
    const auto sequence = link_.script.published(r.channel);
    if (healed_) {
      m.taken = true;
      return confirm(r.channel, method::basic_ack, sequence, false);
    }
    const auto dice = roll(20);
    const auto how = dice == 0 ? fate::nack : dice == 1 ? fate::silence : fate::ack;
    wire_[r.channel].push_back({sequence, how});
    if (how == fate::ack && m.send->mandatory && roll(10) == 0)
      return amqp_script::returned(r.channel, exchange, key, r.body);
    m.taken |= how != fate::nack;
    return {};
  }

  void confirm_some() {
    link_.run();
    if (!link_.is_open() || wire_.empty()) return;
    auto it = wire_.begin();
    std::advance(it, roll(static_cast<unsigned>(wire_.size())));
    auto& [ch, waiting] = *it;
    if (waiting.empty()) return;
    const auto how = waiting.front().how;
    if (how == fate::silence) {
      if (roll(4) == 0) waiting.pop_front();  // for ever
      return;
    }
    const auto answer = how == fate::ack ? method::basic_ack : method::basic_nack;
    const auto last =
        std::find_if(waiting.begin(), waiting.end(), [&](const auto& u) { return u.how != how; });
    const auto run = static_cast<unsigned>(last - waiting.begin());
    const auto count = roll(2) == 0 ? 1 : 1 + roll(run);
    const auto sequence = waiting[count - 1].sequence;
    const auto channel = ch;
    waiting.erase(waiting.begin(), waiting.begin() + count);
    link_.send(confirm(channel, answer, sequence, count > 1));
  }

  void close_connection() {
    if (!link_.is_open()) return;
    link_.run();
    link_.send(amqp_script::close_frame(0, pick({541, 501, 505, 320, 403}), "gone",
                                        roll(2) ? method::basic_publish : method::none));
  }

  // ---- who sends ----

  void published(const send_ptr& s, result<void> r) override {
    const auto& body = names_.at(s.get());
    auto& m = messages_.at(body);
    EXPECT_EQ(++m.ends, 1) << body;
    EXPECT_FALSE(m.abandoned) << body;
    if (r) {
      ++confirmed_;
      EXPECT_TRUE(m.taken) << body << " was confirmed, and the broker never took it";
    } else if (m.taken) {
      EXPECT_EQ(r.error().code(), errc::outcome_unknown) << body << ": " << r.error().message();
    }
    if (!r || !s->wants_reply) out_.abandon(*s);
    if (!healed_ && roll(6) == 0) publish();
    if (!healed_ && roll(8) == 0) abandon();
  }
  void wake_at(pending_send::instant) override {}
  void blocked_changed() override {}

  void publish() {
    if (messages_.size() >= most_messages) return;
    auto s = std::make_shared<pending_send>();
    s->to = topic_destination({}, "ex" + std::to_string(roll(3)), "t" + std::to_string(roll(4)));
    if (roll(10) == 0) s->to = reply_destination("reply_" + std::to_string(roll(600)));
    s->body = "m" + std::to_string(messages_.size());
    s->begun = link_.now();
    s->patience_refused = publisher::confirm_limit;
    s->awaited = roll(2) == 0;
    switch (roll(5)) {
      case 0:
        s->wants_reply = s->needs_reply_queue = s->mandatory = true;
        s->patience_returned = s->patience_refused = 24h;
        break;
      case 1: s->mandatory = true; break;
      case 2: s->retry = static_cast<int>(roll(3)); break;
      case 3:
        if (!s->to.to.name.empty()) s->to.ensure_queue = queue{s->to.routing_key, false, false, {}};
        break;
      default: s->mandatory = true; s->patience_returned = 60s;
    }
    names_[s.get()] = s->body;
    messages_[s->body] = {.send = s, .poison = roll(150) == 0};
    out_.publish(s);
  }

  void abandon() {
    if (messages_.empty()) return;
    auto it = messages_.begin();
    std::advance(it, roll(static_cast<unsigned>(messages_.size())));
    auto& m = it->second;
    if (m.abandoned || m.ends != 0) return;
    m.abandoned = true;
    out_.abandon(*m.send);
  }

  // ---- what happens ----

  void step() {
    const auto dice = roll(26);
    if (dice < 6) {
      for (auto n = 1 + roll(6); n > 0; --n) publish();
      link_.run();
    } else if (dice < 9) {
      abandon();
    } else if (dice < 15) {
      confirm_some();
    } else if (dice == 15) {
      if (link_.is_open()) link_.drop();
    } else if (dice == 16) {
      if (roll(3) == 0) close_connection();
    } else if (dice == 17) {
      if (!link_.is_open() && roll(2) == 0)
        link_.fail_pass({roll(4) ? errc::unreachable : errc::access_refused, "pass"}, roll(4) == 0);
    } else if (dice < 20) {
      if (!link_.is_open()) connect();
    } else if (dice == 20) {
      out_.set_reply_queue(roll(2) == 0);
    } else if (dice < 24) {
      pass(std::chrono::milliseconds(roll(10) == 0 ? 11'000 : roll(600)));
    } else if (dice == 24) {
      if (link_.is_open() && roll(2) == 0) block(!blocked_);
    }
    if (!link_.is_open()) blocked_ = false;
  }

  void connect() {
    wire_.clear();
    link_.renewed.reset();
    link_.connect();
  }
  void block(bool on) {
    blocked_ = on;
    link_.send(
        on ? amqp_script::method_frame(0, method::connection_blocked,
                                       [](amqp091::writer& w) { w.shortstr("low on memory"); })
           : amqp_script::method_frame(0, method::connection_unblocked));
  }
  void pass(std::chrono::milliseconds time) {
    link_.advance(time);
    out_.on_tick(link_.now());
    if (link_.renewed) {
      link_.renewed.reset();
      link_.drop();
    }
    link_.run();
  }

  /// From now on all is well, except for the poison.
  void heal() {
    healed_ = true;
    if (link_.is_open() && blocked_) block(false);
    out_.set_reply_queue(true);
    for (int i = 0; i < 2'000 && !out_.idle(); ++i) {
      if (!link_.is_open()) connect();
      pass(i % 20 == 0 ? 31'000ms : 300ms);
    }
  }

  std::mt19937 dice_;
  amqp_script::fake_link link_;
  publisher out_;
  std::map<std::string, message> messages_;
  std::map<const pending_send*, std::string> names_;
  std::map<amqp091::channel_id, std::deque<unconfirmed>> wire_;
  std::size_t confirmed_ = 0;
  std::size_t set_apart_ = 0;
  bool healed_ = false;
  bool blocked_ = false;
};

TEST(rabbit_publisher_random, every_message_ends_once_and_nobody_hears_a_lie) {
  std::size_t sent = 0, confirmed = 0, set_apart = 0;
  for (unsigned seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    chaos c(seed);
    c.run();
    sent += c.sent();
    confirmed += c.confirmed();
    set_apart += c.set_apart();
    if (HasFailure()) break;
  }
  EXPECT_GT(confirmed, sent / 4) << "the broker is only a nuisance";
  EXPECT_GT(set_apart, 0u);
}

}  // namespace
}  // namespace oslo::messaging::rabbit
