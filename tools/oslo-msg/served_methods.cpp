#include "served_methods.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <oslo/messaging/convert.hpp>
#include <string_view>
#include <utility>

namespace oslo::messaging::cli {
namespace {

__extension__ using wide = __int128;

void require(const raw_json& argument, std::string_view method, std::string_view name) {
  if (argument.text.empty())
    throw rpc::remote_exception{
        "builtins", "TypeError",
        std::string{method} + "() is missing the argument '" + std::string{name} + "'"};
}

bool is_integer(std::string_view json) {
  return json.find_first_not_of("-0123456789") == std::string_view::npos;
}

/// The integer, or none when it has more than 64 bits.
std::optional<wide> read_integer(std::string_view json) {
  std::int64_t narrow = 0;
  std::uint64_t natural = 0;
  const char* end = json.data() + json.size();
  if (std::from_chars(json.data(), end, narrow).ec == std::errc{}) return narrow;
  if (std::from_chars(json.data(), end, natural).ec == std::errc{}) return natural;
  return std::nullopt;
}

std::string to_text(wide v) {
  const bool negative = v < 0;
  std::string digits;
  do {
    const auto digit = static_cast<int>(v % 10);
    digits += static_cast<char>('0' + (negative ? -digit : digit));
    v /= 10;
  } while (v != 0);
  if (negative) digits += '-';
  std::reverse(digits.begin(), digits.end());
  return digits;
}

}  // namespace

served_methods::served_methods(target accepts, std::shared_ptr<scheduler> loop)
    : endpoint{std::move(accepts)}, loop_{std::move(loop)} {
  bind("echo", &served_methods::echo);
  bind("add", &served_methods::add);
  bind("sleep", &served_methods::sleep);
  bind("fail", &served_methods::fail);
  bind("context", &served_methods::get_context);
  bind("hit", &served_methods::hit).allow_unknown();
  bind("hits", &served_methods::get_hits);
}

raw_json served_methods::add(add_args args) {
  require(args.a, "add", "a");
  require(args.b, "add", "b");
  if (is_integer(args.a.text) && is_integer(args.b.text)) {
    const auto a = read_integer(args.a.text), b = read_integer(args.b.text);
    if (!a || !b)
      throw rpc::remote_exception{"builtins", "OverflowError",
                                  "add() takes integers of at most 64 bits"};
    return {to_text(*a + *b)};
  }
  std::string sum;
  write_json(sum,
             from_json<double>(args.a.text, "args.a") + from_json<double>(args.b.text, "args.b"));
  return {sum};
}

// Answers from a timer: a sleeping request costs memory, not a thread.
void served_methods::sleep(sleep_args args, rpc::responder<raw_json> answer) {
  require(args.seconds, "sleep", "seconds");
  const auto seconds = from_json<double>(args.seconds.text, "args.seconds");
  if (!(seconds >= 0 && seconds <= 1e6))
    throw rpc::remote_exception{"builtins", "ValueError", "sleep() takes 0 to 1000000 seconds"};
  const auto pause = std::chrono::duration_cast<scheduler::clock::duration>(
      std::chrono::duration<double>{seconds});
  loop_->run_at(loop_->now() + pause,
                [answer = std::move(answer), result = std::move(args.seconds)]() mutable {
                  answer.reply(std::move(result));
                });
}

void served_methods::fail(fail_args args) {
  throw rpc::remote_exception{args.module, args.type, args.message};
}

}  // namespace oslo::messaging::cli
