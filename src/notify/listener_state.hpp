// What a listener shares with the messages it has taken.
#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <oslo/messaging/driver.hpp>
#include <oslo/messaging/notify/listener.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/hidden.hpp"
#include "notify/dead_letters.hpp"
#include "notify/handling.hpp"
#include "serve/serving.hpp"

namespace oslo::messaging::notify::detail {

/// Hands work (a message, or a batch) to the executor, and settles it.
///
/// Members marked "loop" are touched on the transport's loop only.
class OSLO_HIDDEN listener_state final : public serve::serving, public handling_owner {
 public:
  static constexpr const char* handle_name = "listener";

  listener_state(transport b, std::vector<target> where,
                 std::vector<std::shared_ptr<endpoint>> endpoints, listener_options o);

  std::size_t running() const noexcept override { return unsettled(); }

  const std::vector<target> targets;
  const listener_options options;

 private:
  // Loop.
  std::shared_ptr<messaging::listener> subscribe() override;
  std::string place() const override { return to_string(targets.front()); }
  std::size_t wanted() override;
  void take(incoming_batch arrived) override;
  void begun() override { window_start_ = bus.loop().now(); }
  void ended() override { hand_out_batch(); }
  void room_again() override;
  void collect(incoming_batch arrived);
  std::optional<scheduler::time_point> end_of_batch();
  void hand_out_batch();
  void submit(incoming_batch work);

  // Any thread.
  void run(boost::asio::awaitable<outcome> handler,
           unique_function<void(std::exception_ptr, outcome)> done) override;
  void resume(unique_function<void()> work) override;
  void done(incoming_batch work, std::vector<handling_result> results) noexcept override;
  void settle(incoming_message& m, const handling_result& v) noexcept;
  /// How many deliveries have failed, when this one was the last; else none.
  std::optional<std::size_t> is_hopeless(const incoming_message& m, const handling_result& v);
  /// Sends it to the dead letters. `open` ends when it is settled.
  void bury(std::shared_ptr<incoming_message> m, const handling_result& v, std::size_t failures,
            std::shared_ptr<void> open) noexcept;
  void finished(std::size_t messages);

  std::shared_ptr<listener_state> self() {
    return std::static_pointer_cast<listener_state>(shared_from_this());
  }

  const handler_table table_;
  incoming_batch collected_;                                     // loop; a batch that is not due
  scheduler::timer_id batch_timer_ = scheduler::timer_id::none;  // loop
  scheduler::time_point window_start_{};  // loop; the end of the last batch, or the start
  bool due_ = false;                      // loop; the batch waits for the executor only
  requeue_counter requeues_;
};

}  // namespace oslo::messaging::notify::detail
