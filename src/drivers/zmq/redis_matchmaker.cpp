#include "drivers/zmq/redis_matchmaker.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "drivers/zmq/local_matchmakers.hpp"
#include "drivers/zmq/redis_link.hpp"

namespace oslo::messaging::zmq {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view tcp = "tcp://";
/// What a server of this library adds to the set of its own address; Python looks only whether
/// that set is there.
constexpr std::string_view own_mark = "oslo-cpp-1";
constexpr std::size_t most_servers = 4'096;

std::string key_of(const service_name& name) {
  std::string key = "ROUTER/" + name.topic;
  if (!name.server.empty()) key += "/" + name.server.substr(0, name.server.find('@'));
  return key;
}

/// Writes go to every server of Redis, and are done when one has them; reads go to the first that
/// answers.
class redis_matchmaker final : public matchmaker {
 public:
  explicit redis_matchmaker(context_ptr c) : context_(std::move(c)) {
    for (const auto& h : context_->opts.hosts) {
      links_.push_back(std::make_shared<redis_link>(context_, h));
      links_.back()->watch_trouble([this, alive = alive_] {
        if (*alive) trouble_changed();
      });
    }
  }
  ~redis_matchmaker() override {
    close({});
    *alive_ = false;
  }

  bool by_topic() const noexcept override { return true; }
  std::vector<std::string> places() const override { return random_places(context_->opts); }
  std::string address_of(const std::string&, const std::string& bound) const override {
    return to_string(host_port{context_->opts.host, static_cast<std::uint16_t>(std::stoul(
                                                        bound.substr(bound.rfind(':') + 1)))});
  }

  void find(const service_name& name, unique_function<void(result<addresses>)> done) override {
    auto s = std::make_shared<search>();
    s->key = key_of(name);
    s->done = std::move(done);
    next_link(s);
  }

  void add(const std::string& address, std::vector<service_name> names,
           unique_function<void(result<void>)> done) override {
    auto& e = mine_[address];
    for (auto& n : names) {
      e.keys.insert(key_of(n));
      n.server.clear();
      e.keys.insert(key_of(n));
    }
    e.done.push_back(std::move(done));
    say_alive(address);
    tick();
  }

  void remove(const std::string& address) override {
    const auto at = mine_.find(address);
    if (at == mine_.end()) return;
    for (const auto& l : links_) {
      for (const auto& key : at->second.keys) l->ask({"SREM", key, address}, [](const auto&) {});
      l->ask({"DEL", address}, [](const auto&) {});
    }
    auto left = std::move(at->second);
    mine_.erase(at);
    for (auto& d : left.done) d(failure(errc::closed, "The listener was stopped."));
  }

  void close(unique_function<void()> done) override {
    if (std::exchange(closed_, true)) {
      if (done) done();
      return;
    }
    context_->loop->cancel(timer_);
    auto left = std::exchange(mine_, {});
    for (auto& [address, e] : left)
      for (auto& d : e.done) d(failure(errc::closed, "The transport was closed."));
    // What was asked last is on its way when the socket closes, unless Redis is slow: then the
    // short expiry does it.
    const std::shared_ptr<void> last(
        nullptr, [done = std::make_shared<unique_function<void()>>(std::move(done))](void*) {
          if (*done) (*done)();
        });
    for (const auto& l : links_) l->close_when_idle([last] {});
  }

  std::string trouble() const override {
    for (const auto& l : links_)
      if (l->trouble().empty()) return {};
    return links_.front()->trouble();
  }

 private:
  struct entry {
    std::set<std::string> keys;
    std::vector<unique_function<void(result<void>)>> done;  // nobody can find it yet
  };
  struct search {
    std::string key;
    unique_function<void(result<addresses>)> done;
    std::size_t link = 0;
    std::vector<std::string> members;
    addresses found;
    std::size_t missing = 0;
    bool failed = false;
  };

  /// Three intervals, in whole seconds.
  long long alive_seconds() const {
    return std::max<long long>(
        2, std::chrono::ceil<std::chrono::seconds>(3 * context_->opts.alive_interval).count());
  }

  void say_alive(const std::string& address) {
    const auto& e = mine_.at(address);
    const auto expire = std::to_string(alive_seconds());
    const auto keep = std::to_string(context_->opts.target_expire.count());
    for (const auto& l : links_) {
      for (const auto& key : e.keys) {
        l->ask({"SADD", key, address}, [](const auto&) {});
        if (context_->opts.target_expire.count() > 0)
          l->ask({"EXPIRE", key, keep}, [](const auto&) {});
      }
      l->ask({"SADD", address, " ", std::string(own_mark)}, [](const auto&) {});
      l->ask({"EXPIRE", address, expire}, [this, alive = alive_, address](result<answer> r) {
        if (!*alive || !r) return;
        const auto at = mine_.find(address);
        if (at == mine_.end()) return;
        for (auto& d : std::exchange(at->second.done, {})) d({});
      });
    }
  }

  void tick() {
    if (ticking_ || closed_) return;
    ticking_ = true;
    // One that nobody can find yet is not left waiting.
    bool hurry = false;
    for (const auto& [address, e] : mine_) hurry = hurry || !e.done.empty();
    const auto pause =
        hurry ? std::min<std::chrono::milliseconds>(500ms, context_->opts.alive_interval)
              : context_->opts.alive_interval;
    timer_ = context_->loop->run_at(context_->loop->now() + pause, [this, alive = alive_] {
      if (!*alive) return;
      ticking_ = false;
      for (const auto& [address, e] : mine_) say_alive(address);
      if (!mine_.empty()) tick();
    });
  }

  void next_link(const std::shared_ptr<search>& s) {
    if (s->link >= links_.size())
      return s->done(failure(errc::unreachable, links_.front()->trouble()));
    const auto& l = links_[s->link++];
    l->ask({"SMEMBERS", s->key}, [this, alive = alive_, s, l](result<answer> r) {
      if (!*alive) return s->done(failure(errc::closed, "The transport was closed."));
      if (!r) return next_link(s);
      s->members = *std::move(r);
      if (s->members.size() > most_servers) s->members.resize(most_servers);
      s->missing = s->members.size();
      s->failed = false;
      s->found.clear();
      if (s->missing == 0) return s->done(addresses());
      for (const auto& member : s->members)
        l->ask({"SMEMBERS", member}, [this, a = alive_, s, member](result<answer> words) {
          if (!words) s->failed = true;
          if (words && !words->empty()) {
            const bool own = std::find(words->begin(), words->end(), own_mark) != words->end();
            s->found.push_back({std::string(tcp) + member, own});
          }
          if (--s->missing != 0) return;
          if (!*a) return s->done(failure(errc::closed, "The transport was closed."));
          if (s->failed) return next_link(s);
          s->done(std::move(s->found));
        });
    });
  }

  const context_ptr context_;
  std::vector<std::shared_ptr<redis_link>> links_;
  std::map<std::string, entry> mine_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  scheduler::timer_id timer_ = scheduler::timer_id::none;
  bool ticking_ = false, closed_ = false;
};

}  // namespace

std::unique_ptr<matchmaker> make_redis_matchmaker(const context_ptr& c) {
  return std::make_unique<redis_matchmaker>(c);
}

}  // namespace oslo::messaging::zmq
