// What the caller of a deferred handler gets when the handler throws.
#include <gtest/gtest.h>

#include <boost/describe/class.hpp>
#include <future>
#include <oslo/messaging/blocking.hpp>
#include <oslo/messaging/rpc.hpp>
#include <stdexcept>

#include "support/log_lines.hpp"

namespace oslo::messaging::rpc {

struct note_args {
  std::string text;
};
BOOST_DESCRIBE_STRUCT(note_args, (), (text))

namespace {

using namespace std::chrono_literals;

class responders : public ::testing::Test {
 protected:
  testing::log_lines log;
  transport bus = open_transport("fake://", {.log = log.into()});
  std::shared_ptr<endpoint> methods = std::make_shared<endpoint>();
  std::optional<server> running;
  blocking::client client{bus, {.topic = "responders"}, {.timeout = 20s}};

  void serve() {
    running.emplace(bus, target{.topic = "responders", .server = "s"}, std::vector{methods},
                    server_options{.executor = inline_executor()});
    running->start();
  }
  failure error_of(std::string_view method) {
    const auto r = client.try_call(method, {});
    return r.has_error() ? r.error() : failure();
  }
};

TEST_F(responders, what_a_handler_throws_that_has_taken_its_responder_is_the_answer) {
  methods->bind("by_value", [](responder<int>) { throw std::out_of_range("gone"); });
  methods->bind("by_reference", [](const responder<int>&) { throw std::out_of_range("gone"); });
  methods->bind("moved", [](responder<int> r) {
    const auto mine = std::move(r);
    throw std::out_of_range("gone");
  });
  serve();
  for (const char* method : {"by_value", "by_reference", "moved"}) {
    const auto why = error_of(method);
    ASSERT_NE(why.remote(), nullptr) << method;
    EXPECT_EQ(why.remote()->type, "IndexError") << method;
    EXPECT_EQ(why.remote()->message, "gone") << method;
  }
  EXPECT_EQ(log.count(log_level::error, "Exception during message handling ("), 3);
}

TEST_F(responders, what_is_thrown_while_another_owner_has_the_responder_is_the_answer) {
  std::optional<responder<int>> kept;
  methods->bind("kept", [&](responder<int> r) {
    kept = std::move(r);
    throw std::out_of_range("gone");
  });
  serve();
  EXPECT_EQ(error_of("kept").remote()->type, "IndexError");
  kept->reply(1);  // too late, and harmless
  kept.reset();
}

TEST_F(responders, a_failure_without_an_exception_is_one) {
  methods->bind("null", [](responder<int> r) { r.fail(std::exception_ptr()); });
  serve();
  const auto why = error_of("null");
  ASSERT_NE(why.remote(), nullptr);
  EXPECT_EQ(why.remote()->message, "The handler failed without an exception.");
}

TEST_F(responders, arguments_by_reference_live_until_the_answer) {
  std::optional<responder<std::string>> kept;
  const note_args* seen = nullptr;
  std::promise<void> arrived;
  methods->bind("note", [&](const note_args& args, responder<std::string> r) {
    seen = &args;
    kept = std::move(r);
    arrived.set_value();
  });
  serve();
  const std::string text(1'000, 'x');
  std::promise<result<std::string>> answer;
  rpc::detail::start_call(client.async(), "note", {}, R"({"text": ")" + text + "\"}", {},
                          [&](result<std::string> r) { answer.set_value(std::move(r)); });
  arrived.get_future().get();
  kept->reply(seen->text);
  EXPECT_EQ(answer.get_future().get().value(), '"' + text + '"');
}

TEST_F(responders, what_is_thrown_after_the_answer_is_a_line_in_the_log) {
  methods->bind("answered", [](responder<int> r) {
    r.reply(5);
    throw std::out_of_range("gone");
  });
  serve();
  EXPECT_EQ(client.call("answered", {}), 5);
  EXPECT_TRUE(log.wait_for(
      log_level::error,
      "Exception during message handling after its reply (answered): IndexError: gone"));
}

TEST_F(responders, expected_exceptions_are_expected_of_deferred_handlers_too) {
  methods->bind("expected", [](responder<int>) { throw std::out_of_range("gone"); })
      .expect<std::out_of_range>();
  methods
      ->bind("late",
             [](responder<int> r) {
               r.reply(5);
               throw std::out_of_range("gone");
             })
      .expect<std::out_of_range>();
  serve();
  EXPECT_EQ(error_of("expected").remote()->type, "IndexError");
  EXPECT_EQ(client.call("late", {}), 5);
  EXPECT_TRUE(log.wait_for(log_level::debug, "after its reply (late): IndexError: gone"));
  EXPECT_EQ(log.count(log_level::error, ""), 0);
}

TEST_F(responders, a_dropped_responder_is_an_error_once_the_handler_has_returned) {
  methods->bind("dropped", [](responder<int>) {});
  methods->bind("caught", [](responder<int> r) {
    try {
      const auto mine = std::move(r);
      throw std::out_of_range("gone");
    } catch (const std::out_of_range&) {
    }
  });
  serve();
  for (const char* method : {"dropped", "caught"})
    EXPECT_EQ(error_of(method).remote()->message,
              "The handler dropped the request without a reply.");
}

TEST_F(responders, arguments_that_cannot_be_read_are_an_error_of_the_caller) {
  methods->bind("typed", [](const std::map<std::string, int>&, responder<int>) {});
  serve();
  const auto r = client.try_call("typed", {}, value{{"a", "x"}});
  ASSERT_TRUE(r.has_error());
  EXPECT_EQ(r.error().remote()->type, "TypeError");
  EXPECT_EQ(r.error().remote()->message, "args.a: expected int, got string");
}

}  // namespace
}  // namespace oslo::messaging::rpc
