#include <oslo/messaging/executor.hpp>

namespace oslo::messaging {
namespace {

class inline_executor_impl final : public executor {
 public:
  // noexcept as for a pool thread: work that throws ends the program here too.
  void execute(unique_function<void()> work) override {
    [&]() noexcept { work(); }();
  }
  std::size_t concurrency() const noexcept override { return 1; }
  bool is_inline() const noexcept override { return true; }
};

}  // namespace

std::shared_ptr<executor> inline_executor() {
  return std::make_shared<inline_executor_impl>();
}

}  // namespace oslo::messaging
