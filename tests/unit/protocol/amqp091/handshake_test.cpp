#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "support/amqp_script.hpp"

using namespace amqp_script;
using testing::ElementsAre;

namespace {

const std::string hello = bytes("\"AMQP\" 00 00 09 01");

std::string start_ok_of(connection_options options) {
  client c{std::move(options)};
  EXPECT_EQ(c.sent(), hello);
  c.feed(start("PLAIN AMQPLAIN EXTERNAL"));
  return c.sent();
}

TEST(amqp_handshake, goes_through_in_three_steps) {
  client c{{.vhost = "/"}};
  EXPECT_TRUE(c.machine.has_output());
  EXPECT_EQ(c.sent(), hello);
  EXPECT_FALSE(c.machine.has_output());
  c.feed(start());
  EXPECT_TRUE(
      c.sent().ends_with(bytes("08\"AMQPLAIN\" 00000023 05\"LOGIN\"'S'00000005\"guest\" "
                               "08\"PASSWORD\"'S'00000005\"guest\" 05\"en_US\" ce")));
  c.feed(tune(2047, 131072, 60));
  EXPECT_EQ(c.sent(), method_hex(0, method::connection_tune_ok, "07ff 00020000 003c") +
                          method_hex(0, method::connection_open, "01 2f 00 00"));
  EXPECT_THAT(c.events(), ElementsAre());
  c.feed(open_ok());
  EXPECT_THAT(c.events(), ElementsAre("open"));
  EXPECT_EQ(c.sent(), "");
}

TEST(amqp_handshake, server_properties_are_handed_over) {
  struct : event_handler {
    field_table seen;
    void on_open(const field_table& t) override { seen = t; }
    void on_closed(const close_reason&) override {}
  } handler;
  client c{{}, handler};
  const field_table properties{{"product", "RabbitMQ"},
                               {"capabilities", field_table{{"basic.nack", true}}}};
  c.feed(start("AMQPLAIN", properties) + tune() + open_ok());
  EXPECT_EQ(handler.seen, properties);
}

TEST(amqp_handshake, client_properties_get_the_capabilities) {
  EXPECT_EQ(start_ok_of({.mechanism = "PLAIN",
                         .username = "u",
                         .password = "pw",
                         .client_properties = {{"product", "p"}}}),
            method_hex(0, method::connection_start_ok,
                       "000000ac 07\"product\"'S'00000001\"p\" 0c\"capabilities\"'F'0000008c "
                       "1c\"authentication_failure_close\"'t'01 12\"connection.blocked\"'t'01 "
                       "16\"consumer_cancel_notify\"'t'01 12\"publisher_confirms\"'t'01 "
                       "0a\"basic.nack\"'t'01 1a\"exchange_exchange_bindings\"'t'01 "
                       "05\"PLAIN\" 00000005 00\"u\"00\"pw\" 05\"en_US\""));
}

TEST(amqp_handshake, given_capabilities_are_kept) {
  const std::string out = start_ok_of(
      {.client_properties = {{"capabilities", field_table{{"connection.blocked", false}}},
                             {"product", "p"}}});
  EXPECT_NE(out.find(bytes("0c\"capabilities\"'F'0000008c 12\"connection.blocked\"'t'00 "
                           "1c\"authentication_failure_close\"'t'01")),
            out.npos);
}

TEST(amqp_handshake, external_sends_no_credentials) {
  const std::string out =
      start_ok_of({.mechanism = "EXTERNAL", .username = "u", .password = "secret"});
  EXPECT_TRUE(out.ends_with(bytes("08\"EXTERNAL\" 00000000 05\"en_US\" ce")));
  EXPECT_EQ(out.find("secret"), out.npos);
}

TEST(amqp_handshake, options_are_checked_at_once) {
  EXPECT_THROW(client({.mechanism = "RABBIT-CR-DEMO"}), std::invalid_argument);
  EXPECT_THROW(client({.frame_max = 4095}), std::invalid_argument);
}

std::string too_long(connection_options options) {
  try {
    client c{std::move(options)};
    return "";
  } catch (const std::length_error& e) {
    return e.what();
  }
}

TEST(amqp_handshake, what_is_too_long_is_named) {
  EXPECT_EQ(too_long({.vhost = std::string(255, 'v')}), "");
  EXPECT_EQ(too_long({.vhost = std::string(256, 'v')}),
            "The virtual host takes 256 bytes, and AMQP allows 255.");
  for (const char* mechanism : {"PLAIN", "AMQPLAIN"}) {
    const auto login = [&](std::size_t password) {
      return too_long(
          {.mechanism = mechanism, .username = "me", .password = std::string(password, '?')});
    };
    std::size_t most = 3000;
    while (most < 5000 && login(most + 1).empty()) ++most;
    EXPECT_EQ(login(most + 1), "The user name and password take " + std::to_string(most + 3) +
                                   " bytes together, and the login has room for " +
                                   std::to_string(most + 2) + ".");
    EXPECT_EQ(login(9998),
              "The user name and password take 10000 bytes together, and the login has "
              "room for " +
                  std::to_string(most + 2) + ".");
    client fits{{.mechanism = mechanism, .username = "me", .password = std::string(most, '?')}};
    fits.sent();
    fits.feed(start());
    EXPECT_EQ(fits.sent().size(), 4096u);
  }
  EXPECT_THAT(too_long({.client_properties = {{"x", std::string(5000, 'x')}}}),
              testing::MatchesRegex("The client properties take [0-9]+ bytes too many for the "
                                    "login, which AMQP limits to 4096 bytes."));
  EXPECT_THAT(too_long({.mechanism = "EXTERNAL",
                        .password = std::string(5000, '?'),
                        .client_properties = {{"x", std::string(4000, 'x')}}}),
              testing::StartsWith("The client properties take "));
}

struct tuning {
  std::uint16_t ours_channels, theirs_channels, channels;
  std::uint32_t ours_frame, theirs_frame, frame;
  std::uint16_t ours_heartbeat, theirs_heartbeat, heartbeat;
};

TEST(amqp_handshake, tune_takes_the_smaller_and_zero_means_no_limit) {
  const tuning cases[] = {
      {2047, 0, 2047, 131072, 0, 131072, 60, 0, 60},
      {2047, 100, 100, 131072, 4096, 4096, 60, 10, 10},
      {100, 2047, 100, 8192, 131072, 8192, 10, 60, 10},
      {0, 7, 7, 131072, 0xFFFFFFFF, 131072, 0, 60, 0},
      {0, 0, 65535, 131072, 131072, 131072, 0, 0, 0},
  };
  for (const tuning& t : cases) {
    client c{
        {.heartbeat = t.ours_heartbeat, .frame_max = t.ours_frame, .channel_max = t.ours_channels}};
    c.feed(start());
    c.sent();
    c.feed(tune(t.theirs_channels, t.theirs_frame, t.theirs_heartbeat));
    EXPECT_TRUE(c.sent().starts_with(method_frame(0, method::connection_tune_ok, [&](writer& w) {
      w.u16(t.channels);
      w.u32(t.frame);
      w.u16(t.heartbeat);
    })));
    // And they are kept to.
    c.feed(open_ok());
    EXPECT_EQ(c.machine.next_deadline(),
              t.heartbeat == 0 ? instant::max() : c.now + std::chrono::seconds{t.heartbeat} / 2);
    const channel_id ch = c.channel();
    c.machine.publish(ch, "", "q", false, {}, std::string(t.frame, 'b'));
    EXPECT_EQ(c.sent(), method_hex(ch, method::basic_publish, "0000 00 01\"q\" 00") +
                            content(ch, std::string(t.frame, 'b'), {}, t.frame - 8));
  }
}

TEST(amqp_handshake, smaller_frames_than_4096_are_refused) {
  for (const std::uint32_t frame_max : {1u, 8u, 4095u}) {
    client c;
    c.feed(start() + tune(0, frame_max, 0));
    EXPECT_THAT(c.events(),
                ElementsAre("closed protocol 501 The broker broke the protocol: it asks for frames "
                            "of " +
                            std::to_string(frame_max) +
                            " bytes at most, and 4096 is the minimum (connection.tune, channel "
                            "0)."));
  }
}

TEST(amqp_handshake, mechanism_must_be_offered) {
  client c{{.mechanism = "EXTERNAL", .password = "secret"}};
  c.sent();
  c.feed(start("PLAIN AMQPLAIN EXTERNALLY"));
  EXPECT_THAT(c.events(),
              ElementsAre("closed protocol 403 The broker does not offer the login mechanism "
                          "EXTERNAL, only \"PLAIN AMQPLAIN EXTERNALLY\"."));
  EXPECT_EQ(c.sent(), "");
}

TEST(amqp_handshake, verdicts_of_the_broker_are_reported) {
  client refused;
  refused.feed(start());
  refused.sent();
  refused.feed(close_frame(0, 403, "ACCESS_REFUSED - Login was refused"));
  EXPECT_THAT(refused.events(),
              ElementsAre("closed broker 403 ACCESS_REFUSED - Login was refused"));
  EXPECT_EQ(refused.sent(), close_ok(0));

  client no_vhost{{.vhost = "nope"}};
  no_vhost.feed(start() + tune());
  no_vhost.sent();
  no_vhost.feed(close_frame(0, 530, "NOT_ALLOWED - vhost nope not found", method::connection_open));
  EXPECT_THAT(no_vhost.events(),
              ElementsAre("closed broker 530 NOT_ALLOWED - vhost nope not found"));
  EXPECT_EQ(no_vhost.sent(), close_ok(0));
}

TEST(amqp_handshake, end_of_the_stream_tells_the_step) {
  client early;
  early.machine.on_stream_end("reset by peer", early.now);
  EXPECT_THAT(early.events(), ElementsAre("closed transport 0 The connection ended while waiting "
                                          "for connection.start: reset by peer"));
  client late;
  late.feed(start());
  late.machine.on_stream_end("", late.now);
  EXPECT_THAT(late.events(),
              ElementsAre("closed transport 0 The connection ended while waiting for "
                          "connection.tune, after the credentials were sent."));
  late.machine.on_stream_end("", late.now);
  late.feed(tune());
  late.machine.on_tick(late.now + 1h);
  EXPECT_THAT(late.events(), ElementsAre());
}

TEST(amqp_handshake, takes_a_time_limited_time) {
  client c{{.handshake_timeout = 3s}};
  EXPECT_EQ(c.machine.next_deadline(), c.now + 3s);
  c.feed(start() + tune());
  c.machine.on_tick(c.now + 2999ms);
  EXPECT_THAT(c.events(), ElementsAre());
  c.machine.on_tick(c.now + 3s);
  EXPECT_THAT(c.events(),
              ElementsAre("closed timeout 0 The handshake took longer than 3000 ms, waiting for "
                          "connection.open-ok, after the virtual host was asked for."));
  EXPECT_EQ(c.machine.next_deadline(), instant::max());
}

TEST(amqp_handshake, close_ends_it_at_the_next_tick) {
  client c;
  c.sent();
  c.machine.close(200, "changed my mind", c.now);
  EXPECT_EQ(c.machine.next_deadline(), c.now);
  EXPECT_EQ(c.sent(), "");
  c.machine.on_tick(c.now);
  EXPECT_THAT(c.events(), ElementsAre("closed local 200 changed my mind"));
}

TEST(amqp_handshake, nothing_else_may_be_asked_for_before) {
  client c;
  EXPECT_THROW(c.machine.open_channel(), std::logic_error);
  EXPECT_THROW(c.machine.publish(1, "", "q", false, {}, ""), std::logic_error);
  EXPECT_THROW(c.machine.queue_declare(1, 1, "q", false, false, false, false, {}),
               std::logic_error);
}

struct garbage {
  const char* what;
  std::string input;
  std::string_view line;
};

TEST(amqp_handshake, peers_that_are_no_broker_are_recognised) {
  const garbage cases[] = {
      {"version", bytes("\"AMQP\" 00 00 09 01"),
       "closed protocol 540 The broker broke the protocol: it speaks version 0-0-9-1 of AMQP and "
       "not 0-9-1."},
      {"AMQP 1.0 with SASL", bytes("\"AMQP\" 03 01 00 00"),
       "closed protocol 540 The broker broke the protocol: it speaks version 3-1-0-0 of AMQP and "
       "not 0-9-1."},
      {"web server", "HTTP/1.1 400 Bad Request\r\n",
       "closed protocol 501 The broker broke the protocol: it does not speak AMQP, its first bytes "
       "are \"HTTP/1.1 400 Bad\", which looks like HTTP."},
      {"TLS alert", bytes("15 03 01 00 02 02 46"),
       "closed protocol 501 The broker broke the protocol: it does not speak AMQP, its first bytes "
       "are \"\\x15\\x03\\x01\\x00\\x02\\x02F\", which looks like TLS."},
      {"nearly", bytes("\"AMQX\""),
       "closed protocol 501 The broker broke the protocol: it does not speak AMQP, its first bytes "
       "are \"AMQX\"."},
      {"old", method_hex(0, method::connection_start, "00 08 00000000 00000000 00000000"),
       "closed protocol 540 The broker broke the protocol: it speaks version 0-8 of AMQP and not "
       "0-9 (connection.start, channel 0)."},
  };
  for (const garbage& g : cases) {
    client c;
    c.sent();
    c.feed(g.input);
    EXPECT_THAT(c.events(), ElementsAre(std::string{g.line})) << g.what;
    EXPECT_EQ(c.sent(), "") << g.what;
  }
  client slow;
  slow.feed_bytewise(bytes("\"AMQP\" 01 01 00"));
  EXPECT_THAT(slow.events(), ElementsAre());
  slow.feed(bytes("0a"));
  EXPECT_EQ(slow.events().size(), 1u);
}

TEST(amqp_handshake, methods_out_of_turn_end_it) {
  const std::pair<std::string, std::string> cases[] = {
      {tune(),
       "503 The broker broke the protocol: a method came while waiting for "
       "connection.start (connection.tune, channel 0)."},
      {start() + start(),
       "503 The broker broke the protocol: a method came while waiting for "
       "connection.tune, after the credentials were sent (connection.start, "
       "channel 0)."},
      {start() + open_ok(),
       "503 The broker broke the protocol: a method came while waiting for "
       "connection.tune, after the credentials were sent (connection.open-ok, "
       "channel 0)."},
      {start() + method_hex(0, method::connection_secure, "00000001 \"?\""),
       "503 The broker broke the protocol: it asks a question that the mechanism AMQPLAIN has not "
       "(connection.secure, channel 0)."},
      {start() + close_ok(0),
       "503 The broker broke the protocol: a method came while waiting for "
       "connection.tune, after the credentials were sent "
       "(connection.close-ok, channel 0)."},
      {start() + tune() + method_hex(0, method::connection_blocked, "00"),
       "503 The broker broke the protocol: a method came while waiting for connection.open-ok, "
       "after the virtual host was asked for (connection.blocked, channel 0)."},
      {start() + tune() + channel_open_ok(1),
       "504 The broker broke the protocol: a channel's frame came during the handshake "
       "(channel.open-ok, channel 1)."},
      {start() + tune() + frame(frame_type::header, 1, std::string(14, '\0')),
       "505 The broker broke the protocol: a content frame came during the handshake (channel 1)."},
      {start() + channel_open_ok(1),
       "504 The broker broke the protocol: a frame came for channel 1, but the highest is 0."},
  };
  for (const auto& [input, line] : cases) {
    client c;
    c.feed(input);
    EXPECT_THAT(c.events(), ElementsAre("closed protocol " + line));
    c.sent();
  }
}

TEST(amqp_handshake, frames_before_tune_are_small) {
  const auto with_padding = [](std::size_t size) {
    const std::size_t bare = start("AMQPLAIN", {{"x", ""}}).size();
    return start("AMQPLAIN", {{"x", std::string(size - bare, 'x')}});
  };
  client c;
  c.feed(with_padding(4096) + tune());
  EXPECT_NE(c.sent().find("LOGIN"), std::string::npos);
  client over;
  over.feed(with_padding(4097));
  EXPECT_THAT(over.events(),
              ElementsAre("closed protocol 501 The broker broke the protocol: a frame with 4089 "
                          "bytes of payload exceeds the limit of 4096 bytes for a frame."));
}

TEST(amqp_handshake, heartbeats_are_harmless) {
  client c;
  const std::string beat = frame(frame_type::heartbeat, 0, "");
  c.feed(start() + beat + tune() + beat + open_ok() + beat);
  EXPECT_THAT(c.events(), ElementsAre("open"));
}

}  // namespace
