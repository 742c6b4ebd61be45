// Ten thousand calls at once, and ends in the middle of work: whatever happens, each call ends
// once.
#include <algorithm>
#include <atomic>
#include <boost/describe/class.hpp>
#include <memory>
#include <thread>

#include "bus.hpp"

namespace oslo::messaging::conformance {

struct id_args {
  int id = 0;
};
BOOST_DESCRIBE_STRUCT(id_args, (), (id))

namespace {

/// What became of calls: how often each one ended, and how.
class tally : public std::enable_shared_from_this<tally> {
 public:
  explicit tally(std::size_t count) : ends_(count), left_(count) {}

  /// The completion of call `id`, whose right answer is its id.
  unique_function<void(result<std::string>)> of(std::size_t id) {
    return [this, self = shared_from_this(), id](const result<std::string>& r) {
      if (!r)
        note(r.error().code());
      else if (*r != std::to_string(id))
        ++mixed_up_;
      else
        ++answered_;
      end(id);
    };
  }
  unique_function<void(result<void>)> of_cast(std::size_t id) {
    return [this, self = shared_from_this(), id](const result<void>& r) {
      if (r)
        ++answered_;
      else
        note(r.error().code());
      end(id);
    };
  }

  bool wait() { return all_.wait(); }
  /// Calls that ended more or less often than once.
  std::size_t wrong() const {
    return static_cast<std::size_t>(
        std::count_if(ends_.begin(), ends_.end(), [](const auto& n) { return n != 1; }));
  }
  int answered() const { return answered_; }
  int mixed_up() const { return mixed_up_; }
  int failed(errc code) const {
    const std::lock_guard lock(mutex_);
    const auto found = failures_.find(code);
    return found == failures_.end() ? 0 : found->second;
  }
  int failed() const {
    const std::lock_guard lock(mutex_);
    int sum = 0;
    for (const auto& [code, count] : failures_) sum += count;
    return sum;
  }

 private:
  void note(std::error_code code) {
    const std::lock_guard lock(mutex_);
    ++failures_[static_cast<errc>(code.value())];
  }
  void end(std::size_t id) {
    ++ends_[id];
    if (--left_ == 0) all_.open();
  }

  std::vector<std::atomic<int>> ends_;
  std::atomic<std::size_t> left_;
  std::atomic<int> answered_{0}, mixed_up_{0};
  mutable std::mutex mutex_;
  std::map<errc, int> failures_;
  gate all_;
};

class load_over : public bus_test {
 protected:
  void SetUp() override { OSLO_NEEDS(rpc); }
  rpc::client client(std::chrono::milliseconds timeout) const {
    target to;
    to.topic = topic;
    rpc::client_options o;
    o.timeout = timeout;
    return {client_bus, to, o};
  }
  static std::string args(std::size_t id) { return R"({"id": )" + std::to_string(id) + "}"; }

  static constexpr auto all_the_time = 120s;
};

/// Fault test: 10,000 calls in flight on one transport, 1 % of which nobody answers in time.
TEST_P(load_over, ten_thousand_calls_at_once_end_once_each) {
  constexpr std::size_t calls = 10'000;
  static constexpr auto forgotten = [](std::size_t id) { return id % 100 == 50; };
  constexpr std::size_t kept = calls / 100;
  struct answers {
    std::mutex mutex;
    std::vector<std::pair<int, rpc::responder<int>>> waiting, too_late;
    gate all_there;
  };
  const auto held = std::make_shared<answers>();
  auto e = std::make_shared<rpc::endpoint>();
  e->bind("ask", [held](id_args a, rpc::responder<int> r) {
    const std::lock_guard lock(held->mutex);
    const bool late = forgotten(static_cast<std::size_t>(a.id));
    (late ? held->too_late : held->waiting).emplace_back(a.id, std::move(r));
    if (held->waiting.size() == calls - kept) held->all_there.open();
  });
  rpc::server_options o;
  o.executor = inline_executor();
  o.max_running = 2 * calls;
  const auto server = serve(server_bus, topic, "s", {e}, o);

  const auto ended = std::make_shared<tally>(calls);
  const auto patient = client(all_the_time), hasty = client(500ms);
  for (std::size_t i = 0; i < calls; ++i)
    rpc::detail::start_call((forgotten(i) ? hasty : patient), "ask", {}, args(i), {}, ended->of(i));
  ASSERT_TRUE(held->all_there.wait());
  decltype(held->waiting) all;
  {
    const std::lock_guard lock(held->mutex);
    all.swap(held->waiting);
  }
  // Another order than they came in.
  std::stable_partition(all.begin(), all.end(), [](const auto& w) { return w.first % 7 == 3; });
  for (auto& [id, answer] : all) answer.reply(id);
  ASSERT_TRUE(ended->wait());
  EXPECT_EQ(ended->failed(errc::timed_out), static_cast<int>(kept));
  EXPECT_EQ(ended->answered(), static_cast<int>(calls - kept));
  EXPECT_EQ(ended->mixed_up(), 0);

  // Answers that come too late disturb neither the calls they were for nor later ones.
  {
    const std::lock_guard lock(held->mutex);
    for (auto& [id, answer] : held->too_late) answer.reply(id);
    held->too_late.clear();
  }
  server->stop();
  server->wait(patience);
  const auto again = serve(server_bus, topic, "again", {standard_endpoint()});
  const blocking::client b(patient);
  EXPECT_EQ(b.call("echo", {}, value{{"x", 1}}), (value{{"x", 1}}));
  EXPECT_EQ(ended->wrong(), 0u);
}

/// Fault test: a server stops with 1,000 calls and 10,000 casts in flight. What it took is
/// finished, what it did not take is served by the next one, nothing twice.
TEST_P(load_over, a_server_that_stops_under_load_loses_and_doubles_nothing) {
  constexpr std::size_t calls = 1'000, casts = 10'000, before_the_stop = 500;
  const auto handled = std::make_shared<std::vector<std::atomic<int>>>(calls + casts);
  const auto count = std::make_shared<std::atomic<std::size_t>>(0);
  const auto busy = std::make_shared<gate>(), all = std::make_shared<gate>();
  auto e = std::make_shared<rpc::endpoint>();
  e->bind("work", [=](id_args a) {
    ++(*handled)[static_cast<std::size_t>(a.id)];
    const auto n = ++*count;
    if (n == before_the_stop) busy->open();
    if (n == calls + casts) all->open();
    return a.id;
  });
  rpc::server_options o;
  o.executor = thread_pool(4);
  auto first = serve(server_bus, topic, "first", {e}, o);
  const auto ended = std::make_shared<tally>(calls + casts);
  const auto c = client(all_the_time);
  for (std::size_t i = 0; i < calls + casts; ++i) {
    if (i % 11 == 0)
      rpc::detail::start_call(c, "work", {}, args(i), {}, ended->of(i));
    else
      rpc::detail::start_cast(c, "work", {}, args(i), {}, ended->of_cast(i));
  }
  ASSERT_TRUE(busy->wait());
  first->stop();
  first->wait(patience);
  EXPECT_EQ(first->running(), 0u);
  first.reset();

  rpc::server_options second_pool;
  second_pool.executor = thread_pool(4);
  const auto second = serve(server_bus, topic, "second", {e}, second_pool);
  ASSERT_TRUE(all->wait());
  ASSERT_TRUE(ended->wait());
  second->stop();
  second->wait(patience);
  EXPECT_EQ(ended->wrong(), 0u);
  EXPECT_EQ(ended->mixed_up(), 0);
  EXPECT_EQ(ended->failed(), 0);
  EXPECT_EQ(std::count(handled->begin(), handled->end(), 1), std::ptrdiff_t{calls + casts});
}

/// The same for a client: closing its transport ends everything that is under way.
TEST_P(load_over, a_transport_that_closes_under_load_ends_every_call_once) {
  constexpr std::size_t calls = 1'000, casts = 10'000;
  const auto ended = std::make_shared<tally>(calls + casts);
  const auto some = std::make_shared<gate>();
  auto e = std::make_shared<rpc::endpoint>();
  e->bind("work", [some, n = std::make_shared<std::atomic<int>>(0)](id_args a) {
    if (++*n == 100) some->open();
    return a.id;
  });
  rpc::server_options o;
  o.executor = thread_pool(2);
  const auto server = serve(server_bus, topic, "s", {e}, o);
  const auto c = client(all_the_time);
  std::vector<std::jthread> senders;
  for (std::size_t t = 0; t < 2; ++t)
    senders.emplace_back([&, t] {
      for (std::size_t i = t; i < calls + casts; i += 2) {
        if (i % 11 == 0)
          rpc::detail::start_call(c, "work", {}, args(i), {}, ended->of(i));
        else
          rpc::detail::start_cast(c, "work", {}, args(i), {}, ended->of_cast(i));
      }
    });
  ASSERT_TRUE(some->wait());
  const auto start = std::chrono::steady_clock::now();
  client_bus.close(5s);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
  senders.clear();
  ASSERT_TRUE(ended->wait());
  EXPECT_EQ(ended->wrong(), 0u);
  EXPECT_EQ(ended->mixed_up(), 0);
  EXPECT_EQ(ended->failed(), ended->failed(errc::closed) + ended->failed(errc::outcome_unknown) +
                                 ended->failed(errc::not_sent));
}

TEST_P(load_over, a_handler_may_stop_and_destroy_its_server_under_load) {
  constexpr std::size_t calls = 500;
  std::unique_ptr<rpc::server> server;
  const auto destroyed = std::make_shared<gate>();
  auto e = std::make_shared<rpc::endpoint>();
  e->bind("work", [&server, destroyed, n = std::make_shared<std::atomic<int>>(0)](id_args a) {
    if (++*n == 50) {
      server->stop();
      server.reset();
      destroyed->open();
    }
    return a.id;
  });
  rpc::server_options o;
  o.executor = thread_pool(4);
  server = serve(server_bus, topic, "first", {e}, o);
  const auto ended = std::make_shared<tally>(calls);
  const auto c = client(all_the_time);
  for (std::size_t i = 0; i < calls; ++i)
    rpc::detail::start_call(c, "work", {}, args(i), {}, ended->of(i));
  ASSERT_TRUE(destroyed->wait());
  auto rest = std::make_shared<rpc::endpoint>();
  rest->bind("work", [](id_args a) { return a.id; });
  const auto second = serve(server_bus, topic, "second", {rest});
  ASSERT_TRUE(ended->wait());
  EXPECT_EQ(ended->wrong(), 0u);
  EXPECT_EQ(ended->answered(), static_cast<int>(calls));
}

TEST_P(load_over, a_handler_may_close_its_transport_under_load) {
  constexpr std::size_t calls = 500;
  const auto closed = std::make_shared<gate>();
  auto e = std::make_shared<rpc::endpoint>();
  e->bind("work", [bus = std::make_shared<transport>(server_bus), closed,
                   n = std::make_shared<std::atomic<int>>(0)](id_args a) {
    if (++*n == 50) {
      bus->close(2s);
      closed->open();
    }
    return a.id;
  });
  rpc::server_options o;
  o.executor = thread_pool(4);
  auto server = serve(server_bus, topic, "s", {e}, o);
  const auto ended = std::make_shared<tally>(calls);
  const auto c = client(2s);
  for (std::size_t i = 0; i < calls; ++i)
    rpc::detail::start_call(c, "work", {}, args(i), {}, ended->of(i));
  EXPECT_TRUE(closed->wait());
  ASSERT_TRUE(ended->wait());
  EXPECT_EQ(ended->wrong(), 0u);
  EXPECT_EQ(ended->failed(), ended->failed(errc::timed_out));
  EXPECT_EQ(ended->mixed_up(), 0);
  // Every answer has got a verdict, also those that were given while the connections ended.
  server->stop();
  EXPECT_NO_THROW(server->wait(10s));
}

OSLO_CONFORMANCE_SUITE(load_over);

}  // namespace
}  // namespace oslo::messaging::conformance
