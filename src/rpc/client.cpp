#include <oslo/messaging/detail/current_failure.hpp>
#include <oslo/messaging/json.hpp>
#include <oslo/messaging/rpc/client.hpp>

#include "core/features.hpp"
#include "core/hidden.hpp"
#include "core/saturating.hpp"
#include "rpc/observers.hpp"
#include "rpc/request_text.hpp"

namespace oslo::messaging::rpc {
namespace {

/// Servers send a sign of life every half of it, in whole seconds, and none below two.
constexpr std::chrono::seconds shortest_monitor{2};

void check_monitor(const std::optional<std::chrono::milliseconds>& timeout) {
  if (!timeout || *timeout >= shortest_monitor) return;
  std::string text = "A call_monitor_timeout must be at least 2 s, not ";
  if (const auto whole = std::chrono::duration_cast<std::chrono::seconds>(*timeout);
      whole == *timeout)
    write_json(text, whole.count());
  else
    write_json(text, std::chrono::duration<double>(*timeout).count());
  throw configuration_error({errc::invalid_argument, text + " s."});
}

/// Refuses what is not "major.minor"; an absent version is fine.
void check_version(const std::optional<std::string>& version) {
  if (version) version_is_compatible(version, version);
}

std::string cap_text(const std::optional<std::string>& version, const std::string& cap) {
  return "Requested message version, " + version.value_or("None") +
         " is incompatible.  It needs to be equal in major version and less than or equal in minor "
         "version as the specified version cap " +
         cap + ".";
}

failure bad_target(std::string what, const target& to) {
  return failure(errc::invalid_target, what + to_string(to))
      .about({.target = std::make_shared<const target>(to)});
}

result<std::string> translate_result(const serializer& s, const context& caller,
                                     std::string_view json) {
  try {
    return translate(json, [&](value v) { return s.deserialize_entity(caller, std::move(v)); });
  } catch (...) {  // of the application's serializer
    return messaging::detail::current_failure(errc::malformed_message,
                                              "The serializer cannot read the result");
  }
}

static_assert(std::is_trivially_copyable_v<prepare_options>, "see client.hpp on GCC 12");

}  // namespace

class OSLO_HIDDEN client::impl {
 public:
  static constexpr const char* handle_name = "client";

  impl(transport b, target t, client_options opts)
      : bus(std::move(b)), to(std::move(t)), o(std::move(opts)) {
    check_version(to.version);
    check_version(o.version_cap);
    check_monitor(o.call_monitor_timeout);
    if (o.exceptions && o.allowed_remote_exmods)
      known = std::make_shared<exception_table>(o.exceptions->only(*o.allowed_remote_exmods));
    else
      known = o.exceptions;
  }

  /// What to send.
  struct request {
    target to;
    outgoing_message message;
    send_options options;
    std::unique_ptr<send_observer> seen{};
  };
  /// Fills `r`, or says why nothing can be sent.
  std::optional<failure> fill(request& r, bool wait, std::string_view name, context&& ctxt,
                              std::string_view args_json, detail::start_options& call) const;

  transport bus;
  target to;
  client_options o;
  std::shared_ptr<const exception_table> known;  // what may be mapped of `o.exceptions`
  bool version_prepared = false;                 // `prepare` gave a version, possibly null
  bool timeout_given = false;                    // not the option's default

  std::optional<std::chrono::milliseconds> cast_timeout() const noexcept {
    return timeout_given ? o.timeout : std::nullopt;
  }
};

std::optional<failure> client::impl::fill(request& r, bool wait, std::string_view name,
                                          context&& ctxt, std::string_view args_json,
                                          detail::start_options& call) const {
  if (!to.topic || to.topic->empty()) return bad_target("A topic is required to send:", to);
  if (wait && to.fanout) return bad_target("A call cannot be used with fanout:", to);
  if (to.fanout)
    if (auto why = missing(bus, feature::fanout)) return why;
  if (auto why = not_arguments(args_json)) return why;

  std::optional<std::string> version = to.version;
  if (!version_prepared && call.since) version = rpc::to_string(*call.since);
  try {
    if (!version_is_compatible(o.version_cap, version))
      return failure(errc::version_cap, cap_text(version, *o.version_cap))
          .about({.version = version, .version_cap = *o.version_cap});
    if (o.serializer) {
      const std::string translated = translate_arguments(
          args_json, [&](value v) { return o.serializer->serialize_entity(ctxt, std::move(v)); });
      r.message.body = request_text(name, translated, to.namespace_, version);
      r.message.ctxt = o.serializer->serialize_context(ctxt);
    } else {
      r.message.body = request_text(name, args_json, to.namespace_, version);
      if (bus.tracer())
        r.message.ctxt = ctxt;  // the span looks at the caller's, too
      else
        r.message.ctxt = std::move(ctxt);
    }
    r.message.plain_keys = true;
    r.options.retry = o.retry.value_or(-1);
    r.options.at_least_once = o.at_least_once;
    r.options.cancel = std::move(call.cancel);
    if (wait) {
      r.options.wait_for_reply = true;
      r.options.timeout = o.timeout;
      r.options.call_monitor_timeout = o.call_monitor_timeout;
    } else {
      r.options.timeout = cast_timeout();
    }
    r.seen = send_observer::begin(bus, to, name, version, r.options, ctxt, r.message.ctxt);
    return std::nullopt;
  } catch (...) {  // of the application's serializer
    return messaging::detail::current_failure(errc::serialization_failed,
                                              "The serializer cannot write the message");
  }
}

static std::chrono::milliseconds configured_timeout(const transport& bus) {
  return up_to_a_year(bus.defaults().integer("rpc_response_timeout"));
}

client::client(transport bus, target to, client_options o) {
  require(bus, feature::rpc);
  const bool given = o.timeout.has_value();
  if (!given) o.timeout = configured_timeout(bus);
  auto made = std::make_shared<impl>(std::move(bus), std::move(to), std::move(o));
  made->timeout_given = given;
  impl_ = std::shared_ptr<const impl>(std::move(made));
}

client client::prepare(const prepare_options& p) const {
  auto changed = std::make_shared<impl>(*impl_);
  auto& to = changed->to;
  auto& o = changed->o;
  p.exchange.apply_to(to.exchange);
  p.topic.apply_to(to.topic);
  p.namespace_.apply_to(to.namespace_);
  p.server.apply_to(to.server);
  if (p.version.given()) {
    p.version.apply_to(to.version);
    check_version(to.version);
    changed->version_prepared = true;
  }
  if (p.fanout.given()) to.fanout = p.fanout.get().value_or(false);
  if (p.timeout.given()) {
    changed->timeout_given = p.timeout.get().has_value();
    o.timeout = p.timeout.get() ? p.timeout.get() : configured_timeout(impl_->bus);
  }
  p.version_cap.apply_to(o.version_cap);
  check_version(o.version_cap);
  p.retry.apply_to(o.retry);
  p.call_monitor_timeout.apply_to(o.call_monitor_timeout);
  check_monitor(o.call_monitor_timeout);
  if (p.at_least_once.given()) o.at_least_once = p.at_least_once.get().value_or(false);
  return client(std::move(changed));
}

bool client::can_send_version(const std::optional<std::string>& version) const {
  return version_is_compatible(impl_->o.version_cap, version);
}
bool client::can_send_version() const {
  return can_send_version(impl_->to.version);
}
const target& client::where() const {
  return impl_->to;
}
const client_options& client::options() const {
  return impl_->o;
}
std::optional<std::chrono::milliseconds> client::cast_timeout() const {
  return impl_->cast_timeout();
}
const transport& client::bus() const {
  return impl_->bus;
}

std::optional<failure> detail::cannot_start(const client& c) {
  if (!c.impl_) return messaging::detail::moved_from(client::impl::handle_name);
  return of_another_process(c.impl_->bus);
}

void detail::start_call(const client& c, std::string_view method, context&& ctxt,
                        std::string_view args_json, start_options o,
                        unique_function<void(result<std::string>)> done) {
  if (!done) done = [](result<std::string>) {};
  if (auto why = cannot_start(c)) return done(*std::move(why));
  const auto& self = c.impl_;
  auto& driver = self->bus.driver();
  if (const auto& s = self->o.serializer)
    done = [s, caller = ctxt, done = std::move(done)](result<std::string> r) mutable {
      done(r ? translate_result(*s, caller, *r) : std::move(r));
    };
  client::impl::request request{self->to, {}, {}};
  auto refused = self->fill(request, true, method, std::move(ctxt), args_json, o);
  if (refused) {
    self->bus.loop().post(
        [done = std::move(done), why = *std::move(refused)]() mutable { done(std::move(why)); });
    return;
  }
  driver.send(std::move(request.to), std::move(request.message), std::move(request.options),
              [done = std::move(done), seen = std::move(request.seen),
               known = self->known](result<reply> r) mutable {
                if (r) {
                  if (seen) seen->succeeded();
                  done(std::move(r->result));
                } else {
                  if (seen) seen->failed(r.error());
                  done(known ? known->translate(r.error()) : r.error());
                }
              });
}

void detail::start_cast(const client& c, std::string_view method, context&& ctxt,
                        std::string_view args_json, start_options o,
                        unique_function<void(result<void>)> done) {
  if (!done) done = [](result<void>) {};
  if (auto why = cannot_start(c)) return done(*std::move(why));
  const auto& self = c.impl_;
  auto& driver = self->bus.driver();
  client::impl::request request{self->to, {}, {}};
  auto refused = self->fill(request, false, method, std::move(ctxt), args_json, o);
  if (refused) {
    self->bus.loop().post(
        [done = std::move(done), why = *std::move(refused)]() mutable { done(std::move(why)); });
    return;
  }
  driver.send(std::move(request.to), std::move(request.message), std::move(request.options),
              [done = std::move(done), seen = std::move(request.seen)](result<reply> r) mutable {
                if (r) {
                  if (seen) seen->succeeded();
                  done({});
                } else {
                  if (seen) seen->failed(r.error());
                  done(r.error());
                }
              });
}

}  // namespace oslo::messaging::rpc
