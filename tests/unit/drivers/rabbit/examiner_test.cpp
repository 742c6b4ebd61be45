// What an examination finds at a broker that does exactly what the test says.
#include "drivers/rabbit/examiner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "support/scripted_broker.hpp"
#include "support/tls_authority.hpp"

namespace oslo::messaging::rabbit {
namespace {

using amqp091::field_table;
using amqp091::method;
using amqp_script::broker_script;
using amqp_script::scripted_broker;
using request = broker_script::request;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

constexpr auto no_queue = "NOT_FOUND - no queue 'x' in vhost '/'";

class rabbit_examiner : public ::testing::Test {
 protected:
  rabbit_examiner() {
    what.timeout = 20s;
    nothing_is_there();
    refuse_trials();
  }

  static bool is_passive(const request& r) {
    amqp091::reader in{r.arguments};
    in.u16();
    in.shortstr();
    if (r.what == method::exchange_declare) in.shortstr();
    return (in.u8() & 1) != 0;
  }
  static std::string close(const request& r, std::uint16_t code, std::string_view words) {
    return amqp_script::close_frame(r.channel, code, words, r.what);
  }
  static bool is_trial(const request& r) {
    return r.arguments.find("x-dead-letter-exchange") != std::string::npos ||
           r.arguments.find("alternate-exchange") != std::string::npos;
  }

  void introduce(std::string product, std::string version, std::string cluster = "rabbit@one") {
    broker.on(method::connection_start, [=](const request&) {
      return amqp_script::start("PLAIN AMQPLAIN",
                                {{"product", product},
                                 {"version", version},
                                 {"cluster_name", cluster},
                                 {"capabilities", field_table{{"publisher_confirms", true}}}});
    });
  }
  /// RabbitMQ's answers, on a virtual host without exchanges and queues.
  void nothing_is_there() {
    for (const auto m : {method::exchange_declare, method::queue_declare})
      broker.on(m, [this](const request& r) {
        if (is_passive(r)) return close(r, 404, no_queue);
        if (!is_trial(r)) made.insert(broker_script::name_in(r));
        return close(r, 406, "PRECONDITION_FAILED - invalid type");
      });
  }
  void refuse_trials() {
    broker.on(method::queue_unbind,
              [](const request& r) { return close(r, 404, "NOT_FOUND - no queue"); });
    broker.on(method::basic_consume,
              [](const request& r) { return close(r, 404, "NOT_FOUND - no queue"); });
    broker.on(method::basic_publish, [](const request& r) {
      return close(r, 406, "PRECONDITION_FAILED - invalid expiration 'none'");
    });
  }
  /// A queue of that name is there, and declared as we do.
  void there_is(const std::string& name, std::uint32_t messages, std::uint32_t consumers) {
    broker.on(method::queue_declare, [=](const request& r) {
      if (broker_script::name_in(r) == name)
        return amqp_script::declare_ok(r.channel, name, messages, consumers);
      return is_passive(r) ? close(r, 404, no_queue) : close(r, 406, "invalid type");
    });
  }

  std::vector<std::string> run(const std::string& query = "", const std::string& more_hosts = "") {
    auto url = broker.url();
    if (!more_hosts.empty()) url.insert(url.size() - 1, "," + more_hosts);
    const auto o = read_options({}, transport_url::parse(url + query), "doctor");
    found = examiner(io, o, "openstack", what).run();
    std::vector<std::string> lines;
    for (const auto& f : found)
      lines.push_back(std::string(to_string(f.level)) + " " + f.subject + ": " + f.text + " " +
                      f.advice);
    return lines;
  }
  void ask_for(std::string topic, std::vector<bus_role> roles) {
    what.topics = {{.topic = std::move(topic)}};
    what.roles = std::move(roles);
  }

  boost::asio::io_context io;
  scripted_broker broker{io};
  examination what;
  std::set<std::string> made;
  std::vector<finding> found;
};

TEST_F(rabbit_examiner, a_fresh_broker_is_well_and_stays_as_it_is) {
  introduce("RabbitMQ", "3.13.1");
  what.roles = {bus_role::client, bus_role::notifier, bus_role::listener};
  what.notifications = {{{.topic = "n"}, "info"}, {{.topic = "n"}, "error"}};
  const auto lines = run();
  EXPECT_FALSE(hurts(found)) << ::testing::PrintToString(lines);
  EXPECT_THAT(lines, Contains(HasSubstr("Connected to RabbitMQ 3.13.1, virtual host \"/\"")));
  EXPECT_THAT(lines, Contains(HasSubstr("No alarm")));
  EXPECT_THAT(lines, Contains(HasSubstr("note queues that are neither durable nor exclusive")));
  EXPECT_THAT(made, ::testing::IsEmpty());
}

TEST_F(rabbit_examiner, nothing_but_what_is_harmless_is_ever_asked_for) {
  introduce("RabbitMQ", "4.2.0");
  ask_for("calc", {bus_role::client, bus_role::server, bus_role::notifier, bus_role::listener});
  what.notifications = {{{.topic = "n"}, "info"}};
  run();
  for (const auto& r : broker.rest()) {
    switch (r.what) {
      case method::connection_start_ok:
      case method::connection_tune_ok:
      case method::connection_open:
      case method::connection_close:
      case method::channel_open:
      case method::channel_close:
      case method::channel_close_ok:
      case method::queue_unbind:
      case method::basic_qos: break;
      case method::exchange_declare: EXPECT_TRUE(is_passive(r) || is_trial(r)); break;
      case method::queue_declare:
        // What RabbitMQ refuses: the kind quorum without durability, too.
        EXPECT_TRUE(is_passive(r) || is_trial(r) ||
                    r.arguments.find("quorum") != std::string::npos);
        break;
      case method::basic_consume:
        EXPECT_NE(r.arguments.find("x-priority"), std::string::npos);
        break;
      case method::basic_publish: EXPECT_EQ(r.props.expiration, "none"); break;
      default: FAIL() << amqp091::method_name(r.what);
    }
  }
}

TEST_F(rabbit_examiner, another_broker_is_asked_for_what_is_there_and_no_more) {
  introduce("Other", "1.0");
  ask_for("calc", {bus_role::client, bus_role::server});
  const auto lines = run();
  EXPECT_THAT(lines, Contains(HasSubstr("warning broker")));
  for (const auto& r : broker.rest()) {
    EXPECT_FALSE(r.what == method::queue_unbind || r.what == method::basic_consume);
    if (r.what == method::queue_declare || r.what == method::exchange_declare) {
      EXPECT_TRUE(is_passive(r));
    }
  }
}

TEST_F(rabbit_examiner, each_host_is_looked_at) {
  introduce("RabbitMQ", "3.13.1");
  const auto lines = run("", "guest:guest@127.0.0.1:1");
  EXPECT_THAT(lines, Contains(HasSubstr("ok host 127.0.0.1:")));
  EXPECT_THAT(lines, Contains(HasSubstr("error host 127.0.0.1:1: 127.0.0.1:1 is unreachable")));
  EXPECT_TRUE(hurts(found));
}

TEST_F(rabbit_examiner, hosts_of_different_clusters_are_an_error) {
  introduce("RabbitMQ", "3.13.1", "rabbit@one");
  scripted_broker second(io);
  second.on(method::connection_start, [](const request&) {
    return amqp_script::start("PLAIN AMQPLAIN",
                              {{"product", "RabbitMQ"}, {"cluster_name", "rabbit@two"}});
  });
  auto host = second.url().substr(std::string("rabbit://").size());
  host.pop_back();
  EXPECT_THAT(run("", host), Contains(HasSubstr("different clusters: rabbit@one, rabbit@two")));
}

TEST_F(rabbit_examiner, refused_credentials_and_virtual_hosts_say_what_helps) {
  broker.on(method::connection_start_ok, [](const request&) {
    return amqp_script::close_frame(0, 403, "ACCESS_REFUSED - Login was refused",
                                    method::connection_start_ok);
  });
  EXPECT_THAT(run(), Contains(HasSubstr("Login was refused RabbitMQ lets guest log in")));
  EXPECT_EQ(broker.connections(), 1) << "a wrong password is tried once";
  broker.as_usual(method::connection_start_ok);
  broker.on(method::connection_open, [](const request&) {
    return amqp_script::close_frame(0, 530, "NOT_ALLOWED - vhost v not found",
                                    method::connection_open);
  });
  EXPECT_THAT(run(), Contains(HasSubstr("rabbitmqctl add_vhost")));
}

TEST_F(rabbit_examiner, tells_each_permission_that_is_missing) {
  introduce("RabbitMQ", "3.13.1");
  ask_for("calc", {bus_role::client, bus_role::server});
  for (const auto m : {method::exchange_declare, method::queue_declare})
    broker.on(m, [](const request& r) {
      return is_passive(r) ? close(r, 404, no_queue)
                           : close(r, 403, "ACCESS_REFUSED - access to it refused for user 'u'");
    });
  broker.on(method::queue_unbind, [](const request& r) {
    return close(r, 403, "ACCESS_REFUSED - access to exchange 'openstack' refused");
  });
  for (const auto m : {method::basic_consume, method::basic_publish})
    broker.on(m, [](const request& r) { return close(r, 403, "ACCESS_REFUSED - no"); });
  const auto lines = run();
  const auto pattern = [](const char* kind, const char* name) {
    return Contains(HasSubstr(std::string("pattern for \"") + kind + "\" has to match " + name));
  };
  for (const auto* name : {"openstack", "calc_fanout", "calc ", "reply_", "calc_fanout_"})
    EXPECT_THAT(lines, pattern("configure", name)) << name;
  for (const auto* name : {"openstack", "calc_fanout", "amq.default"})
    EXPECT_THAT(lines, pattern("write", name)) << name;
  EXPECT_THAT(lines, pattern("read", "openstack"));
  EXPECT_THAT(lines, pattern("read", "calc "));
  EXPECT_TRUE(hurts(found));
}

TEST_F(rabbit_examiner, an_object_that_is_there_with_other_properties_is_an_error) {
  introduce("RabbitMQ", "3.13.1");
  ask_for("calc", {bus_role::server});
  broker.on(method::queue_declare, [](const request& r) {
    if (broker_script::name_in(r) != "calc") return close(r, 404, no_queue);
    return is_passive(r) ? amqp_script::declare_ok(r.channel, "calc", 0, 1)
                         : close(r, 406,
                                 "PRECONDITION_FAILED - inequivalent arg 'durable' for queue "
                                 "'calc' in vhost '/': received 'false' but current is 'true'");
  });
  EXPECT_THAT(run(), Contains(HasSubstr("give option amqp_durable_queues")));
  EXPECT_TRUE(hurts(found));
}

TEST_F(rabbit_examiner, queues_without_readers_are_told_by_what_they_are_for) {
  introduce("RabbitMQ", "3.13.1");
  there_is("calc", 3, 0);
  ask_for("calc", {bus_role::client});
  EXPECT_THAT(run(), Contains(HasSubstr("warning queue calc: It holds 3 messages and has 0 "
                                        "consumers. No server")));
  there_is("calc", 3, 2);
  EXPECT_THAT(run(), Contains(HasSubstr("ok queue calc: It holds 3 messages")));
  nothing_is_there();
  EXPECT_THAT(run(), Contains(HasSubstr("no server has ever served this topic")));

  what.topics.clear();
  what.roles = {bus_role::notifier};
  what.notifications = {{{.topic = "n"}, "info"}};
  there_is("n.info", 7, 0);
  EXPECT_THAT(run(), Contains(HasSubstr("warning queue n.info: It holds 7 messages and has 0")));
  there_is("n.info", 0, 0);
  EXPECT_THAT(run(), Contains(HasSubstr("ok queue n.info: It holds 0 messages")));
}

TEST_F(rabbit_examiner, an_alarm_is_seen_by_publishing_what_is_never_routed) {
  introduce("RabbitMQ", "3.13.1");
  broker.on(method::basic_publish, [](const request&) {
    return amqp_script::method_frame(0, method::connection_blocked,
                                     [](amqp091::writer& w) { w.shortstr("low on memory"); });
  });
  EXPECT_THAT(run(), Contains(HasSubstr("takes no messages: low on memory")));
  EXPECT_TRUE(hurts(found));
}

TEST_F(rabbit_examiner, forbidden_transient_queues_are_an_error_with_the_options_that_help) {
  introduce("RabbitMQ", "4.3.0");
  ask_for("calc", {bus_role::client, bus_role::server});
  broker.on(method::queue_declare, [](const request& r) {
    if (r.arguments.find("quorum") != std::string::npos)
      return amqp_script::close_frame(
          0, 541,
          "INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated.\nBy default, this "
          "feature is not permitted anymore.",
          method::queue_declare);
    return is_passive(r) ? close(r, 404, no_queue) : close(r, 406, "invalid type");
  });
  const auto lines = run();
  EXPECT_THAT(lines, Contains(HasSubstr("error queues that are neither durable nor exclusive")));
  EXPECT_THAT(lines, Contains(HasSubstr("rabbit_transient_quorum_queue")));
  EXPECT_THAT(run("?amqp_durable_queues=true&rabbit_transient_quorum_queue=true"),
              Not(Contains(HasSubstr("neither durable nor exclusive"))));
  // Reply queues need an option of their own.
  EXPECT_THAT(run("?amqp_durable_queues=true"),
              Contains(HasSubstr("error queues that are neither durable nor exclusive")));
}

TEST_F(rabbit_examiner, mirrored_queues_and_a_broker_without_confirms_are_told) {
  broker.on(method::connection_start, [](const request&) {
    return amqp_script::start("AMQPLAIN", {{"product", "RabbitMQ"}, {"version", "4.0.5"}});
  });
  const auto lines = run("?rabbit_ha_queues=true");
  EXPECT_THAT(lines, Contains(HasSubstr("does not offer publisher confirms")));
  EXPECT_THAT(lines, Contains(HasSubstr("warning option rabbit_ha_queues")));
}

/// "Download" and "countdown" are no words about a node.
TEST_F(rabbit_examiner, a_queue_that_is_not_there_may_have_any_name) {
  introduce("RabbitMQ", "3.13.1");
  ask_for("download", {bus_role::server});
  broker.on(method::queue_declare, [](const request& r) {
    return is_passive(r) ? close(r, 404, "NOT_FOUND - no queue 'download' in vhost 'is down'")
                         : close(r, 406, "PRECONDITION_FAILED - invalid type");
  });
  const auto lines = run();
  EXPECT_FALSE(hurts(found)) << ::testing::PrintToString(lines);
  for (const auto* words :
       {"home node 'a' of durable queue 'x' in vhost '/' is down or inaccessible",
        "queue 'x' in vhost '/' process is stopped by supervisor",
        "queue 'x' in vhost '/' has crashed and failed to restart",
        "failed to perform operation on queue 'x' in vhost '/' due to timeout"}) {
    broker.on(method::queue_declare, [=](const request& r) {
      return is_passive(r) ? close(r, 404, std::string("NOT_FOUND - ") + words)
                           : close(r, 406, "PRECONDITION_FAILED - invalid type");
    });
    EXPECT_THAT(run(), Contains(HasSubstr("Bring the node back"))) << words;
  }
}

/// Whoever publishes nothing is told by some brokers, too; what it has asked for is answered.
TEST_F(rabbit_examiner, an_alarm_is_no_answer_to_another_question) {
  introduce("RabbitMQ", "3.13.1");
  ask_for("calc", {bus_role::server});
  const auto alarm = amqp_script::method_frame(
      0, method::connection_blocked, [](amqp091::writer& w) { w.shortstr("low on disk"); });
  for (const auto m : {method::exchange_declare, method::queue_declare})
    broker.on(m, [alarm](const request& r) {
      return alarm + (is_passive(r) ? close(r, 404, no_queue)
                                    : close(r, 406, "PRECONDITION_FAILED - invalid type"));
    });
  EXPECT_FALSE((run(), hurts(found))) << "the connection that publishes heard of none";
  broker.on(method::connection_open,
            [alarm](const request&) { return amqp_script::open_ok() + alarm; });
  broker.on(method::basic_publish, [](const request&) { return std::string(); });
  const auto lines = run();
  EXPECT_THAT(lines, Contains(HasSubstr("takes no messages: low on disk")));
  EXPECT_THAT(lines, Not(Contains(HasSubstr("Bring the node back"))));
}

TEST_F(rabbit_examiner, a_single_channel_is_enough) {
  introduce("RabbitMQ", "3.13.1");
  ask_for("calc", {bus_role::client, bus_role::server});
  there_is("calc", 0, 1);
  broker.on(method::connection_start_ok, [](const request&) { return amqp_script::tune(1); });
  const auto lines = run();
  EXPECT_THAT(lines, Not(Contains(HasSubstr("cannot be asked for"))));
  EXPECT_THAT(lines, Contains(HasSubstr("ok queue calc: It is as")));
}

/// The clock of a program ends in 2262.
TEST_F(rabbit_examiner, a_certificate_may_be_good_for_ever) {
  const tls_files::authority own(::testing::TempDir() + "/doctor-for-ever", "own");
  const auto lasting = own.sign({.name = "lasting", .until_seconds = 7900L * 365 * 24 * 3600});
  const auto lines = run("?ssl=true&ssl_ca_file=" + own.file() +
                         "&ssl_cert_file=" + lasting.certificate + "&ssl_key_file=" + lasting.key);
  EXPECT_THAT(lines, Contains(HasSubstr("It is good until 99"))) << ::testing::PrintToString(lines);
}

TEST_F(rabbit_examiner, the_longest_time_is_no_time_in_the_past) {
  introduce("RabbitMQ", "3.13.1");
  what.timeout = std::chrono::milliseconds::max();
  const auto lines = run();
  EXPECT_FALSE(hurts(found)) << ::testing::PrintToString(lines);
}

TEST_F(rabbit_examiner, a_broker_that_does_not_answer_is_one_error_a_step) {
  introduce("RabbitMQ", "3.13.1");
  broker.on(method::exchange_declare, [](const request&) { return std::string(); });
  what.timeout = 3s;
  what.roles = {bus_role::client};
  const auto lines = run();
  EXPECT_THAT(lines, Contains(HasSubstr("did not answer in time")));
  EXPECT_THAT(lines, Contains(HasSubstr("The time was up")));
}

TEST_F(rabbit_examiner, a_broker_that_talks_nonsense_is_an_error) {
  introduce("RabbitMQ", "3.13.1");
  what.roles = {bus_role::client};
  for (const auto* garbage : {"no frame at all", "\x01\x7f\xff\xff\xff\xff\xff\xff\xff"}) {
    broker.on(method::exchange_declare, [=](const request&) { return std::string(garbage, 9); });
    EXPECT_THAT(run(), Contains(HasSubstr("error exchange openstack: ")));
    broker.on(method::connection_start, [=](const request&) { return std::string(garbage, 9); });
    EXPECT_THAT(run(), Contains(HasSubstr("broke the AMQP protocol")));
    introduce("RabbitMQ", "3.13.1");
  }
}

TEST_F(rabbit_examiner, names_that_amqp_cannot_carry_are_an_error) {
  introduce("RabbitMQ", "3.13.1");
  ask_for(std::string(300, 't'), {bus_role::server});
  EXPECT_THAT(run(), Contains(HasSubstr("It cannot be asked for")));
  ask_for("t\xff", {bus_role::client, bus_role::server});
  EXPECT_THAT(run(), Contains(HasSubstr("Its name is not UTF-8")));
  for (const auto& r : broker.rest())
    if (r.what == method::queue_declare || r.what == method::exchange_declare) {
      EXPECT_EQ(broker_script::name_in(r).find('\xff'), std::string::npos);
    }
}

}  // namespace
}  // namespace oslo::messaging::rabbit
