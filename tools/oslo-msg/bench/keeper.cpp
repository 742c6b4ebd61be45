#include "bench/keeper.hpp"

#include <stdexcept>
#include <utility>
#include <vector>

#include "ask.hpp"
#include "bench/server.hpp"

namespace oslo::messaging::cli {

class bench_keeper::busy_endpoint : public rpc::endpoint {
 public:
  busy_endpoint() {
    bind("keep", &busy_endpoint::keep).acknowledge(rpc::acknowledge_when::after_success);
  }
  bool busy_within(std::chrono::seconds limit) {
    return busy_.get_future().wait_for(limit) == std::future_status::ready;
  }
  void let_go() {
    if (answer_) answer_->reply();
  }

 private:
  void keep(rpc::responder<void> answer) {
    answer_ = std::move(answer);
    busy_.set_value();
  }

  std::promise<void> busy_;
  std::optional<rpc::responder<void>> answer_;
};

bench_keeper::bench_keeper(const program& p, const target& on)
    : busy_{std::make_shared<busy_endpoint>()} {
  auto options = p.make_options();
  options.conf.set("oslo_messaging_rabbit", "rabbit_qos_prefetch_count", "1");
  bus_ = open_transport(p.url, std::move(options));
  target to = on;
  to.server = "bench-keeper";
  server_.emplace(*bus_, to, std::vector<std::shared_ptr<rpc::endpoint>>{busy_},
                  rpc::server_options{.executor = inline_executor()});
  server_->start();
  cast_text({*bus_, on, {.timeout = bench_patience}}, "keep", {}, "{}").value();
  if (!busy_->busy_within(bench_patience))
    throw std::runtime_error{"A message that keeps the queue in being did not come."};
}

bench_keeper::~bench_keeper() {
  server_->stop();
  busy_->let_go();
  server_->wait(bench_patience);
}

}  // namespace oslo::messaging::cli
