#include <oslo/messaging/error.hpp>
#include <oslo/messaging/json.hpp>

namespace oslo::messaging {
namespace {

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "oslo.messaging"; }
  std::string message(int code) const override {
    switch (static_cast<errc>(code)) {
      case errc::invalid_argument: return "an argument or option is out of its range";
      case errc::invalid_url: return "the transport URL cannot be read";
      case errc::invalid_config: return "the configuration cannot be read";
      case errc::invalid_target: return "the target lacks what the operation needs";
      case errc::unknown_driver: return "there is no driver for the scheme of the transport URL";
      case errc::not_supported: return "the driver or the peer does not support this";
      case errc::version_cap: return "the message version is above the version cap";
      case errc::wrong_process:
        return "a transport was used in a child of the process that opened it";
      case errc::would_deadlock: return "a blocking call was made on the thread that completes it";
      case errc::not_sent: return "the message was not sent";
      case errc::outcome_unknown: return "the message was sent, but its outcome is unknown";
      case errc::undeliverable: return "the broker returned the message: no queue was bound";
      case errc::rejected: return "the broker refused the message";
      case errc::timed_out: return "the deadline has passed";
      case errc::cancelled: return "the caller cancelled the operation";
      case errc::closed: return "the transport, client or server was closed";
      case errc::limit_exceeded: return "a configured limit was reached";
      case errc::authentication_failed: return "the broker refused the credentials";
      case errc::access_refused: return "the broker refused access";
      case errc::vhost_not_found: return "the virtual host does not exist";
      case errc::precondition_failed: return "the object exists with other properties";
      case errc::broker_error: return "the broker reported an error";
      case errc::unreachable: return "no broker could be reached";
      case errc::tls_failed: return "the TLS connection was refused";
      case errc::protocol_error: return "the peer broke the protocol";
      case errc::malformed_message: return "the message is malformed";
      case errc::serialization_failed: return "the value cannot be written as JSON";
      case errc::no_such_method: return "the endpoint has no such method";
      case errc::unsupported_version: return "no endpoint supports that namespace and version";
      case errc::remote_error: return "the remote handler failed";
      case errc::handler_failed: return "the handler failed";
    }
    return "unknown error";
  }
};

std::string remote_text(const remote_failure& remote) {
  std::string text = "Remote error: " + remote.type + " " + remote.message;
  for (const auto& line : remote.traceback) {
    if (text.empty() || text.back() != '\n') text += '\n';
    text += line;
  }
  return text;
}

}  // namespace

const std::error_category& error_category() noexcept {
  static const category instance;
  return instance;
}

bool is_retryable(errc e) noexcept {
  switch (e) {
    case errc::not_sent:
    case errc::outcome_unknown:
    case errc::undeliverable:
    case errc::rejected:
    case errc::timed_out:
    case errc::limit_exceeded:
    case errc::unreachable: return true;
    default: return false;
  }
}

failure::failure() {
  static const auto none = std::make_shared<const data>();
  data_ = none;
}

failure::failure(errc code, std::string message)
    : data_(std::make_shared<data>(data{code, std::move(message), {}, nullptr, {}, nullptr})) {}

failure::failure(errc code, std::string message, failure_detail detail)
    : data_(std::make_shared<data>(
          data{code, std::move(message), std::move(detail), nullptr, {}, nullptr})) {}

failure::failure(remote_failure remote)
    : data_(std::make_shared<data>(data{errc::remote_error,
                                        remote_text(remote),
                                        {},
                                        std::make_shared<const remote_failure>(std::move(remote)),
                                        {},
                                        nullptr})) {}

failure failure::throwing(std::function<void(const failure&)> raise) const {
  auto changed = std::make_shared<data>(*data_);
  changed->raise = std::move(raise);
  failure f;
  f.data_ = std::move(changed);
  return f;
}

const failure_subject& failure::subject() const noexcept {
  static const failure_subject unknown;
  return data_->subject ? *data_->subject : unknown;
}

failure failure::about(failure_subject subject) const {
  auto changed = std::make_shared<data>(*data_);
  changed->subject = std::make_shared<const failure_subject>(std::move(subject));
  failure f;
  f.data_ = std::move(changed);
  return f;
}

messaging_error::messaging_error(messaging::failure f)
    : std::runtime_error(f.message()), failure_(std::move(f)) {}

boost::json::array remote_error::args() const {
  try {
    return parse_json(failure().remote()->args_json).as_array();
  } catch (const std::exception&) {
    return {};
  }
}

boost::json::object remote_error::kwargs() const {
  try {
    return parse_json(failure().remote()->kwargs_json).as_object();
  } catch (const std::exception&) {
    return {};
  }
}

void throw_failure(const failure& f) {
  if (f.data_->raise) f.data_->raise(f);
  switch (f.code()) {
    case errc::invalid_argument:
    case errc::invalid_config: throw configuration_error(f);
    case errc::invalid_url: throw invalid_transport_url(f);
    case errc::unknown_driver: throw driver_load_failure(f);
    case errc::invalid_target: throw invalid_target(f);
    case errc::timed_out: throw messaging_timeout(f);
    case errc::not_sent:
    case errc::outcome_unknown:
    case errc::rejected:
    case errc::unreachable: throw message_delivery_failure(f);
    case errc::undeliverable: throw message_undeliverable(f);
    case errc::authentication_failed:
    case errc::access_refused:
    case errc::vhost_not_found:
    case errc::precondition_failed:
    case errc::broker_error:
    case errc::tls_failed: throw client_send_error(f);
    case errc::version_cap: throw rpc_version_cap_error(f);
    case errc::no_such_method: throw no_such_method(f);
    case errc::unsupported_version: throw unsupported_version(f);
    case errc::remote_error: throw remote_error(f);
    case errc::cancelled: throw operation_cancelled(f);
    case errc::closed: throw closed_error(f);
    case errc::limit_exceeded: throw limit_exceeded(f);
    case errc::would_deadlock: throw would_deadlock(f);
    default: throw messaging_error(f);
  }
}

}  // namespace oslo::messaging
