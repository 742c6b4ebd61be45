#include "drivers/amqp1/examiner.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <set>

#include "core/saturating.hpp"
#include "drivers/amqp1/options.hpp"
#include "net/certificate.hpp"

namespace oslo::messaging::amqp1 {
namespace {

using std::chrono::steady_clock;

/// Look-up, dial, TLS and login of one host.
constexpr std::chrono::seconds longest_visit{15};
constexpr std::chrono::seconds longest_goodbye{1};
constexpr std::chrono::hours soon_over{30 * 24};

/// One host, until it is connected or has failed.
class visit final : public link_user {
 public:
  visit(boost::asio::io_context& io, const options& o, std::size_t host)
      : where_(o.link.brokers[host].where.text()) {
    auto settings = o.link;
    settings.brokers = {o.link.brokers[host]};
    link_ = std::make_shared<socket_link>(io.get_executor(), std::move(settings), logger{});
    link_->serve(*this);
    link_->open();
  }
  void link_up(const peer_description& p) override { peer_ = p; }
  void link_down(const link_loss& loss) override { lost_ = loss.why; }
  void on_link_open(link_id, std::string_view) override {}
  void on_link_closed(link_id, const condition&) override {}
  void on_credit(link_id) override {}
  void on_outcome(link_id, delivery_id, const disposition&) override {}
  void on_delivery(link_id, delivery_id, std::string_view, bool) override {}

  const std::string& where() const { return where_; }
  const std::optional<peer_description>& peer() const { return peer_; }
  const std::optional<failure>& lost() const { return lost_; }
  bool is_settled() const { return peer_ || lost_; }
  auto peer_valid_until() const { return link_->peer_valid_until(); }
  void leave() {
    link_->shut(longest_goodbye, [this] { gone_ = true; });
  }
  bool is_gone() const { return gone_; }

 private:
  std::string where_;
  std::shared_ptr<socket_link> link_;
  std::optional<peer_description> peer_{};
  std::optional<failure> lost_{};
  bool gone_ = false;
};

std::string advice_for(errc code) {
  switch (code) {
    case errc::authentication_failed:
      return "Check user name and password of the URL, each with %XX for special characters, and "
             "option sasl_mechanisms.";
    case errc::tls_failed:
      return "Give ssl_ca_file the authority that has signed the broker's certificate, and the URL "
             "the name that the certificate is for; an expired one has to be renewed.";
    case errc::protocol_error:
      return "Something else than AMQP 1.0 listens there, or TLS is on at one side only.";
    case errc::vhost_not_found:
    case errc::access_refused: return "Ask the broker's operator for access.";
    default: return "Check name and port of the URL, whether the broker runs, and firewalls.";
  }
}

template <class Done>
void run_until(boost::asio::io_context& io, steady_clock::time_point limit, Done done) {
  while (!done() && steady_clock::now() < limit) {
    io.restart();
    if (io.run_one_until(limit) == 0) break;
  }
}

class examiner {
 public:
  examiner(const options& o, const examination& what)
      : o_(o),
        what_(what),
        until_(deadline_after(steady_clock::now(), what.timeout)
                   .value_or(steady_clock::time_point::max())) {}

  std::vector<finding> run() {
    for (const auto& w : o_.warnings) add(severity::warning, "configuration", w);
    if (!o_.without_effect.empty()) add(severity::note, "configuration", o_.without_effect);
    if (o_.link.tls.enabled && !o_.link.tls.cert_file.empty())
      if (const auto end = net::valid_until(o_.link.tls.cert_file))
        certificate("client certificate " + o_.link.tls.cert_file, *end);
    look_at_hosts();
    if (!modes_.empty()) name_addresses();
    return std::move(found_);
  }

 private:
  void look_at_hosts() {
    std::vector<std::unique_ptr<visit>> all;
    for (std::size_t i = 0; i < o_.link.brokers.size(); ++i)
      all.push_back(std::make_unique<visit>(io_, o_, i));
    run_until(io_, std::min(until_, steady_clock::now() + longest_visit), [&] {
      return std::ranges::all_of(all, [](const auto& v) { return v->is_settled(); });
    });
    for (const auto& v : all) tell(*v);
    for (const auto& v : all) v->leave();
    run_until(io_, steady_clock::now() + 2 * longest_goodbye,
              [&] { return std::ranges::all_of(all, [](const auto& v) { return v->is_gone(); }); });
  }
  void tell(const visit& v) {
    const auto subject = "host " + v.where();
    if (!v.peer()) {
      const auto why = v.lost().value_or(
          failure(errc::unreachable, "It was not reached before the time was up."));
      return add(severity::error, subject, why.message(), advice_for(why.code()));
    }
    const auto mode = mode_for(o_.addresses.mode, v.peer()->product);
    modes_.insert(mode);
    const auto product =
        v.peer()->product.empty() ? std::string("a broker without a name") : v.peer()->product;
    add(severity::ok, subject,
        "Connected to " + product + (v.peer()->version.empty() ? "" : " " + v.peer()->version) +
            ", addresses in mode " + (mode == addressing::legacy ? "legacy" : "routable") + ".");
    if (const auto end = v.peer_valid_until()) certificate(subject + ", certificate", *end);
  }
  void certificate(const std::string& subject, std::chrono::sys_seconds end) {
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    if (end <= now)
      add(severity::error, subject, "It has expired on " + net::utc_date(end) + ".", "Renew it.");
    else if (end <= now + soon_over)
      add(severity::warning, subject, "It expires on " + net::utc_date(end) + ".", "Renew it.");
    else
      add(severity::ok, subject, "It is good until " + net::utc_date(end) + ".");
  }
  void name_addresses() {
    if (modes_.size() > 1)
      return add(severity::error, "configuration",
                 "The hosts of the URL are of different kinds, for which addresses differ.",
                 "Set addressing_mode in all programs that share the bus.");
    const auto name = [&](const target& t, destination::service of) {
      destination d;
      d.of = of;
      d.exchange = t.exchange;
      d.topic = *t.topic;
      return address_of(d, o_.addresses, *modes_.begin());
    };
    std::set<std::string> names;
    for (const auto& t : what_.topics) names.insert(name(t, destination::service::rpc));
    for (const auto& n : what_.notifications) {
      auto t = n.where;
      *t.topic += ".PRIORITY";
      names.insert(name(t, destination::service::notifications));
    }
    std::string all;
    for (const auto& n : names) all += (all.empty() ? "" : ", ") + n;
    add(severity::note, "addresses " + all,
        "They are not looked at: whether they exist, who reads them, what the user may do there. "
        "AMQP 1.0 can only ask by a link, for which many brokers make the address.",
        "The broker's own tools show them.");
  }
  void add(severity level, std::string subject, std::string text, std::string advice = {}) {
    found_.push_back({level, std::move(subject), std::move(text), std::move(advice)});
  }

  boost::asio::io_context io_;
  const options& o_;
  const examination& what_;
  steady_clock::time_point until_;
  std::set<addressing> modes_;
  std::vector<finding> found_;
};

}  // namespace

std::vector<finding> examine(const transport_url& url, const driver_environment& env,
                             const examination& what) {
  auto o = read_options(env.conf, url, env.client_name);
  o.addresses.default_exchange = env.default_exchange;
  check(o.link);
  return examiner(o, what).run();
}

}  // namespace oslo::messaging::amqp1
