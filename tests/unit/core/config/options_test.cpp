#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <oslo/messaging/config.hpp>
#include <oslo/messaging/error.hpp>

#include "core/config/option_lookup.hpp"
#include "core/random.hpp"

namespace oslo::messaging {
namespace {

using testing::ElementsAre;
using query = std::map<std::string, std::string>;
using dict = std::map<std::string, std::string>;

const std::vector<option> options{
    {.name = "text", .default_value = "t"},
    {.name = "unset", .has_default = false},
    {.name = "flag", .type = option_type::boolean, .default_value = "false"},
    {.name = "count",
     .type = option_type::integer,
     .default_value = "2",
     .min = 1,
     .max = 10,
     .deprecated = {"old_count", "OTHER/count"}},
    {.name = "delay", .type = option_type::floating, .default_value = "1.0", .min = 0, .max = 4.5},
    {.name = "items", .type = option_type::list, .default_value = "a,b"},
    {.name = "many",
     .type = option_type::multi_string,
     .default_value = "",
     .deprecated = {"lots"}},
    {.name = "pairs", .type = option_type::dict, .default_value = "k:v"},
    {.name = "mode", .default_value = "slow", .choices = {"slow", "fast"}},
    {.name = "password", .default_value = "", .secret = true},
    {.name = "pin", .type = option_type::integer, .has_default = false, .secret = true},
};

option_values read(std::string_view text, const query& q = {}) {
  return {"grp", options, config::parse(text, "f.conf"), q, "rabbit://u:***@h/"};
}

template <class F>
std::string error_of(F&& f) {
  try {
    (void)f();
  } catch (const configuration_error& e) {
    return e.what();
  }
  return "no error";
}

TEST(option_values, defaults) {
  const auto v = read("");
  EXPECT_EQ(v.string("text"), "t");
  EXPECT_FALSE(v.is_set("unset"));
  EXPECT_TRUE(v.is_set("text"));
  EXPECT_FALSE(v.boolean("flag"));
  EXPECT_EQ(v.integer("count"), 2);
  EXPECT_EQ(v.floating("delay"), 1.0);
  EXPECT_THAT(v.list("items"), ElementsAre("a", "b"));
  EXPECT_THAT(v.list("many"), ElementsAre());
  EXPECT_EQ(v.dict("pairs"), (dict{{"k", "v"}}));
  EXPECT_EQ(v.string("mode"), "slow");
}

TEST(option_values, from_config) {
  const auto v = read(
      "[GRP]\ntext = x\n y\nflag=Yes\ncount= 7\ndelay=.5\nitems=c, d\nmany=e,f\nmany=g\n"
      "pairs=a:1,b:2\nmode=fast\nunset=\n[other_group]\ntext=z\n");
  EXPECT_EQ(v.string("text"), "x\ny");
  EXPECT_EQ(v.string("unset"), "");
  EXPECT_TRUE(v.boolean("flag"));
  EXPECT_EQ(v.integer("count"), 7);
  EXPECT_EQ(v.floating("delay"), 0.5);
  EXPECT_THAT(v.list("items"), ElementsAre("c", "d"));
  EXPECT_THAT(v.list("many"), ElementsAre("e,f", "g"));
  EXPECT_EQ(v.dict("pairs"), (dict{{"a", "1"}, {"b", "2"}}));
}

TEST(option_values, the_last_of_several_counts) {
  EXPECT_EQ(read("[grp]\ncount=3\n[x]\n[grp]\ncount=4").integer("count"), 4);
}

TEST(option_values, an_empty_number_is_not_set) {
  const auto v = read("[grp]\ncount=\ndelay = \" \"\n");
  EXPECT_FALSE(v.is_set("count"));
  EXPECT_FALSE(v.is_set("delay"));
  EXPECT_EQ(error_of([&] { return v.integer("count"); }),
            "Option \"count\" of group [grp] has no value.");
}

TEST(option_values, query_over_config_over_default) {
  const std::string text = "[grp]\ncount=3\nmany=x\nflag=true\n";
  const auto v = read(text, {{"count", "4"},
                             {"items", "x,y"},
                             {"many", "p,q"},
                             {"pairs", "x:1,y:2,z:3"},
                             {"flag", "0"},
                             {"text", "$unknown"},
                             {"delay", "4.5"}});
  EXPECT_EQ(v.integer("count"), 4);
  EXPECT_THAT(v.list("items"), ElementsAre("x", "y"));
  EXPECT_THAT(v.list("many"), ElementsAre("p", "q"));
  EXPECT_EQ(v.dict("pairs"), (dict{{"x", "1"}, {"y", "2"}, {"z", "3"}}));
  EXPECT_FALSE(v.boolean("flag"));
  EXPECT_EQ(v.string("text"), "$unknown");
  EXPECT_EQ(v.floating("delay"), 4.5);
  EXPECT_EQ(v.string("mode"), "slow");
  EXPECT_EQ(read(text, {{"old_count", "5"}}).integer("count"), 5);
  EXPECT_EQ(read(text, {{"old_count", "5"}, {"count", "6"}}).integer("count"), 6);
}

TEST(option_values, a_query_hides_a_bad_value_of_the_config) {
  EXPECT_EQ(read("[grp]\ncount=many\n", {{"count", "4"}}).integer("count"), 4);
}

TEST(option_values, deprecated_names_work) {
  EXPECT_EQ(read("[grp]\nold_count=3").integer("count"), 3);
  EXPECT_EQ(read("[other]\ncount=4").integer("count"), 4);
  EXPECT_EQ(read("[grp]\ncount=5\nold_count=3").integer("count"), 5);
  EXPECT_EQ(read("[grp]\nold_count=3\n[other]\ncount=4").integer("count"), 3);
  EXPECT_THAT(read("[grp]\nmany=1\nlots=2\nmany=3\nlots=4").list("many"),
              ElementsAre("2", "4", "1", "3"));
}

TEST(option_values, what_the_program_sets_beats_every_name_in_the_files) {
  auto conf = config::parse("[grp]\ncount=3\nmany=1\nlots=2\n");
  conf.set("grp", "old_count", "8");
  conf.set("grp", "lots", "set");
  const option_values v{"grp", options, conf};
  EXPECT_EQ(v.integer("count"), 8);
  EXPECT_THAT(v.list("many"), ElementsAre("set"));
}

TEST(option_values, errors_name_option_value_and_place) {
  const std::string has = "Option \"count\" of group [grp] has the value ";
  const auto in_file = [](const std::string& line) {
    return error_of([&] { return read("[grp]\n" + line); });
  };
  EXPECT_EQ(in_file("count=many"), has + "\"many\" (f.conf:2), which is not an integer.");
  EXPECT_EQ(in_file("count=0"), has + "\"0\" (f.conf:2), which is below the minimum of 1.");
  EXPECT_EQ(in_file("count=11"), has + "\"11\" (f.conf:2), which is above the maximum of 10.");
  EXPECT_EQ(in_file("old_count=x"), has + "\"x\" (f.conf:2), which is not an integer.");
  EXPECT_EQ(in_file("count=1\n  2\x01"), has + "\"1\\n2?\" (f.conf:2), which is not an integer.");
  EXPECT_EQ(in_file("count=" + std::string(300, 'x')),
            has + "\"" + std::string(200, 'x') + "...\" (f.conf:2), which is not an integer.");
  EXPECT_EQ(in_file("delay=4.6"),
            "Option \"delay\" of group [grp] has the value \"4.6\" (f.conf:2), which is above the "
            "maximum of 4.5.");
  EXPECT_EQ(in_file("flag=2"),
            "Option \"flag\" of group [grp] has the value \"2\" (f.conf:2), which is not a boolean "
            "(true, false, yes, no, on, off, 1, 0).");
  EXPECT_EQ(in_file("mode=Fast"),
            "Option \"mode\" of group [grp] has the value \"Fast\" (f.conf:2), which is none of: "
            "slow, fast.");
  EXPECT_EQ(in_file("pairs=a:1,a:2"),
            "Option \"pairs\" of group [grp] has the value \"a:1,a:2\" (f.conf:2), which has the "
            "key \"a\" twice.");
  EXPECT_EQ(in_file("many=ok\nmany=$nope"),
            "Option \"many\" of group [grp] has the value \"$nope\" (f.conf:3), which holds $nope, "
            "which names no option; write $$ for a dollar sign.");
}

TEST(option_values, errors_of_a_query_name_key_and_url) {
  EXPECT_EQ(error_of([] {
              return read("", {{"cuont", "3"}});
            }),
            "Group [grp] has no option \"cuont\", which stands in the query of the transport URL "
            "rabbit://u:***@h/.");
  EXPECT_EQ(error_of([] {
              return read("", {{"count", "x"}});
            }),
            "Option \"count\" of group [grp] has the value \"x\" (in the query of the transport "
            "URL rabbit://u:***@h/), which is not an integer.");
  EXPECT_EQ(error_of([] {
              return option_values{"grp", options, config{}, {{"count", "0"}}};
            }),
            "Option \"count\" of group [grp] has the value \"0\" (in the query of the transport "
            "URL), which is below the minimum of 1.");
}

TEST(option_values, errors_never_hold_a_secret) {
  EXPECT_EQ(error_of([] { return read("[grp]\npassword=hunter2$hunter2"); }),
            "Option \"password\" of group [grp] has a secret value (f.conf:2), which holds a $name "
            "that cannot be replaced; write $$ for a dollar sign.");
  EXPECT_EQ(error_of([] { return read("[grp]\npin=hunter2"); }),
            "Option \"pin\" of group [grp] has a secret value (f.conf:2), which is not valid.");
  EXPECT_EQ(error_of([] { return read("[grp]\npassword=hunter2\ncount=$password"); }),
            "Option \"count\" of group [grp] has the value \"$password\" (f.conf:3), which is not "
            "an integer.");
  EXPECT_EQ(error_of([] { return read("[grp]\npassword=${hunter2}\ntext=$password"); }),
            "Option \"text\" of group [grp] has the value \"$password\" (f.conf:3), which leads to "
            "grp.password, which holds a $name that names no option.");
}

TEST(option_values, asking_for_the_wrong_thing_is_an_error) {
  const auto v = read("");
  EXPECT_EQ(error_of([&] { return v.integer("nope"); }), "Group [grp] has no option \"nope\".");
  EXPECT_EQ(error_of([&] { return v.is_set("nope"); }), "Group [grp] has no option \"nope\".");
  EXPECT_EQ(error_of([&] { return v.integer("text"); }),
            "Option \"text\" of group [grp] is not an integer.");
  EXPECT_EQ(error_of([&] { return v.string("count"); }),
            "Option \"count\" of group [grp] is not a string.");
  EXPECT_EQ(error_of([&] { return v.string("unset"); }),
            "Option \"unset\" of group [grp] has no value.");
}

// ---- substitution -------------------------------------------------------------------------------

std::string text_of(const std::string& lines) {
  return read(lines).string("text");
}

// Checked against oslo.config 9.
TEST(substitution, agrees_with_oslo_config) {
  const struct {
    std::string lines, text;
  } table[] = {
      {"[grp]\ntext=$b\nb=1", "1"},
      {"[grp]\ntext=$x.y!\n[x]\ny=7", "7!"},
      {"[grp]\ntext=${x.y}z\n[X]\ny=7", "7z"},
      {"[DEFAULT]\nb=1\n[grp]\ntext=$b", "1"},
      {"[DEFAULT]\nb=1\n[grp]\ntext=$b\nb=2", "2"},
      {"[grp]\ntext=$mode", "slow"},
      {"[grp]\ntext=$count", "2"},
      {"[grp]\ntext=<$unset>", "<>"},
      {"[grp]\ntext=$control_exchange", "openstack"},
      {"[DEFAULT]\ncontrol_exchange=nova\n[grp]\ntext=$control_exchange", "nova"},
      {"[grp]\ntext=$DEFAULT.rpc_response_timeout", "60"},
      {"[grp]\ntext=\\$b $$b $ $1 ${ ${b ${} ${1} $-", "$b $b $ $1 ${ ${b ${} ${1} $-"},
      {"[grp]\ntext=\\\\$b", "\\$b"},
      {"[grp]\ntext=$$$b\nb=q", "$q"},
      {"[grp]\ntext=$\\$b\nb=q", "$q"},
      {"[grp]\ntext=x$b-$b/y\nb=q", "xq-q/y"},
      {"[grp]\ntext=$B\nB=q\nb=no", "q"},
      {"[grp]\ntext=$b_1\nb_1=q", "q"},
      {"[grp]\ntext=$b\nb=$x.y\nc=no\n[x]\ny=$c\nc=yes", "yes"},
      {"[grp]\ntext=$b\nb=$x.y\nc=no\n[x]\ny=$c\n[DEFAULT]\nc=yes", "yes"},
      {"[grp]\ntext=$b\nb=1\nb=2", "2"},
      {"[grp]\ntext=$old_count\ncount=5", "5"},
      {"[grp]\ntext=$count\nold_count=5", "5"},
  };
  for (const auto& row : table) EXPECT_EQ(text_of(row.lines), row.text) << row.lines;
}

TEST(substitution, works_in_every_type) {
  const auto v = read(
      "[DEFAULT]\nn=3\nyes=true\nl=a,b\n[grp]\ncount=$n\nflag=$yes\ndelay=$n.5\nitems=$l,c\n"
      "many=$n\nmany=x\npairs=n:$n\n[n]\n5=4.5\n");
  EXPECT_EQ(v.integer("count"), 3);
  EXPECT_TRUE(v.boolean("flag"));
  EXPECT_EQ(v.floating("delay"), 4.5);  // $n.5 is option 5 of group n
  EXPECT_THAT(v.list("items"), ElementsAre("a", "b", "c"));
  EXPECT_THAT(v.list("many"), ElementsAre("3", "x"));
  EXPECT_EQ(v.dict("pairs"), (dict{{"n", "3"}}));
}

TEST(substitution, errors_name_the_place) {
  const auto error = [](const std::string& lines) {
    return error_of([&] { return text_of(lines); });
  };
  const std::string has = "Option \"text\" of group [grp] has the value ";
  const std::string unknown = ", which names no option; write $$ for a dollar sign.";
  EXPECT_EQ(error("[grp]\ntext=a$nope b"),
            has + "\"a$nope b\" (f.conf:2), which holds $nope" + unknown);
  EXPECT_EQ(error("[grp]\ntext=${nope}"),
            has + "\"${nope}\" (f.conf:2), which holds $nope" + unknown);
  EXPECT_EQ(error("[grp]\ntext=$h.x"), has + "\"$h.x\" (f.conf:2), which holds $h.x" + unknown);
  EXPECT_EQ(error("[grp]\ntext=$b.\nb=1"), has + "\"$b.\" (f.conf:2), which holds $b." + unknown);
  EXPECT_EQ(error("[grp]\ntext=$text"),
            has + "\"$text\" (f.conf:2), which substitutes itself: grp.text -> grp.text.");
  EXPECT_EQ(error("[grp]\ntext=$b\nb=$x.c\n[x]\nc=$GRP.text"),
            has +
                "\"$b\" (f.conf:2), which substitutes itself: grp.text -> grp.b -> x.c -> "
                "grp.text.");
}

TEST(substitution, cannot_be_made_to_explode) {
  const auto error = [](const std::string& lines) {
    return error_of([&] { return text_of(lines); });
  };
  const auto doubling = [](const std::string& leaf) {
    std::string lines = "[grp]\ntext=$a0\n";
    for (int i = 0; i < 40; ++i)
      lines += "a" + std::to_string(i) + "=$a" + std::to_string(i + 1) + "$a" +
               std::to_string(i + 1) + "\n";
    return lines + "a40=" + leaf + "\n";
  };
  EXPECT_THAT(error(doubling(std::string(1000, 'x'))),
              testing::EndsWith("becomes longer than 1048576 bytes by its substitutions."));
  EXPECT_THAT(error(doubling("")), testing::EndsWith("needs more than 10000 substitutions."));
  std::string chain = "[grp]\ntext=$a0\n";
  for (int i = 0; i < 5'000; ++i)
    chain += "a" + std::to_string(i) + "=$a" + std::to_string(i + 1) + "\n";
  EXPECT_THAT(error(chain), testing::EndsWith("has substitutions more than 100 levels deep."));
}

TEST(substitution, survives_random_text) {
  random_engine random{11};
  const std::string_view alphabet = "$$$${}\\abtext.x1- ";
  for (int i = 0; i < 5'000; ++i) {
    std::string lines = "[grp]\n";
    for (const char* key : {"text", "a", "b", "t"}) {
      lines += std::string(key) + "=";
      const auto length = random.below(12);
      for (std::uint64_t k = 0; k < length; ++k) lines += alphabet[random.below(alphabet.size())];
      lines += '\n';
    }
    try {
      (void)text_of(lines);
    } catch (const configuration_error&) {
    }
  }
}

// ---- what an option does here ------------------------------------------------------------------

const std::vector<option> effects{
    {.name = "works", .default_value = "a"},
    {.name = "rate",
     .type = option_type::integer,
     .default_value = "3",
     .deprecated = {"old/rate"},
     .effect = option_effect::none},
    {.name = "host", .has_default = false, .effect = option_effect::none},
    {.name = "stream",
     .type = option_type::boolean,
     .default_value = "false",
     .help = "Streams in place of queues.",
     .effect = option_effect::refused},
};

option_values read_effects(std::string_view text, const query& q = {}) {
  return {"grp", effects, config::parse(text, "f.conf"), q, "rabbit://h/"};
}

TEST(option_effects, defaults_are_nobodys_concern) {
  EXPECT_EQ(read_effects("").without_effect(), "");
  EXPECT_EQ(read_effects("[grp]\nrate = 3\nstream = no\nworks = b\n").without_effect(), "");
}

TEST(option_effects, those_without_any_are_listed_with_their_place) {
  EXPECT_EQ(read_effects("[old]\nrate = 5\n[grp]\nhost =\n", {}).without_effect(),
            "Options of [grp] that have no effect here: rate (f.conf:2), host (f.conf:4).");
  EXPECT_EQ(read_effects("", {{"rate", "5"}}).without_effect(),
            "Options of [grp] that have no effect here: rate (in the query of the transport URL "
            "rabbit://h/).");
}

TEST(option_effects, what_is_not_supported_is_refused_with_its_place) {
  EXPECT_EQ(error_of([] { return read_effects("[grp]\n\nstream = Yes\n"); }),
            "Option \"stream\" of group [grp] has the value \"Yes\" (f.conf:3), which is not "
            "supported here. Streams in place of queues.");
  EXPECT_EQ(error_of([] {
              return read_effects("", {{"stream", "1"}});
            }),
            "Option \"stream\" of group [grp] has the value \"1\" (in the query of the transport "
            "URL rabbit://h/), which is not supported here. Streams in place of queues.");
}

TEST(option_effects, a_value_of_the_wrong_type_is_an_error_all_the_same) {
  EXPECT_EQ(error_of([] { return read_effects("[grp]\nrate = often\n"); }),
            "Option \"rate\" of group [grp] has the value \"often\" (f.conf:2), which is not an "
            "integer.");
}

TEST(option_values, describe_what_is_wrong_with_a_value) {
  const auto v = read("[grp]\ncount = 3\npassword = hunter2\n");
  EXPECT_EQ(v.described("count"), "Option \"count\" of group [grp] has the value \"3\" (f.conf:2)");
  EXPECT_EQ(v.described("password"),
            "Option \"password\" of group [grp] has a secret value (f.conf:3)");
  EXPECT_EQ(v.described("text"),
            "Option \"text\" of group [grp] has the value \"t\" (its default)");
}

// ---- [DEFAULT] ----------------------------------------------------------------------------------

TEST(default_options, have_the_defaults_of_oslo) {
  const option_values v{"DEFAULT", default_options(), config{}};
  EXPECT_EQ(v.string("transport_url"), "rabbit://");
  EXPECT_EQ(v.string("control_exchange"), "openstack");
  EXPECT_EQ(v.integer("executor_thread_pool_size"), 64);
  EXPECT_EQ(v.integer("rpc_response_timeout"), 60);
  EXPECT_FALSE(v.boolean("rpc_ping_enabled"));
  EXPECT_EQ(default_options().size(), 5u);
}

TEST(default_options, are_read_from_a_config) {
  const auto conf = config::parse(
      "[DEFAULT]\nrpc_thread_pool_size = 7\nrpc_response_timeout=120\ncontrol_exchange=nova\n"
      "host=h1\ntransport_url=rabbit://u:p$$w@$host/\nrpc_ping_enabled=on\n");
  const option_values v{"DEFAULT", default_options(), conf};
  EXPECT_EQ(v.integer("executor_thread_pool_size"), 7);
  EXPECT_EQ(v.integer("rpc_response_timeout"), 120);
  EXPECT_EQ(v.string("control_exchange"), "nova");
  EXPECT_EQ(v.string("transport_url"), "rabbit://u:p$w@h1/");
  EXPECT_TRUE(v.boolean("rpc_ping_enabled"));
}

TEST(default_options, the_transport_url_is_a_secret) {
  const auto conf = config::parse("[DEFAULT]\ntransport_url=rabbit://u:hunter2$x@h/\n", "f.conf");
  EXPECT_EQ(
      error_of([&] {
        return option_values{"DEFAULT", default_options(), conf};
      }),
      "Option \"transport_url\" of group [DEFAULT] has a secret value (f.conf:2), which holds "
      "a $name that cannot be replaced; write $$ for a dollar sign.");
}

// ---- former names -------------------------------------------------------------------------------

std::vector<std::string> former(std::string_view text, const query& q = {}) {
  return former_names_in_use(config::parse(text, "f.conf"), "grp", options, q);
}

TEST(option_values, a_former_name_in_use_is_one_line) {
  EXPECT_THAT(former("[grp]\nold_count = 3\nlots = a\nlots = b\n[OTHER]\nunknown = 1\n"),
              ElementsAre("Deprecated: Option \"old_count\" of group [grp] (f.conf:2) is \"count\" "
                          "of group [grp] now.",
                          "Deprecated: Option \"lots\" of group [grp] (f.conf:3) is \"many\" of "
                          "group [grp] now."));
  EXPECT_THAT(former("[other]\ncount = 3\n"),
              ElementsAre("Deprecated: Option \"count\" of group [OTHER] (f.conf:2) is \"count\" "
                          "of group [grp] now."));
  EXPECT_THAT(former("", {{"old_count", "3"}}),
              ElementsAre("Deprecated: Option \"old_count\" of group [grp] (in the query of the "
                          "transport URL) is \"count\" of group [grp] now."));
}

/// As in a file that two versions read.
TEST(option_values, a_former_name_beside_the_present_one_is_no_line) {
  EXPECT_TRUE(former("[grp]\nold_count = 3\ncount = 3\n").empty());
  EXPECT_TRUE(former("", {{"old_count", "3"}, {"count", "3"}}).empty());
  EXPECT_TRUE(former("[grp]\ncount = 3\nmany = x\n", {{"count", "4"}}).empty());
}

}  // namespace
}  // namespace oslo::messaging
