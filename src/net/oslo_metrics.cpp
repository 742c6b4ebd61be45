#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/json.hpp>
#include <oslo/messaging/metrics.hpp>
#include <system_error>
#include <thread>
#include <utility>

#include "core/tasks/fork_guard.hpp"
#include "net/signals_blocked.hpp"

namespace oslo::messaging {
namespace {

constexpr std::chrono::seconds pause_after_failure{1};
/// For what still waits at the end: a collector may be slow without ever failing.
constexpr std::chrono::seconds time_to_end{1};
/// The collector reads no more of a datagram.
constexpr std::size_t longest_datagram = 65'535;

constexpr std::array<std::string_view, 10> client_labels{
    "call_type", "exchange", "topic",  "namespace", "version",
    "server",    "fanout",   "method", "timeout",   "process"};
constexpr std::array<std::string_view, 8> server_labels{
    "endpoint", "namespace", "version", "method", "exchange", "topic", "server", "process"};

/// The collector wants exactly the labels that it knows of a measurement; null: does not apply.
std::span<const std::string_view> labels_of(std::string_view name) {
  if (name.starts_with("rpc_client_")) return client_labels;
  return server_labels;
}

bool is_known(std::string_view name) {
  for (const std::string_view side : {"rpc_client_", "rpc_server_"})
    for (const std::string_view what : {"invocation_start_total", "invocation_end_total",
                                        "processing_seconds", "exception_total"})
      if (name.size() == side.size() + what.size() && name.starts_with(side) &&
          name.ends_with(what))
        return true;
  return false;
}

void write_label(std::string& out, std::string_view name, const std::string_view* v) {
  write_json(out, name);
  out += ": ";
  if (v == nullptr)
    out += "null";
  else if (name == "timeout" || name == "fanout")
    out += *v;  // a number; true
  else
    write_json(out, *v);
}

std::string datagram(std::string_view name, std::string_view action, std::string_view value,
                     metric_labels given, const std::string& process) {
  const auto find = [&](std::string_view label) -> const std::string_view* {
    for (const auto& l : given)
      if (l.name == label) return &l.value;
    return nullptr;
  };
  std::string out = R"({"module": "oslo_messaging", "name": ")";
  out.append(name).append(R"(", "action": {"value": )").append(value);
  out.append(R"(, "action": ")").append(action).append(R"("}, "labels": {)");
  const std::string_view own_process = process;
  for (const auto label : labels_of(name)) {
    write_label(out, label, label == "process" ? &own_process : find(label));
    out += ", ";
  }
  if (const auto* exception = find("exception")) {
    write_label(out, "exception", exception);
    out += ", ";
  }
  out.resize(out.size() - 2);
  return out += "}}";
}

class socket_address {
 public:
  explicit socket_address(const std::string& path) {
    address_.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address_.sun_path)
      throw configuration_error(
          {errc::invalid_config, "The socket of the metrics collector needs a path of 1 to " +
                                     std::to_string(sizeof address_.sun_path - 1) +
                                     " bytes, not \"" + path + "\"."});
    std::memcpy(address_.sun_path, path.data(), path.size());
  }
  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&address_); }
  socklen_t size() const noexcept { return sizeof address_; }

 private:
  sockaddr_un address_{};
};

class collector final : public metrics {
  using clock = std::chrono::steady_clock;

 public:
  collector(oslo_metrics_options o, logger log)
      : options_(std::move(o)), log_(std::move(log)), address_(options_.socket) {
    if (options_.buffer == 0)
      throw configuration_error(
          {errc::invalid_config, "The buffer of measurements must hold at least one."});
    const net::signals_blocked for_the_thread;
    thread_ = std::thread([this] { run(); });
    ::pthread_setname_np(thread_.native_handle(), "oslo-metrics");
  }

  ~collector() override {
    {
      const std::lock_guard lock(mutex_);
      stop_by_ = clock::now() + time_to_end;
    }
    changed_.notify_all();
    thread_.join();
    if (socket_ >= 0) ::close(socket_);
  }

  void add(std::string_view name, metric_labels labels, std::int64_t delta) override {
    // The collector counts one at a time.
    for (std::int64_t i = 0; i < delta && is_known(name); ++i)
      enqueue(datagram(name, "inc", "null", labels, options_.process));
  }
  void set(std::string_view, metric_labels, double) override {}
  void observe(std::string_view name, metric_labels labels, double seconds) override {
    if (!is_known(name)) return;
    std::array<char, 32> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), seconds).ptr;
    enqueue(datagram(name, "observe", {text.data(), static_cast<std::size_t>(end - text.data())},
                     labels, options_.process));
  }

  bool inherited() const noexcept { return born_.in_child(); }

 private:
  void enqueue(std::string text) {
    if (born_.in_child() || text.size() > longest_datagram) return;
    bool first_dropped = false;
    {
      const std::lock_guard lock(mutex_);
      if (queue_.size() < options_.buffer)
        queue_.push_back(std::move(text));
      else
        first_dropped = !std::exchange(dropping_, true);
    }
    changed_.notify_all();
    if (first_dropped)
      log_(log_level::warning, "Measurements are dropped: " + std::to_string(options_.buffer) +
                                   " of them wait for the collector at " + options_.socket +
                                   " already.");
  }

  void run() {
    bool complained = false;
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return stop_by_ || !queue_.empty(); });
      if (queue_.empty() || (stop_by_ && clock::now() >= *stop_by_)) return;
      const std::string& text = queue_.front();  // only this thread removes it
      lock.unlock();
      const int error = send(text);
      if (error != 0 && !std::exchange(complained, true))
        log_(log_level::error, "Measurements cannot be sent to the collector at " +
                                   options_.socket + ": " + std::system_category().message(error));
      lock.lock();
      if (error == 0) {
        queue_.pop_front();
        // One that is slow is not well before it has taken everything.
        if (queue_.empty()) complained = dropping_ = false;
      } else if (changed_.wait_for(lock, pause_after_failure,
                                   [this] { return stop_by_.has_value(); })) {
        return;
      }
    }
  }

  int send(const std::string& text) {
    if (socket_ < 0) {
      socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      if (socket_ < 0) return errno;
      const timeval limit{.tv_sec = 1, .tv_usec = 0};  // a collector that does not read
      ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    }
    const auto sent =
        ::sendto(socket_, text.data(), text.size(), MSG_NOSIGNAL, address_.get(), address_.size());
    if (sent >= 0 || errno == EMSGSIZE) return 0;  // one that is too long would stop all others
    return errno;
  }

  const oslo_metrics_options options_;
  const logger log_;
  const socket_address address_;
  const fork_guard born_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> queue_;
  bool dropping_ = false;
  std::optional<clock::time_point> stop_by_;
  int socket_ = -1;  // of the thread
  std::thread thread_;
};

}  // namespace

std::shared_ptr<metrics> oslo_metrics(oslo_metrics_options o, logger log) {
  auto made = std::make_shared<collector>(std::move(o), std::move(log));
  auto* const raw = made.get();
  // In a child there is no thread to be joined.
  return {raw, [made = std::move(made)](collector*) mutable {
            if (made->inherited())
              leave_to_parent(std::move(made));
            else
              made.reset();
          }};
}

}  // namespace oslo::messaging
