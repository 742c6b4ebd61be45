#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <oslo/messaging/config.hpp>
#include <oslo/messaging/error.hpp>

#include "core/random.hpp"

namespace oslo::messaging {
namespace {

using testing::ElementsAre;

std::vector<std::string> values(const config& conf, std::string_view group, std::string_view key) {
  std::vector<std::string> texts;
  for (const auto& e : conf.find(group, key)) texts.push_back(e.text);
  return texts;
}

std::string error_of(std::string_view text) {
  try {
    (void)config::parse(text, "f.conf");
  } catch (const configuration_error& e) {
    EXPECT_EQ(e.failure().code(), errc::invalid_config);
    return e.what();
  }
  return "no error";
}

// Checked against oslo.config 9: each text is what it returns for a plain string option "a".
TEST(config, reads_values_as_oslo_config_does) {
  const struct {
    std::string lines, a;
  } table[] = {
      {"a=1", "1"},
      {"a = 1 ", "1"},
      {"a:1=2", "1=2"},
      {"a=1:2", "1:2"},
      {"a = : 1", ": 1"},
      {"a=", ""},
      {"a=1 # c", "1 # c"},
      {"a=1;c", "1;c"},
      {"# x\n;y\n\na=1", "1"},
      {"a=1\n# b\nb=2", "1"},
      {"a=1\n  # c\n  ; d\n  2=3", "1\n# c\n; d\n2=3"},
      {"a=\n  2\n\t3  ", "\n2\n3"},
      {"a=\"", ""},
      {"a=\"\"", ""},
      {"a='x\"", "'x\""},
      {"a=''x''", "'x'"},
      {"a=\" x \"", " x "},
      {"a=\"1\"", "1"},
      {"a='1'", "1"},
      {"a=\"1\n  2\"", "\"1\n2\""},
      {"a=\"1\"\n  \"2\"", "1\n\"2\""},
      {"a='a','b'", "a','b"},
      {"a=1\r\n  2\r\n", "1\n2"},
      {"a=1\rb=2", "1"},
      {"a=x\xc2\xa0\nb=1", "x"},
      {"a=1\x0b"
       "2\x0c\n",
       "1\x0b"
       "2"},
      {"a=1\x1c\n", "1"},
      {"a=1\x01", "1\x01"},
      {"a=$b \\$ $$", "$b \\$ $$"},
  };
  for (const auto& row : table)
    EXPECT_THAT(values(config::parse("[DEFAULT]\n" + row.lines), "DEFAULT", "a"),
                ElementsAre(row.a))
        << row.lines;
}

TEST(config, names_of_groups_ignore_case_but_for_default) {
  const auto conf = config::parse(
      "[g]\nx=1\n[G]\nx=2\n[ g ]\nx=3\n[default]\nx=4\n[DEFAULT]\nx=5\n[[DEFAULT]]\nx=6\n[g]\nX=7\n"
      "x=8");
  EXPECT_THAT(values(conf, "g", "x"), ElementsAre("1", "2", "8"));
  EXPECT_THAT(values(conf, "G", "x"), ElementsAre("1", "2", "8"));
  EXPECT_THAT(values(conf, "g", "X"), ElementsAre("7"));
  EXPECT_THAT(values(conf, " g ", "x"), ElementsAre("3"));
  EXPECT_THAT(values(conf, "default", "x"), ElementsAre("4"));
  EXPECT_THAT(values(conf, "DEFAULT", "x"), ElementsAre("5"));
  EXPECT_THAT(values(conf, "[DEFAULT]", "x"), ElementsAre("6"));
  EXPECT_THAT(values(conf, "h", "x"), ElementsAre());
  EXPECT_THAT(values(conf, "g", "y"), ElementsAre());
}

TEST(config, remembers_the_line_where_a_value_begins) {
  const auto conf = config::parse("\n[DEFAULT]\na = 1\n  2\n\n# c\na = 3\r\nb=\r", "dir/f.conf");
  const auto entries = conf.find("DEFAULT", "a");
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].origin, "dir/f.conf:3");
  EXPECT_EQ(entries[1].origin, "dir/f.conf:7");
  EXPECT_EQ(conf.find("DEFAULT", "b")[0].origin, "dir/f.conf:8");
}

TEST(config, skips_a_byte_order_mark) {
  EXPECT_THAT(values(config::parse("\xef\xbb\xbf[DEFAULT]\na=1"), "DEFAULT", "a"),
              ElementsAre("1"));
}

TEST(config, refuses_with_file_and_line) {
  const std::string group = "[DEFAULT]\n";
  const std::string indented =
      "The line is indented, but there is no value above that it could continue.";
  const struct {
    std::string text, error;
  } table[] = {
      {"a=1", "f.conf:1: The line sets an option before the first [group]."},
      {"\na=1\n[DEFAULT]", "f.conf:2: The line sets an option before the first [group]."},
      {group + " a=1", "f.conf:2: " + indented},
      {group + "a=1\n# c\n  2", "f.conf:4: " + indented},
      {group + "a=1\n\n  2", "f.conf:4: " + indented},
      {group + "a=1\n[b]\n  2", "f.conf:4: " + indented},
      {"  2", "f.conf:1: " + indented},
      {group + "=1", "f.conf:2: The line has no name before '=' or ':'."},
      {group + ": 1", "f.conf:2: The line has no name before '=' or ':'."},
      {group + "hunter2", "f.conf:2: The line has neither '=' nor ':'."},
      {"[DEFAULT] # x", "f.conf:1: The line begins a group and must end with ']'."},
      {"[DEFAULT", "f.conf:1: The line begins a group and must end with ']'."},
      {"[", "f.conf:1: The line begins a group and must end with ']'."},
      {"[]", "f.conf:1: The line names an empty group."},
      {group + "a=\xff", "f.conf:2: The line is not valid UTF-8."},
      {group + std::string("a=x\0y", 5), "f.conf:2: The line holds a NUL byte."},
  };
  for (const auto& row : table) EXPECT_EQ(error_of(row.text), row.error) << row.text;
}

TEST(config, what_is_set_counts_alone) {
  auto conf = config::parse("[g]\na=1\na=2");
  conf.set("G", "a", "3");
  conf.set("new", "b", "4");
  EXPECT_THAT(values(conf, "g", "a"), ElementsAre("3"));
  EXPECT_THAT(values(conf, "new", "b"), ElementsAre("4"));
  conf.set("g", "a", "5");
  EXPECT_THAT(values(conf, "g", "a"), ElementsAre("5"));
  EXPECT_EQ(conf.find("g", "a")[0].origin, "set by the program");
}

class config_files : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "oslo-config-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  std::string file(const std::string& name, std::string_view text) {
    const std::string path = dir_ + "/" + name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  template <class F>
  std::string error_of(F&& f) {
    try {
      f();
    } catch (const configuration_error& e) {
      return e.what();
    }
    return "no error";
  }
  std::string dir_;
};

TEST_F(config_files, are_read_in_order) {
  const std::vector<std::string> files{file("1", "[DEFAULT]\na=1\nb=1\n"),
                                       file("2", "[DEFAULT]\na=2\n")};
  const auto conf = config::load(files);
  EXPECT_THAT(values(conf, "DEFAULT", "a"), ElementsAre("1", "2"));
  EXPECT_THAT(values(conf, "DEFAULT", "b"), ElementsAre("1"));
  EXPECT_EQ(conf.find("DEFAULT", "a")[1].origin, files[1] + ":2");
  EXPECT_EQ(conf.find("DEFAULT", "a")[0].layer, 0u);
  EXPECT_EQ(conf.find("DEFAULT", "a")[1].layer, 1u);
  EXPECT_THAT(values(config::load(files[0]), "DEFAULT", "a"), ElementsAre("1"));
}

TEST_F(config_files, a_later_file_counts_whichever_name_it_uses) {
  const std::vector<option> options{
      {.name = "a", .deprecated = {"old"}},
      {.name = "m", .type = option_type::multi_string, .deprecated = {"old_m"}}};
  const std::vector<std::string> files{file("1", "[g]\na=1\nm=1\nold_m=2\n"),
                                       file("2", "[g]\nold=2\nm=3\nold_m=4\n")};
  const option_values v{"g", options, config::load(files)};
  EXPECT_EQ(v.string("a"), "2");
  EXPECT_THAT(v.list("m"), ElementsAre("2", "1", "4", "3"));
}

TEST_F(config_files, a_group_does_not_reach_into_the_next_file) {
  const std::vector<std::string> files{file("1", "[DEFAULT]\n"), file("2", "a=2\n")};
  EXPECT_EQ(error_of([&] { config::load(files); }),
            files[1] + ":1: The line sets an option before the first [group].");
}

// ---- the environment ----------------------------------------------------------------------------

class config_environment : public config_files {
 protected:
  void TearDown() override {
    for (const auto& name : set_) ::unsetenv(name.c_str());
    config_files::TearDown();
  }
  void set(const std::string& name, const std::string& text) {
    ::setenv(name.c_str(), text.c_str(), 1);
    set_.push_back(name);
  }
  config load(std::string_view text) { return config::load(file("f.conf", text)); }
  std::vector<std::string> set_;
};

TEST_F(config_environment, counts_over_files_and_below_the_program) {
  const std::vector<option> options{{.name = "a"}, {.name = "b"}};
  set("OS_SOME_GROUP__A", "of the environment");
  set("OS_SOME_GROUP__B", "$a");
  auto conf = load("[some_group]\na = of the file\nb = of the file\n");
  const option_values v{"some_group", options, conf};
  EXPECT_EQ(v.string("a"), "of the environment");
  EXPECT_EQ(v.string("b"), "of the environment");
  conf.set("some_group", "a", "of the program");
  EXPECT_EQ(option_values("some_group", options, conf).string("a"), "of the program");
}

TEST_F(config_environment, needs_no_file) {
  set("OS_DEFAULT__TRANSPORT_URL", "fake://");
  const auto conf = config::load(std::vector<std::string>{});
  const auto entries = conf.find("DEFAULT", "transport_url");
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].text, "fake://");
  EXPECT_EQ(entries[0].origin, "environment variable OS_DEFAULT__TRANSPORT_URL");
  EXPECT_TRUE(config::parse("").find("DEFAULT", "transport_url").empty()) << "only files do that";
}

TEST_F(config_environment, names_of_options_that_are_former_have_no_variable) {
  const std::vector<option> options{{.name = "a", .deprecated = {"old"}}};
  set("OS_G__OLD", "of the environment");
  EXPECT_EQ(option_values("g", options, load("[g]\nold = of the file\n")).string("a"),
            "of the file");
}

TEST_F(config_environment, replaces_all_values_of_a_file) {
  const std::vector<option> options{{.name = "m", .type = option_type::multi_string}};
  set("OS_G__M", "3");
  EXPECT_THAT(option_values("g", options, load("[g]\nm=1\nm=2\n")).list("m"), ElementsAre("3"));
}

TEST_F(config_environment, errors_name_the_variable) {
  const std::vector<option> options{{.name = "n", .type = option_type::integer}};
  set("OS_G__N", "many");
  EXPECT_EQ(error_of([&] { option_values("g", options, load("[g]\nn=1\n")); }),
            "Option \"n\" of group [g] has the value \"many\" (environment variable OS_G__N), "
            "which is not an integer.");
  set("OS_G__N", "\xff");
  set("OS_SOMEBODYS__PASSWORD", "\xff");
  EXPECT_EQ(error_of([&] { option_values("g", options, load("")); }),
            "Option \"n\" of group [g] has the value \"\xef\xbf\xbd\" (environment variable "
            "OS_G__N), which is not valid UTF-8.");
  const std::vector<option> several{{.name = "n", .type = option_type::multi_string}};
  EXPECT_EQ(error_of([&] { option_values("g", several, load("")); }),
            error_of([&] { option_values("g", options, load("")); }));
}

TEST_F(config_environment, other_variables_are_none_of_its_business) {
  for (const char* name : {"OS_AUTH_URL", "OS__A", "OS_G__", "os_g__a", "OS_g__A", "OS_G__a"})
    set(name, "x");
  const auto conf = load("[g]\nb=1\n");
  for (const char* group : {"g", "DEFAULT", "auth", ""})
    for (const char* key : {"a", "A", "", "url", "auth_url"})
      EXPECT_TRUE(conf.find(group, key).empty()) << group << " " << key;
}

TEST_F(config_files, have_names_that_errors_can_hold) {
  EXPECT_EQ(error_of([&] { config::load("/nowhere/\xff\n"); }),
            "Config file /nowhere/\xef\xbf\xbd  cannot be opened: No such file or directory.");
  const auto conf = config::load(file("odd\xff\n.conf", "[g]\na=1\n"));
  EXPECT_EQ(conf.find("g", "a").back().origin, dir_ + "/odd\xef\xbf\xbd .conf:2");
}

TEST_F(config_files, that_cannot_be_read_are_errors) {
  const auto missing = dir_ + "/missing";
  EXPECT_EQ(error_of([&] { config::load(missing); }),
            "Config file " + missing + " cannot be opened: No such file or directory.");
  EXPECT_EQ(error_of([&] { config::load(dir_); }),
            "Config file " + dir_ + " cannot be read: Is a directory.");
  EXPECT_EQ(error_of([&] { config::load("/dev/zero"); }),
            "Config file /dev/zero is longer than the limit of 16777216 bytes.");
}

TEST_F(config_files, large_ones_are_read_whole) {
  std::string text = "[DEFAULT]\n";
  for (int i = 0; i < 20'000; ++i) text += "key" + std::to_string(i) + " = value\n";
  const auto conf = config::load(file("large", text));
  EXPECT_THAT(values(conf, "DEFAULT", "key19999"), ElementsAre("value"));
}

TEST(config, survives_random_text) {
  random_engine random{7};
  const std::string_view alphabet = "[]ab=: \t\n\n\r#;'\"$\\{}\xef\xbb\xbf\xc2\xa0";
  int parsed = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text = random.below(3) == 0 ? "" : "[DEFAULT]\n";
    const auto length = random.below(60);
    for (std::uint64_t k = 0; k < length; ++k)
      text += random.below(30) == 0 ? static_cast<char>(random.below(256))
                                    : alphabet[random.below(alphabet.size())];
    try {
      (void)config::parse(text);
      ++parsed;
    } catch (const configuration_error&) {
    }
  }
  EXPECT_GT(parsed, 200);
}

TEST(config, lists_the_keys_of_a_group) {
  auto conf = config::parse("[Some_Group]\nb = 1\na = 2\nb = 3\n[other]\nc = 1\n");
  conf.set("some_group", "d", "4");
  EXPECT_EQ(conf.keys("some_group"), (std::vector<std::string>{"a", "b", "d"}));
  EXPECT_TRUE(conf.keys("nosuch").empty());
}

}  // namespace
}  // namespace oslo::messaging
