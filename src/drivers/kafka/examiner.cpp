#include "drivers/kafka/examiner.hpp"

#include <algorithm>
#include <set>
#include <span>
#include <utility>

#include "core/saturating.hpp"
#include "core/utf8.hpp"
#include "drivers/kafka/errors.hpp"
#include "drivers/kafka/token.hpp"
#include "drivers/kafka/topics.hpp"

namespace oslo::messaging::kafka {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds longest_step{5'000};
/// librdkafka says nothing while it waits for a cluster: errors are looked for in between.
constexpr milliseconds between_looks{200};
constexpr milliseconds time_for_other_addresses{1'000};
constexpr std::size_t most_brokers = 16;
constexpr std::size_t most_partitions = 100;

using group_list_handle =
    std::unique_ptr<const rd_kafka_group_list, destroyer<rd_kafka_group_list_destroy>>;

std::string remedy(errc code) {
  switch (code) {
    case errc::authentication_failed:
      return "Check user and password of the URL, and sasl_mechanism.";
    case errc::tls_failed:
      return "Give ssl_cafile the authority that has signed the broker's certificate, and the URL "
             "the name that the certificate is for.";
    default:
      return "Check name and port of the URL, whether a broker listens there, and whether "
             "security_protocol is that of this port: one of the two ends that expects TLS or a "
             "login, and the other not, looks like this.";
  }
}

std::string counted(std::size_t n, const char* what) {
  return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}

std::string address_of(const rd_kafka_metadata_broker_t& b) {
  const std::string host = to_valid_utf8(b.host);
  const bool ipv6 = host.find(':') != std::string::npos;
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(b.port);
}

template <class T>
std::span<const T> all_of(const T* first, int count) {
  return {first, static_cast<std::size_t>(std::max(count, 0))};
}

}  // namespace

examiner::examiner(const options& o, const examination& what)
    : o_(o),
      what_(what),
      until_(deadline_after(steady_clock::now(), what.timeout).value_or(instant::max())) {}

int examiner::milliseconds_left() const {
  const auto left = std::chrono::duration_cast<milliseconds>(until_ - steady_clock::now());
  return static_cast<int>(std::clamp(left, milliseconds(1), longest_step).count());
}

std::vector<finding> examiner::run() {
  for (const auto& w : o_.warnings) add(severity::warning, "configuration", w);
  if (!o_.without_effect.empty()) add(severity::note, "configuration", o_.without_effect);
  if (what_.has(bus_role::client) || what_.has(bus_role::server))
    add(what_.topics.empty() ? severity::note : severity::error, "kafka://",
        "It carries notifications only: clients and servers are refused.",
        "Give RPC a URL of its own, rabbit:// for example.");
  for (const auto& t : what_.notifications) {
    auto name = topic_name(*t.where.topic + "." + t.priority, o_.vhost);
    if (const auto fits = check_topic(name); !fits)
      add(severity::error, "topic " + *t.where.topic, fits.error().message(), "Rename it.");
    else if (std::ranges::find(names_, name) == names_.end())
      names_.push_back(std::move(name));
  }
  const auto c = look_at_hosts();
  if (!c) return std::move(found_);
  look_at_brokers(*c->cluster);
  look_at_topics(*c->cluster);
  if (!names_.empty()) look_at_group(*c);
  refer_to_permissions();
  if (time_is_up())
    add(severity::error, "kafka://", "The time was up before all was looked at.",
        "Give it more time, and find out why the brokers are slow.");
  return std::move(found_);
}

// ---- brokers ------------------------------------------------------------------------------------

auto examiner::ask(const std::string& server) const -> contact {
  auto settings = o_.consumer;
  settings.push_back({"bootstrap.servers", server});
  settings.push_back({"group.id", o_.group});
  contact c;
  auto made = make_client(
      RD_KAFKA_CONSUMER, settings,
      RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG | RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH);
  if (!made) {
    c.trouble = made.error().message();
    return c;
  }
  c.client = *std::move(made);
  const queue_handle events(rd_kafka_queue_get_main(c.client.get()));
  auto until = std::min(until_, steady_clock::now() + longest_step);
  rd_kafka_resp_err_t last = RD_KAFKA_RESP_ERR__TIMED_OUT;
  while (!c.cluster && steady_clock::now() < until) {
    const rd_kafka_metadata_t* found = nullptr;
    last = rd_kafka_metadata(c.client.get(), 1, nullptr, &found, between_looks.count());
    c.cluster.reset(found);
    const bool was_down = c.state.is_down();
    while (const event_handle e{rd_kafka_queue_poll(events.get(), 0)}) {
      if (rd_kafka_event_type(e.get()) == RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH)
        give_token(c.client.get(), o_.token_file);
      if (rd_kafka_event_type(e.get()) != RD_KAFKA_EVENT_ERROR) continue;
      const char* const text = rd_kafka_event_error_string(e.get());
      c.state.on_error(rd_kafka_event_error(e.get()), text == nullptr ? "" : text);
    }
    // The name may have another address.
    if (c.state.is_down() && !was_down)
      until = std::min(until, steady_clock::now() + time_for_other_addresses);
    if (last != RD_KAFKA_RESP_ERR_NO_ERROR && last != RD_KAFKA_RESP_ERR__TIMED_OUT &&
        last != RD_KAFKA_RESP_ERR__TRANSPORT)
      break;
  }
  if (!c.cluster)
    c.trouble = c.state.reason().empty() ? "It has not answered: " + explained(last) + "."
                                         : "It cannot be used: " + c.state.reason() + ".";
  return c;
}

/// One of several that fails is no error yet.
std::optional<examiner::contact> examiner::look_at_hosts() {
  std::optional<contact> first;
  std::vector<std::size_t> failed;
  std::string_view left = o_.servers;
  while (!left.empty()) {
    const std::string server(left.substr(0, left.find(',')));
    left.remove_prefix(std::min(left.size(), server.size() + 1));
    auto c = ask(server);
    if (!c.cluster) {
      const auto& refused = c.state.verdict();
      failed.push_back(found_.size());
      add(severity::error, "host " + server, c.trouble,
          remedy(refused ? refused->code() : errc::unreachable));
      continue;
    }
    add(severity::ok, "host " + server,
        "It answers, and knows of " +
            counted(static_cast<std::size_t>(c.cluster->broker_cnt), "broker") + ".");
    if (!first) first.emplace(std::move(c));
  }
  if (first)
    for (const auto i : failed) found_[i].level = severity::warning;
  return first;
}

/// Clients go on to the addresses that brokers give of themselves.
void examiner::look_at_brokers(const rd_kafka_metadata_t& cluster) {
  std::set<std::string> known;
  for (std::string_view left = o_.servers; !left.empty();) {
    const std::string server(left.substr(0, left.find(',')));
    left.remove_prefix(std::min(left.size(), server.size() + 1));
    known.insert(server);
  }
  std::size_t asked = 0;
  for (const auto& b : all_of(cluster.brokers, cluster.broker_cnt)) {
    const auto server = address_of(b);
    if (known.contains(server)) continue;
    if (++asked > most_brokers || time_is_up()) break;
    if (const auto c = ask(server); !c.cluster)
      add(severity::error, "broker " + server,
          "The cluster gives this address, which is not in the URL. " + c.trouble,
          "advertised.listeners of that broker has to name an address that this machine reaches.");
    else
      add(severity::ok, "broker " + server, "It answers.");
  }
}

// ---- topics -------------------------------------------------------------------------------------

void examiner::look_at_topics(const rd_kafka_metadata_t& cluster) {
  for (const auto& name : names_) {
    const rd_kafka_metadata_topic_t* found = nullptr;
    for (const auto& t : all_of(cluster.topics, cluster.topic_cnt))
      if (name == t.topic && t.err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) found = &t;
    look_at_topic(name, found);
  }
}

void examiner::look_at_topic(const std::string& name, const rd_kafka_metadata_topic_t* found) {
  const auto subject = "topic " + name;
  if (found == nullptr) {
    std::string text = "It does not exist, or this user may not see it.";
    if (what_.has(bus_role::listener)) text += " A listener waits for it.";
    if (what_.has(bus_role::notifier))
      text +=
          " The first notification makes it where the brokers do that "
          "(auto.create.topics.enable); elsewhere it fails.";
    return add(severity::note, subject, std::move(text),
               "Make it beforehand, with as many partitions as there are to be listeners.");
  }
  if (found->err != RD_KAFKA_RESP_ERR_NO_ERROR)
    return add(severity::error, subject, explained(found->err) + ".");
  const auto partitions = all_of(found->partitions, found->partition_cnt);
  partitions_ += partitions.size();
  const auto before = found_.size();
  for (const auto& p : partitions) {
    const auto which = "Partition " + std::to_string(p.id);
    if (p.leader < 0)
      add(severity::error, subject,
          which + " has no leader: what goes there waits, and what is there is not read.",
          "Find out why its brokers are away.");
    else if (p.isr_cnt < p.replica_cnt)
      add(severity::warning, subject,
          which + " has " + std::to_string(p.isr_cnt) + " of " + std::to_string(p.replica_cnt) +
              " replicas in sync.",
          "Find out why its other brokers are away or behind.");
  }
  if (found_.size() == before)
    add(severity::ok, subject, "It has " + counted(partitions.size(), "partition") + ".");
}

// ---- the group ----------------------------------------------------------------------------------

/// librdkafka goes on looking for the coordinator of a group that it may not use, and tells of that
/// by the way.
std::optional<rd_kafka_resp_err_t> examiner::refusal_in(const contact& c) {
  const queue_handle events(rd_kafka_queue_get_consumer(c.client.get()));
  while (const event_handle e{rd_kafka_queue_poll(events.get(), 0)})
    if (code_of(rd_kafka_event_error(e.get())) == errc::access_refused)
      return rd_kafka_event_error(e.get());
  return std::nullopt;
}

void examiner::refuse_group(rd_kafka_resp_err_t why) {
  add(what_.has(bus_role::listener) ? severity::error : severity::note, "group " + o_.group,
      "This user may not look at it: " + explained(why) + ".",
      "A listener needs Read on its group (" + o_.group + ").");
}

void examiner::look_at_group(const contact& c) {
  const auto subject = "group " + o_.group;
  const rd_kafka_group_list* raw = nullptr;
  const auto e = rd_kafka_list_groups(c.client.get(), o_.group.c_str(), &raw, milliseconds_left());
  const group_list_handle list(raw);
  const auto groups =
      list ? all_of(list->groups, list->group_cnt) : std::span<rd_kafka_group_info>();
  const auto refused = groups.empty() ? e : groups.front().err;
  if (code_of(refused) == errc::access_refused) return refuse_group(refused);
  if (groups.empty() && e != RD_KAFKA_RESP_ERR_NO_ERROR) {
    add(severity::note, subject, "Its listeners could not be counted: " + explained(e) + ".");
    if (partitions_ != 0) look_at_backlog(c, std::nullopt);
    return;
  }
  const auto members =
      groups.empty() ? 0 : static_cast<std::size_t>(std::max(groups.front().member_cnt, 0));
  if (members == 0)
    add(severity::note, subject, "It has no listener.",
        what_.has(bus_role::notifier) ? "What is sent waits in the topics, for as long as they "
                                        "keep it (retention.ms)."
                                      : "");
  else
    add(severity::ok, subject, "It has " + counted(members, "listener") + ".");
  if (members > partitions_ && partitions_ != 0)
    add(severity::note, subject,
        "It has more listeners than the topics have partitions: some get nothing.",
        "Give the topics more partitions.");
  if (partitions_ != 0) look_at_backlog(c, members);
}

/// What the group has not acknowledged.
void examiner::look_at_backlog(const contact& c, std::optional<std::size_t> members) {
  const auto subject = "group " + o_.group;
  partition_list_handle list(rd_kafka_topic_partition_list_new(16));
  for (const auto& t : all_of(c.cluster->topics, c.cluster->topic_cnt)) {
    if (std::ranges::find(names_, t.topic) == names_.end()) continue;
    for (const auto& p : all_of(t.partitions, t.partition_cnt))
      if (p.leader >= 0 && static_cast<std::size_t>(list->cnt) < most_partitions)
        rd_kafka_topic_partition_list_add(list.get(), t.topic, p.id);
  }
  if (list->cnt == 0) return;
  auto e = rd_kafka_committed(c.client.get(), list.get(), milliseconds_left());
  if (e == RD_KAFKA_RESP_ERR__TIMED_OUT) e = refusal_in(c).value_or(e);
  for (const auto& p : all_of(list->elems, list->cnt))
    if (code_of(e) == errc::access_refused || code_of(p.err) == errc::access_refused)
      return refuse_group(e != RD_KAFKA_RESP_ERR_NO_ERROR ? e : p.err);
  if (e != RD_KAFKA_RESP_ERR_NO_ERROR)
    return add(severity::warning, subject, "Its offsets could not be read: " + explained(e) + ".");
  std::int64_t waiting = 0;
  bool has_committed = false;
  for (const auto& p : all_of(list->elems, list->cnt)) {
    if (time_is_up()) return;
    std::int64_t low = 0, high = 0;
    if (rd_kafka_query_watermark_offsets(c.client.get(), p.topic, p.partition, &low, &high,
                                         milliseconds_left()) != RD_KAFKA_RESP_ERR_NO_ERROR)
      continue;
    has_committed = has_committed || p.offset >= 0;
    const auto next = p.offset >= 0 ? std::max(p.offset, low) : o_.latest ? high : low;
    waiting += std::max<std::int64_t>(high - next, 0);
  }
  std::string text =
      waiting == 1 ? "1 message waits for it" : std::to_string(waiting) + " messages wait for it";
  text += has_committed ? "." : ", which has never acknowledged one.";
  const bool unread = waiting != 0 && members == 0u;
  add(unread ? severity::warning : severity::ok, subject, std::move(text),
      unread ? "Start a listener of that group, or forget about it." : "");
}

void examiner::refer_to_permissions() {
  if (!what_.has(bus_role::notifier)) return;
  add(severity::note, "kafka://",
      "Whether this user may write was not looked at: Kafka tells it only to those who do.",
      "A notifier needs Write and Describe on its topics.");
}

std::vector<finding> examine(const transport_url& url, const driver_environment& env,
                             const examination& what) {
  const auto o = read_options(env.conf, url, env.client_name);
  return examiner(o, what).run();
}

}  // namespace oslo::messaging::kafka
