#include "net/look_up.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/system/system_error.hpp>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "core/tasks/fork_guard.hpp"
#include "core/tasks/orphan_threads.hpp"
#include "net/signals_blocked.hpp"

namespace oslo::messaging::net {
namespace {

/// A name that hangs must not use up the threads of the others: so many of its look-ups may go on
/// after their owners gave them up.
constexpr int max_hanging_a_name = 2;
constexpr int max_threads = 64;

/// How many threads look something up now, in the whole process.
class running_look_ups {
 public:
  static running_look_ups& instance() {
    static running_look_ups& one = *new running_look_ups;  // threads may outlive static objects
    return one;
  }
  bool enter(const std::string& name) {
    const std::lock_guard lock(mutex_);
    if (born_.in_child()) {  // the threads are the parent's
      by_name_.clear();
      total_ = 0;
      born_ = {};
    }
    const auto hanging = by_name_.find(name);
    if (total_ >= max_threads ||
        (hanging != by_name_.end() && hanging->second >= max_hanging_a_name))
      return false;
    ++total_;
    return true;
  }
  /// Its owner waits no longer.
  void give_up(const std::string& name) {
    const std::lock_guard lock(mutex_);
    ++by_name_[name];
  }
  void leave(const std::string& name, bool given_up) noexcept {
    const std::lock_guard lock(mutex_);
    if (total_ > 0) --total_;
    const auto it = given_up ? by_name_.find(name) : by_name_.end();
    if (it != by_name_.end() && --it->second == 0) by_name_.erase(it);
  }

 private:
  std::mutex mutex_;
  std::map<std::string, int> by_name_;  ///< given up, and still running
  int total_ = 0;
  fork_guard born_;
};

/// What the thread and the loop share: the result, and a pipe that says it is there.
struct job {
  explicit job(endpoint h) : host(std::move(h)) {
    if (!running_look_ups::instance().enter(host.host))
      throw_failure({errc::unreachable,
                     host.text() + " is unreachable: earlier look-ups of names still hang"});
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
      const int error = errno;
      running_look_ups::instance().leave(host.host, false);
      throw boost::system::system_error(error, boost::system::system_category(),
                                        "looking up " + host.host);
    }
  }
  ~job() {
    for (const int end : ends)
      if (end >= 0) ::close(end);
    running_look_ups::instance().leave(host.host, given_up);
  }
  job(const job&) = delete;
  job& operator=(const job&) = delete;

  void run() noexcept {
    try {
      found = ask();
    } catch (const std::exception& e) {
      found = failure(errc::unreachable, host.text() + " is unreachable: " + e.what());
    }
    ready.store(true);
    [[maybe_unused]] const auto n = ::write(ends[1], "", 1);
  }

  result<look_up::addresses> ask() const {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    const int error = ::getaddrinfo(host.host.c_str(), nullptr, &hints, &list);
    if (error != 0)
      return failure(errc::unreachable,
                     host.text() + " is unreachable: " +
                         (error == EAI_SYSTEM ? std::generic_category().message(errno)
                                              : ::gai_strerror(error)));
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, ::freeaddrinfo);
    look_up::addresses all;
    for (const auto* a = list; a != nullptr; a = a->ai_next) {
      char text[NI_MAXHOST];
      if (::getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) ==
          0)
        all.emplace_back(text);
    }
    return all;
  }

  endpoint host;
  int ends[2] = {-1, -1};
  std::atomic<bool> ready{false};  ///< the thread touches `found` no more
  bool given_up = false;           ///< of the owner; read when nobody else holds this
  result<look_up::addresses> found{look_up::addresses{}};
};

}  // namespace

struct look_up::waiter {
  waiter(const boost::asio::any_io_executor& ex, std::shared_ptr<job> j)
      : pipe(ex, std::exchange(j->ends[0], -1)), work(std::move(j)) {}

  boost::asio::posix::stream_descriptor pipe;
  std::shared_ptr<job> work;
  unique_function<void(result<addresses>)> done;
};

look_up::look_up(boost::asio::any_io_executor ex, const endpoint& host,
                 unique_function<void(result<addresses>)> done)
    : waiter_(std::make_shared<waiter>(ex, std::make_shared<job>(host))) {
  waiter_->done = std::move(done);
  const auto ended = std::make_shared<std::atomic<bool>>(false);
  {
    const signals_blocked blocked;
    std::thread thread([work = waiter_->work, ended]() mutable {
      work->run();
      work.reset();
      ended->store(true);
    });
    adopt_stuck_orphan(std::move(thread), [ended] { return ended->load(); });
  }
  waiter_->pipe.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                           [w = waiter_](boost::system::error_code ec) {
                             if (!ec && w->done && w->work->ready.load())
                               std::exchange(w->done, nullptr)(std::move(w->work->found));
                           });
}

look_up::~look_up() {
  if (waiter_->done && !waiter_->work->ready.load()) {
    waiter_->work->given_up = true;
    running_look_ups::instance().give_up(waiter_->work->host.host);
  }
  waiter_->done = nullptr;
  boost::system::error_code ignored;
  waiter_->pipe.close(ignored);
}

}  // namespace oslo::messaging::net
