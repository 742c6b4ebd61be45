// A codec of the application may throw anything: nothing is lost, and the error names the place.
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/describe/class.hpp>
#include <functional>
#include <oslo/messaging/blocking.hpp>
#include <oslo/messaging/notify.hpp>
#include <oslo/messaging/rpc.hpp>
#include <oslo/messaging/rpc/completion.hpp>

#include "support/recording_driver.hpp"

namespace oslo::messaging {

/// Its codec throws what std::stoi throws, and more.
struct hour {
  int h = 0;
};

template <>
struct json_codec<hour> {
  static void write(std::string& out, const hour& v) {
    if (v.h < 0) throw std::out_of_range("before the day");
    if (v.h > 24) throw v.h;
    if (v.h == 24) throw configuration_error({errc::invalid_config, "no such hour"});
    write_value(out, std::to_string(v.h));
  }
  static void read(json_reader& r, hour& v) {
    const auto text = read_value<std::string>(r);
    if (text == "number") throw 5;
    if (text == "config") throw configuration_error({errc::invalid_config, "no such hour"});
    v.h = std::stoi(text);
  }
};

/// Its codec writes what is no JSON.
struct scrawl {};

template <>
struct json_codec<scrawl> {
  static void write(std::string& out, const scrawl&) { out += "gar{bage"; }
  static void read(json_reader& r, scrawl&) { r.skip_value(); }
};

namespace rpc {

struct meeting {
  std::vector<hour> when{};
};
BOOST_DESCRIBE_STRUCT(meeting, (), (when))

namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;

inline constexpr method<meeting()> next{"next"};
inline constexpr method<int(meeting)> book{"book"};

struct row {
  const char* text;
  const char* error;
};
const row unreadable[] = {
    {R"({"when": ["1", "x"]})", "when[1]: cannot be read: stoi"},
    {R"({"when": ["99999999999"]})", "when[0]: cannot be read: stoi"},
    {R"({"when": ["number"]})", "when[0]: cannot be read: an exception that is no std::exception"},
    {R"({"when": ["1", "2", "config"]})", "when[2]: cannot be read: no such hour"},
    {R"({"when": [7]})", "when[0]: expected string, got int"},
};

const std::pair<int, const char*> unwritable[] = {
    {-1, "A value cannot be written: before the day"},
    {24, "A value cannot be written: no such hour"},
    {25, "A value cannot be written: an exception that is no std::exception"},
};

template <class F>
failure error_of(F f) {
  try {
    f();
  } catch (const messaging_error& e) {
    return e.failure();
  }
  return {};
}

template <class T>
T run(asio::awaitable<T> work) {
  asio::io_context io;
  auto done = asio::co_spawn(io, std::move(work), asio::use_future);
  io.run();
  return done.get();
}

inline constexpr method<int(scrawl)> scribble{"scribble"};

class codec_errors : public ::testing::Test {
 protected:
  std::shared_ptr<testing::recorder> sent = std::make_shared<testing::recorder>();
  transport bus = testing::open_recording(sent);
  client c{bus, {.topic = "t"}};
  blocking::client b{c};
};

TEST_F(codec_errors, a_result_that_cannot_be_read_is_malformed_in_every_form_of_a_call) {
  const std::function<failure()> forms[] = {
      [&] { return b.try_call(next, {}).error(); },
      [&] { return error_of([&] { b.call(next, {}); }); },
      [&] { return run(c.try_call(next, {})).error(); },
      [&] { return error_of([&] { run(c.call(next, {})); }); },
      [&] { return async_try_call(c, next, {}, asio::use_future).get().error(); },
      [&] { return error_of([&] { async_call(c, next, {}, asio::use_future).get(); }); },
  };
  for (const auto& r : unreadable)
    for (const auto& form : forms) {
      sent->answer(reply{r.text});
      const auto why = form();
      EXPECT_EQ(why.code(), errc::malformed_message);
      EXPECT_EQ(why.message(), std::string("result.") + r.error);
    }
}

TEST_F(codec_errors, arguments_that_cannot_be_written_are_an_error_in_every_form) {
  for (const auto& [h, text] : unwritable) {
    const meeting args{{{h}}};
    const std::function<failure()> forms[] = {
        [&] { return b.try_call(book, {}, args).error(); },
        [&] { return error_of([&] { b.call(book, {}, args); }); },
        [&] { return b.try_cast(book, {}, args).error(); },
        [&] { return run(c.try_call(book, {}, args)).error(); },
        [&] { return error_of([&] { run(c.call(book, {}, args)); }); },
        [&] { return error_of([&] { run(c.cast(book, {}, args)); }); },
        [&] { return async_try_call(c, book, {}, args, asio::use_future).get().error(); },
        [&] { return error_of([&] { async_call(c, book, {}, args, asio::use_future).get(); }); },
        [&] { return async_try_cast(c, book, {}, args, asio::use_future).get().error(); },
    };
    for (const auto& form : forms) {
      const auto why = form();
      EXPECT_EQ(why.code(), errc::serialization_failed);
      EXPECT_EQ(why.message(), text);
    }
  }
  EXPECT_TRUE(sent->sent().empty());
}

TEST_F(codec_errors, a_payload_that_cannot_be_written_is_a_report) {
  const notify::notifier n(bus, {.drivers = {{"messaging"}}});
  const meeting payload{{{-1}}};
  const auto why = run(n.info({}, "event", payload));
  ASSERT_TRUE(why.has_error());
  EXPECT_EQ(why.error().code(), errc::serialization_failed);
}

TEST_F(codec_errors, a_payload_that_is_no_json_is_not_sent) {
  const notify::notifier n(bus, {.drivers = {{"messaging"}}, .topics = {{"t"}}});
  const auto why = run(n.info({}, "event", scrawl()));
  ASSERT_TRUE(why.has_error());
  EXPECT_EQ(why.error().code(), errc::serialization_failed);
  notify::outbox box(n);
  const auto refused = box.post_json(notify::priority::info, {}, "event", "{} {}");
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error().code(), errc::serialization_failed);
  EXPECT_TRUE(sent->sent().empty());
}

TEST(codec_errors_of_a_server, are_a_type_error_that_names_the_argument) {
  const auto bus = open_transport("fake://");
  auto methods = std::make_shared<endpoint>();
  methods->bind("plain", [](const meeting&) {});
  methods->bind("later", [](const meeting&, responder<void>) {});
  methods->bind("coroutine", [](const meeting&) -> asio::awaitable<void> { co_return; });
  server s(bus, {.topic = "codecs", .server = "s"}, {methods});
  s.start();
  const blocking::client c(bus, {.topic = "codecs"}, {.timeout = 20s});
  for (const auto& r : unreadable)
    for (const char* method : {"plain", "later", "coroutine"}) {
      const auto answer = c.try_call(method, {}, parse_json(r.text));
      ASSERT_TRUE(answer.has_error());
      ASSERT_NE(answer.error().remote(), nullptr) << answer.error().message();
      EXPECT_EQ(answer.error().remote()->type, "TypeError");
      EXPECT_EQ(answer.error().remote()->message, std::string("args.") + r.error);
    }
}

TEST(codec_errors_of_a_server, are_thrown_by_a_responder_as_its_errors) {
  const auto bus = open_transport("fake://");
  auto methods = std::make_shared<endpoint>();
  errc code{};
  methods->bind("later", [&](responder<meeting> r) {
    code = error_of([&] { r.reply(meeting{{{-1}}}); }).code();
    r.reply(meeting{{{1}}});
  });
  server s(bus, {.topic = "codecs", .server = "s"}, {methods});
  s.start();
  const blocking::client c(bus, {.topic = "codecs"}, {.timeout = 20s});
  EXPECT_EQ(c.call("later", {}), (value{{"when", {"1"}}}));
  EXPECT_EQ(code, errc::serialization_failed);
}

TEST_F(codec_errors, arguments_that_are_written_as_no_json_are_not_sent) {
  constexpr auto text =
      "A value is not written as one JSON value: Malformed JSON at byte 0: expected a value, got "
      "'g'";
  for (const auto& why :
       {b.try_call(scribble, {}, scrawl()).error(), b.try_cast(scribble, {}, scrawl()).error()}) {
    EXPECT_EQ(why.code(), errc::serialization_failed);
    EXPECT_EQ(why.message(), text);
  }
  EXPECT_TRUE(sent->sent().empty());
}

TEST(codec_errors_of_a_server, that_write_no_json_are_thrown_by_a_responder) {
  const auto bus = open_transport("fake://");
  auto methods = std::make_shared<endpoint>();
  failure why;
  methods->bind("later", [&](responder<scrawl> r) {
    why = error_of([&] { r.reply(scrawl()); });
    EXPECT_TRUE(r.pending());
    r.fail(std::runtime_error("another answer"));
  });
  server s(bus, {.topic = "codecs", .server = "s"}, {methods});
  s.start();
  const blocking::client c(bus, {.topic = "codecs"}, {.timeout = 20s});
  const auto answer = c.try_call("later", {});
  ASSERT_NE(answer.error().remote(), nullptr);
  EXPECT_EQ(answer.error().remote()->message, "another answer");
  EXPECT_EQ(why.code(), errc::serialization_failed);
}

/// A reply that holds it would be dropped as malformed, and the caller wait for nothing.
TEST(codec_errors_of_a_server, that_write_no_json_are_errors_of_the_method) {
  const auto bus = open_transport("fake://");
  auto methods = std::make_shared<endpoint>();
  methods->bind("plain", [] { return scrawl(); });
  methods->bind("later", [](responder<scrawl> r) { r.reply(scrawl()); });
  methods->bind("coroutine", []() -> asio::awaitable<scrawl> { co_return scrawl(); });
  server s(bus, {.topic = "codecs", .server = "s"}, {methods});
  s.start();
  const blocking::client c(bus, {.topic = "codecs"}, {.timeout = 20s});
  for (const char* method : {"plain", "later", "coroutine"}) {
    const auto answer = c.try_call(method, {});
    ASSERT_TRUE(answer.has_error());
    ASSERT_NE(answer.error().remote(), nullptr) << answer.error().message();
    EXPECT_EQ(
        answer.error().remote()->message,
        "A value is not written as one JSON value: Malformed JSON at byte 0: expected a value, "
        "got 'g'");
  }
}

}  // namespace
}  // namespace rpc
}  // namespace oslo::messaging
