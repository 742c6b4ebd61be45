#include "drivers/kafka/event_fd.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <boost/system/system_error.hpp>
#include <cerrno>
#include <cstdint>
#include <utility>

namespace oslo::messaging::kafka {
namespace {

int make_event_fd() {
  const int fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0)
    throw boost::system::system_error(errno, boost::system::system_category(),
                                      "a descriptor for the events of librdkafka");
  return fd;
}

}  // namespace

event_fd::event_fd(const boost::asio::any_io_executor& loop)
    : state_(std::make_shared<state>(loop, make_event_fd())) {}

void event_fd::attach(rd_kafka_queue_t* queue) {
  const std::uint64_t one = 1;
  rd_kafka_queue_io_event_enable(queue, state_->fd.native_handle(), &one, sizeof one);
}

void event_fd::detach(rd_kafka_queue_t* queue) {
  rd_kafka_queue_io_event_enable(queue, -1, nullptr, 0);
}

void event_fd::start(unique_function<void()> look) {
  state_->look = std::move(look);
  wait(state_);
}

void event_fd::wait(const std::shared_ptr<state>& s) {
  s->fd.async_wait(
      boost::asio::posix::descriptor_base::wait_read, [s](boost::system::error_code ec) {
        if (ec || !s->look) return;
        // Before the queues are emptied, or a wake-up is lost.
        std::uint64_t count = 0;
        [[maybe_unused]] const auto n = ::read(s->fd.native_handle(), &count, sizeof count);
        wait(s);
        s->look();
      });
}

void event_fd::close() noexcept {
  boost::system::error_code ignored;
  state_->fd.close(ignored);
}

}  // namespace oslo::messaging::kafka
