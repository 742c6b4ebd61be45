// Times the operations with Google Benchmark, or runs one a given number of times for a tool that
// counts instructions:
//
//     oslo_micro [flags of Google Benchmark]
//     oslo_micro --list
//     oslo_micro --run NAME --times N      prints how many allocations that took
#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "operation.hpp"

namespace {

std::atomic<unsigned long long> allocations{0};

void* allocate(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* p = std::malloc(size == 0 ? 1 : size)) return p;
  throw std::bad_alloc{};
}

}  // namespace

void* operator new(std::size_t size) {
  return allocate(size);
}
void operator delete(void* p) noexcept {
  std::free(p);
}
void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}

int main(int argc, char** argv) {
  std::vector<micro::operation> all;
  micro::add_wire(all);
  micro::add_amqp(all);
  micro::add_dispatch(all);
  micro::add_rpc(all);

  if (argc == 2 && !std::strcmp(argv[1], "--list")) {
    for (const auto& o : all) std::puts(o.name.c_str());
    return 0;
  }
  if (argc == 5 && !std::strcmp(argv[1], "--run") && !std::strcmp(argv[3], "--times")) {
    const auto times = std::strtoull(argv[4], nullptr, 10);
    for (const auto& o : all) {
      if (o.name != argv[2]) continue;
      o.run(100);  // what is made once is there now
      const auto before = allocations.load();
      o.run(times);
      std::printf("%llu\n", allocations.load() - before);
      return 0;
    }
    std::fprintf(stderr, "There is no operation %s.\n", argv[2]);
    return 2;
  }

  for (const auto& o : all)
    benchmark::RegisterBenchmark(o.name.c_str(), [&o](benchmark::State& state) {
      constexpr int group = 256;
      while (state.KeepRunningBatch(group)) o.run(group);
      state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
    })->UseRealTime();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
