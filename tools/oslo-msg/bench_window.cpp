#include "bench_window.hpp"

#include <algorithm>
#include <utility>

namespace oslo::messaging::cli {

bench_window::bench_window(rpc::client client, kind what, std::string method, std::string args_json,
                           std::size_t in_flight)
    : client_{std::move(client)},
      what_{what},
      method_{std::move(method)},
      args_json_{std::move(args_json)},
      in_flight_{in_flight} {}

bench_window::outcome bench_window::run(std::uint64_t count,
                                        const std::function<void(std::uint64_t)>& progress) {
  to_send_ = to_finish_ = count;
  outcome_ = {};
  outcome_.latencies.reserve(count);
  all_finished_ = {};
  done_ = 0;
  auto end = all_finished_.get_future();
  client_.bus().loop().post([this] {
    begin_ = clock::now();
    for (auto n = std::min<std::uint64_t>(in_flight_, to_send_); n > 0; --n) send();
  });
  // Every message has its own deadline in the library, so this ends.
  while (end.wait_for(std::chrono::milliseconds{200}) != std::future_status::ready)
    progress(done_.load(std::memory_order_relaxed));
  return std::move(outcome_);
}

void bench_window::send() {
  --to_send_;
  const auto sent = clock::now();
  if (what_ == kind::call)
    client_.async_call_json(method_, {}, args_json_, {}, [this, sent](result<std::string> r) {
      finished(sent, r ? std::optional<failure>{} : r.error());
    });
  else
    client_.async_cast_json(method_, {}, args_json_, {}, [this, sent](result<void> r) {
      finished(sent, r ? std::optional<failure>{} : r.error());
    });
}

void bench_window::finished(clock::time_point sent, const std::optional<failure>& why) {
  const auto now = clock::now();
  if (!why) {
    outcome_.latencies.push_back(std::chrono::duration<float>(now - sent).count());
  } else {
    ++outcome_.errors;
    if (!outcome_.first_error) outcome_.first_error = why;
  }
  done_.fetch_add(1, std::memory_order_relaxed);
  if (--to_finish_ == 0) {
    outcome_.seconds = std::chrono::duration<double>(now - begin_).count();
    all_finished_.set_value();
  } else if (to_send_ > 0) {
    send();
  }
}

}  // namespace oslo::messaging::cli
