#include "bench/messages.hpp"

#include <oslo/messaging/rpc/completion.hpp>
#include <string>

#include "bench/work.hpp"

namespace oslo::messaging::cli {
namespace {

void finish(const bench_ticket& t, const result<void>& r) {
  t.done(r ? std::optional<failure>{} : r.error());
}

failure wrong_answer(const char* why) {
  return {errc::malformed_message, why};
}

}  // namespace

void call_source::send(std::uint64_t n, bench_ticket t) {
  const std::string& arguments = bodies_.arguments(n);
  rpc::detail::start_call(client_, "echo", {}, arguments, {},
                          [t, &arguments](result<std::string> r) {
                            if (!r)
                              t.done(r.error());
                            else if (*r != arguments)
                              t.done(wrong_answer(echo_work::wrong));
                            else
                              t.done({});
                          });
}

void sum_source::send(std::uint64_t n, bench_ticket t) {
  bench_add_args arguments;
  sum_work::prepare(n, arguments);
  rpc::async_try_call(client_, bench_add, {}, arguments, [t, arguments](result<int> r) {
    if (!r)
      t.done(r.error());
    else if (!sum_work::right(arguments, *r))
      t.done(wrong_answer(sum_work::wrong));
    else
      t.done({});
  });
}

std::unique_ptr<bench_source> make_call_source(const rpc::client& client,
                                               const bench_bodies& bodies) {
  if (bodies.integers()) return std::make_unique<sum_source>(client);
  return std::make_unique<call_source>(client, bodies);
}

void cast_source::send(std::uint64_t n, bench_ticket t) {
  rpc::detail::start_cast(client_, "hit", {}, bodies_.arguments(n), {},
                          [t](result<void> r) { finish(t, r); });
}

void notification_source::send(std::uint64_t n, bench_ticket t) {
  tells_.post(notify::priority::info, {}, "bench.event", raw_json{bodies_.arguments(n)},
              [t](result<void> r) { finish(t, r); });
}

}  // namespace oslo::messaging::cli
