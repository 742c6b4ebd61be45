#include "protocol/amqp_failure.hpp"

#include <gtest/gtest.h>

namespace oslo::messaging::protocol {
namespace {

using origin = amqp091::close_reason::origin;

struct sample {
  amqp091::close_reason why;
  errc code;
  std::string message;
};

TEST(amqp_failure, says_what_the_broker_said) {
  const sample samples[] = {
      {{origin::transport, 0, "Connection reset by peer"},
       errc::unreachable,
       "b:1 closed the connection: Connection reset by peer"},
      {{origin::heartbeat, 0, ""}, errc::unreachable, "b:1 sent no heartbeat in time"},
      {{origin::deaf, 0, "Nothing."}, errc::unreachable, "b:1 did not answer in time: Nothing."},
      {{origin::timeout, 0, "handshake"},
       errc::unreachable,
       "b:1 did not answer in time: handshake"},
      {{origin::protocol, 501, "frame end"},
       errc::protocol_error,
       "b:1 broke the AMQP protocol: frame end"},
      {{origin::local, 0, ""}, errc::closed, "b:1 was closed by this side"},
      {{origin::broker, 403, "ACCESS_REFUSED - Login was refused", 0, 0},
       errc::authentication_failed,
       "b:1 refused with code 403: ACCESS_REFUSED - Login was refused"},
      {{origin::broker, 403, "ACCESS_REFUSED - access to exchange 'x' refused", 40, 10},
       errc::access_refused,
       "b:1 refused with code 403: ACCESS_REFUSED - access to exchange 'x' refused"},
      {{origin::broker, 530, "NOT_ALLOWED - vhost v not found", 10, 40},
       errc::vhost_not_found,
       "b:1 refused with code 530: NOT_ALLOWED - vhost v not found"},
      {{origin::broker, 530, "NOT_ALLOWED - access to vhost 'v' refused for user 'u'", 10, 40},
       errc::access_refused,
       "b:1 refused with code 530: NOT_ALLOWED - access to vhost 'v' refused for user 'u'"},
      {{origin::broker, 406, "PRECONDITION_FAILED - inequivalent arg", 50, 10},
       errc::precondition_failed,
       "b:1 refused with code 406: PRECONDITION_FAILED - inequivalent arg"},
      {{origin::broker, 320, "CONNECTION_FORCED - broker forced connection closure", 0, 0},
       errc::unreachable,
       "b:1 refused with code 320: CONNECTION_FORCED - broker forced connection closure"},
      {{origin::broker, 541, "INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated."},
       errc::precondition_failed,
       "b:1 refused with code 541: INTERNAL_ERROR - Feature `transient_nonexcl_queues` is "
       "deprecated."},
      {{origin::broker, 504, "\x7f\xc2\x9b\xc2\x85."},
       errc::broker_error,
       "b:1 refused with code 504:    ."},
      {{origin::broker, 504,
        "in\nlines\x1b[1m\x7f\xc2\x9b"
        "1m"},
       errc::broker_error,
       "b:1 refused with code 504: in lines [1m  1m"},
      {{origin::broker, 530,
        "NOT_ALLOWED - access to vhost 'v' refused for user 'u': connection limit (2) is reached",
        10, 40},
       errc::limit_exceeded,
       "b:1 refused with code 530: NOT_ALLOWED - access to vhost 'v' refused for user 'u': "
       "connection limit (2) is reached"},
      {{origin::broker, 530,
        "NOT_ALLOWED - access to vhost 'v' refused for user 'u': vhost 'v' is down", 10, 40},
       errc::broker_error,
       "b:1 refused with code 530: NOT_ALLOWED - access to vhost 'v' refused for user 'u': vhost "
       "'v' is down"},
      {{origin::broker, 406,
        "PRECONDITION_FAILED - cannot declare queue 'q': queue limit in vhost 'v' (3) is reached",
        50, 10},
       errc::limit_exceeded,
       "b:1 refused with code 406: PRECONDITION_FAILED - cannot declare queue 'q': queue limit in "
       "vhost 'v' (3) is reached"},
      {{origin::broker, 406,
        "PRECONDITION_FAILED - invalid arg 'x-max-length' for queue 'q' in vhost '/'", 50, 10},
       errc::precondition_failed,
       "b:1 refused with code 406: PRECONDITION_FAILED - invalid arg 'x-max-length' for queue 'q' "
       "in vhost '/'"},
      {{origin::broker, 403, "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use", 60, 20},
       errc::broker_error,
       "b:1 refused with code 403: ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use"},
      {{origin::broker, 541, "INTERNAL_ERROR - vhost 'v' is down", 10, 40},
       errc::broker_error,
       "b:1 refused with code 541: INTERNAL_ERROR - vhost 'v' is down"},
      {{origin::broker, 504, "no \xff text"},
       errc::broker_error,
       "b:1 refused with code 504: no \xef\xbf\xbd text"},
      {{origin::broker, 541, "INTERNAL_ERROR"},
       errc::broker_error,
       "b:1 refused with code 541: INTERNAL_ERROR"},
  };
  for (const auto& s : samples) {
    const auto f = to_failure(s.why, "b:1");
    EXPECT_EQ(f.code(), s.code) << s.message;
    EXPECT_EQ(f.message(), s.message);
  }
}

/// In texts of RabbitMQ. None of them is about anything but the moment.
TEST(amqp_failure, limits_and_trouble_pass) {
  const auto code = [](std::uint16_t reply, const char* words) {
    return to_failure({origin::broker, reply, words, 10, 40}, "b:1").code();
  };
  for (const auto* limit :
       {"NOT_ALLOWED - connection refused for user 'u': user connection limit (2) is reached",
        "NOT_ALLOWED - connection refused: node connection limit (2) is reached",
        "NOT_ALLOWED - number of channels opened for user 'u' has reached the maximum allowed user "
        "limit of (3)",
        "NOT_ALLOWED - number of channels opened on node 'rabbit@a' has reached the maximum "
        "allowed "
        "limit of 3"})
    EXPECT_EQ(code(530, limit), errc::limit_exceeded) << limit;
  EXPECT_EQ(code(406,
                 "PRECONDITION_FAILED - cannot declare exchange 'x' in vhost '/': exchange "
                 "limit of 9 is reached"),
            errc::limit_exceeded);
  EXPECT_EQ(code(530,
                 "NOT_ALLOWED - access to vhost 'v' refused for user 'u': connection limit "
                 "cannot be queried, timeout"),
            errc::broker_error);
  EXPECT_EQ(code(406,
                 "PRECONDITION_FAILED - stream queue 's' in vhost '/' does not have a running "
                 "replica on the local node"),
            errc::broker_error);
}

/// Users name virtual hosts and queues as they like, and brokers repeat it.
TEST(amqp_failure, names_are_no_words_of_the_broker) {
  const auto code = [](std::uint16_t reply, const char* words) {
    return to_failure({origin::broker, reply, words, 50, 10}, "b:1").code();
  };
  EXPECT_EQ(code(530, "NOT_ALLOWED - vhost the limit is reached not found"), errc::vhost_not_found);
  EXPECT_EQ(code(530, "NOT_ALLOWED - vhost is down not found"), errc::vhost_not_found);
  EXPECT_EQ(code(530, "NOT_ALLOWED - access to vhost 'not found' refused for user 'is down'"),
            errc::access_refused);
  EXPECT_EQ(code(406,
                 "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'limit is "
                 "reached' in vhost '/': received 'true' but current is 'false'"),
            errc::precondition_failed);
  EXPECT_EQ(code(403,
                 "ACCESS_REFUSED - access to queue 'in exclusive use' in vhost '/' refused for "
                 "user 'u'"),
            errc::access_refused);
  EXPECT_EQ(code(541,
                 "INTERNAL_ERROR - Cannot declare quorum queue 'deprecated' in vhost '/' on "
                 "node 'a' with leader on node 'a': timeout"),
            errc::broker_error);
}

TEST(amqp_failure, verdicts_are_what_only_an_operator_can_change) {
  EXPECT_TRUE(is_verdict(errc::authentication_failed));
  EXPECT_TRUE(is_verdict(errc::vhost_not_found));
  EXPECT_TRUE(is_verdict(errc::access_refused));
  EXPECT_TRUE(is_verdict(errc::precondition_failed));
  EXPECT_TRUE(is_verdict(errc::tls_failed));
  EXPECT_FALSE(is_verdict(errc::unreachable));
  EXPECT_FALSE(is_verdict(errc::limit_exceeded));
  EXPECT_FALSE(is_verdict(errc::broker_error));
}

}  // namespace
}  // namespace oslo::messaging::protocol
