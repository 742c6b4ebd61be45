#include <gtest/gtest.h>

#include <oslo/messaging/error.hpp>
#include <oslo/messaging/target.hpp>

namespace oslo::messaging {
namespace {

using text = std::optional<std::string>;
using field = text target::*;

const std::pair<const char*, field> fields[] = {{"exchange", &target::exchange},
                                                {"topic", &target::topic},
                                                {"namespace", &target::namespace_},
                                                {"version", &target::version},
                                                {"server", &target::server}};

TEST(target, nothing_is_given_at_first) {
  const target t;
  for (const auto& [name, f] : fields) EXPECT_EQ(t.*f, std::nullopt) << name;
  EXPECT_FALSE(t.fanout);
  EXPECT_TRUE(t.legacy_namespaces.empty());
}

TEST(target, text_shows_what_is_set_in_order) {
  EXPECT_EQ(to_string(target{}), "<Target >");
  for (const auto& [name, f] : fields) {
    target t;
    t.*f = "x";
    EXPECT_EQ(to_string(t), std::string("<Target ") + name + "=x>");
    t.*f = "";
    EXPECT_EQ(to_string(t), "<Target >");
  }
  EXPECT_EQ(to_string(target{.fanout = true}), "<Target fanout=True>");
  EXPECT_EQ(to_string(target{.exchange = "e",
                             .topic = "t",
                             .namespace_ = "n",
                             .version = "1.2",
                             .server = "s",
                             .fanout = true,
                             .legacy_namespaces = {"old"}}),
            "<Target exchange=e, topic=t, namespace=n, version=1.2, server=s, fanout=True>");
}

TEST(target, equality_compares_every_field) {
  const text values[] = {std::nullopt, "", "foo", "bar"};
  for (const auto& [name, f] : fields)
    for (const auto& a : values)
      for (const auto& b : values) {
        target x, y;
        x.*f = a;
        y.*f = b;
        EXPECT_EQ(x == y, a == b) << name;
      }
  EXPECT_NE(target{.fanout = true}, target{});
  EXPECT_NE((target{.legacy_namespaces = {"a"}}), target{});
  EXPECT_NE((target{.legacy_namespaces = {"a"}}), (target{.legacy_namespaces = {std::nullopt}}));
  EXPECT_NE(target{.topic = "x"}, target{.server = "x"});
}

TEST(target, accepts_its_namespace_and_the_legacy_ones) {
  using all = std::vector<text>;
  EXPECT_EQ(target{}.accepted_namespaces(), all{std::nullopt});
  EXPECT_EQ(target{.namespace_ = "n"}.accepted_namespaces(), all{"n"});
  const target t{.namespace_ = "n", .legacy_namespaces = {"old", std::nullopt}};
  EXPECT_EQ(t.accepted_namespaces(), (all{"n", "old", std::nullopt}));
}

TEST(version_is_compatible, follows_the_rule_of_oslo) {
  const struct {
    text implemented, requested;
    bool compatible;
  } table[] = {
      {"1.23", "1.23", true},
      {"1.24", "1.23", true},
      {"1.22", "1.23", false},
      {"2.23", "1.23", false},
      {"1.23", "2.23", false},
      {"1.23", "1.23.1", false},
      {"1.23.1", "1.23.2", false},
      {"1.23.2", "1.23.1", true},
      {"1.24", "1.23.1", true},
      {"1.23.0", "1.23", true},
      {"1.23", "1.23.0", true},
      {"1.9", "1.10", false},
      {"1.10", "1.9", true},
      {"1.24.0", "1.23.9", true},
      {"0.0", "0.0", true},
      {std::nullopt, "9.9", true},
      {std::nullopt, std::nullopt, true},
      {"1.0", std::nullopt, false},
  };
  for (const auto& row : table)
    EXPECT_EQ(version_is_compatible(row.implemented, row.requested), row.compatible)
        << row.implemented.value_or("none") << " " << row.requested.value_or("none");
}

TEST(version_is_compatible, refuses_what_is_no_version) {
  for (const char* bad : {"", "1", "1.", ".1", "1.x", "x.1", "1.2.", "1.2.3.4", "1..2", "1.2x",
                          " 1.2", "1.2 ", "99999999999.0", "1,2"}) {
    for (const bool first : {true, false}) {
      try {
        (void)version_is_compatible(first ? bad : "1.0", first ? "1.0" : bad);
        ADD_FAILURE() << "no error: " << bad;
      } catch (const messaging_error& e) {
        EXPECT_EQ(e.failure().code(), errc::invalid_argument);
        EXPECT_EQ(e.failure().message(),
                  std::string("Version must contain a major and minor integer. Got ") + bad);
      }
    }
  }
}

}  // namespace
}  // namespace oslo::messaging
