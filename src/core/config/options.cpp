#include <algorithm>
#include <array>
#include <cstdio>
#include <oslo/messaging/config.hpp>
#include <oslo/messaging/error.hpp>
#include <variant>

#include "core/config/option_lookup.hpp"
#include "core/config/option_types.hpp"
#include "core/hidden.hpp"
#include "core/utf8.hpp"

namespace oslo::messaging {
namespace {

using list_value = std::vector<std::string>;
using dict_value = std::map<std::string, std::string>;
/// monostate: not set.
using typed_value =
    std::variant<std::monostate, std::string, bool, std::int64_t, double, list_value, dict_value>;

std::string name_of(std::string_view group, std::string_view name) {
  return "Option \"" + std::string(name) + "\" of group [" + std::string(group) + "]";
}

/// A value as an error shows it: in quotes, on one line, not too long.
std::string shown(std::string_view text) {
  constexpr std::size_t most = 200;
  std::string out = "\"";
  for (const char c : text.substr(0, most)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += '?';
    } else {
      out += c;
    }
  }
  return to_valid_utf8(out += text.size() > most ? "...\"" : "\"");
}

std::string number_text(double v) {
  char text[32];
  const int n = std::snprintf(text, sizeof text, "%g", v);
  return {text, static_cast<std::size_t>(n)};
}

void check_range(double v, const option& o) {
  if (o.min && v < *o.min) throw value_fault("is below the minimum of " + number_text(*o.min));
  if (o.max && v > *o.max) throw value_fault("is above the maximum of " + number_text(*o.max));
}

void check_choice(std::string_view v, const option& o) {
  if (o.choices.empty() || std::find(o.choices.begin(), o.choices.end(), v) != o.choices.end())
    return;
  std::string all;
  for (const auto c : o.choices) {
    if (!all.empty()) all += ", ";
    all += c;
  }
  throw value_fault("is none of: " + all);
}

/// A file is checked as a whole; variables and the program may bring anything.
void check_encoding(std::string_view text) {
  if (!is_utf8(text)) throw value_fault("is not valid UTF-8");
}

typed_value convert(const option& o, std::string text) {
  check_encoding(text);
  switch (o.type) {
    case option_type::string: check_choice(text, o); return text;
    case option_type::boolean: return parse_boolean(text);
    case option_type::integer: {
      const auto v = parse_integer(text);
      if (!v) return {};
      check_range(static_cast<double>(*v), o);
      return *v;
    }
    case option_type::floating: {
      const auto v = parse_floating(text);
      if (!v) return {};
      check_range(*v, o);
      return *v;
    }
    case option_type::list:
    case option_type::multi_string: return parse_list(text);
    case option_type::dict: return parse_dict(text);
  }
  return {};
}

bool is_default(const option& o, const typed_value& v) {
  return v == (o.has_default ? convert(o, std::string(o.default_value)) : typed_value());
}

std::string describe(std::string_view group, const option& o, std::string_view text,
                     std::string_view place) {
  return name_of(group, o.name) + " has " +
         (o.secret ? "a secret value" : "the value " + shown(text)) + " (" + std::string(place) +
         ")";
}

/// Runs `read`, and tells of a fault which option it is about and where its text stands.
template <class Read>
typed_value read_with_place(std::string_view group, const option& o, std::string_view text,
                            std::string_view place, Read&& read) {
  try {
    return read();
  } catch (const value_fault& fault) {
    throw_failure({errc::invalid_config,
                   describe(group, o, text, place) + ", which " +
                       (o.secret && o.type != option_type::string ? "is not valid" : fault.what()) +
                       "."});
  }
}

}  // namespace

struct OSLO_HIDDEN option_values::parsed {
  struct item {
    option_type type;
    typed_value value;
    std::string described;
  };
  std::string group;
  std::map<std::string, item, std::less<>> items;
  std::string without_effect;  ///< "name (place), name (place)"

  /// Of an option that was given a value of its own.
  void check_effect(const option& o, const std::string& described, const std::string& place) {
    if (o.effect == option_effect::refused)
      throw_failure({errc::invalid_config,
                     described + ", which is not supported here. " + std::string(o.help)});
    if (o.effect == option_effect::works) return;
    if (!without_effect.empty()) without_effect += ", ";
    without_effect.append(o.name).append(" (").append(place).append(")");
  }

  const item& find(std::string_view name) const {
    const auto it = items.find(name);
    if (it == items.end())
      throw_failure({errc::invalid_argument,
                     "Group [" + group + "] has no option \"" + std::string(name) + "\"."});
    return it->second;
  }

  template <class T>
  const T& get(std::string_view name, const char* type) const {
    const auto& i = find(name);
    if (const T* v = std::get_if<T>(&i.value)) return *v;
    throw_failure(
        {errc::invalid_config,
         name_of(group, name) +
             (i.value.index() == 0 ? " has no value." : std::string(" is not ") + type + ".")});
  }
};

option_values::option_values(std::string group, std::span<const option> options, const config& conf,
                             const std::map<std::string, std::string>& query,
                             std::string_view url) {
  std::string place = "in the query of the transport URL";
  if (!url.empty()) place.append(" ").append(url);
  std::map<std::string_view, const std::string*> overrides;  // by present name
  for (const auto& [key, text] : query) {
    const option* o = find_option(options, group, key);
    if (o == nullptr)
      throw_failure({errc::invalid_config, "Group [" + group + "] has no option " + shown(key) +
                                               ", which stands " + place + "."});
    if (key == o->name)
      overrides[o->name] = &text;
    else
      overrides.emplace(o->name, &text);
  }

  const substitution names{conf, group, options};
  auto all = std::make_shared<parsed>();
  for (const option& o : options) {
    const auto read = [&](std::string_view text) {
      return convert(o, names.expand(o.name, text, o.secret));
    };
    typed_value value;
    std::string text(o.default_value), where = "its default";
    if (const auto it = overrides.find(o.name); it != overrides.end()) {
      text = *it->second;
      where = place;
      value = read_with_place(group, o, text, where, [&] { return convert(o, text); });
    } else if (const auto entries = find_entries(conf, group, o); entries.empty()) {
      if (o.has_default) value = read_with_place(group, o, text, where, [&] { return read(text); });
    } else if (o.type == option_type::multi_string) {
      list_value texts;
      text = entries.back()->text;
      where = entries.back()->origin;
      for (const auto* e : entries)
        read_with_place(group, o, e->text, e->origin, [&]() -> typed_value {
          check_encoding(texts.emplace_back(names.expand(o.name, e->text, o.secret)));
          return {};
        });
      value = std::move(texts);
    } else {
      text = entries.back()->text;
      where = entries.back()->origin;
      value = read_with_place(group, o, text, where, [&] { return read(text); });
    }
    parsed::item i{o.type, std::move(value), describe(group, o, text, where)};
    if (!is_default(o, i.value)) all->check_effect(o, i.described, where);
    all->items.emplace(o.name, std::move(i));
  }
  all->group = std::move(group);
  parsed_ = std::move(all);
}

std::string option_values::described(std::string_view name) const {
  return parsed_->find(name).described;
}
std::string option_values::without_effect() const {
  if (parsed_->without_effect.empty()) return {};
  return "Options of [" + parsed_->group +
         "] that have no effect here: " + parsed_->without_effect + ".";
}

bool option_values::is_set(std::string_view name) const {
  return parsed_->find(name).value.index() != 0;
}
std::string option_values::string(std::string_view name) const {
  return parsed_->get<std::string>(name, "a string");
}
bool option_values::boolean(std::string_view name) const {
  return parsed_->get<bool>(name, "a boolean");
}
std::int64_t option_values::integer(std::string_view name) const {
  return parsed_->get<std::int64_t>(name, "an integer");
}
double option_values::floating(std::string_view name) const {
  return parsed_->get<double>(name, "a floating point number");
}
std::vector<std::string> option_values::list(std::string_view name) const {
  return parsed_->get<list_value>(name, "a list");
}
std::map<std::string, std::string> option_values::dict(std::string_view name) const {
  return parsed_->get<dict_value>(name, "a dict");
}

std::span<const option> default_options() {
  static const std::array<option, 5> options{{
      {.name = "transport_url",
       .default_value = "rabbit://",
       .help = "The message bus: driver, hosts with credentials, virtual host, driver options.",
       .secret = true},
      {.name = "control_exchange",
       .default_value = "openstack",
       .help = "Exchange of topics whose target names none."},
      {.name = "executor_thread_pool_size",
       .type = option_type::integer,
       .default_value = "64",
       .help = "Threads of a server's thread pool.",
       .deprecated = {"rpc_thread_pool_size"}},
      {.name = "rpc_response_timeout",
       .type = option_type::integer,
       .default_value = "60",
       .help = "Seconds that a call waits for its reply when the client gives no timeout."},
      {.name = "rpc_ping_enabled",
       .type = option_type::boolean,
       .default_value = "false",
       .help = "Whether servers answer the method oslo_rpc_server_ping."},
  }};
  return options;
}

}  // namespace oslo::messaging
