// Channels and connections that end under a publisher: who is guilty, and what is sent again.
#include <gtest/gtest.h>

#include "drivers/rabbit/blame.hpp"
#include "publisher_fixture.hpp"

namespace oslo::messaging::rabbit {
namespace {

class rabbit_publisher_faults : public publisher_fixture {
 protected:
  using request = broker_script::request;

  rabbit_publisher_faults() { link.connect(); }

  static std::string close(const request& r, std::uint16_t code, std::string_view words,
                           method cause) {
    return amqp_script::close_frame(r.channel, code, words, cause);
  }
  /// The broker confirms everything but bodies that begin with "bad", over which it closes the
  /// channel with `words`.
  void refuse_bad(std::uint16_t code, std::string words) {
    link.script.on(method::basic_publish, [this, code, words](const request& r) {
      if (r.body.starts_with("bad")) return close(r, code, words, method::basic_publish);
      delivered[r.body]++;
      return confirm(r.channel, method::basic_ack, link.script.published(r.channel), false);
    });
  }
  std::map<std::string, int> delivered;
};

constexpr auto too_large = "PRECONDITION_FAILED - message size 20000000 is larger than 16777216";

TEST_F(rabbit_publisher_faults, one_bad_message_among_many_fails_alone) {
  for (int i = 0; i < 150; ++i) publish("x" + std::to_string(i));
  publish("bad");
  for (int i = 150; i < 300; ++i) publish("x" + std::to_string(i));
  // A broker that takes what came before the bad one, and forgets to confirm it.
  link.script.on(method::basic_publish, [this, first = true](const request& r) mutable {
    if (r.body.starts_with("bad")) {
      if (!std::exchange(first, false)) {
        EXPECT_EQ(out.pending(), 151u) << "it is alone by now";
      }
      return close(r, 406, too_large, method::basic_publish);
    }
    delivered[r.body]++;
    return first ? std::string()
                 : confirm(r.channel, method::basic_ack, link.script.published(r.channel), false);
  });
  link.run();
  EXPECT_EQ(outcome["bad"], code_name(errc::precondition_failed)) << why["bad"];
  EXPECT_NE(why["bad"].find("larger than"), std::string::npos) << why["bad"];
  EXPECT_EQ(outcome.size(), 301u);
  for (int i = 0; i < 300; ++i) {
    const auto name = "x" + std::to_string(i);
    EXPECT_EQ(outcome[name], "confirmed") << name << why[name];
    EXPECT_EQ(delivered[name], i < 150 ? 2 : 1) << name << ": repeated only where it has to be";
  }
  EXPECT_EQ(link.connections, 1);
  EXPECT_TRUE(out.idle());
}

TEST_F(rabbit_publisher_faults, many_bad_ones_fail_and_every_good_one_arrives) {
  refuse_bad(406, too_large);
  for (int i = 0; i < 60; ++i) publish((i % 3 == 0 ? "bad" : "good") + std::to_string(i));
  link.run();
  EXPECT_EQ(outcome.size(), 60u);
  for (const auto& [name, what] : outcome)
    EXPECT_EQ(what, name.starts_with("bad") ? code_name(errc::precondition_failed) : "confirmed")
        << name;
}

TEST_F(rabbit_publisher_faults, a_forbidden_topic_fails_messages_to_it_only) {
  link.script.on(method::basic_publish, [this](const request& r) {
    if (broker_script::tag_in(r) == "secret")
      return close(r, 403,
                   "ACCESS_REFUSED - access to topic 'secret' in exchange 'openstack' in vhost "
                   "'/' refused for user 'u'",
                   method::basic_publish);
    return confirm(r.channel, method::basic_ack, link.script.published(r.channel), false);
  });
  for (int i = 0; i < 30; ++i) publish("x" + std::to_string(i));
  for (int i = 0; i < 3; ++i) publish("s" + std::to_string(i), "openstack", "secret");
  for (int i = 30; i < 60; ++i) publish("x" + std::to_string(i));
  link.run();
  ASSERT_EQ(outcome.size(), 63u);
  for (const auto& [name, what] : outcome)
    EXPECT_EQ(what, name[0] == 's' ? code_name(errc::outcome_unknown) : "confirmed") << name;
  EXPECT_NE(why["s0"].find("access to topic 'secret'"), std::string::npos) << why["s0"];
  publish("alone", "openstack", "secret");
  link.run();
  EXPECT_EQ(outcome["alone"], code_name(errc::access_refused)) << "nothing else can be meant";
}

/// Permission was taken away while messages were under way: the broker has some of them.
TEST_F(rabbit_publisher_faults, of_what_may_have_been_taken_before_a_refusal_nothing_is_certain) {
  publish("a", "x");
  publish("b", "x");
  link.run();
  link.send(amqp_script::close_frame(1, 403, "ACCESS_REFUSED - access to exchange 'x' in vhost",
                                     method::basic_publish));
  EXPECT_EQ(outcome["a"], code_name(errc::outcome_unknown));
  EXPECT_EQ(outcome["b"], code_name(errc::outcome_unknown));
}

TEST_F(rabbit_publisher_faults, a_declaration_made_again_says_nothing_of_what_came_before_it) {
  out.watch_readers(1s);
  const auto notify = [&](std::string body) {
    auto s = make(std::move(body));
    s->to = notification_destination({}, "openstack", "n.info");
    return publish(s);
  };
  notify("a");
  link.run();
  link.advance(2s);
  notify("b");  // asks for readers first
  link.send(amqp_script::close_frame(1, 403, "ACCESS_REFUSED - access to queue 'n.info'",
                                     method::queue_declare));
  EXPECT_EQ(outcome["a"], code_name(errc::outcome_unknown)) << why["a"];
}

TEST_F(rabbit_publisher_faults, who_is_silent_in_the_search_holds_up_nobody_for_long) {
  link.script.on(method::basic_publish, [this](const request& r) {
    if (r.body == "bad") return close(r, 406, too_large, method::basic_publish);
    if (broker_script::tag_in(r) == "dead") return std::string();
    return confirm(r.channel, method::basic_ack, link.script.published(r.channel), false);
  });
  for (int i = 0; i < 5; ++i) publish("d" + std::to_string(i), "openstack", "dead");
  publish("bad");
  publish("good");
  link.run();
  EXPECT_FALSE(outcome.contains("good"));
  for (int i = 0; i < 6 && !outcome.contains("good"); ++i) advance(publisher::probe_limit);
  EXPECT_EQ(outcome["good"], "confirmed");
  EXPECT_EQ(outcome["bad"], code_name(errc::precondition_failed)) << why["bad"];
  EXPECT_FALSE(outcome.contains("d0"));
  advance(publisher::confirm_limit + 1s);
  EXPECT_EQ(outcome["d0"], code_name(errc::outcome_unknown));
  EXPECT_TRUE(out.idle());
}

TEST_F(rabbit_publisher_faults, a_channel_that_ends_for_its_own_reasons_blames_nobody) {
  for (const int number : {311, 313, 320, 504, 541}) {
    const auto code = static_cast<std::uint16_t>(number);
    const auto name = std::to_string(code);
    publish(name);
    link.run();
    link.script.confirm_everything();
    link.send(amqp_script::close_frame(link.script.last_channel(), code, "just so"));
    for (int i = 0; i < 20 && !outcome.contains(name); ++i) advance(1s);
    EXPECT_EQ(outcome[name], "confirmed");
    link.script.as_usual(method::basic_publish);
  }
}

TEST_F(rabbit_publisher_faults, a_refusal_that_names_nothing_that_was_sent_makes_suspects) {
  refuse_bad(403, "ACCESS_REFUSED - because");
  publish("good1");
  publish("bad");
  publish("good2");
  link.run();
  EXPECT_EQ(outcome["bad"], code_name(errc::outcome_unknown)) << "it was written before";
  EXPECT_NE(why["bad"].find("because"), std::string::npos);
  EXPECT_EQ(outcome["good1"], "confirmed");
  EXPECT_EQ(outcome["good2"], "confirmed");
}

TEST_F(rabbit_publisher_faults, a_suspect_is_unknown_when_its_case_is_never_decided) {
  publish("a");
  publish("b");
  link.run();
  link.send(amqp_script::close_frame(1, 406, too_large, method::basic_publish));
  EXPECT_EQ(asked(method::basic_publish), 3) << "two, and then one alone";
  link.drop();
  link.fail_pass({errc::access_refused, "no"}, true);
  EXPECT_EQ(outcome["a"], code_name(errc::outcome_unknown));
  EXPECT_EQ(outcome["b"], code_name(errc::outcome_unknown));
}

TEST_F(rabbit_publisher_faults, what_was_in_doubt_gets_no_definite_error) {
  publish("bad");
  link.run();
  link.drop();
  link.connect();
  link.run();
  link.send(amqp_script::close_frame(1, 406, too_large, method::basic_publish));
  EXPECT_EQ(outcome["bad"], code_name(errc::outcome_unknown)) << why["bad"];
  EXPECT_NE(why["bad"].find("larger than"), std::string::npos) << why["bad"];
}

TEST_F(rabbit_publisher_faults, an_abandoned_message_may_have_been_the_guilty_one) {
  const auto bad = publish("bad");
  publish("good");
  link.run();
  out.abandon(*bad);
  link.send(amqp_script::close_frame(1, 406, too_large, method::basic_publish));
  EXPECT_FALSE(outcome.contains("good"));
  EXPECT_EQ(link.rest().back().body, "good");
  ack(1);
  EXPECT_EQ(outcome["good"], "confirmed");
  publish("next");
  publish("more");
  EXPECT_EQ(arrived(), "nextmore") << "nobody is suspected any more";
}

TEST_F(rabbit_publisher_faults, a_suspect_that_is_abandoned_holds_up_nobody) {
  const auto a = publish("a");
  const auto b = publish("b");
  link.run();
  link.send(amqp_script::close_frame(1, 406, too_large, method::basic_publish));
  link.rest();
  out.abandon(*a);
  out.abandon(*b);
  ack(1);
  publish("c");
  publish("d");
  EXPECT_EQ(arrived(), "cd");
}

TEST_F(rabbit_publisher_faults, a_message_that_ends_connections_is_found) {
  int closes = 0;
  link.script.on(method::basic_publish, [&](const request& r) {
    if (r.body == "bad") {
      ++closes;
      return amqp_script::close_frame(0, 541, "INTERNAL_ERROR", method::basic_publish);
    }
    return confirm(r.channel, method::basic_ack, link.script.published(r.channel), false);
  });
  publish("good1");
  publish("bad");
  publish("good2");
  link.run();
  while (!outcome.contains("bad") && link.connections < 20) link.connect();
  link.connect();
  EXPECT_EQ(outcome["bad"], code_name(errc::outcome_unknown)) << why["bad"];
  EXPECT_EQ(outcome["good1"], "confirmed");
  EXPECT_EQ(outcome["good2"], "confirmed");
  EXPECT_EQ(closes, 4) << "among others, and three times alone";
}

// ---- topology -----------------------------------------------------------------------------------

bool is_passive(const broker_script::request& r) {
  amqp091::reader in{r.arguments};
  in.u16();
  in.shortstr();
  return (in.u8() & 1) != 0;
}

std::string refuse_as_durable(const broker_script::request& r, const std::string& kind) {
  return amqp_script::close_frame(
      r.channel, 406,
      "PRECONDITION_FAILED - inequivalent arg 'durable' for " + kind + " '" +
          broker_script::name_in(r) + "' in vhost '/': received 'false' but current is 'true'",
      kind == "queue" ? method::queue_declare : method::exchange_declare);
}

TEST_F(rabbit_publisher_faults, an_exchange_is_declared_once_for_a_channel) {
  publish("a", "openstack", "one");
  publish("b", "openstack", "two");
  EXPECT_EQ(asked(method::exchange_declare), 1);
  link.drop();
  link.connect();
  EXPECT_EQ(asked(method::exchange_declare), 1);
}

TEST_F(rabbit_publisher_faults, an_exchange_with_other_properties_is_used_as_it_is) {
  link.script.on(method::exchange_declare, [](const request& r) {
    return broker_script::name_in(r) == "odd"
               ? refuse_as_durable(r, "exchange")
               : amqp_script::method_frame(r.channel, method::exchange_declare_ok);
  });
  publish("a", "odd");
  link.next(method::exchange_declare);
  EXPECT_EQ(next_body(), "a");
  ack(1, false, 1);
  EXPECT_EQ(outcome["a"], "confirmed");
  publish("b", "odd");
  EXPECT_EQ(asked(method::exchange_declare), 0);
}

TEST_F(rabbit_publisher_faults, exchange_and_queue_with_other_properties_are_bound_and_used) {
  link.script.on(method::exchange_declare,
                 [](const request& r) { return refuse_as_durable(r, "exchange"); });
  link.script.on(method::queue_declare, [](const request& r) {
    return is_passive(r) ? amqp_script::declare_ok(r.channel, "n.info")
                         : refuse_as_durable(r, "queue");
  });
  link.script.confirm_everything();
  auto s = make("a");
  s->to = notification_destination({}, "odd", "n.info");
  publish(s);
  link.run();
  EXPECT_EQ(outcome["a"], "confirmed") << why["a"];
  EXPECT_EQ(link.lines.count(log_level::error, "option amqp_durable_queues"), 2);
  EXPECT_EQ(link.lines.count(log_level::error, "The queue n.info exists with durable = true"), 1);
}

/// It does not exist, so there is nothing that could be used as it is.
TEST_F(rabbit_publisher_faults, a_limit_of_queues_is_waited_for) {
  bool room = false, passive = false;
  link.script.on(method::queue_declare, [&](const request& r) {
    passive = passive || is_passive(r);
    return room ? amqp_script::declare_ok(r.channel, "n.info")
                : close(r, 406,
                        "PRECONDITION_FAILED - cannot declare queue 'n.info': queue limit in "
                        "vhost '/' (3) is reached",
                        method::queue_declare);
  });
  link.script.confirm_everything();
  auto s = make("a");
  s->to = notification_destination({}, "x", "n.info");
  s->patience_returned = s->patience_refused = 1h;
  publish(s);
  link.run();
  EXPECT_EQ(outcome.count("a"), 0u) << why["a"];
  room = true;
  advance(1s);
  EXPECT_EQ(outcome["a"], "confirmed") << why["a"];
  EXPECT_FALSE(passive);
}

TEST_F(rabbit_publisher_faults, an_argument_that_is_refused_is_an_error_and_nothing_to_be_used) {
  bool passive = false;
  link.script.on(method::queue_declare, [&](const request& r) {
    passive = passive || is_passive(r);
    return close(r, 406, "PRECONDITION_FAILED - invalid arg 'x-max-length' for queue 'n.info'",
                 method::queue_declare);
  });
  auto s = make("a");
  s->to = notification_destination({}, "x", "n.info");
  publish(s);
  link.run();
  EXPECT_NE(why["a"].find("invalid arg 'x-max-length'"), std::string::npos) << why["a"];
  EXPECT_FALSE(passive);
}

TEST_F(rabbit_publisher_faults, a_queue_with_other_properties_that_is_gone_is_declared_again) {
  link.script.on(method::queue_declare, [](const request& r) {
    return is_passive(r) ? amqp_script::declare_ok(r.channel, "n.info")
                         : refuse_as_durable(r, "queue");
  });
  auto s = make("a");
  s->to = notification_destination({}, "x", "n.info");
  publish(s);
  link.run();
  link.script.as_usual(method::queue_declare);
  link.script.on(method::queue_bind, [gone = false](const request& r) mutable {
    return std::exchange(gone, true)
               ? amqp_script::method_frame(r.channel, method::queue_bind_ok)
               : close(r, 404, "NOT_FOUND - no queue 'n.info' in vhost '/'", method::queue_bind);
  });
  link.drop();  // with it went the queue
  link.script.confirm_everything();
  link.connect();
  EXPECT_EQ(outcome["a"], "confirmed") << why["a"];
}

TEST_F(rabbit_publisher_faults, a_topology_that_vanishes_again_and_again_is_waited_for) {
  int binds = 0;
  link.script.on(method::queue_bind, [&](const request& r) {
    ++binds;
    return close(r, 404, "NOT_FOUND - no queue 'n.info' in vhost '/'", method::queue_bind);
  });
  link.script.confirm_everything();
  auto s = make("a");
  s->to = notification_destination({}, "x", "n.info");
  publish(s);
  publish("b");
  link.run();
  EXPECT_EQ(binds, 3) << "at once, and no more than that";
  EXPECT_EQ(outcome["b"], "confirmed");
  EXPECT_FALSE(outcome.contains("a"));
  link.script.as_usual(method::queue_bind);
  advance(publisher::again_after);
  EXPECT_EQ(outcome["a"], "confirmed") << why["a"];
}

TEST_F(rabbit_publisher_faults, a_topology_that_stays_away_ends_its_message_in_the_end) {
  link.script.on(method::queue_bind, [&](const request& r) {
    return close(r, 404, "NOT_FOUND - no queue 'n.info' in vhost '/'", method::queue_bind);
  });
  auto s = make("a");
  s->to = notification_destination({}, "x", "n.info");
  publish(s);
  link.run();
  for (int i = 0; i < 130 && outcome.empty(); ++i) advance(publisher::again_after);
  EXPECT_NE(why["a"].find("no queue 'n.info'"), std::string::npos) << why["a"];
  EXPECT_TRUE(out.idle());
}

TEST_F(rabbit_publisher_faults, a_message_that_is_abandoned_over_the_end_of_another_stays_ended) {
  link.script.on(method::queue_bind, [&](const request& r) {
    return close(r, 404, "NOT_FOUND - no queue 'n.info' in vhost '/'", method::queue_bind);
  });
  const auto impatient = make("a"), patient = make("b");
  impatient->to = patient->to = notification_destination({}, "x", "n.info");
  impatient->patience_refused = 0ms;
  on_end = [&] { out.abandon(*patient); };
  publish(impatient);
  publish(patient);
  link.run();
  EXPECT_EQ(order, "a");
  advance(publisher::again_after);
  EXPECT_EQ(order, "a");
  EXPECT_TRUE(out.idle());
}

TEST_F(rabbit_publisher_faults, an_exchange_that_vanished_under_a_channel_is_declared_again) {
  publish("a");
  ack(1);
  link.script.on(method::basic_publish, [this, gone = false](const request& r) mutable {
    if (!std::exchange(gone, true))
      return close(r, 404, "NOT_FOUND - no exchange 'openstack' in vhost '/'",
                   method::basic_publish);
    return confirm(r.channel, method::basic_ack, link.script.published(r.channel), false);
  });
  publish("b");
  publish("c", "other");
  EXPECT_EQ(asked(method::exchange_declare), 1 + 2) << "one each on the second channel";
  EXPECT_EQ(outcome["b"], "confirmed") << why["b"];
  EXPECT_EQ(outcome["c"], "confirmed") << why["c"];
}

TEST_F(rabbit_publisher_faults, a_forbidden_exchange_fails_its_own_messages_only) {
  link.script.on(method::exchange_declare, [](const request& r) {
    return broker_script::name_in(r) == "secret"
               ? close(r, 403,
                       "ACCESS_REFUSED - access to exchange 'secret' in vhost '/' refused for "
                       "user 'guest'",
                       method::exchange_declare)
               : amqp_script::method_frame(r.channel, method::exchange_declare_ok);
  });
  link.script.confirm_everything();
  publish("a", "secret");
  publish("b");
  publish("c", "secret", "other");
  link.run();
  EXPECT_EQ(outcome["a"], code_name(errc::access_refused)) << why["a"];
  EXPECT_NE(why["a"].find("'secret'"), std::string::npos);
  EXPECT_EQ(outcome["b"], "confirmed");
  EXPECT_EQ(outcome["c"], code_name(errc::access_refused));
}

TEST_F(rabbit_publisher_faults, a_topology_that_is_refused_without_a_name_fails_who_needs_it) {
  link.script.on(method::queue_declare, [](const request& r) {
    return close(r, 406, "PRECONDITION_FAILED - cannot declare queue: queue limit in vhost '/' (1)",
                 method::queue_declare);
  });
  link.script.confirm_everything();
  auto s = make("a");
  s->to = notification_destination({}, "openstack", "n.info");
  publish(s);
  publish("b");
  link.run();
  for (int i = 0; i < 130 && !outcome.contains("a"); ++i) advance(publisher::again_after);
  EXPECT_NE(why["a"].find("queue limit"), std::string::npos) << why["a"];
  EXPECT_EQ(outcome["b"], "confirmed");
}

// ---- blame --------------------------------------------------------------------------------------

amqp091::close_reason reason(std::uint16_t code, std::string text, method cause) {
  return {amqp091::close_reason::origin::broker, code, std::move(text), amqp091::class_of(cause),
          amqp091::method_of(cause)};
}

constexpr auto forbidden_queues =
    "INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated.\nBy default, this feature "
    "is "
    "not permitted anymore.\nThe feature will be removed from a future major RabbitMQ version";

TEST_F(rabbit_publisher_faults, forbidden_transient_queues_fail_what_needs_one_and_nothing_else) {
  link.script.on(method::queue_declare, [](const request&) {
    return amqp_script::close_frame(0, 541, forbidden_queues, method::queue_declare);
  });
  link.script.confirm_everything();
  const auto notification = [&](std::string body, const std::string& key) {
    auto s = make(std::move(body));
    s->to = notification_destination({}, "openstack", key);
    return s;
  };
  publish("cast");
  publish(notification("n1", "t.info"));
  publish(notification("n2", "t.error"));
  link.run();
  EXPECT_EQ(outcome["n1"], code_name(errc::precondition_failed));
  EXPECT_NE(why["n1"].find("amqp_durable_queues"), std::string::npos) << why["n1"];
  EXPECT_EQ(outcome["n2"], code_name(errc::precondition_failed));
  EXPECT_FALSE(link.is_open());

  link.connect();
  EXPECT_EQ(outcome["cast"], "confirmed");
  publish(notification("n3", "t.info"));
  link.run();
  EXPECT_EQ(outcome["n3"], code_name(errc::precondition_failed));
  EXPECT_TRUE(link.is_open()) << "it was asked for once, and costs no second connection";

  // An operator has changed the broker's mind.
  advance(61s);
  link.script.as_usual(method::queue_declare);
  publish(notification("n4", "t.info"));
  link.run();
  EXPECT_EQ(outcome["n4"], "confirmed");
  EXPECT_TRUE(out.idle());
}

TEST_F(rabbit_publisher_faults, durable_queues_have_nothing_to_do_with_forbidden_ones) {
  link.script.on(method::queue_declare, [](const request&) {
    return amqp_script::close_frame(0, 541, forbidden_queues, method::queue_declare);
  });
  options durable;
  durable.durable = true;
  auto s = make("n");
  s->to = notification_destination(durable, "openstack", "t.info");
  publish(s);
  link.run();
  EXPECT_FALSE(outcome.contains("n"));
  link.script.as_usual(method::queue_declare);
  link.script.confirm_everything();
  link.connect();
  EXPECT_EQ(outcome["n"], "confirmed");
}

constexpr auto forbidden_locator =
    "INTERNAL_ERROR - Feature `queue_master_locator` is deprecated.\nIts use is not permitted";

TEST_F(rabbit_publisher_faults, what_is_not_permitted_any_more_fails_with_the_words_of_the_broker) {
  link.script.on(method::queue_declare, [](const request& r) {
    return broker_script::name_in(r) == "t.info"
               ? amqp_script::close_frame(0, 541, forbidden_locator, method::queue_declare)
               : amqp_script::declare_ok(r.channel, broker_script::name_in(r), 0, 1);
  });
  link.script.confirm_everything();
  options durable;
  durable.durable = true;
  const auto notification = [&](std::string body, const std::string& key) {
    auto s = make(std::move(body));
    s->to = notification_destination(durable, "openstack", key);
    return s;
  };
  publish(notification("n1", "t.info"));
  publish(notification("n2", "t.error"));
  link.run();
  EXPECT_EQ(outcome["n1"], code_name(errc::precondition_failed));
  EXPECT_NE(why["n1"].find("queue_master_locator"), std::string::npos) << why["n1"];
  EXPECT_FALSE(outcome.contains("n2"));
  EXPECT_EQ(link.lines.count(log_level::error, "queue_master_locator"), 1);

  link.connect();
  EXPECT_EQ(outcome["n2"], "confirmed");
  publish(notification("n3", "t.info"));
  link.run();
  EXPECT_EQ(outcome["n3"], code_name(errc::precondition_failed));
  EXPECT_TRUE(link.is_open()) << "it was asked for once, and costs no second connection";

  advance(61s);
  link.script.as_usual(method::queue_declare);
  publish(notification("n4", "t.info"));
  link.run();
  EXPECT_EQ(outcome["n4"], "confirmed");
  EXPECT_TRUE(out.idle());
}

/// Such an end of a broker in trouble is no verdict on anybody.
TEST_F(rabbit_publisher_faults, an_internal_error_over_a_declaration_is_tried_again) {
  link.script.on(method::exchange_declare, [](const request&) {
    return amqp_script::close_frame(0, 541, "INTERNAL_ERROR", method::exchange_declare);
  });
  publish("cast");
  link.run();
  EXPECT_FALSE(link.is_open());
  link.script.as_usual(method::exchange_declare);
  link.script.confirm_everything();
  link.connect();
  EXPECT_EQ(outcome["cast"], "confirmed");
}

TEST(rabbit_blame, is_read_from_the_method_first) {
  const auto of_channel = [](std::uint16_t code, const char* text, method cause) {
    return whom(reason(code, text, cause), false);
  };
  EXPECT_EQ(of_channel(403, "access to exchange 'x'", method::exchange_declare), blamed::topology);
  EXPECT_EQ(of_channel(403, "access to exchange 'x'", method::basic_publish), blamed::destination);
  EXPECT_EQ(of_channel(404, "no exchange 'x'", method::basic_publish), blamed::destination);
  EXPECT_EQ(of_channel(404, "no queue 'x'", method::queue_bind), blamed::topology);
  EXPECT_EQ(of_channel(405, "locked", method::queue_declare), blamed::topology);
  EXPECT_EQ(of_channel(406, "too large", method::basic_publish), blamed::message);
  EXPECT_EQ(of_channel(541, "INTERNAL_ERROR", method::basic_publish), blamed::message);
  EXPECT_EQ(of_channel(504, "CHANNEL_ERROR", method::channel_open), blamed::nobody);
  EXPECT_EQ(of_channel(403, "no", method::confirm_select), blamed::nobody);
  EXPECT_EQ(of_channel(541, "INTERNAL_ERROR", method::none), blamed::nobody);
  EXPECT_EQ(of_channel(320, "CONNECTION_FORCED", method::none), blamed::nobody);
  EXPECT_EQ(whom(reason(541, "INTERNAL_ERROR", method::none), true), blamed::message);
  EXPECT_EQ(whom(reason(501, "FRAME_ERROR", method::none), true), blamed::message);
  EXPECT_EQ(whom(reason(541, forbidden_queues, method::none), true), blamed::topology);
  EXPECT_EQ(whom(reason(541, forbidden_queues, method::basic_publish), true), blamed::message);
  EXPECT_EQ(whom(reason(530, "NOT_ALLOWED - vhost is down", method::none), true), blamed::nobody);
  EXPECT_TRUE(is_final(reason(541, forbidden_locator, method::queue_declare)));
  EXPECT_TRUE(is_final(reason(541, forbidden_queues, method::none)));
  EXPECT_FALSE(is_final(reason(541, "INTERNAL_ERROR", method::queue_declare)));
  EXPECT_FALSE(is_final(reason(406, "PRECONDITION_FAILED", method::queue_declare)));
  auto lost = reason(406, "x", method::basic_publish);
  lost.from = amqp091::close_reason::origin::transport;
  EXPECT_EQ(whom(lost, false), blamed::nobody);
}

TEST(rabbit_blame, means_the_destination_whose_names_are_quoted) {
  const auto to = [](std::string exchange, std::string key) {
    return topic_destination({}, std::move(exchange), std::move(key));
  };
  const auto topic =
      reason(403, "access to topic 'k' in exchange 'x' in vhost '/'", method::basic_publish);
  EXPECT_TRUE(means(topic, to("x", "k")));
  EXPECT_FALSE(means(topic, to("x", "kk")));
  EXPECT_FALSE(means(topic, to("y", "k")));
  const auto exchange = reason(403, "access to exchange 'x' in vhost '/'", method::basic_publish);
  EXPECT_TRUE(means(exchange, to("x", "any")));
  EXPECT_FALSE(means(exchange, to("xx", "any")));
  EXPECT_FALSE(means(exchange, reply_destination("x")));
  const auto quoting = reason(403, "access to topic 'a topic 'k' in exchange 'x' in vhost '/'",
                              method::basic_publish);
  EXPECT_FALSE(means(quoting, to("x", "k")));
  EXPECT_TRUE(means(quoting, to("x", "a topic 'k")));
}

}  // namespace
}  // namespace oslo::messaging::rabbit
