#include "drivers/kafka/message.hpp"

#include <utility>

#include "drivers/kafka/subscription.hpp"

namespace oslo::messaging::kafka {

kafka_message::~kafka_message() {
  settle(false);
}

std::string_view kafka_message::body() const noexcept {
  if (what_->text.empty()) what_->text = portable_text(what_->body);
  return what_->text;
}

void kafka_message::settle(bool acknowledged) {
  if (std::exchange(settled_, true)) return;
  auto& loop = from_->loop();
  if (loop.running_here()) return from_->settle(what_, acknowledged);
  loop.post([from = from_, what = what_, acknowledged] { from->settle(what, acknowledged); });
}

}  // namespace oslo::messaging::kafka
