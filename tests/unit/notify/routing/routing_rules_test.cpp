#include "notify/routing/routing_rules.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <oslo/messaging/error.hpp>

#include "support/log_lines.hpp"

namespace oslo::messaging::notify {
namespace {

using strings = std::vector<std::string>;

routing_rules parse(const std::string& text) {
  return parse_routing_rules(text, "routing.yaml", {});
}

/// "line name" of each driver.
strings drivers(const routing_rules& rules) {
  strings out;
  for (const auto& [name, line] : rules.drivers()) out.push_back(std::to_string(line) + " " + name);
  return out;
}

/// What is wrong with a file.
std::string fault(const std::string& text) {
  try {
    parse(text);
  } catch (const configuration_error& e) {
    EXPECT_EQ(e.failure().code(), errc::invalid_config);
    return e.what();
  }
  return "nothing";
}

TEST(routing_rules_of, nothing_are_none) {
  for (const char* text : {"", "\n# only a comment\n", "~", "{}", "group: {}", "group:\n"})
    EXPECT_EQ(drivers(parse(text)), strings{}) << text;
}

TEST(routing_rules_of, a_file_name_each_driver_once_with_its_line) {
  const auto rules = parse(
      "group_1:\n"
      "  messaging:\n"
      "    accepted_events: [foo.*]\n"
      "  log:\n"
      "group_2:\n"
      "  messagingv2:\n"
      "    accepted_priorities:\n"
      "      - info\n"
      "  messaging: {}\n");
  EXPECT_EQ(drivers(rules), (strings{"2 messaging", "4 log", "6 messagingv2"}));
}

TEST(routing_rules_of, events_accept_what_any_pattern_matches) {
  const auto rules = parse(
      "group_1:\n"
      "  rpc:\n"
      "    accepted_events: [foo.*, 'blah.zoo.*', zip]\n");
  const auto wants = [&](const char* event) { return rules.wants("rpc", event, priority::info); };
  EXPECT_FALSE(wants("foo"));
  EXPECT_TRUE(wants("foo.1"));
  EXPECT_FALSE(wants("blah.foo"));
  EXPECT_FALSE(wants("blah.zoo"));
  EXPECT_TRUE(wants("blah.zoo.1"));
  EXPECT_TRUE(wants("zip"));
  EXPECT_FALSE(wants("Zip"));
  EXPECT_FALSE(rules.wants("other", "zip", priority::info));
}

TEST(routing_rules_of, priorities_accept_them_in_any_case) {
  const auto rules = parse(
      "group_1:\n"
      "  rpc:\n"
      "    accepted_priorities: [INFO, err*]\n");
  EXPECT_TRUE(rules.wants("rpc", "e", priority::info));
  EXPECT_TRUE(rules.wants("rpc", "e", priority::error));
  EXPECT_FALSE(rules.wants("rpc", "e", priority::warn));
}

TEST(routing_rules_of, both_kinds_need_both) {
  const auto rules = parse(
      "group_1:\n"
      "  rpc:\n"
      "    accepted_priorities: [info]\n"
      "    accepted_events: [foo.*]\n"
      "  rpc2:\n"
      "    accepted_priorities: [info]\n"
      "    accepted_events: []\n"
      "  everything:\n");
  EXPECT_TRUE(rules.wants("rpc", "foo.x", priority::info));
  EXPECT_FALSE(rules.wants("rpc", "foo.x", priority::warn));
  EXPECT_FALSE(rules.wants("rpc", "blah", priority::info));
  EXPECT_FALSE(rules.wants("rpc2", "foo.x", priority::info)) << "an empty list accepts nothing";
  EXPECT_TRUE(rules.wants("everything", "blah", priority::sample));
}

TEST(routing_rules_of, groups_add_up) {
  const auto rules = parse(
      "a: {rpc: {accepted_events: one}}\n"
      "b: {rpc: {accepted_events: two}}\n");
  EXPECT_TRUE(rules.wants("rpc", "one", priority::info));
  EXPECT_TRUE(rules.wants("rpc", "two", priority::info));
  EXPECT_FALSE(rules.wants("rpc", "three", priority::info));
}

TEST(routing_rules_of, aliases_share_a_list) {
  const auto rules = parse(
      "a: {rpc: {accepted_events: &mine [one, two]}}\n"
      "b: {log: {accepted_events: *mine}}\n");
  EXPECT_TRUE(rules.wants("log", "two", priority::info));
}

TEST(routing_rules_of, a_driver_with_keys_of_others_are_told) {
  testing::log_lines lines;
  parse_routing_rules("a:\n  rpc:\n    accepted_event: [x]\n", "r.yaml", lines.into());
  EXPECT_EQ(lines.with("no rule"),
            (strings{"r.yaml:3: \"accepted_event\" is no rule of a driver and is left out."}));
}

TEST(routing_rules_of, a_bad_file_name_it_and_the_line) {
  const std::pair<std::string, std::string> table[] = {
      {"a", "routing.yaml:1: the file has to hold groups by name."},
      {"- a\n", "routing.yaml:1: the file has to hold groups by name."},
      {"a:\n  - b\n", "routing.yaml:2: group a has to hold drivers by name."},
      {"a:\n  b: c\n", "routing.yaml:2: driver b has to hold rules by name."},
      {"a:\n  b:\n    accepted_events:\n      c: d\n",
       "routing.yaml:4: accepted_events has to be a list of patterns."},
      {"a:\n  b:\n    accepted_events: [[c]]\n",
       "routing.yaml:3: accepted_events has to be a list of patterns."},
      {"a:\n  b:\n    accepted_events: [~]\n",
       "routing.yaml:3: accepted_events has to be a list of patterns."},
      {"a:\n  b:\n  b:\n", "routing.yaml:3: the key \"b\" stands twice."},
      {"? [a]\n: b\n", "routing.yaml:1: a key has to be a text."},
      {"a:\n  b: !!python/object:os.system {}\n",
       "routing.yaml:2: the tag tag:yaml.org,2002:python/object:os.system is not one of plain "
       "data."},
      {"a:\n  b: !own {}\n", "routing.yaml:2: the tag !own is not one of plain data."},
      {"a: 1\n---\nb: 2\n", "routing.yaml: the file holds more than one document."},
      {"a: &x [*x]\n", "routing.yaml:1: an alias stands inside its own anchor."},
      {"a: [\n", "routing.yaml:2: end of sequence flow not found."},
      {"a: *nobody\n", "routing.yaml:1: the referenced anchor is not defined."},
      {"\ta: 1\n", ""},
      {"a: 'unfinished\n", ""}};
  for (const auto& [text, expected] : table) {
    if (expected.empty())
      EXPECT_EQ(fault(text).substr(0, 13), "routing.yaml:") << text;
    else
      EXPECT_EQ(fault(text), expected) << text;
  }
}

TEST(routing_rules_of, hostile_files_are_refused_before_they_cost_much) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 10; ++k) bomb += "*a" + std::to_string(i - 1) + ", ";
    bomb += "]\n";
  }
  EXPECT_EQ(fault(bomb), "routing.yaml:4: the file has more than 10000 values.");
  EXPECT_EQ(fault("a: " + std::string(100'000, '[')),
            "routing.yaml:1: values are nested deeper than 16 levels.");
  std::string deep;
  for (int i = 0; i < 1'000; ++i) deep += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  EXPECT_EQ(fault(deep), "routing.yaml:17: values are nested deeper than 16 levels.");
  EXPECT_EQ(fault(std::string((1u << 20) + 1, ' ')),
            "routing.yaml: the file has more than 1048576 bytes.");
  EXPECT_EQ(fault("a: {b: {accepted_events: [" + std::string(1'001, '*') + "]}}").substr(0, 15),
            "routing.yaml:1:");
  EXPECT_EQ(fault("a: {b: {accepted_events: ['" + std::string(1'001, '*') + "']}}"),
            "routing.yaml:1: a pattern of accepted_events has more than 1000 bytes.");
}

TEST(routing_rules_of, files_are_read) {
  const std::string name = ::testing::TempDir() + "oslo_routing_rules_test.yaml";
  std::ofstream(name) << "a: {rpc: {accepted_events: [one]}}\n";
  EXPECT_EQ(drivers(load_routing_rules(name, {})), strings{"1 rpc"});
  std::remove(name.c_str());
  const auto fault_of = [](const std::string& file) {
    try {
      load_routing_rules(file, {});
    } catch (const configuration_error& e) {
      return std::string(e.what());
    }
    return std::string("nothing");
  };
  EXPECT_EQ(fault_of(name),
            "Cannot read the routing_config file " + name + ": No such file or directory.");
  EXPECT_EQ(fault_of("/"), "Cannot read the routing_config file /: Is a directory.");
}

}  // namespace
}  // namespace oslo::messaging::notify
