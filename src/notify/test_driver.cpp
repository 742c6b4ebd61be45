#include <deque>
#include <mutex>
#include <oslo/messaging/json.hpp>
#include <oslo/messaging/notify/test_driver.hpp>

#include "notify/drivers.hpp"

namespace oslo::messaging::notify {
namespace {

constexpr std::size_t most_kept = 10'000;

struct shelf {
  std::mutex mutex;
  std::deque<kept_notification> kept;
};

shelf& the_shelf() {
  static shelf s;
  return s;
}

class test_driver_impl final : public notification_driver {
 public:
  void notify(const outgoing_notification& n,
              unique_function<void(result<void>)> done) const override {
    kept_notification kept{n.ctxt, parse_json(n.body).get_object(), n.priority, n.retry};
    {
      auto& s = the_shelf();
      const std::lock_guard lock(s.mutex);
      if (s.kept.size() == most_kept) s.kept.pop_front();
      s.kept.push_back(std::move(kept));
    }
    done({});
  }
};

}  // namespace

std::shared_ptr<const notification_driver> test_driver() {
  return std::make_shared<test_driver_impl>();
}

std::vector<kept_notification> kept_notifications() {
  auto& s = the_shelf();
  const std::lock_guard lock(s.mutex);
  return {s.kept.begin(), s.kept.end()};
}

void reset_kept_notifications() {
  auto& s = the_shelf();
  const std::lock_guard lock(s.mutex);
  s.kept.clear();
}

}  // namespace oslo::messaging::notify
