#include "rpc/exceptions.hpp"

#include <gtest/gtest.h>

#include <new>
#include <oslo/messaging/rpc/remote_exception.hpp>
#include <stdexcept>
#include <system_error>

namespace oslo::messaging::rpc {
namespace {

struct row {
  const char* what;
  std::exception_ptr thrown;
  std::string module, type, message, args;
};

std::exception_ptr ours(errc code) {
  try {
    throw_failure({code, "text"});
  } catch (...) {
    return std::current_exception();
  }
}

TEST(exceptions, become_the_classes_that_a_python_peer_knows) {
  const row rows[] = {
      {"invalid_argument", std::make_exception_ptr(std::invalid_argument("m")), "builtins",
       "ValueError", "m", R"(["m"])"},
      {"domain_error", std::make_exception_ptr(std::domain_error("m")), "builtins", "ValueError",
       "m", R"(["m"])"},
      {"out_of_range", std::make_exception_ptr(std::out_of_range("m")), "builtins", "IndexError",
       "m", R"(["m"])"},
      {"overflow_error", std::make_exception_ptr(std::overflow_error("m")), "builtins",
       "OverflowError", "m", R"(["m"])"},
      {"bad_alloc", std::make_exception_ptr(std::bad_alloc()), "builtins", "MemoryError",
       "out of memory", R"(["out of memory"])"},
      {"runtime_error", std::make_exception_ptr(std::runtime_error("m \"q\"")), "builtins",
       "RuntimeError", "m \"q\"", R"(["m \"q\""])"},
      {"int", std::make_exception_ptr(7), "builtins", "RuntimeError", "unknown exception",
       R"(["unknown exception"])"},
      {"not UTF-8", std::make_exception_ptr(std::runtime_error("a\xff\xc3")), "builtins",
       "RuntimeError", "a\xef\xbf\xbd\xef\xbf\xbd", R"(["a\ufffd\ufffd"])"},
      {"timed_out", ours(errc::timed_out), "oslo_messaging.exceptions", "MessagingTimeout", "text",
       R"(["text"])"},
      {"undeliverable", ours(errc::undeliverable), "oslo_messaging.exceptions",
       "MessageUndeliverable", "text", R"(["text"])"},
      {"not_sent", ours(errc::not_sent), "oslo_messaging.exceptions", "MessageDeliveryFailure",
       "text", R"(["text"])"},
      {"no_such_method", ours(errc::no_such_method), "oslo_messaging.rpc.dispatcher",
       "NoSuchMethod", "text", R"(["text"])"},
      {"unsupported_version", ours(errc::unsupported_version), "oslo_messaging.rpc.dispatcher",
       "UnsupportedVersion", "text", R"(["text"])"},
      {"version_cap", ours(errc::version_cap), "oslo_messaging.rpc.client", "RPCVersionCapError",
       "text", R"(["text"])"},
      {"server_listen_error",
       std::make_exception_ptr(server_listen_error(failure(errc::unreachable, "text"))),
       "oslo_messaging.server", "ServerListenError", "text", R"(["text"])"},
      {"task_timeout", std::make_exception_ptr(task_timeout(failure(errc::timed_out, "text"))),
       "oslo_messaging.server", "TaskTimeout", "text", R"(["text"])"},
      {"access_refused", ours(errc::access_refused), "oslo_messaging.rpc.client", "ClientSendError",
       "text", R"(["text"])"},
      {"malformed_message", ours(errc::malformed_message), "builtins", "TypeError", "text",
       R"(["text"])"},
      {"our invalid_argument", ours(errc::invalid_argument), "builtins", "ValueError", "text",
       R"(["text"])"},
      {"closed", ours(errc::closed), "oslo_messaging.exceptions", "MessagingException", "text",
       R"(["text"])"},
      {"chosen", std::make_exception_ptr(remote_exception("m.n", "C", "txt")), "m.n", "C", "txt",
       R"(["txt"])"},
      {"chosen with arguments",
       std::make_exception_ptr(remote_exception("m.n", "C", "txt", {1, "x", nullptr})), "m.n", "C",
       "txt", R"([1, "x", null])"},
  };
  for (const auto& r : rows) {
    const auto f = describe(r.thrown);
    EXPECT_EQ(f.module, r.module) << r.what;
    EXPECT_EQ(f.type, r.type) << r.what;
    EXPECT_EQ(f.message, r.message) << r.what;
    EXPECT_EQ(f.args_json, r.args) << r.what;
    EXPECT_EQ(f.kwargs_json, "{}") << r.what;
    EXPECT_TRUE(f.traceback.empty()) << r.what;
  }
}

TEST(exceptions, of_the_dispatcher_have_their_text_as_the_one_argument_as_in_python) {
  const char* const text = "Endpoint does not support RPC version 1.4. Attempted method: m";
  const auto f = describe(
      std::make_exception_ptr(unsupported_version(failure(errc::unsupported_version, text))));
  EXPECT_EQ(f.module + '.' + f.type, "oslo_messaging.rpc.dispatcher.UnsupportedVersion");
  EXPECT_EQ(f.args_json, "[\"" + std::string(text) + "\"]");
}

TEST(exceptions, keyword_arguments_travel) {
  const auto f =
      describe(std::make_exception_ptr(remote_exception("m", "C", "txt", {}, {{"code", 404}})));
  EXPECT_EQ(f.kwargs_json, R"({"code": 404})");
}

TEST(exceptions, a_failure_of_a_third_party_passes_unchanged_but_for_the_mark_of_the_hop) {
  remote_failure there;
  there.type = "NotFound_Remote";
  there.module = "nova.exception_Remote";
  there.message = "no";
  there.traceback = {"tb\n"};
  there.args_json = "[5]";
  there.json = R"({"class": "NotFound_Remote"})";
  const auto f = describe(std::make_exception_ptr(remote_error(failure(there))));
  EXPECT_EQ(f.type, "NotFound");
  EXPECT_EQ(f.module, "nova.exception");
  EXPECT_EQ(f.message, "no");
  EXPECT_EQ(f.traceback, there.traceback);
  EXPECT_EQ(f.args_json, "[5]");
  EXPECT_EQ(f.json, "") << "the members count";
}

}  // namespace
}  // namespace oslo::messaging::rpc
