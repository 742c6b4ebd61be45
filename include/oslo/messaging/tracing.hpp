// Distributed tracing, handed to whatever the application traces with.
#pragma once

#include <memory>
#include <oslo/messaging/context.hpp>
#include <oslo/messaging/logger.hpp>
#include <span>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace oslo::messaging {

/// Which side of a message a span is about, as in OpenTelemetry.
enum class span_kind {
  producer,  ///< a call or cast, from before it is sent until it is done
  consumer,  ///< a request in a server, from before its handler runs until its reply is handed over
};

/// A fact about a span, named as OpenTelemetry does: "rpc.method". Valid during the call.
struct span_attribute {
  std::string_view name;   ///< of the fact
  std::string_view value;  ///< as text
};

/// A span that has begun. Destroying it ends it.
///
/// Thread safety: one thread at a time, any thread. Nothing here may block, and the destructor may
/// not throw; what the others throw is a warning in the log.
class trace_span {
 public:
  virtual ~trace_span() = default;
  /// Writes what makes this span the parent of another into a context: the W3C keys `traceparent`
  /// and, where there is one, `tracestate` and `baggage`.
  virtual void inject(context& into) const = 0;
  /// Marks the span as failed.
  virtual void fail(std::string_view why) = 0;
};

/// Makes the spans of the calls, casts and requests of a transport (`transport_options::tracer`),
/// named and with the attributes of oslo.messaging 18.3.1 (docs/wire/rpc.md, RPC-35):
///
/// - `<topic>.<method>`, producer, around a call or cast, with messaging.system,
///   messaging.operation (call or cast), messaging.destination.name, rpc.method, rpc.service (the
///   namespace), openstack.request_id (of the context). Its parent is what the caller's context
///   says, so a handler that passes its context on continues the trace.
/// - `<method> receive`, consumer, around the handler and its answer, with messaging.system,
///   messaging.operation (receive), rpc.method, messaging.message.id, openstack.request_id. Its
///   parent is the sender's span; the context that the handler gets names this one.
///
/// Thread safety: called from any thread, possibly at once from several. Must not block. When it
/// throws, the message goes on without a span, and a warning is logged.
class tracer {
 public:
  virtual ~tracer() = default;
  /// `parent` is the context that a peer or the application gave, with or without keys of a trace.
  virtual std::unique_ptr<trace_span> start(span_kind kind, std::string_view name,
                                            std::span<const span_attribute> attributes,
                                            const context& parent) = 0;
};

/// A tracer that needs nothing else: it makes W3C ids, continues the trace of the parent (a
/// `traceparent` that breaks the rules counts as none) and writes each span that is sampled to
/// `log` when it ends, as one line of level info: "span " and a JSON object with name, kind,
/// trace_id, span_id, parent_id (null for a root), service, start (seconds since 1970), duration
/// (seconds), error (null, or what failed) and attributes.
///
/// Also what option tracing_enabled of group [oslo_messaging_tracing] turns on, with the logger of
/// the transport and tracing_service_name.
std::shared_ptr<tracer> log_tracer(logger log, std::string service = "openstack");

}  // namespace oslo::messaging

#pragma GCC visibility pop
