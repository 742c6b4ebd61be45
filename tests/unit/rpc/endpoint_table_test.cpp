#include "rpc/endpoint_table.hpp"

#include <gtest/gtest.h>

#include <oslo/messaging/rpc/endpoint.hpp>

namespace oslo::messaging::rpc {
namespace {

using text = std::optional<std::string>;

/// A message of given keys.
class message final : public incoming_message {
 public:
  explicit message(std::vector<message_field> fields) : fields_(std::move(fields)) {}
  std::span<const message_field> fields() const noexcept override { return fields_; }
  const context& ctxt() const noexcept override { return ctxt_; }
  std::string_view message_id() const noexcept override { return {}; }
  void acknowledge() override {}
  void requeue() override {}
  void reply(outgoing_reply, unique_function<void(result<void>)>) override {}
  void heartbeat(unique_function<void(result<void>)>) override {}

 private:
  std::vector<message_field> fields_;
  context ctxt_;
};

request_header header(std::string method, text namespace_ = {}, text version = "1.0") {
  request_header h;
  h.method = std::move(method);
  h.namespace_ = std::move(namespace_);
  h.version = std::move(version);
  return h;
}

std::shared_ptr<endpoint> offers(const std::string& method, target accepts = {}) {
  auto e = std::make_shared<endpoint>(std::move(accepts));
  e->bind(method, [] {});
  return e;
}

request_header read(std::vector<message_field> fields) {
  return request_header::read(message(std::move(fields)));
}

/// Index of the endpoint that is chosen, or the text of the error.
std::string chosen(const std::vector<std::shared_ptr<endpoint>>& endpoints, const request_header& h,
                   std::shared_ptr<const access_policy> policy = nullptr) {
  const endpoint_table d(endpoints, std::move(policy), nullptr);
  try {
    const auto& found = d.find(h);
    for (std::size_t i = 0; i < endpoints.size(); ++i)
      if (endpoints[i]->method_table().find(h.method) == &found) return std::to_string(i);
    return "?";
  } catch (const messaging_error& e) {
    return e.what();
  }
}

TEST(endpoint_table, follows_the_rules_of_namespace_and_version) {
  const struct {
    const char* what;
    std::vector<std::shared_ptr<endpoint>> endpoints;
    request_header request;
    std::string expected;
  } rows[] = {
      {"no endpoint",
       {},
       header("foo"),
       "Endpoint does not support RPC version 1.0. Attempted method: foo"},
      {"default target", {offers("foo")}, header("foo"), "0"},
      {"second of two", {offers("bar"), offers("foo")}, header("foo"), "1"},
      {"no such method",
       {offers("bar")},
       header("foo"),
       "Endpoint does not support RPC method foo"},
      {"namespace matches", {offers("foo", {.namespace_ = "n"})}, header("foo", "n"), "0"},
      {"namespace differs",
       {offers("foo", {.namespace_ = "n"})},
       header("foo", "m"),
       "Endpoint does not support RPC version 1.0. Attempted method: foo"},
      {"namespace missing",
       {offers("foo", {.namespace_ = "n"})},
       header("foo"),
       "Endpoint does not support RPC version 1.0. Attempted method: foo"},
      {"namespace too much",
       {offers("foo")},
       header("foo", "n"),
       "Endpoint does not support RPC version 1.0. Attempted method: foo"},
      {"empty namespace is not null",
       {offers("foo")},
       header("foo", ""),
       "Endpoint does not support RPC version 1.0. Attempted method: foo"},
      {"lower minor", {offers("foo", {.version = "1.5"})}, header("foo", {}, "1.4"), "0"},
      {"higher minor",
       {offers("foo", {.version = "1.5"})},
       header("foo", {}, "1.6"),
       "Endpoint does not support RPC version 1.6. Attempted method: foo"},
      {"other major",
       {offers("foo", {.version = "1.5"})},
       header("foo", {}, "2.0"),
       "Endpoint does not support RPC version 2.0. Attempted method: foo"},
      {"version chooses",
       {offers("foo", {.version = "1.5"}), offers("foo", {.version = "2.1"})},
       header("foo", {}, "2.0"),
       "1"},
      {"null version",
       {offers("foo")},
       header("foo", {}, std::nullopt),
       "Endpoint does not support RPC version None. Attempted method: foo"},
      {"empty endpoint version is 1.0", {offers("foo", {.version = ""})}, header("foo"), "0"},
      {"fits without the method, and the other way round",
       {offers("bar"), offers("foo", {.namespace_ = "n"})},
       header("foo"),
       "Endpoint does not support RPC method foo"},
      {"private method",
       {offers("_foo")},
       header("_foo"),
       "Endpoint does not support RPC method _foo"},
      {"version is no version",
       {offers("foo")},
       header("foo", {}, "one"),
       "Version must contain a major and minor integer. Got one"},
  };
  for (const auto& r : rows) EXPECT_EQ(chosen(r.endpoints, r.request), r.expected) << r.what;
}

TEST(endpoint_table, legacy_namespaces_are_accepted_too) {
  target t;
  t.namespace_ = "new";
  t.legacy_namespaces = {"old", std::nullopt};
  const std::vector<std::shared_ptr<endpoint>> one{offers("foo", t)};
  for (const text& ns : {text("new"), text("old"), text()})
    EXPECT_EQ(chosen(one, header("foo", ns)), "0");
  EXPECT_NE(chosen(one, header("foo", "other")), "0");
}

TEST(endpoint_table, the_access_policy_has_the_last_word) {
  auto e = std::make_shared<endpoint>();
  e->bind("_hidden", [] {});
  e->bind("open", [] {});
  e->bind("marked", [] {}).expose();
  const std::vector<std::shared_ptr<endpoint>> one{e};
  const auto allowed = [&](const char* method, std::shared_ptr<const access_policy> policy) {
    return chosen(one, header(method), std::move(policy)) == "0";
  };
  EXPECT_TRUE(allowed("_hidden", legacy_access_policy()));
  EXPECT_FALSE(allowed("_hidden", default_access_policy()));
  EXPECT_TRUE(allowed("open", default_access_policy()));
  EXPECT_FALSE(allowed("open", explicit_access_policy()));
  EXPECT_TRUE(allowed("marked", explicit_access_policy()));
}

/// Of a cast that nobody limits.
struct no_info final : request_info {
  std::optional<clock::time_point> deadline() const noexcept override { return std::nullopt; }
  std::optional<std::chrono::milliseconds> remaining() const noexcept override {
    return std::nullopt;
  }
  std::stop_token cancellation() const override { return {}; }
  bool is_call() const noexcept override { return false; }
  bool redelivered() const noexcept override { return false; }
};

TEST(endpoint_table, a_handler_for_any_method_takes_the_rest) {
  auto e = std::make_shared<endpoint>();
  e->bind("foo", [] {});
  e->bind_any([](std::string_view name, raw_json args) { return std::string(name) + args.text; });
  const endpoint_table d({e}, nullptr, nullptr);
  EXPECT_EQ(d.find(header("foo")).name(), "foo");
  std::string out;
  const context ctxt;
  const auto& found = d.find(header("other"));
  found.handler().run({ctxt, "other", R"({"a":1})", no_info(), found.arguments()}, out);
  EXPECT_EQ(out, R"("other{\"a\":1}")");
}

TEST(endpoint, refuses_what_is_bound_twice_and_names_it) {
  endpoint e;
  e.bind("foo", [] {});
  EXPECT_THROW(e.bind("foo", [] {}), configuration_error);
  EXPECT_THROW(e.bind("", [] {}), configuration_error);
  e.bind_any([] {});
  EXPECT_THROW(e.bind_any([] {}), configuration_error);
  EXPECT_THROW(endpoint({.version = "x"}), messaging_error);
  EXPECT_THROW(endpoint_table({nullptr}, nullptr, nullptr), configuration_error);
}

TEST(endpoint, a_method_is_exposed_only_when_it_says_so) {
  endpoint e;
  const auto& plain = e.bind("plain", [] {});
  const auto& marked = e.bind("marked", [] {}).expose();
  EXPECT_FALSE(plain.exposed());
  EXPECT_TRUE(marked.exposed());
  EXPECT_EQ(marked.name(), "marked");
}

TEST(request_header, has_the_defaults_of_oslo) {
  const auto h = read({{"method", "\"m\""}});
  EXPECT_EQ(h.method, "m");
  EXPECT_EQ(h.args, "{}");
  EXPECT_EQ(h.namespace_, std::nullopt);
  EXPECT_EQ(h.version, "1.0");
}

TEST(request_header, reads_every_key_and_ignores_others) {
  const auto h = read({{"args", R"({"a": 1})"},
                       {"other", "[]"},
                       {"version", "\"2.3\""},
                       {"namespace", R"("n\u0065")"},
                       {"method", "\"m\""}});
  EXPECT_EQ(h.args, R"({"a": 1})");
  EXPECT_EQ(h.namespace_, "ne");
  EXPECT_EQ(h.version, "2.3");
  EXPECT_EQ(read({{"method", "\"m\""}, {"version", "null"}}).version, std::nullopt);
}

TEST(request_header, names_what_is_wrong) {
  const struct {
    std::vector<message_field> fields;
    const char* text;
  } rows[] = {
      {{}, "The request names no method."},
      {{{"method", "null"}}, "The request names no method."},
      {{{"method", "5"}}, "The method of the request is not a string."},
      {{{"method", "\"m\""}, {"args", "[1]"}}, "The args of the request are not an object."},
      {{{"method", "\"m\""}, {"args", "null"}}, "The args of the request are not an object."},
      {{{"method", "\"m\""}, {"namespace", "{}"}}, "The namespace of the request is not a string."},
      {{{"method", "\"m\""}, {"version", "1.0"}}, "The version of the request is not a string."},
  };
  for (const auto& r : rows) {
    try {
      read(r.fields);
      ADD_FAILURE() << r.text;
    } catch (const messaging_error& e) {
      EXPECT_STREQ(e.what(), r.text);
      EXPECT_EQ(e.failure().code(), errc::malformed_message);
    }
  }
}

}  // namespace
}  // namespace oslo::messaging::rpc
