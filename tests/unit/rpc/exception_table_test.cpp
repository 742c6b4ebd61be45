#include <gtest/gtest.h>

#include <future>
#include <oslo/messaging/json.hpp>
#include <oslo/messaging/rpc/client.hpp>
#include <oslo/messaging/rpc/exception_table.hpp>

#include "rpc/exceptions.hpp"
#include "support/recording_driver.hpp"

namespace oslo::messaging::rpc {
namespace {

class not_found : public remote_error {
 public:
  using remote_error::remote_error;
};

class over_quota : public std::runtime_error {
 public:
  explicit over_quota(const std::string& m, std::int64_t n = 0) : std::runtime_error(m), limit(n) {}
  std::int64_t limit;
};

class far_over_quota : public over_quota {
 public:
  using over_quota::over_quota;
};

exception_table standard() {
  exception_table t;
  t.add<not_found>("nova.exception", "InstanceNotFound");
  t.add<std::out_of_range>("builtins", "KeyError");
  t.add<over_quota>(
      "nova.exception", "OverQuota",
      [](const remote_error& e) {
        return over_quota(e.message(), e.kwargs().at("limit").as_int64());
      },
      [](const over_quota& e) {
        return exception_values{e.what(), {"q", e.limit}, {{"limit", e.limit}}};
      });
  return t;
}

failure of_peer(std::string module, std::string type, std::string kwargs = "{}") {
  remote_failure f;
  f.module = std::move(module);
  f.type = std::move(type);
  f.message = "text";
  f.args_json = R"(["i-1", 2])";
  f.kwargs_json = std::move(kwargs);
  return failure(std::move(f));
}

TEST(exception_table, gives_classes_of_a_peer_a_type) {
  const auto t = standard();
  try {
    throw_failure(t.translate(of_peer("nova.exception", "InstanceNotFound", R"({"code": 404})")));
  } catch (const not_found& e) {
    EXPECT_EQ(e.args(), (array{"i-1", 2}));
    EXPECT_EQ(e.kwargs(), (object{{"code", 404}}));
    EXPECT_EQ(e.message(), "text");
    EXPECT_EQ(e.failure().code(), errc::remote_error);
  }
  try {
    throw_failure(t.translate(of_peer("builtins", "KeyError")));
  } catch (const std::out_of_range& e) {
    EXPECT_STREQ(e.what(), "text");
  }
  try {
    result<int> r = t.translate(of_peer("nova.exception", "OverQuota", R"({"limit": 7})"));
    r.value();
    FAIL();
  } catch (const over_quota& e) {
    EXPECT_EQ(e.limit, 7);
  }
}

TEST(exception_table, maps_nothing_that_it_does_not_name) {
  const auto t = standard();
  for (const auto& f : {of_peer("nova.exception", "Other"), of_peer("other", "InstanceNotFound"),
                        of_peer("builtins", "SystemExit"), of_peer("", "")}) {
    try {
      throw_failure(t.translate(f));
    } catch (const std::exception& e) {
      EXPECT_TRUE(typeid(e) == typeid(remote_error)) << f.remote()->type;
    }
  }
  EXPECT_THROW(throw_failure(t.translate(failure(errc::timed_out, "late"))), messaging_timeout);
}

TEST(exception_table, what_cannot_be_made_stays_a_remote_error) {
  // Its kwargs lack the limit, so the function throws.
  const auto f = standard().translate(of_peer("nova.exception", "OverQuota"));
  EXPECT_THROW(throw_failure(f), remote_error);
}

TEST(exception_table, names_the_class_for_a_thrown_type) {
  const auto t = standard();
  const auto quota = describe(std::make_exception_ptr(far_over_quota("much", 9)), &t);
  EXPECT_EQ(quota.module, "nova.exception");
  EXPECT_EQ(quota.type, "OverQuota");
  EXPECT_EQ(quota.message, "much");
  EXPECT_EQ(quota.args_json, R"(["q", 9])");
  EXPECT_EQ(quota.kwargs_json, R"({"limit": 9})");
  const auto key = describe(std::make_exception_ptr(std::out_of_range("k\xff")), &t);
  EXPECT_EQ(key.type, "KeyError");
  EXPECT_EQ(key.args_json, R"(["k\ufffd"])");
  EXPECT_EQ(describe(std::make_exception_ptr(std::range_error("r")), &t).type, "RuntimeError");
  EXPECT_EQ(describe(std::make_exception_ptr(7), &t).type, "RuntimeError");
}

TEST(exception_table, the_first_type_that_fits_names_the_class) {
  exception_table t;
  const auto values = [](const std::exception& e) { return exception_values{e.what()}; };
  const auto make = [](const remote_error& e) { return far_over_quota(e.message()); };
  t.add<far_over_quota>("m", "Far", make, values).add<over_quota>("m", "Near");
  EXPECT_EQ(describe(std::make_exception_ptr(far_over_quota("x")), &t).type, "Far");
  EXPECT_EQ(describe(std::make_exception_ptr(over_quota("x")), &t).type, "Near");
}

TEST(exception_table, a_class_has_one_type) {
  auto t = standard();
  try {
    t.add<over_quota>("builtins", "KeyError");
    FAIL();
  } catch (const configuration_error& e) {
    EXPECT_STREQ(e.what(), "The exception class builtins.KeyError has a C++ type already.");
  }
}

TEST(exception_table, an_exception_that_passes_through_keeps_its_class_over_every_hop) {
  const auto t = standard();
  // As a Python server in between would name it, had it allowed the module.
  auto f = of_peer("nova.exception_Remote", "InstanceNotFound_Remote");
  for (int hop = 0; hop < 3; ++hop) {
    std::exception_ptr thrown;
    try {
      throw_failure(t.translate(f));
    } catch (...) {
      thrown = std::current_exception();
    }
    const auto passed_on = describe(thrown, &t);
    EXPECT_EQ(passed_on.module, "nova.exception") << hop;
    EXPECT_EQ(passed_on.type, "InstanceNotFound") << hop;
    EXPECT_EQ(passed_on.args_json, R"(["i-1", 2])") << hop;
    f = failure(passed_on);
  }
  EXPECT_THROW(throw_failure(t.translate(f)), not_found);
}

TEST(exception_table, knows_the_exceptions_of_oslo_on_demand) {
  exception_table t;
  t.add_library_errors();
  const auto thrown_for = [&](const char* module, const char* type) -> std::string {
    try {
      throw_failure(t.translate(of_peer(module, type)));
    } catch (const no_such_method&) {
      return "no_such_method";
    } catch (const messaging_timeout&) {
      return "messaging_timeout";
    } catch (const task_timeout&) {
      return "task_timeout";
    } catch (const remote_error&) {
      return "remote_error";
    }
  };
  EXPECT_EQ(thrown_for("oslo_messaging.rpc.dispatcher", "NoSuchMethod"), "no_such_method");
  EXPECT_EQ(thrown_for("oslo_messaging.exceptions", "MessagingTimeout"), "messaging_timeout");
  EXPECT_EQ(thrown_for("oslo_messaging.server", "TaskTimeout"), "task_timeout");
  EXPECT_EQ(thrown_for("oslo_messaging.exceptions", "NoSuchMethod"), "remote_error");
}

TEST(exception_table, the_builtins_of_python_2_are_those_of_python_3) {
  const auto t = standard();
  EXPECT_THROW(throw_failure(t.translate(of_peer("exceptions", "KeyError"))), std::out_of_range);
  exception_table old;
  old.add<std::out_of_range>("exceptions", "KeyError");
  EXPECT_THROW(throw_failure(old.translate(of_peer("builtins", "KeyError"))), std::out_of_range);
  EXPECT_THROW(throw_failure(old.translate(of_peer("exceptions", "KeyError"))), std::out_of_range);
  EXPECT_EQ(describe(std::make_exception_ptr(std::out_of_range("k")), &old).module, "builtins");
  EXPECT_THROW(old.add<over_quota>("builtins", "KeyError"), configuration_error);
}

TEST(exception_table, can_be_narrowed_to_modules_and_builtins) {
  auto t = standard();
  t.add<far_over_quota>("cinder.exception", "Far");
  const auto cinder = t.only({"cinder.exception"});
  EXPECT_THROW(throw_failure(cinder.translate(of_peer("cinder.exception", "Far"))), far_over_quota);
  EXPECT_THROW(throw_failure(cinder.translate(of_peer("builtins", "KeyError"))), std::out_of_range);
  try {
    throw_failure(cinder.translate(of_peer("nova.exception", "InstanceNotFound")));
  } catch (const std::exception& e) {
    EXPECT_TRUE(typeid(e) == typeid(remote_error));
  }
  // The table that it was made from is as it was.
  EXPECT_THROW(throw_failure(t.translate(of_peer("nova.exception", "InstanceNotFound"))),
               not_found);
}

TEST(exception_table, a_client_maps_only_the_modules_that_it_allows) {
  const auto sent = std::make_shared<testing::recorder>();
  const auto bus = testing::open_recording(sent);
  const auto known = std::make_shared<exception_table>(standard());
  const auto thrown_for = [&](client_options o, const char* module, const char* type) {
    o.exceptions = known;
    // Also by the client that `prepare` makes.
    const auto c = client(bus, {.topic = "t"}, std::move(o)).prepare({.topic = "u"});
    sent->answer(of_peer(module, type));
    std::promise<std::string> done;
    rpc::detail::start_call(c, "m", {}, "{}", {}, [&](result<std::string> r) {
      try {
        r.value();
        done.set_value("nothing");
      } catch (const not_found&) {
        done.set_value("not_found");
      } catch (const std::out_of_range&) {
        done.set_value("out_of_range");
      } catch (const remote_error& e) {
        done.set_value("remote_error of " + e.module());
      }
    });
    return done.get_future().get();
  };
  const client_options all, none{.allowed_remote_exmods = std::vector<std::string>{}},
      nova{.allowed_remote_exmods = {{"cinder.exception", "nova.exception"}}};
  EXPECT_EQ(thrown_for(all, "nova.exception", "InstanceNotFound"), "not_found");
  EXPECT_EQ(thrown_for(nova, "nova.exception", "InstanceNotFound"), "not_found");
  EXPECT_EQ(thrown_for(none, "nova.exception", "InstanceNotFound"),
            "remote_error of nova.exception");
  EXPECT_EQ(thrown_for(none, "builtins", "KeyError"), "out_of_range");
  EXPECT_EQ(thrown_for(none, "exceptions", "KeyError"), "out_of_range");
}

// ---- tracebacks ---------------------------------------------------------------------------------

using lines = std::vector<std::string>;

lines traceback_of(const std::exception_ptr& error, tracebacks length,
                   const exception_table* table = nullptr) {
  auto f = describe(error, table);
  add_traceback(f, error, length, table, "method \"m\" of <Target topic=t>");
  return f.traceback;
}

std::exception_ptr nested() {
  try {
    try {
      throw std::out_of_range("no such key");
    } catch (...) {
      std::throw_with_nested(over_quota("too much"));
    }
  } catch (...) {
    return std::current_exception();
  }
}

TEST(tracebacks, are_off_brief_or_full) {
  const auto t = standard();
  const auto simple = std::make_exception_ptr(std::invalid_argument("bad"));
  EXPECT_EQ(traceback_of(simple, tracebacks::off), lines{});
  EXPECT_EQ(traceback_of(simple, tracebacks::brief), lines{"ValueError: bad\n"});
  EXPECT_EQ(
      traceback_of(simple, tracebacks::full),
      (lines{"Traceback (most recent call last):\n", "  In method \"m\" of <Target topic=t>\n",
             "  Thrown as std::invalid_argument\n", "ValueError: bad\n"}));
  EXPECT_EQ(traceback_of(nested(), tracebacks::brief, &t),
            (lines{"KeyError: no such key\n", "nova.exception.OverQuota: too much\n"}));
  const auto full = traceback_of(nested(), tracebacks::full, &t);
  ASSERT_EQ(full.size(), 8u);
  EXPECT_EQ(full[1], "  Thrown as std::out_of_range\n");
  EXPECT_EQ(full[3], "\nThe above exception was the direct cause of the following exception:\n\n");
  EXPECT_EQ(full[7], "nova.exception.OverQuota: too much\n");
  EXPECT_EQ(traceback_of(std::make_exception_ptr(7), tracebacks::full)[2], "  Thrown as int\n");
}

TEST(tracebacks, name_the_place_of_exceptions_that_carry_it) {
  const remote_exception e("m", "C", "x");
  const auto found = traceback_of(std::make_exception_ptr(e), tracebacks::full);
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[2], std::string("  File \"") + __FILE__ + "\", line " +
                          std::to_string(e.where().line()) + ", in " + e.where().function_name() +
                          "\n");
}

TEST(tracebacks, of_a_peer_pass_through) {
  remote_failure f;
  f.type = "ValueError";
  f.module = "builtins";
  f.message = "no";
  f.traceback = {"Traceback (most recent call last):\n", "  File \"x.py\"\n", "ValueError: no\n"};
  const auto thrown = std::make_exception_ptr(remote_error(failure(f)));
  EXPECT_EQ(traceback_of(thrown, tracebacks::off), lines{});
  EXPECT_EQ(traceback_of(thrown, tracebacks::brief), lines{"ValueError: no\n"});
  EXPECT_EQ(traceback_of(thrown, tracebacks::full), f.traceback);
}

}  // namespace
}  // namespace oslo::messaging::rpc
