// Measurements and spans of calls and requests (docs/metrics.md; docs/wire/rpc.md, RPC-35).
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <oslo/messaging/driver.hpp>
#include <oslo/messaging/metrics.hpp>
#include <oslo/messaging/target.hpp>
#include <oslo/messaging/tracing.hpp>
#include <oslo/messaging/transport.hpp>
#include <string>
#include <string_view>

namespace oslo::messaging::rpc {

/// One call or cast, from before it is sent until it is done.
///
/// Thread safety: one thread at a time.
class send_observer {
 public:
  /// Null when the transport neither measures nor traces. `given` is the caller's context; the keys
  /// of a span go into `m.ctxt`.
  static std::unique_ptr<send_observer> begin(const transport& bus, const target& to,
                                              std::string_view method,
                                              const std::optional<std::string>& version,
                                              const send_options& o, const context& given,
                                              context& sent);
  void succeeded();
  void failed(const failure& why);

 private:
  send_observer(const transport& bus, const target& to, std::string_view method,
                const std::optional<std::string>& version, const send_options& o);

  std::shared_ptr<metrics> meter_;
  std::shared_ptr<tracer> tracer_;  // outlives its span
  std::unique_ptr<trace_span> span_;
  // What the labels refer to.
  target to_;
  std::string method_;
  std::optional<std::string> version_;
  std::string timeout_;
  bool is_call_;
  std::chrono::steady_clock::time_point begun_{};

  class labels;
};

/// One request of a server, from the look-up of its method until its reply is handed over.
///
/// Thread safety: one thread at a time.
class request_observer {
 public:
  /// Null when the transport neither measures nor traces.
  static std::unique_ptr<request_observer> begin(const transport& bus, const target& on,
                                                 std::string_view method,
                                                 const incoming_message& m);
  /// A method has been found: its name can be a label. (What a peer calls it cannot: labels have to
  /// be few.) Valid as long as the observer.
  void found(std::string_view bound_name, const std::optional<std::string>& namespace_);
  /// Lets the context of the handler name the span.
  void inject(context& into) const;
  bool has_span() const noexcept { return span_ != nullptr; }
  /// The request counts from here on; its handler is about to run, or will never run.
  void started();
  void succeeded();
  void failed(const remote_failure& why);

 private:
  request_observer(const transport& bus, const target& on);
  class labels;

  std::shared_ptr<metrics> meter_;
  std::shared_ptr<tracer> tracer_;
  std::unique_ptr<trace_span> span_;
  target on_;
  std::string method_;
  std::optional<std::string> namespace_;
  std::chrono::steady_clock::time_point begun_{};
};

}  // namespace oslo::messaging::rpc
