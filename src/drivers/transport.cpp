#include <oslo/messaging/transport.hpp>
#include <utility>

#include "core/config/option_lookup.hpp"
#include "core/features.hpp"
#include "core/guarded_metrics.hpp"
#include "core/saturating.hpp"
#include "core/tasks/fork_guard.hpp"
#include "core/tasks/handover.hpp"
#include "core/tasks/watchers.hpp"
#include "core/unique_id.hpp"
#include "drivers/common_options.hpp"
#include "net/io_loop.hpp"

namespace oslo::messaging {
namespace {

/// As oslo names its connections: program, process, and something to tell transports apart.
std::string default_client_name() {
  return std::string(program_invocation_short_name) + ":" + std::to_string(::getpid()) + ":" +
         unique_id_dashed();
}

void warn(const logger& log, const std::string& warning) {
  if (!warning.empty()) log(log_level::warning, warning);
}

std::shared_ptr<tracer> configured_tracer(const config& conf, const logger& log) {
  const option_values o("oslo_messaging_tracing", tracing_options(), conf);
  warn(log, o.without_effect());
  if (!o.boolean("tracing_enabled")) return nullptr;
  return log_tracer(log, o.string("tracing_service_name"));
}

std::shared_ptr<metrics> configured_metrics(const config& conf, const logger& log) {
  const option_values o("oslo_messaging_metrics", metrics_options(), conf);
  warn(log, o.without_effect());
  if (!o.boolean("metrics_enabled")) return nullptr;
  return oslo_metrics({.socket = o.string("metrics_socket_file"),
                       .process = o.string("metrics_process_name"),
                       .buffer = static_cast<std::size_t>(o.integer("metrics_buffer_size"))},
                      log);
}

constexpr std::chrono::milliseconds default_close_limit{5'000};
constexpr std::chrono::milliseconds close_margin{1'000};

}  // namespace

class transport::impl {
 public:
  static constexpr const char* handle_name = "transport";

  impl(std::string_view url_text, transport_options o, const driver_registry& drivers)
      : conf(std::move(o.conf)),
        log(std::move(o.log)),
        meter(o.meter ? guarded_metrics(std::move(o.meter), log) : configured_metrics(conf, log)),
        tracer(o.tracer ? std::move(o.tracer) : configured_tracer(conf, log)),
        defaults("DEFAULT", default_options(), conf),
        url(transport_url::parse(url_text.empty() ? configured_url(defaults)
                                                  : std::string(url_text))),
        owns_loop(o.loop == nullptr),
        loop(owns_loop ? std::make_shared<net::io_loop>(log) : std::move(o.loop)),
        driver(drivers.make(
            url, {loop, conf, defaults.string("control_exchange"),
                  o.client_name.empty() ? default_client_name() : o.client_name, log, meter})) {
    driver->watch_health(
        [w = watchers, l = std::weak_ptr<scheduler>(loop)](const transport_health& now) {
          if (const auto locked = l.lock()) w->tell(*locked, now);
        });
    warn(log, credentials_warning(url));
    for (const auto& line : former_names_in_use(conf, "DEFAULT", default_options()))
      warn(log, line);
  }

  ~impl() {
    if (born.in_child()) {
      leave_to_parent(std::shared_ptr<messaging::driver>(std::move(driver)));
      leave_to_parent(std::move(loop));
      return;
    }
    // The driver completes its operations while it closes, so it must outlive the closing.
    if (owns_loop && !loop->running_here()) {
      close(default_close_limit);
      driver.reset();
      return;
    }
    // Here nobody can wait: on the loop itself, or on a loop that may not be running any more.
    auto* closing = driver.get();
    closing->close(default_close_limit,
                   [d = std::shared_ptr<messaging::driver>(std::move(driver)), l = loop]() mutable {
                     // Not inside a callback of the driver itself.
                     l->post([d = std::move(d), l]() mutable { d.reset(); });
                   });
  }

  void close(std::chrono::milliseconds limit) {
    if (born.in_child()) return;
    if (!loop->may_wait_here()) {
      driver->close(limit, [] {});
      return;
    }
    const auto closed = std::make_shared<handover<bool>>();
    driver->close(limit, [closed] { closed->put(true); });
    closed->take(saturating_add(limit, close_margin));
  }

  fork_guard born;
  config conf;
  logger log;
  std::shared_ptr<metrics> meter;
  std::shared_ptr<messaging::tracer> tracer;
  option_values defaults;
  transport_url url;
  bool owns_loop;
  std::shared_ptr<scheduler> loop;
  std::shared_ptr<messaging::watchers<transport_health>> watchers =
      std::make_shared<messaging::watchers<transport_health>>();
  std::unique_ptr<messaging::driver> driver;
};

transport transport::open(std::string_view url, transport_options o,
                          const driver_registry& drivers) {
  return transport(std::make_shared<impl>(url, std::move(o), drivers));
}

void transport::close(std::chrono::milliseconds limit) {
  impl_->close(limit);
}
transport_health transport::health() const {
  if (inherited())
    return {link_state::closed, link_state::closed, {}, "opened in the parent process"};
  return impl_->driver->health();
}
health_watch transport::watch_health(std::function<void(const transport_health&)> changed) const {
  if (inherited()) return {};
  return impl_->watchers->add(impl_->loop, std::move(changed), [this] { return health(); });
}
void transport::async_probe(std::chrono::milliseconds limit,
                            unique_function<void(result<std::chrono::microseconds>)> done) const {
  if (!done) done = [](result<std::chrono::microseconds>) {};
  // A driver that cannot do it says so at once.
  driver().probe(limit, [loop = shared_loop(),
                         done = std::move(done)](result<std::chrono::microseconds> r) mutable {
    if (loop->running_here()) return done(std::move(r));
    loop->post([done = std::move(done), r = std::move(r)]() mutable { done(std::move(r)); });
  });
}
std::chrono::microseconds transport::probe(std::chrono::milliseconds limit) const {
  if (!impl_->loop->may_wait_here())
    throw would_deadlock({errc::would_deadlock,
                          "transport::probe was called on the transport's loop, or on the only "
                          "thread that runs it, where it would wait for itself."});
  const auto done = std::make_shared<handover<result<std::chrono::microseconds>>>();
  driver().probe(limit, [done](result<std::chrono::microseconds> r) { done->put(std::move(r)); });
  const auto outcome = done->take(saturating_add(limit, close_margin));
  if (!outcome)
    throw_failure({errc::timed_out, "The transport's own loop did not come to the probe within " +
                                        std::to_string(limit.count()) + " ms."});
  if (!*outcome) throw_failure(outcome->error());
  return **outcome;
}
bool transport::inherited() const {
  return impl_->born.in_child();
}
messaging::driver& transport::driver() const {
  if (auto why = of_another_process(*this)) throw messaging_error(*std::move(why));
  return *impl_->driver;
}
scheduler& transport::loop() const {
  return *impl_->loop;
}
std::shared_ptr<scheduler> transport::shared_loop() const {
  return impl_->loop;
}
const logger& transport::log() const {
  return impl_->log;
}
messaging::metrics* transport::meter() const {
  return impl_->meter.get();
}
const std::shared_ptr<metrics>& transport::shared_meter() const {
  return impl_->meter;
}
const std::shared_ptr<messaging::tracer>& transport::tracer() const {
  return impl_->tracer;
}
const config& transport::conf() const {
  return impl_->conf;
}
const transport_url& transport::url() const {
  return impl_->url;
}
const option_values& transport::defaults() const {
  return impl_->defaults;
}

transport open_transport(std::string_view url, transport_options o) {
  return transport::open(url, std::move(o), default_drivers());
}

}  // namespace oslo::messaging
