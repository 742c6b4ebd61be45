#include <chrono>
#include <oslo/messaging/json.hpp>
#include <oslo/messaging/tracing.hpp>
#include <utility>

#include "core/trace_parent.hpp"
#include "core/unique_id.hpp"

namespace oslo::messaging {
namespace {

using wall_clock = std::chrono::system_clock;
using steady_clock = std::chrono::steady_clock;

std::uint64_t new_id() {
  for (;;)
    if (const auto id = random_bits(); id != 0) return id;
}

std::optional<trace_parent> parent_in(const context& c) {
  const auto* text = c.find("traceparent");
  if (text == nullptr || !text->is_string()) return {};
  return trace_parent::parse({text->get_string().data(), text->get_string().size()});
}

class logged_span final : public trace_span {
 public:
  logged_span(logger log, const std::string& service, span_kind kind, std::string_view name,
              std::span<const span_attribute> attributes, const context& parent)
      : log_(std::move(log)) {
    if (const auto above = parent_in(parent)) {
      own_ = *above;
      own_.flags &= trace_parent::sampled | trace_parent::random_id;
      parent_id_ = above->span_id();
      pass_on(parent, "tracestate", 512);
      pass_on(parent, "baggage", max_baggage);
    } else {
      own_.trace = {new_id(), new_id()};
      own_.flags = trace_parent::sampled | trace_parent::random_id;
      pass_on(parent, "baggage", max_baggage);
    }
    own_.span = new_id();
    if (!written()) return;
    record_ = {
        {"name", name},
        {"kind", kind == span_kind::producer ? "producer" : "consumer"},
        {"trace_id", own_.trace_id()},
        {"span_id", own_.span_id()},
        {"parent_id", parent_id_.empty() ? value() : value(parent_id_)},
        {"service", service},
        {"start", std::chrono::duration<double>(wall_clock::now().time_since_epoch()).count()},
        {"duration", 0.0},
        {"error", nullptr}};
    object facts;
    for (const auto& a : attributes) facts[a.name] = a.value;
    record_["attributes"] = std::move(facts);
  }

  ~logged_span() override {
    if (!written()) return;
    try {
      const std::chrono::duration<double> took = steady_clock::now() - begun_;
      record_["duration"] = took.count();
      std::string line = "span ";
      write_json(line, value(std::move(record_)));
      log_(log_level::info, line);
    } catch (const std::exception&) {
      // A name that is no UTF-8 cannot be written; the span is lost, the message is not.
    }
  }
  logged_span(const logged_span&) = delete;
  logged_span& operator=(const logged_span&) = delete;

  void inject(context& into) const override {
    into.entries()["traceparent"] = own_.text();
    for (const auto& [key, v] : passed_on_.entries()) into.entries()[key] = v;
  }
  void fail(std::string_view why) override {
    if (written()) record_["error"] = why;
  }

 private:
  /// Only what W3C allows: text of a bounded length. What is longer is not passed on at all.
  static constexpr std::size_t max_baggage = 8192;
  void pass_on(const context& from, const char* key, std::size_t most) {
    const auto* v = from.find(key);
    if (v != nullptr && v->is_string() && v->as_string().size() <= most)
      passed_on_.entries()[key] = *v;
  }

  bool written() const noexcept {
    return (own_.flags & trace_parent::sampled) != 0 && log_.enabled(log_level::info);
  }

  const logger log_;
  const steady_clock::time_point begun_ = steady_clock::now();
  trace_parent own_;
  std::string parent_id_;
  context passed_on_;
  object record_;
};

class logging_tracer final : public tracer {
 public:
  logging_tracer(logger log, std::string service)
      : log_(std::move(log)), service_(std::move(service)) {}
  std::unique_ptr<trace_span> start(span_kind kind, std::string_view name,
                                    std::span<const span_attribute> attributes,
                                    const context& parent) override {
    return std::make_unique<logged_span>(log_, service_, kind, name, attributes, parent);
  }

 private:
  const logger log_;
  const std::string service_;
};

}  // namespace

std::shared_ptr<tracer> log_tracer(logger log, std::string service) {
  return std::make_shared<logging_tracer>(std::move(log), std::move(service));
}

}  // namespace oslo::messaging
