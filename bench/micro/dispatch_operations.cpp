// What a server does with a request, without a bus: messages are there, answers go nowhere.
#include <algorithm>
#include <future>
#include <memory>
#include <new>
#include <optional>
#include <oslo/messaging/executor.hpp>
#include <oslo/messaging/rpc.hpp>
#include <oslo/messaging/transport.hpp>
#include <span>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "calculator.hpp"
#include "operation.hpp"

namespace micro {
namespace {

using namespace oslo::messaging;

using verdict = unique_function<void(result<void>)>;

/// Hands the same request to the server again and again.
///
/// Thread safety: `run` on one thread, `stop` on any; everything else happens on the loop.
class supply : public std::enable_shared_from_this<supply> {
 public:
  explicit supply(std::shared_ptr<scheduler> loop) : loop_(std::move(loop)) {}

  void run(std::size_t times) {
    finished_ = {};
    auto end = finished_.get_future();
    loop_->post([this, times] {
      left_ = times;
      hand_out();
    });
    end.get();
    if (failed_) throw std::runtime_error("An answer is wrong.");
  }

  void wanted(std::size_t max, unique_function<void(incoming_batch)> done) {
    max_ = std::min(max, group);
    done_ = std::move(done);
    loop_->post([self = shared_from_this()] { self->hand_out(); });
  }
  void stop() {
    loop_->post([self = shared_from_this()] {
      if (self->done_) std::exchange(self->done_, {})({});
    });
  }
  void answered(const outgoing_reply& r, verdict done) {
    if (r.failure || r.result != "3") failed_ = true;
    if (done) verdicts_.push_back(std::move(done));
    ++answers_;
  }

 private:
  /// As many as a busy connection brings at once.
  static constexpr std::size_t group = 16;

  void hand_out();

  const std::shared_ptr<scheduler> loop_;
  std::promise<void> finished_;
  unique_function<void(incoming_batch)> done_;
  std::size_t max_ = 0, left_ = 0, answers_ = 0;
  std::vector<verdict> verdicts_;
  bool failed_ = false;
};

class request final : public incoming_message {
 public:
  explicit request(supply& from) : from_(from) {}
  // What messages are made of is the bus's affair: their memory is used again and not counted.
  static void* operator new(std::size_t size) {
    if (spare.empty()) return ::operator new(size);
    void* const p = spare.back();
    spare.pop_back();
    return p;
  }
  static void operator delete(void* p) { spare.push_back(p); }

  std::span<const message_field> fields() const noexcept override { return content; }
  const context& ctxt() const noexcept override { return nobody; }
  std::string_view message_id() const noexcept override {
    return "0123456789abcdef0123456789abcdef";
  }
  std::optional<scheduler::time_point> deadline() const noexcept override {
    return scheduler::time_point::max();
  }
  void acknowledge() override {}
  void requeue() override {}
  void reply(outgoing_reply r, verdict done) override { from_.answered(r, std::move(done)); }
  void heartbeat(verdict) override {}

 private:
  static constexpr message_field content[] = {
      {"method", R"("add")"}, {"args", R"({"a": 1, "b": 2})"}, {"version", R"("1.0")"}};
  static inline const context nobody;
  static inline std::vector<void*> spare;

  supply& from_;
};

void supply::hand_out() {
  if (!done_ || left_ == 0) return;
  const auto now = std::min(max_, left_);
  left_ -= now;
  incoming_batch batch;
  batch.reserve(now);
  for (std::size_t i = 0; i < now; ++i) batch.push_back(std::make_unique<request>(*this));
  answers_ = 0;
  std::exchange(done_, {})(std::move(batch));
  // The executor runs handlers at once, so all answers are here.
  for (auto& done : verdicts_) done({});
  verdicts_.clear();
  failed_ = failed_ || answers_ != now;
  if (left_ == 0) finished_.set_value();
}

class supplied_listener final : public listener {
 public:
  supplied_listener(std::shared_ptr<supply> from, std::shared_ptr<scheduler> loop)
      : from_(std::move(from)), loop_(std::move(loop)) {}
  void next(std::size_t max, unique_function<void(incoming_batch)> done) override {
    from_->wanted(max, std::move(done));
  }
  void stop() override { from_->stop(); }
  void ready(unique_function<void(result<void>)> done) override {
    loop_->post([done = std::move(done)]() mutable { done({}); });
  }

 private:
  std::shared_ptr<supply> from_;
  std::shared_ptr<scheduler> loop_;
};

/// A bus that has nothing but a supply.
class supply_driver final : public driver {
 public:
  supply_driver(std::shared_ptr<scheduler> loop, std::shared_ptr<supply> from)
      : loop_(std::move(loop)), from_(std::move(from)) {}

  capabilities caps() const noexcept override { return {}; }
  void send(target, outgoing_message, send_options, send_completion) override {
    throw std::logic_error("Nothing is sent.");
  }
  void send_notification(target, outgoing_message, notification_format, send_options,
                         send_completion) override {
    throw std::logic_error("Nothing is sent.");
  }
  std::shared_ptr<listener> listen(target, listen_options) override {
    return std::make_unique<supplied_listener>(from_, loop_);
  }
  std::shared_ptr<listener> listen_for_notifications(std::vector<notification_topic>,
                                                     std::optional<std::string>,
                                                     listen_options) override {
    throw std::logic_error("There are no notifications.");
  }
  void close(std::chrono::milliseconds, unique_function<void()> done) override {
    loop_->post(std::move(done));
  }

 private:
  std::shared_ptr<scheduler> loop_;
  std::shared_ptr<supply> from_;
};

struct served {
  served()
      : bus(transport::open("supply://", {}, only_a_supply())),
        server(bus, {.topic = "micro", .server = "one"}, {std::make_shared<calculator>()},
               {.executor = inline_executor()}) {
    server.start();
  }
  driver_registry only_a_supply() {
    driver_registry registry;
    registry.add(
        "supply",
        [this](const transport_url&, driver_environment env) {
          from = std::make_shared<supply>(env.loop);
          return std::make_unique<supply_driver>(env.loop, from);
        },
        {}, {}, driver_trust::trusted);
    return registry;
  }

  std::shared_ptr<supply> from;
  transport bus;
  rpc::server server;
};

}  // namespace

void add_dispatch(std::vector<operation>& all) {
  const auto one = std::make_shared<served>();
  all.push_back({"rpc/dispatch", [one](std::size_t times) { one->from->run(times); }});
}

}  // namespace micro
