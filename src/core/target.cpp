#include <charconv>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/target.hpp>

namespace oslo::messaging {
namespace {

struct version_numbers {
  int major = 0, minor = 0, revision = 0;
};

version_numbers parse_version(const std::string& text) {
  int parts[3] = {0, 0, 0};
  int count = 0;
  const char* p = text.data();
  const char* const end = p + text.size();
  while (count < 3) {
    const auto [next, error] = std::from_chars(p, end, parts[count]);
    if (error != std::errc{} || next == p) break;
    ++count;
    p = next;
    if (p == end || *p != '.') break;
    ++p;
  }
  if (count < 2 || p != end || text.back() == '.')
    throw messaging_error(
        {errc::invalid_argument, "Version must contain a major and minor integer. Got " + text});
  return {parts[0], parts[1], parts[2]};
}

}  // namespace

std::vector<std::optional<std::string>> target::accepted_namespaces() const {
  std::vector<std::optional<std::string>> all{namespace_};
  all.insert(all.end(), legacy_namespaces.begin(), legacy_namespaces.end());
  return all;
}

std::string to_string(const target& t) {
  std::string text = "<Target ";
  bool first = true;
  const auto add = [&](const char* name, const std::string& v) {
    if (!first) text += ", ";
    first = false;
    text += name;
    text += '=';
    text += v;
  };
  const auto add_field = [&](const char* name, const std::optional<std::string>& v) {
    if (v && !v->empty()) add(name, *v);
  };
  add_field("exchange", t.exchange);
  add_field("topic", t.topic);
  add_field("namespace", t.namespace_);
  add_field("version", t.version);
  add_field("server", t.server);
  if (t.fanout) add("fanout", "True");
  return text + ">";
}

bool version_is_compatible(const std::optional<std::string>& implemented,
                           const std::optional<std::string>& requested) {
  if (!implemented) return true;
  if (!requested) return false;
  const auto have = parse_version(*implemented);
  const auto want = parse_version(*requested);
  if (have.major != want.major) return false;
  if (want.minor != have.minor) return want.minor < have.minor;
  return want.revision <= have.revision;
}

}  // namespace oslo::messaging
