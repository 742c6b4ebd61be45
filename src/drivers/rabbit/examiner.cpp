#include "drivers/rabbit/examiner.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <set>

#include "core/saturating.hpp"
#include "core/utf8.hpp"
#include "drivers/rabbit/blame.hpp"
#include "drivers/rabbit/mismatch.hpp"
#include "drivers/rabbit/trials.hpp"
#include "net/certificate.hpp"

namespace oslo::messaging::rabbit {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds longest_step{5'000};
/// Look-up, dial (TLS included) and login: each is a step.
constexpr int steps_to_connect = 3;
constexpr std::chrono::hours soon{30 * 24};

/// The clock itself could not be compared with all dates of certificates.
std::chrono::sys_seconds this_second() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

std::string date(std::chrono::sys_seconds t) {
  const std::time_t seconds = t.time_since_epoch().count();
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d", &parts)};
}

std::string property(const amqp091::field_table& server, const char* name) {
  constexpr std::size_t most = 80;
  const auto* value = server.find(name);
  const auto* text = value != nullptr ? value->as_string() : nullptr;
  return text != nullptr ? text->substr(0, most) : std::string();
}

/// "4.3.0-rc.1" begins with 4 and 3.
std::pair<unsigned, unsigned> version_of(std::string_view text) {
  std::pair<unsigned, unsigned> v{};
  const auto* end = text.data() + text.size();
  const auto major = std::from_chars(text.data(), end, v.first);
  if (major.ptr != end && *major.ptr == '.') std::from_chars(major.ptr + 1, end, v.second);
  return v;
}

std::string advice_for(const failure& why, const net::broker& b) {
  switch (why.code()) {
    case errc::authentication_failed:
      return b.username == "guest" ? "RabbitMQ lets guest log in from its own machine alone: give "
                                     "the URL a user and password of your own."
                                   : "Check user name and password of the URL, each with %XX for "
                                     "special characters; rabbitmqctl authenticate_user tries "
                                     "them.";
    case errc::vhost_not_found:
      return "Make it (rabbitmqctl add_vhost) and give the user permissions there, or mend the end "
             "of the URL: / alone is the virtual host \"/\".";
    case errc::access_refused:
      return "Give the user " + b.username +
             " permissions there (rabbitmqctl set_permissions -p VHOST).";
    case errc::limit_exceeded:
      return "Raise the limit (rabbitmqctl set_vhost_limits, set_user_limits), or end connections "
             "that nobody needs.";
    case errc::tls_failed:
      return "Give ssl_ca_file the authority that has signed the broker's certificate, and the URL "
             "the name that the certificate is for; an expired one has to be renewed.";
    case errc::protocol_error:
      return "Something else than AMQP 0-9-1 listens there, or TLS is on at one side only: 5672 is "
             "the port without it, 5671 with it and ssl = true.";
    default: return "Check name and port of the URL, whether the broker runs, and firewalls.";
  }
}

}  // namespace

examiner::examiner(boost::asio::io_context& io, const options& o, std::string control_exchange,
                   const examination& what)
    : io_(io),
      o_(o),
      control_exchange_(std::move(control_exchange)),
      what_(what),
      until_(deadline_after(steady_clock::now(), what.timeout).value_or(instant::max())) {}

examiner::instant examiner::step() const {
  return std::min(until_, steady_clock::now() + longest_step);
}
bool examiner::time_is_up() const {
  return steady_clock::now() >= until_;
}

std::vector<finding> examiner::run() {
  for (const auto& w : o_.warnings) add(severity::warning, "configuration", w);
  if (!o_.without_effect.empty()) add(severity::note, "configuration", o_.without_effect);
  look_at_certificate();
  if (auto p = look_at_hosts()) {
    look_at_broker(*p);
    plan();
    look_at_objects(*p);
    p.reset();
    look_at_alarms(host_);
    look_at_transient_queues(host_);
    if (time_is_up())
      add(severity::error, "broker " + broker_, "The time was up before all was looked at.",
          "Give it more time, and find out why the broker is slow.");
    else
      add(severity::note, "broker " + broker_,
          "AMQP cannot list queues: only those that are named here were looked at. rabbitmqctl "
          "list_queues name messages consumers shows all.");
  }
  return std::move(found_);
}

void examiner::look_at_certificate() {
  if (!o_.link.tls.enabled || o_.link.tls.cert_file.empty()) return;
  const auto& file = o_.link.tls.cert_file;
  const auto end = net::valid_until(file);
  if (!end) return;
  const auto now = this_second();
  const auto subject = "client certificate " + file;
  if (*end <= now)
    add(severity::error, subject, "It has expired on " + date(*end) + ".", "Renew it.");
  else if (*end <= now + soon)
    add(severity::warning, subject, "It expires on " + date(*end) + ".", "Renew it.");
  else
    add(severity::ok, subject, "It is good until " + date(*end) + ".");
}

net::link_settings examiner::settings_for(std::size_t host) const {
  auto s = o_.link;
  s.brokers = {o_.link.brokers[host]};
  s.purpose = "look";
  s.connect_timeout = std::min(longest_step, std::max(milliseconds(1), what_.timeout));
  s.amqp.handshake_timeout = s.connect_timeout;
  return s;
}

/// All of them at a time: what hangs holds nobody up.
std::unique_ptr<probe> examiner::look_at_hosts() {
  const auto& brokers = o_.link.brokers;
  std::vector<std::unique_ptr<probe>> hosts;
  for (std::size_t i = 0; i < brokers.size(); ++i)
    hosts.push_back(std::make_unique<probe>(io_, settings_for(i)));
  probe::run(
      io_, [&] { return std::ranges::all_of(hosts, [](auto& p) { return p->is_settled(); }); },
      std::min(until_, steady_clock::now() + steps_to_connect * longest_step));
  for (std::size_t i = 0; i < brokers.size(); ++i) {
    const auto name = brokers[i].where.text();
    const auto subject = "host " + name;
    if (hosts[i]->is_up())
      host_is_up(name, *hosts[i]);
    else if (hosts[i]->lost())
      add(severity::error, subject, hosts[i]->lost()->message(),
          advice_for(*hosts[i]->lost(), brokers[i]));
    else
      add(severity::error, subject, "It was not reached before the time was up.",
          advice_for({errc::unreachable, {}}, brokers[i]));
  }
  compare_clusters(hosts);
  const auto good = std::ranges::find_if(hosts, [](const auto& p) { return p->is_up(); });
  for (auto p = hosts.begin(); p != hosts.end(); ++p)
    if (p != good) (*p)->leave();
  if (good == hosts.end()) return nullptr;
  host_ = static_cast<std::size_t>(good - hosts.begin());
  broker_ = brokers[host_].where.text();
  return std::move(*good);
}

void examiner::host_is_up(const std::string& name, probe& p) {
  const auto subject = "host " + name;
  auto text = "Connected to " + property(p.server(), "product") + " " +
              property(p.server(), "version") + ", virtual host \"" + o_.link.amqp.vhost + "\".";
  add(severity::ok, subject, std::move(text));
  if (!o_.link.tls.enabled) return;
  const auto end = p.peer_valid_until();
  if (!end) return;
  const auto now = this_second();
  if (*end > now + soon)
    add(severity::ok, subject, "Its certificate is good until " + date(*end) + ".");
  else
    add(severity::warning, subject,
        std::string("Its certificate ") + (*end > now ? "expires" : "has expired") + " on " +
            date(*end) + ".",
        "Renew it at the broker: expired ones are refused.");
}

/// A message goes to one of the hosts, and whoever is connected to another cluster never sees it.
void examiner::compare_clusters(const std::vector<std::unique_ptr<probe>>& hosts) {
  std::set<std::string> names;
  for (const auto& p : hosts)
    if (p->is_up())
      if (auto name = property(p->server(), "cluster_name"); !name.empty())
        names.insert(std::move(name));
  if (names.size() < 2) return;
  std::string all;
  for (const auto& n : names) all += (all.empty() ? "" : ", ") + n;
  add(severity::error, "configuration",
      "The hosts of the URL are of different clusters: " + all + ".",
      "Name the nodes of one cluster: programs that are connected to different ones do not reach "
      "each other.");
}

void examiner::look_at_broker(probe& p) {
  const auto& server = p.server();
  rabbitmq_ = property(server, "product") == "RabbitMQ";
  version_ = version_of(property(server, "version"));
  const auto subject = "broker " + broker_;
  if (!rabbitmq_)
    add(severity::warning, subject,
        "It is not RabbitMQ, and permissions cannot be looked at without a change there.",
        "Try the program itself; the library is tested with RabbitMQ.");
  const auto* capabilities = server.find("capabilities");
  const auto* table = capabilities != nullptr ? capabilities->as_table() : nullptr;
  const auto* confirms = table != nullptr ? table->find("publisher_confirms") : nullptr;
  if (confirms == nullptr || confirms->as_bool() == nullptr || !*confirms->as_bool())
    add(severity::error, subject, "It does not offer publisher confirms.",
        "Nothing can be sent reliably over it: take RabbitMQ.");
  if (o_.mirrored && is_rabbitmq(4))
    add(severity::warning, "option rabbit_ha_queues", "RabbitMQ 4 has no mirrored queues.",
        "Set rabbit_quorum_queue in its place, in all programs that share the queues.");
}

std::unique_ptr<probe> examiner::connect(std::size_t host) {
  if (time_is_up()) return nullptr;
  auto p = std::make_unique<probe>(io_, settings_for(host));
  probe::run(
      io_, [&] { return p->is_settled(); },
      std::min(until_, steady_clock::now() + steps_to_connect * longest_step));
  if (p->is_up()) return p;
  add(severity::error, "broker " + broker_,
      "A second connection was not made: " +
          (p->lost() ? p->lost()->message() : "no answer in time"),
      "A transport needs two of them: look for limits of connections.");
  return nullptr;
}

/// RabbitMQ tells of an alarm whoever publishes, and reads nothing more of that connection.
void examiner::look_at_alarms(std::size_t host) {
  const auto p = connect(host);
  if (!p) return;
  std::vector<std::string> names{""};
  for (const auto& u : exchanges_)
    if (u.publishes && rabbitmq_ && is_utf8(u.what.name)) names.push_back(u.what.name);
  const bool answers = what_.has(bus_role::server) && !what_.topics.empty();
  for (const auto& name : names) {
    const auto a = p->ask_to_send(trial_message(name, unique_), step());
    if (a.what == probe::outcome::blocked)
      return add(severity::error, "broker " + broker_,
                 "It has blocked the connection and takes no messages: " + a.words + ".",
                 "Free memory or disk there, or raise the limit; rabbitmqctl status shows the "
                 "alarms.");
    const auto subject = "exchange " + (name.empty() ? "amq.default" : name);
    if (broken(*p, a, subject)) return;
    if (!name.empty() || answers)
      check_permission(a, subject, name.empty() ? "amq.default" : name, "write");
  }
  add(severity::ok, "broker " + broker_, "No alarm of memory or disk holds messages up.");
}

/// Last of all: the broker may end the connection over it.
void examiner::look_at_transient_queues(std::size_t host) {
  const bool shared = std::ranges::any_of(
      queues_, [](const queue_use& u) { return u.declares && !u.from.to.durable; });
  if (!shared || !rabbitmq_) return;
  const auto subject = "queues that are neither durable nor exclusive";
  if (is_rabbitmq(4)) {
    const auto p = connect(host);
    if (!p) return;
    const auto a = p->ask(trial_transient_queue("reply_" + unique_), step());
    if (a.what == probe::outcome::refused && forbids_transient_queues(a.why.text))
      return add(severity::error, subject, net::to_failure(a.why, broker_).message(),
                 remedy(a.why.text));
  }
  add(severity::note, subject,
      "This configuration declares some, which this broker allows and RabbitMQ 4.3 refuses by "
      "default.",
      "Before an upgrade to that version " + options_of_durable_queues());
}

std::vector<finding> examine(const transport_url& url, const driver_environment& env,
                             const examination& what) {
  const auto o = read_options(env.conf, url, env.client_name);
  net::check(o.link);
  boost::asio::io_context io;
  return examiner(io, o, env.default_exchange, what).run();
}

}  // namespace oslo::messaging::rabbit
