// The actions of a link policy as lines of text.
#pragma once

#include <oslo/messaging/error.hpp>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "protocol/link_action.hpp"

namespace link_script {

using oslo::messaging::protocol::link_action;
using oslo::messaging::protocol::link_actions;
namespace act = oslo::messaging::protocol::act;

inline std::string line_of(const link_action& action) {
  return std::visit(
      [](const auto& a) -> std::string {
        using kind = std::decay_t<decltype(a)>;
        if constexpr (std::is_same_v<kind, act::look_up>)
          return "look_up " + std::to_string(a.id) + " " + a.host.host;
        else if constexpr (std::is_same_v<kind, act::dial>)
          return "dial " + std::to_string(a.id) + " " + a.address.text();
        else if constexpr (std::is_same_v<kind, act::give_up>)
          return "give_up " + std::to_string(a.id);
        else if constexpr (std::is_same_v<kind, act::converse>)
          return "converse " + std::to_string(a.id);
        else if constexpr (std::is_same_v<kind, act::limit_silence>)
          return a.on ? "limit_silence" : "allow_silence";
        else if constexpr (std::is_same_v<kind, act::say_goodbye>)
          return "goodbye";
        else if constexpr (std::is_same_v<kind, act::hang_up>)
          return "hang_up";
        else if constexpr (std::is_same_v<kind, act::report_up>)
          return "up";
        else if constexpr (std::is_same_v<kind, act::report_down>)
          return std::string(a.loss.was_open ? "lost" : "down") +
                 (a.loss.verdict ? " verdict " : " ") + a.loss.why.message() +
                 (a.loss.closed ? " (" + std::to_string(a.loss.closed->code) + ")" : "");
        else if constexpr (std::is_same_v<kind, act::report_shut>)
          return "shut";
        else
          return std::string(to_string(a.level)) + " " + a.text;
      },
      action);
}

/// Without the log lines.
inline std::vector<std::string> lines_of(const link_actions& actions) {
  std::vector<std::string> all;
  for (const auto& a : actions)
    if (!std::holds_alternative<act::say>(a)) all.push_back(line_of(a));
  return all;
}

/// Only the log lines that people read.
inline std::vector<std::string> said(const link_actions& actions) {
  std::vector<std::string> all;
  for (const auto& a : actions)
    if (const auto* s = std::get_if<act::say>(&a);
        s != nullptr && s->level > oslo::messaging::log_level::debug)
      all.push_back(line_of(a));
  return all;
}

}  // namespace link_script
