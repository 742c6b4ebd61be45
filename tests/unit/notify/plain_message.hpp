// A message without a bus.
#pragma once

#include <memory>
#include <oslo/messaging/driver.hpp>
#include <oslo/messaging/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace oslo::messaging::notify {

class plain_message final : public incoming_message {
 public:
  explicit plain_message(std::string body, context c = {})
      : body_(std::move(body)), ctxt_(std::move(c)) {
    json_reader in(body_);
    in.begin_object();
    std::string key;
    while (in.next_key(key)) {
      keys_.push_back(std::make_unique<std::string>(key));
      fields_.push_back({*keys_.back(), in.skip_value()});
    }
  }
  std::span<const message_field> fields() const noexcept override { return fields_; }
  const context& ctxt() const noexcept override { return ctxt_; }
  std::string_view message_id() const noexcept override { return {}; }
  void acknowledge() override {}
  void requeue() override {}
  void reply(outgoing_reply, unique_function<void(result<void>)>) override {}
  void heartbeat(unique_function<void(result<void>)>) override {}

 private:
  std::string body_;
  context ctxt_;
  std::vector<std::unique_ptr<std::string>> keys_;
  std::vector<message_field> fields_;
};

}  // namespace oslo::messaging::notify
