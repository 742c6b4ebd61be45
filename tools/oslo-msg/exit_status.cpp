#include "exit_status.hpp"

#include <cstdio>
#include <oslo/messaging/json.hpp>
#include <string>

namespace oslo::messaging::cli {

exit_status status_of(errc code) noexcept {
  switch (code) {
    case errc::remote_error:
    case errc::no_such_method:
    case errc::unsupported_version:
    case errc::handler_failed: return remote_failed;
    case errc::invalid_argument:
    case errc::invalid_target:
    case errc::version_cap: return usage;
    case errc::timed_out: return timed_out;
    case errc::not_sent:
    case errc::outcome_unknown:
    case errc::undeliverable:
    case errc::rejected:
    case errc::cancelled:
    case errc::closed:
    case errc::limit_exceeded:
    case errc::malformed_message:
    case errc::serialization_failed: return not_delivered;
    case errc::invalid_url:
    case errc::invalid_config:
    case errc::unknown_driver:
    case errc::not_supported:
    case errc::would_deadlock:
    case errc::wrong_process:
    case errc::authentication_failed:
    case errc::access_refused:
    case errc::vhost_not_found:
    case errc::precondition_failed:
    case errc::broker_error:
    case errc::unreachable:
    case errc::tls_failed:
    case errc::protocol_error: return unusable;
  }
  return unusable;
}

namespace {

void print_remote(const remote_failure& r) {
  std::string line = "{\"type\": ";
  write_json(line, std::string_view{r.type});
  line += ", \"module\": ";
  write_json(line, std::string_view{r.module});
  line += ", \"message\": ";
  write_json(line, std::string_view{r.message});
  line += ", \"traceback\": [";
  for (const auto& text : r.traceback) {
    if (&text != &r.traceback.front()) line += ", ";
    write_json(line, std::string_view{text});
  }
  line += "]}\n";
  std::fputs(line.c_str(), stderr);
}

}  // namespace

exit_status report(const failure& f) {
  if (f.remote() != nullptr)
    print_remote(*f.remote());
  else
    std::fprintf(stderr, "oslo-msg: %s\n", f.message().c_str());
  return status_of(f.code());
}

}  // namespace oslo::messaging::cli
