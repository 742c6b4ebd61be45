#include "rpc/observers.hpp"

#include <array>
#include <cstdio>
#include <oslo/messaging/detail/current_failure.hpp>
#include <utility>

#include "rpc/exceptions.hpp"

namespace oslo::messaging::rpc {
namespace {

using clock = std::chrono::steady_clock;

double seconds_since(clock::time_point begin) {
  return std::chrono::duration<double>(clock::now() - begin).count();
}

/// Labels or attributes, those that apply.
template <class T>
class few {
 public:
  void add(std::string_view name, std::string_view v) { items_[size_++] = {name, v}; }
  void add_if(std::string_view name, const std::optional<std::string>& v) {
    if (v && !v->empty()) add(name, *v);
  }
  operator std::span<const T>() const { return {items_.data(), size_}; }

 private:
  std::array<T, 12> items_{};
  std::size_t size_ = 0;
};

std::string_view system_of(const transport& bus) {
  const auto named = bus.driver().system();
  return named.empty() ? std::string_view(bus.url().transport) : named;
}

void add_request_id(few<span_attribute>& facts, const context& c) {
  const auto* id = c.find("request_id");
  if (id != nullptr && id->is_string() && !id->get_string().empty())
    facts.add("openstack.request_id",
              std::string_view(id->get_string().data(), id->get_string().size()));
}

/// Inside a catch block.
void warn(const logger& log, const std::string& what) {
  log(log_level::warning,
      what + ": " + messaging::detail::current_failure(errc::handler_failed, {}).message());
}

/// A span of the application that ends nothing by what it throws.
class guarded_span final : public trace_span {
 public:
  guarded_span(std::unique_ptr<trace_span> inner, logger log)
      : inner_(std::move(inner)), log_(std::move(log)) {}
  void inject(context& into) const override {
    try {
      inner_->inject(into);
    } catch (...) {
      warn(log_, "A span was not put into the context");
    }
  }
  void fail(std::string_view why) override {
    try {
      inner_->fail(why);
    } catch (...) {
      warn(log_, "A span was not marked as failed");
    }
  }

 private:
  const std::unique_ptr<trace_span> inner_;
  const logger log_;
};

std::unique_ptr<trace_span> start_span(const transport& bus, span_kind kind,
                                       const std::string& name, const few<span_attribute>& facts,
                                       const context& parent) {
  try {
    auto span = bus.tracer()->start(kind, name, facts, parent);
    if (!span) return nullptr;
    return std::make_unique<guarded_span>(std::move(span), bus.log());
  } catch (...) {
    warn(bus.log(), std::string("Failed to set up tracing for ") +
                        (kind == span_kind::producer ? "send" : "receive") + ", skipping");
    return nullptr;
  }
}

}  // namespace

// ---- calls and casts ----------------------------------------------------------------------------

class send_observer::labels : public few<metric_label> {
 public:
  explicit labels(const send_observer& o) {
    add("call_type", o.is_call_ ? "call" : "cast");
    add_if("exchange", o.to_.exchange);
    add_if("topic", o.to_.topic);
    add_if("namespace", o.to_.namespace_);
    add_if("version", o.version_);
    add_if("server", o.to_.server);
    if (o.to_.fanout) add("fanout", "true");
    add("method", o.method_);
    if (!o.timeout_.empty()) add("timeout", o.timeout_);
  }
};

send_observer::send_observer(const transport& bus, const target& to, std::string_view method,
                             const std::optional<std::string>& version, const send_options& o)
    : meter_(bus.shared_meter()),
      tracer_(bus.tracer()),
      to_(to),
      method_(method),
      version_(version),
      is_call_(o.wait_for_reply) {
  if (o.timeout) {
    char text[32];
    const int n = std::snprintf(text, sizeof text, "%.15g",
                                std::chrono::duration<double>(*o.timeout).count());
    timeout_.assign(text, static_cast<std::size_t>(n));
  }
}

std::unique_ptr<send_observer> send_observer::begin(const transport& bus, const target& to,
                                                    std::string_view method,
                                                    const std::optional<std::string>& version,
                                                    const send_options& o, const context& given,
                                                    context& sent) {
  if (bus.meter() == nullptr && bus.tracer() == nullptr) return nullptr;
  std::unique_ptr<send_observer> self(new send_observer(bus, to, method, version, o));
  if (self->tracer_) {
    few<span_attribute> facts;
    facts.add("messaging.system", system_of(bus));
    facts.add("messaging.operation", o.wait_for_reply ? "call" : "cast");
    facts.add_if("messaging.destination.name", to.topic);
    facts.add("rpc.method", method);
    facts.add_if("rpc.service", to.namespace_);
    add_request_id(facts, given);
    self->span_ =
        start_span(bus, span_kind::producer, *to.topic + '.' + std::string(method), facts, given);
    if (self->span_) self->span_->inject(sent);
  }
  if (self->meter_) {
    self->meter_->add("rpc_client_invocation_start_total", labels(*self), 1);
    self->begun_ = clock::now();
  }
  return self;
}

void send_observer::succeeded() {
  if (meter_) {
    const labels l(*this);
    meter_->observe("rpc_client_processing_seconds", l, seconds_since(begun_));
    meter_->add("rpc_client_invocation_end_total", l, 1);
  }
  span_.reset();
}

void send_observer::failed(const failure& why) {
  if (meter_) {
    labels l(*this);
    l.add("exception",
          why.remote() != nullptr ? std::string_view(why.remote()->type) : class_name(why.code()));
    meter_->add("rpc_client_exception_total", l, 1);
  }
  if (span_) span_->fail(why.message());
  span_.reset();
}

// ---- requests -----------------------------------------------------------------------------------

class request_observer::labels : public few<metric_label> {
 public:
  explicit labels(const request_observer& o) {
    add_if("exchange", o.on_.exchange);
    add_if("topic", o.on_.topic);
    add_if("server", o.on_.server);
    add_if("namespace", o.namespace_);
    if (!o.method_.empty()) add("method", o.method_);
  }
};

request_observer::request_observer(const transport& bus, const target& on)
    : meter_(bus.shared_meter()), tracer_(bus.tracer()), on_(on) {}

std::unique_ptr<request_observer> request_observer::begin(const transport& bus, const target& on,
                                                          std::string_view method,
                                                          const incoming_message& m) {
  if (bus.meter() == nullptr && bus.tracer() == nullptr) return nullptr;
  std::unique_ptr<request_observer> self(new request_observer(bus, on));
  if (self->tracer_) {
    if (method.empty()) method = "unknown";
    few<span_attribute> facts;
    facts.add("messaging.system", system_of(bus));
    facts.add("messaging.operation", "receive");
    facts.add("rpc.method", method);
    if (!m.message_id().empty()) facts.add("messaging.message.id", m.message_id());
    add_request_id(facts, m.ctxt());
    self->span_ =
        start_span(bus, span_kind::consumer, std::string(method) + " receive", facts, m.ctxt());
  }
  return self;
}

void request_observer::found(std::string_view bound_name,
                             const std::optional<std::string>& namespace_) {
  method_ = bound_name;
  this->namespace_ = namespace_;
}

void request_observer::inject(context& into) const {
  if (span_) span_->inject(into);
}

void request_observer::started() {
  if (!meter_) return;
  meter_->add("rpc_server_invocation_start_total", labels(*this), 1);
  begun_ = clock::now();
}

void request_observer::succeeded() {
  if (meter_) {
    const labels l(*this);
    meter_->observe("rpc_server_processing_seconds", l, seconds_since(begun_));
    meter_->add("rpc_server_invocation_end_total", l, 1);
  }
  span_.reset();
}

void request_observer::failed(const remote_failure& why) {
  if (meter_) {
    labels l(*this);
    l.add("exception", why.type);
    meter_->add("rpc_server_exception_total", l, 1);
  }
  if (span_) span_->fail(why.type + ": " + why.message);
  span_.reset();
}

}  // namespace oslo::messaging::rpc
