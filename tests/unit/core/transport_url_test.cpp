#include <gtest/gtest.h>

#include <oslo/messaging/error.hpp>
#include <oslo/messaging/transport_url.hpp>

#include "core/random.hpp"

namespace oslo::messaging {
namespace {

using hosts = std::vector<transport_host>;
using query = std::map<std::string, std::string>;
constexpr auto none = std::nullopt;

std::string error_of(std::string_view text) {
  try {
    return "no error: " + to_string(transport_url::parse(text));
  } catch (const invalid_transport_url& e) {
    EXPECT_EQ(e.failure().code(), errc::invalid_url);
    return e.what();
  }
}

struct parse_case {
  std::string text;
  transport_url url;
  std::string printed;
};

class parse_table : public testing::TestWithParam<parse_case> {};

TEST_P(parse_table, reads_and_prints) {
  const auto& [text, expected, printed] = GetParam();
  const auto url = transport_url::parse(text);
  EXPECT_EQ(url.transport, expected.transport);
  EXPECT_EQ(url.virtual_host, expected.virtual_host);
  EXPECT_EQ(url.hosts, expected.hosts);
  EXPECT_EQ(url.query, expected.query);
  EXPECT_EQ(to_string(url), printed);
  EXPECT_EQ(to_string(transport_url::parse(printed)), printed);
}

// What oslo.messaging's own documentation and behaviour say.
INSTANTIATE_TEST_SUITE_P(
    examples, parse_table,
    testing::Values(
        parse_case{"rabbit:", {"rabbit", none, {}, {}}, "rabbit:///"},
        parse_case{"rabbit://", {"rabbit", none, {}, {}}, "rabbit:///"},
        parse_case{"rabbit:/", {"rabbit", "", {}, {}}, "rabbit:///"},
        parse_case{"rabbit:///", {"rabbit", "", {}, {}}, "rabbit:///"},
        parse_case{"rabbit:////", {"rabbit", "/", {}, {}}, "rabbit:////"},
        parse_case{"rabbit:///%2F", {"rabbit", "/", {}, {}}, "rabbit:////"},
        parse_case{"rabbit:/x/y", {"rabbit", "x/y", {}, {}}, "rabbit:///x/y"},
        parse_case{"RABBIT://h", {"rabbit", none, {{"h"}}, {}}, "rabbit://h/"},
        parse_case{"foo://u@r:p@h:1/v",
                   {"foo", "v", {{"h", std::uint16_t{1}, "u@r", "p"}}, {}},
                   "foo://u%40r:p@h:1/v"},
        parse_case{
            "foo://u:p:q@h/v", {"foo", "v", {{"h", none, "u", "p:q"}}, {}}, "foo://u:p%3Aq@h/v"},
        parse_case{"foo://u:@h/v", {"foo", "v", {{"h", none, "u", ""}}, {}}, "foo://u:@h/v"},
        parse_case{"foo://@h/v", {"foo", "v", {{"h", none, "", none}}, {}}, "foo://@h/v"},
        parse_case{"foo://:p@h/v", {"foo", "v", {{"h", none, "", "p"}}, {}}, "foo://:p@h/v"},
        parse_case{"foo://u:p@/v", {"foo", "v", {{none, none, "u", "p"}}, {}}, "foo://u:p@/v"},
        parse_case{"foo://,h1,,h2/v", {"foo", "v", {{"h1"}, {"h2"}}, {}}, "foo://h1,h2/v"},
        parse_case{
            "foo://h/v?x=1&x=2&y=", {"foo", "v", {{"h"}}, {{"x", "1,2"}}}, "foo://h/v?x=1%2C2"},
        parse_case{"foo://h/v;p?q=1", {"foo", "v;p", {{"h"}}, {{"q", "1"}}}, "foo://h/v%3Bp?q=1"},
        parse_case{
            "foo://[::1]:5/", {"foo", "", {{"::1", std::uint16_t{5}}}, {}}, "foo://[::1]:5/"},
        parse_case{
            "foo://fe80::1:5672/v", {"foo", "v", {{"fe80::1:5672"}}, {}}, "foo://[fe80::1:5672]/v"},
        parse_case{
            "foo://H1.Example/V", {"foo", "V", {{"H1.Example"}}, {}}, "foo://H1.Example/V"}));

// The URLs of upstream's test_urls.py.
INSTANTIATE_TEST_SUITE_P(
    upstream, parse_table,
    testing::Values(
        parse_case{"foo:", {"foo", none, {}, {}}, "foo:///"},
        parse_case{"foo:////", {"foo", "/", {}, {}}, "foo:////"},
        parse_case{"foo:///bar", {"foo", "bar", {}, {}}, "foo:///bar"},
        parse_case{"foo://host/bar", {"foo", "bar", {{"host"}}, {}}, "foo://host/bar"},
        parse_case{"foo://[ffff::1]/bar", {"foo", "bar", {{"ffff::1"}}, {}}, "foo://[ffff::1]/bar"},
        parse_case{"foo://[ffff::1]:1234/bar",
                   {"foo", "bar", {{"ffff::1", std::uint16_t{1234}}}, {}},
                   "foo://[ffff::1]:1234/bar"},
        parse_case{"foo://host:1234/bar",
                   {"foo", "bar", {{"host", std::uint16_t{1234}}}, {}},
                   "foo://host:1234/bar"},
        parse_case{"foo://u@host:1234/bar",
                   {"foo", "bar", {{"host", std::uint16_t{1234}, "u"}}, {}},
                   "foo://u@host:1234/bar"},
        parse_case{"foo://u:p@host:1234/bar",
                   {"foo", "bar", {{"host", std::uint16_t{1234}, "u", "p"}}, {}},
                   "foo://u:p@host:1234/bar"},
        parse_case{
            "foo://u:p@/bar", {"foo", "bar", {{none, none, "u", "p"}}, {}}, "foo://u:p@/bar"},
        parse_case{
            "foo://host1:1234,host2:4321/bar",
            {"foo", "bar", {{"host1", std::uint16_t{1234}}, {"host2", std::uint16_t{4321}}}, {}},
            "foo://host1:1234,host2:4321/bar"},
        parse_case{"foo://u:p@host1,host2/bar",
                   {"foo", "bar", {{"host1", none, "u", "p"}, {"host2"}}, {}},
                   "foo://u:p@host1,host2/bar"},
        parse_case{"foo://u1:p1@host1:1234,u2:p2@host2:4321/bar",
                   {"foo",
                    "bar",
                    {{"host1", std::uint16_t{1234}, "u1", "p1"},
                     {"host2", std::uint16_t{4321}, "u2", "p2"}},
                    {}},
                   "foo://u1:p1@host1:1234,u2:p2@host2:4321/bar"},
        parse_case{"foo://u1:p1@[ffff::1]:1234,u2:p2@[ffff::2]:4321/bar",
                   {"foo",
                    "bar",
                    {{"ffff::1", std::uint16_t{1234}, "u1", "p1"},
                     {"ffff::2", std::uint16_t{4321}, "u2", "p2"}},
                    {}},
                   "foo://u1:p1@[ffff::1]:1234,u2:p2@[ffff::2]:4321/bar"},
        parse_case{"foo://u%24:p%26@host:1234/%24",
                   {"foo", "$", {{"host", std::uint16_t{1234}, "u$", "p&"}}, {}},
                   "foo://u%24:p%26@host:1234/%24"},
        parse_case{"fake://bob:secret@host:10//",
                   {"fake", "/", {{"host", std::uint16_t{10}, "bob", "secret"}}, {}},
                   "fake://bob:secret@host:10//"},
        parse_case{"fake:////vhost", {"fake", "/vhost", {}, {}}, "fake:////vhost"},
        parse_case{"rabbit://h/v?l=1&l=2&l=3&d=x:1&d=y:2&d=z:3",
                   {"rabbit", "v", {{"h"}}, {{"l", "1,2,3"}, {"d", "x:1,y:2,z:3"}}},
                   "rabbit://h/v?d=x%3A1%2Cy%3A2%2Cz%3A3&l=1%2C2%2C3"}));

INSTANTIATE_TEST_SUITE_P(
    corners, parse_table,
    testing::Values(
        parse_case{"kombu+rabbit://h", {"kombu+rabbit", none, {{"h"}}, {}}, "kombu+rabbit://h/"},
        parse_case{"foo://h/v#fragment?x=1", {"foo", "v", {{"h"}}, {}}, "foo://h/v"},
        parse_case{"foo://h?x=1", {"foo", none, {{"h"}}, {{"x", "1"}}}, "foo://h/?x=1"},
        parse_case{"foo:v", {"foo", none, {}, {}}, "foo:///"},
        parse_case{
            "foo://u%:p%4@h", {"foo", none, {{"h", none, "u%", "p%4"}}, {}}, "foo://u%25:p%254@h/"},
        parse_case{"foo://u+x:p+y@h/a+b",
                   {"foo", "a+b", {{"h", none, "u+x", "p+y"}}, {}},
                   "foo://u%2Bx:p%2By@h/a%2Bb"},
        parse_case{"foo://h/v?a+b=c+d%26e&f&=g",
                   {"foo", "v", {{"h"}}, {{"", "g"}, {"a b", "c d&e"}}},
                   "foo://h/v?=g&a+b=c+d%26e"},
        parse_case{"foo://h/%C3%A9%FF",
                   {"foo", "\xc3\xa9\xef\xbf\xbd", {{"h"}}, {}},
                   "foo://h/%C3%A9%EF%BF%BD"},
        parse_case{"foo://:5/", {"foo", "", {{"", std::uint16_t{5}}}, {}}, "foo://:5/"},
        parse_case{"foo://h:65535,[::ffff:1.2.3.4%eth0]:00001",
                   {"foo",
                    none,
                    {{"h", std::uint16_t{65535}}, {"::ffff:1.2.3.4%eth0", std::uint16_t{1}}},
                    {}},
                   "foo://h:65535,[::ffff:1.2.3.4%eth0]:1/"},
        parse_case{"foo://a:b@c:d@h",
                   {"foo", none, {{"h", none, "a", "b@c:d"}}, {}},
                   "foo://a:b%40c%3Ad@h/"}));

TEST(transport_url, refuses_with_the_name_of_the_part) {
  const std::string hint =
      " In a user name or password, each of / ? # , @ : [ ] and space must be written as %XX.";
  const std::string port = "Invalid transport URL \"foo://***\": The port of host ";
  const std::string range = " is not a number from 1 to 65535." + hint;
  const std::string scheme =
      "Invalid transport URL: No scheme specified. It must begin like \"rabbit://\", with a "
      "letter.";
  const std::string name = "Invalid transport URL \"foo://***\": The name of host ";
  const std::string address = "Invalid transport URL \"foo://***\": The address ";
  const struct {
    std::string text, error;
  } table[] = {
      {"", scheme},
      {"invalid", scheme},
      {"1foo://h", scheme},
      {"://h", scheme},
      {"/foo://h", scheme},
      {" foo://h", scheme},
      {"f o://h", scheme},
      {"\xc3\xa9://h", scheme},
      {"foo://h:abc/", port + "1" + range},
      {"foo://h:/", port + "1" + range},
      {"foo://a,h:0", port + "2" + range},
      {"foo://,,a,,h:65536", port + "2" + range},
      {"foo://h:-1", port + "1" + range},
      {"foo://h:+5", port + "1" + range},
      {"foo://h:5x", port + "1" + range},
      {"foo://h:99999999999999999999", port + "1" + range},
      {"foo://[::1]:/", port + "1" + range},
      {"foo://h: 5", name + "1 holds a space." + hint},
      {"foo://h, h2", name + "2 holds a space." + hint},
      {"foo://h:1:2", name + "1 holds several ':' and is not an IPv6 address." + hint},
      {"foo://h]/", name + "1 holds a bracket that does not enclose an IPv6 address." + hint},
      {"foo://h[::1]/", name + "1 holds a bracket that does not enclose an IPv6 address." + hint},
      {"foo://[::1/", address + "of host 1 lacks its ']'." + hint},
      {"foo://[::1]5", address + "of host 1 is followed by something after its ']'." + hint},
      {"foo://[]", address + "in brackets of host 1 is not an IPv6 address." + hint},
      {"foo://[::1%]", address + "in brackets of host 1 is not an IPv6 address." + hint},
      {"foo://[::1%e=]", address + "in brackets of host 1 is not an IPv6 address." + hint},
      {"foo://[h]:5", address + "in brackets of host 1 is not an IPv6 address." + hint},
      {"foo://h/\n", "Invalid transport URL: It holds a control character at byte 8."},
      {"foo://h/\x7f", "Invalid transport URL: It holds a control character at byte 8."},
      {std::string("foo\0://h", 8),
       "Invalid transport URL: It holds a control character at byte 3."},
      {"foo://h/\xff", "Invalid transport URL: It is not valid UTF-8."},
      {"foo://" + std::string(65'531, 'h'),
       "Invalid transport URL: It has 65537 bytes, more than the limit of 65536."},
  };
  for (const auto& row : table) EXPECT_EQ(error_of(row.text), row.error) << row.text.substr(0, 80);
  EXPECT_EQ(transport_url::parse("foo://" + std::string(65'530, 'h')).hosts[0].hostname->size(),
            65'530u);
}

// Wherever a URL breaks, its text may hold a password that was not encoded.
TEST(transport_url, errors_never_hold_a_password) {
  for (const std::string_view text :
       {"foo://u:hunter2#q@h/v", "foo://u:hunter2/q@h/v", "foo://u:hunter2?q@h/v",
        "foo://u:a,hunter2:x@h/v", "foo://u:hunter2", "foo://u:hunter2@h:x", "foo://u:hunter2@[h",
        "foo://u:a#hunter2@h", "foo://u:x,y hunter2@,z hunter2", "hunter2", "1u:hunter2@h",
        "foo://u:hunter2\x01@h", "foo://u:hunter2\xff@h"}) {
    const auto error = error_of(text);
    EXPECT_EQ(error.find("hunter2"), std::string::npos) << error;
    EXPECT_EQ(error.find("no error"), std::string::npos) << error;
  }
}

TEST(transport_url, redacted_hides_passwords_only) {
  EXPECT_EQ(redacted(transport_url::parse("rabbit://u:p@h:1,v:q@i,w:@j,x@k,l/v?ssl=1")),
            "rabbit://u:***@h:1,v:***@i,w:***@j,x@k,l/v?ssl=1");
  EXPECT_EQ(redacted(transport_url::parse("foo://h/?sasl_Password=p&api_token=t&my_secret=s&a=b")),
            "foo://h/?a=b&api_token=***&my_secret=***&sasl_Password=***");
}

TEST(transport_url, equality_ignores_the_query) {
  const auto url = [](std::string_view text) { return transport_url::parse(text); };
  EXPECT_EQ(url("foo://u:p@h:1/v?x=1"), url("foo://u:p@h:1/v?y=2"));
  EXPECT_EQ(url("FOO://h/v"), url("foo://h/v"));
  for (const std::string_view other :
       {"bar://u:p@h:1/v", "foo://u:p@h:1/w", "foo://u:p@h:1", "foo://u:p@h:2/v", "foo://u:p@h/v",
        "foo://u:q@h:1/v", "foo://u@h:1/v", "foo://w:p@h:1/v", "foo://u:p@i:1/v",
        "foo://u:p@h:1,i/v", "foo:///v"})
    EXPECT_NE(url("foo://u:p@h:1/v"), url(other)) << other;
  EXPECT_NE(url("foo:///"), url("foo://"));
}

TEST(transport_url, formats_hand_made_values) {
  transport_url url{"testtransport", none, {}, {}};
  EXPECT_EQ(to_string(url), "testtransport:///");
  url.virtual_host = "/vhost";
  EXPECT_EQ(to_string(url), "testtransport:////vhost");
  url = {"testtransport", "/", {{"host", std::uint16_t{10}, "bob", "secret"}}, {}};
  EXPECT_EQ(to_string(url), "testtransport://bob:secret@host:10//");
  url = {"testtransport",
         "",
         {{"h1", std::uint16_t{1000}, "b1", "s1"}, {"h2", std::uint16_t{2000}, "b2", "s2"}},
         {}};
  EXPECT_EQ(to_string(url), "testtransport://b1:s1@h1:1000,b2:s2@h2:2000/");
  url = {"testtransport", "/$", {{"host", std::uint16_t{10}, "b$", "s&"}}, {}};
  EXPECT_EQ(to_string(url), "testtransport://b%24:s%26@host:10//%24");
  url = {"testtransport", none, {{"h", none, none, "p"}}, {}};
  EXPECT_EQ(to_string(url), "testtransport://:p@h/");
}

TEST(transport_url, warns_of_mixed_credentials) {
  const auto warning = [](std::string_view text) {
    return credentials_warning(transport_url::parse(text));
  };
  EXPECT_EQ(warning("foo://u:p@a,u:q@b"), "");
  EXPECT_EQ(warning("foo://a,b"), "");
  EXPECT_EQ(warning("foo://"), "");
  EXPECT_EQ(warning("foo://u:hunter2@a,b:5,u@c,u:p@"),
            "All hosts of the transport URL should have a user name and password, or none. With: "
            "a, (no name). Without: b, c.");
}

TEST(transport_url, survives_random_text) {
  random_engine random{20260102};
  const std::string_view alphabet = "foo:/@,[]%?#&=;+. 1290aAzZ~-_\t\n\x80\xff\xc3\xa9";
  int parsed = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text = random.below(4) == 0 ? "" : "foo://";
    const auto length = random.below(40);
    for (std::uint64_t k = 0; k < length; ++k)
      text += random.below(8) == 0 ? static_cast<char>(random.below(256))
                                   : alphabet[random.below(alphabet.size())];
    try {
      const auto url = transport_url::parse(text);
      ++parsed;
      const auto printed = to_string(url);
      EXPECT_EQ(to_string(transport_url::parse(printed)), printed) << text;
      (void)redacted(url);
    } catch (const invalid_transport_url&) {
    }
  }
  EXPECT_GT(parsed, 300);
}

}  // namespace
}  // namespace oslo::messaging
