// Kinds of options that several commands have.
#pragma once

#include <CLI/CLI.hpp>
#include <initializer_list>
#include <string>

namespace oslo::messaging::cli {

// What an option takes stands in its text: CLI11's own description would say it again.

/// What is not a number is in no range; CLI11's own would let it pass.
template <class T>
CLI::Validator between(T least, T most) {
  const auto check = [least, most](std::string& text) {
    T value{};
    const bool fits = CLI::detail::lexical_cast(text, value) && value >= least && value <= most;
    return fits ? std::string()
                : "Value " + text + " not in range " + std::to_string(least) + " to " +
                      std::to_string(most);
  };
  return {check, ""};
}

inline CLI::Validator one_of(std::initializer_list<const char*> words) {
  return CLI::IsMember(words).description("");
}

/// A name, as of a topic. An empty one is a shell variable that is not set, and would mean another
/// thing: any server, or none of the defaults.
inline CLI::Validator filled() {
  const auto check = [](const std::string& text) {
    return text.empty() ? std::string("The name is empty") : std::string();
  };
  return {check, ""};
}

/// One value each time, any number of times.
inline CLI::Option* repeatable(CLI::Option* option) {
  return option->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
}

}  // namespace oslo::messaging::cli
