#include "drivers/rabbit/mismatch.hpp"

#include <gtest/gtest.h>

namespace oslo::messaging::rabbit {
namespace {

constexpr auto durable_queue =
    "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'calc' in vhost '/': received "
    "'true' but current is 'false'";

std::string told(const std::string& words) {
  return explained({errc::precondition_failed, words}).message();
}

TEST(rabbit_mismatch, reads_the_words_of_the_broker) {
  struct {
    const char* words;
    const char* kind;
    const char* name;
    const char* argument;
    const char* ours;
    const char* theirs;
  } const table[] = {
      {durable_queue, "queue", "calc", "durable", "true", "false"},
      {"inequivalent arg 'auto_delete' for exchange 'openstack' in vhost 'v': received 'false' but "
       "current is 'true'",
       "exchange", "openstack", "auto_delete", "false", "true"},
      {"inequivalent arg 'x-max-length' for queue 'n.info' in vhost '/': received the value '10' "
       "of type 'signedint' but current is none",
       "queue", "n.info", "x-max-length", "10", "none"},
      {"inequivalent arg 'x-expires' for queue 'q' in vhost '/': received none but current is the "
       "value '5' of type 'signedint'",
       "queue", "q", "x-expires", "none", "5"},
  };
  for (const auto& t : table) {
    const auto m = read_mismatch(t.words);
    ASSERT_TRUE(m) << t.words;
    EXPECT_EQ(m->kind, t.kind);
    EXPECT_EQ(m->name, t.name);
    EXPECT_EQ(m->argument, t.argument);
    EXPECT_EQ(m->ours, t.ours);
    EXPECT_EQ(m->theirs, t.theirs);
  }
}

TEST(rabbit_mismatch, says_which_options_make_transient_queues_legal) {
  const auto text =
      told("INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated. By default, this");
  for (const auto* option :
       {"amqp_durable_queues", "rabbit_quorum_queue", "rabbit_transient_quorum_queue"})
    EXPECT_NE(text.find(option), std::string::npos) << option << " in " << text;
  EXPECT_EQ(remedy("PRECONDITION_FAILED - something else"), "");
}

TEST(rabbit_mismatch, other_words_are_none) {
  for (const std::string words :
       {"", "ACCESS_REFUSED - queue 'a'", "inequivalent arg ", "inequivalent arg 'durable",
        "inequivalent arg 'durable' for", "inequivalent arg 'durable' for queue 'a' in vhost '/'",
        "inequivalent arg 'a' for queue 'b' in vhost '/': received 'true'",
        "inequivalent arg 'a' for queue 'b' in vhost '/': received 'true' but current is "}) {
    EXPECT_FALSE(read_mismatch(words)) << words;
    EXPECT_EQ(told(words), words);
  }
  // Every prefix of the real thing.
  const std::string all(durable_queue);
  for (std::size_t n = 0; n < all.size(); ++n) EXPECT_FALSE(read_mismatch(all.substr(0, n)));
}

TEST(rabbit_mismatch, names_the_object_the_option_and_the_way_out) {
  EXPECT_EQ(
      told(durable_queue),
      std::string(durable_queue) +
          ". The queue calc exists with durable = false, this program wants true: give "
          "option amqp_durable_queues (or rabbit_quorum_queue) of [oslo_messaging_rabbit] the "
          "same value in all programs that use it, or delete the queue.");
  EXPECT_EQ(told("inequivalent arg 'type' for exchange 'x' in vhost '/': received 'topic' but "
                 "current is 'direct'"),
            "inequivalent arg 'type' for exchange 'x' in vhost '/': received 'topic' but current "
            "is 'direct'. The exchange x exists with type = direct, this program wants topic: "
            "delete the exchange, or have all programs that use it declare it alike.");
  // Of a fanout exchange only one option changes anything.
  EXPECT_NE(told("inequivalent arg 'durable' for exchange 'calc_fanout' in vhost '/': received "
                 "'false' but current is 'true'")
                .find("give option rabbit_transient_quorum_queue of"),
            std::string::npos);
  EXPECT_EQ(told("inequivalent arg 'auto_delete' for exchange 'calc_fanout' in vhost '/': received "
                 "'true' but current is 'false'")
                .find("amqp_auto_delete of"),
            std::string::npos);
  EXPECT_NE(told("inequivalent arg 'x-queue-type' for queue 'calc' in vhost '/': received the "
                 "value 'quorum' of type 'longstr' but current is none")
                .find("The queue calc exists with x-queue-type = none, this program wants quorum: "
                      "give option rabbit_quorum_queue of"),
            std::string::npos);
}

TEST(rabbit_mismatch, other_failures_stay_as_they_are) {
  EXPECT_EQ(explained({errc::access_refused, durable_queue}).message(), durable_queue);
}

}  // namespace
}  // namespace oslo::messaging::rabbit
