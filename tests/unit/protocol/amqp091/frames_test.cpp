// Hostile input on an open connection: each ends it with the code of the specification and a text
// that says what was wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/amqp_script.hpp"

using namespace amqp_script;
using testing::ElementsAre;

namespace {

struct attack {
  const char* what;
  std::string input;
  int code;
  const char* text;
};

std::string header_of(std::string_view notation) {
  return deliver_method(1, 1) + frame(frame_type::header, 1, bytes(notation));
}

TEST(amqp_frames, violations_close_the_connection) {
  const attack attacks[] = {
      {"frame type 0", bytes("00 0000 00000000 ce"), 501, "a frame has the unknown type 0"},
      {"frame type 4", bytes("04 0000 00000000 ce"), 501, "a frame has the unknown type 4"},
      {"type of the next frame", frame(frame_type::heartbeat, 0, "") + "A", 501,
       "a frame has the unknown type 65"},
      {"end byte", bytes("08 0000 00000000 cd"), 501, "a frame does not end with the byte 206"},
      {"end byte of a method", bytes("01 0001 00000004 003c000b 00"), 501,
       "a frame does not end with the byte 206 (channel 1)"},
      {"size", bytes("03 0001 0001fff9"), 501,
       "a frame with 131065 bytes of payload exceeds the limit of 131072 bytes for a frame"},
      {"largest size", bytes("01 0001 ffffffff"), 501,
       "a frame with 4294967295 bytes of payload exceeds the limit of 131072 bytes for a frame"},
      {"channel above the limit", bytes("01 0800 00000004"), 504,
       "a frame came for channel 2048, but the highest is 2047"},
      {"channel not open", method_frame(2, method::basic_qos_ok), 504,
       "a frame came for a channel that is not open (basic.qos-ok, channel 2)"},
      {"header on a channel not open", header_frame(7, 0), 504,
       "a frame came for a channel that is not open (channel 7)"},
      {"body on a channel not open", frame(frame_type::body, 7, "x"), 504,
       "a frame came for a channel that is not open (channel 7)"},
      {"content on channel 0", frame(frame_type::body, 0, "x"), 504,
       "a content frame came on channel 0"},
      {"heartbeat on a channel", frame(frame_type::heartbeat, 1, ""), 501,
       "a heartbeat has a channel or a payload (channel 1)"},
      {"heartbeat with a payload", frame(frame_type::heartbeat, 0, "x"), 501,
       "a heartbeat has a channel or a payload"},
      {"method without id", frame(frame_type::method, 1, "abc"), 501,
       "a method frame has no room for a method (channel 1)"},
      {"unknown method", frame(frame_type::method, 1, bytes("003c 0abc")), 503,
       "a method came where no answer was due (channel 1)"},
      {"unknown class", frame(frame_type::method, 1, bytes("0bad 000a")), 503,
       "a method came where no answer was due (channel 1)"},
      {"method of a client", method_hex(1, method::basic_publish, "0000 00 00 00"), 503,
       "a method came where no answer was due (basic.publish, channel 1)"},
      {"get-ok unasked", method_hex(1, method::basic_get_ok, "0000000000000001 00 00 00 00000000"),
       503, "a method came where no answer was due (basic.get-ok, channel 1)"},
      {"connection class on a channel", close_ok(0).replace(2, 1, "\x01"), 503,
       "a method of class 10 came on a channel that it does not belong to (connection.close-ok, "
       "channel 1)"},
      {"other class on channel 0", method_frame(0, method::basic_qos_ok), 503,
       "a method of class 60 came on a channel that it does not belong to (basic.qos-ok, channel "
       "0)"},
      {"second start", start(), 503,
       "a method came that is not expected (connection.start, channel 0)"},
      {"close-ok unasked", close_ok(0), 503,
       "a method came that is not expected (connection.close-ok, channel 0)"},
      {"channel.open-ok twice", channel_open_ok(1), 503,
       "a method came where no answer was due (channel.open-ok, channel 1)"},
      {"channel.close-ok unasked", close_ok(1), 503,
       "a method came where no answer was due (channel.close-ok, channel 1)"},
      {"short string beyond the frame", method_hex(1, method::basic_cancel, "05\"abc\""), 502,
       "a short string of 5 bytes does not fit in the 3 that are left (basic.cancel, channel 1)"},
      {"long string beyond the frame", method_hex(0, method::connection_blocked, "ff"), 502,
       "a short string of 255 bytes does not fit in the 0 that are left (connection.blocked, "
       "channel 0)"},
      {"missing argument", method_hex(1, method::basic_cancel, "03\"abc\""), 502,
       "an octet of 1 bytes does not fit in the 0 that are left (basic.cancel, channel 1)"},
      {"trailing bytes", method_hex(1, method::basic_cancel, "03\"abc\" 00 00"), 502,
       "1 bytes are left over (basic.cancel, channel 1)"},
      {"trailing bytes of deliver",
       method_hex(1, method::basic_deliver, "01\"1\" 0000000000000001 00 00 00 00"), 502,
       "1 bytes are left over (basic.deliver, channel 1)"},
      {"header without method", header_frame(1, 0), 505,
       "a content header came where none was due (channel 1)"},
      {"body without method", frame(frame_type::body, 1, "x"), 505,
       "a content body came where none was due (channel 1)"},
      {"body without header", deliver_method(1, 1) + frame(frame_type::body, 1, "x"), 505,
       "a content body came where none was due (channel 1)"},
      {"two headers", deliver_method(1, 1) + header_frame(1, 5) + header_frame(1, 5), 505,
       "a content header came where none was due (channel 1)"},
      {"method instead of header", deliver_method(1, 1) + deliver_method(1, 2), 505,
       "a method came where the content of a message had to go on (basic.deliver, channel 1)"},
      {"method instead of body", deliver_method(1, 1) + header_frame(1, 5) + close_ok(1), 505,
       "a method came where the content of a message had to go on (channel.close-ok, channel 1)"},
      {"short header", header_of("003c 0000 0000000000000000 00"), 501,
       "a content header is too short (basic.deliver, channel 1)"},
      {"header of another class", header_of("0032 0000 0000000000000000 0000"), 501,
       "a content header has class 50 and weight 0 (basic.deliver, channel 1)"},
      {"weight", header_of("003c 0001 0000000000000000 0000"), 501,
       "a content header has class 60 and weight 1 (basic.deliver, channel 1)"},
      {"body too long",
       deliver_method(1, 1) + header_frame(1, 3) + frame(frame_type::body, 1, "abcd"), 501,
       "a body is 1 bytes longer than its header says (basic.deliver, channel 1)"},
      {"second piece too long",
       deliver_method(1, 1) + header_frame(1, 3) + frame(frame_type::body, 1, "ab") +
           frame(frame_type::body, 1, "cd"),
       501, "a body is 1 bytes longer than its header says (basic.deliver, channel 1)"},
      {"body after the end", deliver(1, 1, "x") + frame(frame_type::body, 1, "y"), 505,
       "a content body came where none was due (channel 1)"},
      {"delivery tag again", deliver(1, 5, "x") + deliver(1, 5, "x"), 503,
       "the delivery tag 5 follows 5 (basic.deliver, channel 1)"},
      {"delivery tag 0", deliver(1, 0, "x"), 503,
       "the delivery tag 0 follows 0 (basic.deliver, channel 1)"},
  };
  for (const attack& a : attacks) {
    client c;
    c.open().channel();
    c.feed(a.input);
    const std::vector<std::string> events = c.events();
    ASSERT_FALSE(events.empty()) << a.what;
    EXPECT_EQ(events.back(), "closed protocol " + std::to_string(a.code) +
                                 " The broker broke the protocol: " + a.text + ".")
        << a.what;
    // The broker is told, with the ids of the method at fault.
    const std::string out = c.sent();
    std::string told;
    writer w{told};
    w.u16(static_cast<std::uint16_t>(a.code));
    w.shortstr(a.text);
    EXPECT_NE(out.find(told), out.npos) << a.what;
    EXPECT_EQ(out.rfind(bytes("000a0032")), out.find(told) - 4) << a.what;
    // And nothing more is heard.
    c.feed(deliver(1, 99, "x"));
    c.machine.on_tick(c.now + 1h);
    c.machine.on_stream_end("", c.now);
    EXPECT_THAT(c.events(), ElementsAre()) << a.what;
  }
}

TEST(amqp_frames, method_before_open_ok_is_a_violation) {
  client c;
  c.open();
  const channel_id ch = c.machine.open_channel();
  c.machine.basic_qos(ch, 1, 1, false);
  c.feed(method_frame(ch, method::basic_qos_ok));
  EXPECT_THAT(c.events(), ElementsAre("closed protocol 503 The broker broke the protocol: a method "
                                      "came before channel.open-ok (basic.qos-ok, channel 1)."));
}

TEST(amqp_frames, unfinished_frame_is_no_event) {
  client c;
  const channel_id ch = c.open().channel();
  const std::string message = deliver(ch, 1, "body");
  c.feed(message.substr(0, message.size() - 1));
  EXPECT_THAT(c.events(), ElementsAre());
  c.machine.on_stream_end("reset", c.now);
  EXPECT_THAT(c.events(), ElementsAre("closed transport 0 The connection ended: reset"));
}

TEST(amqp_frames, largest_frame_is_taken) {
  client c;
  const channel_id ch = c.open().channel();
  c.feed(deliver(ch, 1, std::string(131064, 'x')));
  EXPECT_THAT(c.events(), ElementsAre("delivery 1 1 1 'openstack' 't' 'xxxxxxxxxx'+131054"));
}

}  // namespace
