#include "bus.hpp"

#include <utility>

#include "spans.hpp"

namespace oslo::messaging::python {
namespace {

/// What comes ahead without an option that bounds it: enough for a batch of any size in use.
/// Without any bound at all a long queue would come into memory whole.
constexpr std::size_t much = 65'535;

config make_config(const std::vector<setting>& settings) {
  config conf;
  for (const auto& [group, name, text] : settings) {
    std::string escaped;
    for (const char c : text) escaped.append(c == '$' ? 2 : 1, c);
    conf.set(group, name, std::move(escaped));
  }
  return conf;
}

transport_options make_options(const std::vector<setting>& settings, std::string client_name,
                               log_level level, std::shared_ptr<log_queue> log) {
  transport_options o;
  o.conf = make_config(settings);
  o.client_name = std::move(client_name);
  o.log = {level,
           [log = std::move(log)](log_level l, std::string_view text) { log->push(l, text); }};
  return o;
}

send_options make_send_options(const sending& how, const pending& p) {
  send_options o;
  o.wait_for_reply = how.wait_for_reply;
  if (how.timeout) o.timeout = span_of(*how.timeout);
  if (how.call_monitor_timeout) o.call_monitor_timeout = span_of(*how.call_monitor_timeout);
  o.retry = how.retry;
  o.at_least_once = how.at_least_once;
  o.cancel = p.token();
  return o;
}

outgoing_message make_message(std::string body, const sending& how) {
  outgoing_message m;
  m.body = std::move(body);
  m.plain_keys = how.plain_keys;
  return m;
}

send_completion complete(std::shared_ptr<pending> p) {
  return [p = std::move(p)](result<reply> r) {
    if (r)
      p->complete(std::move(r->result));
    else
      p->complete(r.error());
  };
}

}  // namespace

bus::bus(const std::string& url, const std::vector<setting>& settings, std::string client_name,
         log_level level, std::shared_ptr<log_queue> log)
    : bus_(open_transport(url,
                          make_options(settings, std::move(client_name), level, std::move(log)))) {}

std::shared_ptr<pending> bus::send(target to, std::string body, const sending& how) {
  return std::make_shared<pending>([b = bus_, to = std::move(to), body = std::move(body),
                                    how](std::shared_ptr<pending> p) mutable {
    auto options = make_send_options(how, *p);
    b.driver().send(std::move(to), make_message(std::move(body), how), std::move(options),
                    complete(std::move(p)));
  });
}

std::shared_ptr<pending> bus::send_notification(target to, std::string body, bool envelope,
                                                const sending& how) {
  const auto format = envelope ? notification_format::envelope : notification_format::bare;
  return std::make_shared<pending>([b = bus_, to = std::move(to), body = std::move(body), format,
                                    how](std::shared_ptr<pending> p) mutable {
    auto options = make_send_options(how, *p);
    b.driver().send_notification(std::move(to), make_message(std::move(body), how), format,
                                 std::move(options), complete(std::move(p)));
  });
}

std::shared_ptr<subscription> bus::subscribe(bool acknowledge, subscription::opener o) {
  auto s = std::make_shared<subscription>(bus_, acknowledge);
  s->open(std::move(o));
  return s;
}

std::shared_ptr<subscription> bus::listen(target on, std::size_t prefetch) {
  return subscribe(true, [on = std::move(on), prefetch](driver& d) {
    return d.listen(on, {.prefetch = prefetch});
  });
}

std::shared_ptr<subscription> bus::listen_for_notifications(std::vector<notification_topic> topics,
                                                            std::optional<std::string> pool,
                                                            std::size_t prefetch) {
  return subscribe(false, [topics = std::move(topics), pool = std::move(pool),
                           prefetch](driver& d) {
    return d.listen_for_notifications(topics, pool, {.prefetch = prefetch == 0 ? much : prefetch});
  });
}

std::shared_ptr<pending> bus::close(double limit) {
  auto p = std::make_shared<pending>();
  bus_.driver().close(span_of(limit), [p] { p->complete(std::string()); });
  return p;
}

void check_settings(const std::vector<setting>& settings) {
  const auto conf = make_config(settings);
  for (const auto& group : option_groups())
    (void)option_values(std::string(group.name), group.options, conf);
}

}  // namespace oslo::messaging::python
