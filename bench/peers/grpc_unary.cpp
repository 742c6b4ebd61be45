// grpc_unary --over inproc|loopback [--in-flight N] [--sync] [--count N] [--body BYTES]
//
// Unary calls of gRPC C++ without a broker: N in flight by the callback API at both ends, or one at
// a time by the synchronous API (--sync). In one process over its in-process channel, or with a
// server in a child process over TCP. Prints one JSON line.
#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "echo.grpc.pb.h"

namespace {

using clock_type = std::chrono::steady_clock;

struct settings {
  bool loopback = false, sync = false;
  std::size_t in_flight = 1, count = 20'000, body = 100;
};

class callback_service final : public bench::Echo::CallbackService {
  grpc::ServerUnaryReactor* Call(grpc::CallbackServerContext* context, const bench::Payload* in,
                                 bench::Payload* out) override {
    out->set_data(in->data());
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

class sync_service final : public bench::Echo::Service {
  grpc::Status Call(grpc::ServerContext*, const bench::Payload* in, bench::Payload* out) override {
    out->set_data(in->data());
    return grpc::Status::OK;
  }
};

struct server {
  explicit server(const settings& s) {
    grpc::ServerBuilder builder;
    if (s.loopback)
      builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(s.sync ? static_cast<grpc::Service*>(&synchronous) : &callback);
    running = builder.BuildAndStart();
    if (!running || (s.loopback && port == 0)) throw std::runtime_error{"no server"};
  }
  callback_service callback;
  sync_service synchronous;
  int port = 0;
  std::unique_ptr<grpc::Server> running;
};

double cpu_seconds(pid_t process) {
  clockid_t clock{};
  timespec used{};
  if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &used) != 0)
    throw std::runtime_error{"no CPU time"};
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

long peak_kib(pid_t process) {
  std::ifstream file{"/proc/" + std::to_string(process) + "/status"};
  for (std::string line; std::getline(file, line);)
    if (line.rfind("VmHWM:", 0) == 0) return std::stol(line.substr(6));
  return 0;
}

// ---- client -------------------------------------------------------------------------------------

/// `count` calls, `in_flight` at once; the latency of each in `latencies`.
class load {
 public:
  load(bench::Echo::Stub& stub, const settings& s, std::size_t count)
      : stub_{stub}, count_{count}, latencies_(count), slots_(std::min(s.in_flight, count)) {
    for (auto& each : slots_) each.request.set_data(std::string(s.body, 'x'));
  }
  std::vector<float> run() {
    left_ = slots_.size();
    for (auto& each : slots_) next(each);
    all_ended_.get_future().get();
    if (failed_) throw std::runtime_error{"a call failed"};
    return std::move(latencies_);
  }

 private:
  struct slot {
    std::unique_ptr<grpc::ClientContext> context{};
    bench::Payload request{}, reply{};
    clock_type::time_point sent{};
  };
  void next(slot& s) {
    const auto number = started_.fetch_add(1);
    if (number >= count_ || failed_) {
      if (left_.fetch_sub(1) == 1) all_ended_.set_value();
      return;
    }
    s.context = std::make_unique<grpc::ClientContext>();
    s.sent = clock_type::now();
    stub_.async()->Call(s.context.get(), &s.request, &s.reply, [this, &s, number](grpc::Status r) {
      latencies_[number] = std::chrono::duration<float>(clock_type::now() - s.sent).count();
      if (!r.ok() || s.reply.data().size() != s.request.data().size()) failed_ = true;
      next(s);
    });
  }

  bench::Echo::Stub& stub_;
  const std::size_t count_;
  std::vector<float> latencies_;
  std::vector<slot> slots_;
  std::atomic<std::size_t> started_{0}, left_{0};
  std::atomic<bool> failed_{false};
  std::promise<void> all_ended_;
};

std::vector<float> run(bench::Echo::Stub& stub, const settings& s, std::size_t count) {
  if (!s.sync) return load{stub, s, count}.run();
  std::vector<float> latencies(count);
  bench::Payload request, reply;
  request.set_data(std::string(s.body, 'x'));
  for (auto& latency : latencies) {
    grpc::ClientContext context;
    const auto sent = clock_type::now();
    if (!stub.Call(&context, request, &reply).ok()) throw std::runtime_error{"a call failed"};
    latency = std::chrono::duration<float>(clock_type::now() - sent).count();
  }
  return latencies;
}

void measure(const settings& s, const std::shared_ptr<grpc::Channel>& channel, pid_t other) {
  const auto stub = bench::Echo::NewStub(channel);
  run(*stub, s, s.count / 10 + 1);
  const double client = cpu_seconds(getpid()), served = other ? cpu_seconds(other) : 0;
  const auto begin = clock_type::now();
  auto latencies = run(*stub, s, s.count);
  const double seconds = std::chrono::duration<double>(clock_type::now() - begin).count();
  const double n = static_cast<double>(s.count);
  const double client_us = 1e6 * (cpu_seconds(getpid()) - client) / n;
  std::sort(latencies.begin(), latencies.end());
  const auto us = [&](double fraction) {
    const auto at = static_cast<std::size_t>(fraction * n);
    return 1e6 * static_cast<double>(latencies[std::min(at, latencies.size() - 1)]);
  };
  std::printf("{\"mode\": \"call\", \"in_flight\": %zu, \"count\": %zu, \"seconds\": %.6f, ",
              s.in_flight, s.count, seconds);
  std::printf(
      "\"rate\": %.1f, \"latency_us\": {\"p50\": %.2f, \"p90\": %.2f, \"p99\": %.2f, "
      "\"p999\": %.2f, \"max\": %.2f, \"curve\": [",
      n / seconds, us(0.5), us(0.9), us(0.99), us(0.999), us(1));
  const char* comma = "";
  for (const double f : {0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998,
                         0.999, 0.9995, 0.9999, 1.0}) {
    std::printf("%s[%g, %.2f]", comma, f, us(f));
    comma = ", ";
  }
  std::printf("]}, \"cpu_us\": {\"client\": %.2f", client_us);
  if (other) std::printf(", \"server\": %.2f", 1e6 * (cpu_seconds(other) - served) / n);
  std::printf("}, \"peak_memory_kib\": {\"client\": %ld", peak_kib(getpid()));
  if (other) std::printf(", \"server\": %ld", peak_kib(other));
  std::printf("}, \"connections\": {\"client\": %d}, \"errors\": 0}\n", other ? 1 : 0);
  std::fflush(stdout);
}

// ---- main ---------------------------------------------------------------------------------------

std::size_t number(std::string_view text, std::size_t most) {
  std::size_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc{} || end != text.data() + text.size() || n > most)
    throw std::runtime_error{std::string{text} + " is no number up to " + std::to_string(most)};
  return n;
}

settings read_arguments(int argc, char** argv) {
  settings s;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--sync") {
      s.sync = true;
      continue;
    }
    if (++i == argc) throw std::runtime_error{std::string{name} + " lacks its value"};
    const std::string_view value = argv[i];
    if (name == "--over" && (value == "inproc" || value == "loopback"))
      s.loopback = value == "loopback";
    else if (name == "--in-flight")
      s.in_flight = std::max<std::size_t>(number(value, 20'000), 1);
    else if (name == "--count")
      s.count = std::max<std::size_t>(number(value, 100'000'000), 1);
    else if (name == "--body")
      s.body = number(value, std::size_t{3} << 20);
    else
      throw std::runtime_error{"unknown option " + std::string{name}};
  }
  if (s.sync && s.in_flight != 1) throw std::runtime_error{"--sync is for one call in flight"};
  return s;
}

/// In the child: serves until the parent closes its end.
void serve(const settings& s, int port_to, int end_from) {
  server here{s};
  if (write(port_to, &here.port, sizeof here.port) != sizeof here.port) return;
  char byte;
  while (read(end_from, &byte, 1) > 0) {
  }
  here.running->Shutdown();
}

int over_loopback(const settings& s) {
  // Before the parent has touched gRPC, whose threads a fork would lose.
  int port_pipe[2], end_pipe[2];
  if (pipe(port_pipe) != 0 || pipe(end_pipe) != 0) throw std::runtime_error{"no pipe"};
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error{"no process"};
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(end_pipe[1]);
    close(port_pipe[0]);
    serve(s, port_pipe[1], end_pipe[0]);
    std::exit(0);
  }
  close(end_pipe[0]);
  close(port_pipe[1]);
  int port = 0;
  if (read(port_pipe[0], &port, sizeof port) != sizeof port) throw std::runtime_error{"no server"};
  measure(
      s,
      grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials()),
      child);
  close(end_pipe[1]);
  int status = 0;
  return waitpid(child, &status, 0) == child && status == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) try {
  const settings s = read_arguments(argc, argv);
  if (s.loopback) return over_loopback(s);
  server here{s};
  measure(s, here.running->InProcessChannel({}), 0);
  here.running->Shutdown();
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "grpc_unary: %s\n", e.what());
  return 1;
}
