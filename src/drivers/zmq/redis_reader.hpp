// What a server of Redis answers, read by hiredis into values with bounds.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <string>
#include <string_view>
#include <vector>

struct redisReader;

namespace oslo::messaging::zmq {

struct redis_value {
  enum class kind { nil, text, error, number, list };
  kind what = kind::nil;
  std::string text{};
  std::int64_t number = 0;
  std::vector<redis_value> items{};
};

/// Without I/O.
class redis_reader {
 public:
  static constexpr std::size_t most_items = 65'536;  ///< of one list
  static constexpr std::size_t longest_text = 1u << 20;
  static constexpr std::size_t most_unread = 16u << 20;  ///< bytes of answers that are not whole

  redis_reader();
  ~redis_reader();
  redis_reader(const redis_reader&) = delete;
  redis_reader& operator=(const redis_reader&) = delete;

  /// Fails with `errc::malformed_message` for what is no answer of Redis, and from then on.
  result<void> feed(std::string_view bytes);
  /// The next whole answer; none: more bytes are needed.
  result<std::optional<redis_value>> next();

 private:
  struct end_reader {
    void operator()(redisReader* r) const noexcept;
  };
  std::unique_ptr<redisReader, end_reader> reader_;
  std::size_t unread_ = 0;
};

/// One command, as it goes over the wire.
std::string write_redis_command(const std::vector<std::string>& arguments);

}  // namespace oslo::messaging::zmq
