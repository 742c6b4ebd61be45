#include "drivers/kafka/client_state.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "core/utf8.hpp"
#include "drivers/kafka/errors.hpp"

namespace oslo::messaging::kafka {

namespace {

/// It says a part of the nonce twice, which brokers since Kafka 4.0 take for a wrong password.
bool knows_scram_of_kafka_4() noexcept {
  return rd_kafka_version() >= 0x020601ff;
}

}  // namespace

bool client_state::on_error(rd_kafka_resp_err_t e, std::string_view text) {
  const auto before = std::tuple(state(), down_, verdict_.has_value(), reason_);
  if (e == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
    down_ = true;
    connected_ = false;
    if (reason_.empty()) reason_ = to_valid_utf8(text);
  } else {
    reason_ = to_valid_utf8(text);
    if (auto b = broker_of(text); !b.empty()) broker_ = std::move(b);
    last_verdict_.reset();
    const auto code = code_of(e);
    if (code == errc::authentication_failed && text.find("SCRAM") != text.npos &&
        !knows_scram_of_kafka_4())
      reason_ += "; by SCRAM librdkafka " + std::string(rd_kafka_version_str()) +
                 " cannot log in to Kafka 4.0 and later, librdkafka 2.6.1 can";
    if (code == errc::authentication_failed || code == errc::tls_failed)
      last_verdict_ = failure(code, reason_);
    // Without a token it connects to no broker.
    if (text.starts_with("Failed to acquire SASL OAUTHBEARER token") && !connected_) down_ = true;
  }
  if (down_) verdict_ = last_verdict_;
  // One of several brokers that fails is no trouble yet.
  const auto after = std::tuple(state(), down_, verdict_.has_value(), reason_);
  return before != after;
}

bool client_state::alive() {
  if (connected_ && !down_ && reason_.empty()) return false;
  connected_ = true;
  down_ = false;
  last_verdict_.reset();
  verdict_.reset();
  reason_.clear();
  return true;
}

link_state client_state::state() const noexcept {
  if (verdict_) return link_state::refused;
  return connected_ ? link_state::connected : link_state::connecting;
}

std::string broker_of(std::string_view text) {
  auto place = text.substr(0, text.find(": "));
  if (place.size() == text.size() || place.find(' ') != place.npos) return {};
  if (const auto scheme = place.find("://"); scheme != place.npos) place.remove_prefix(scheme + 3);
  return to_valid_utf8(place.substr(0, place.find('/')));
}

bool shows_broker_up(std::string_view statistics) noexcept {
  for (const char* state : {R"("state":"UP")", R"("state": "UP")"})
    if (statistics.find(state) != statistics.npos) return true;
  return false;
}

std::chrono::milliseconds time_for_attempts(int attempts) noexcept {
  using std::chrono::milliseconds;
  constexpr milliseconds longest{10'000};
  milliseconds total{0}, next{100};
  int left = std::max(attempts, 0);
  for (; left > 0 && next < longest; --left) {
    total += next;
    next = std::min(2 * next, longest);
  }
  return total + left * longest;
}

}  // namespace oslo::messaging::kafka
