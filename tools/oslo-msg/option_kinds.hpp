// Kinds of options that several commands have.
#pragma once

#include <CLI/CLI.hpp>
#include <initializer_list>

namespace oslo::messaging::cli {

// What an option takes stands in its text: CLI11's own description would say it again.

template <class T>
CLI::Validator between(T least, T most) {
  return CLI::Range(least, most).description("");
}

inline CLI::Validator one_of(std::initializer_list<const char*> words) {
  return CLI::IsMember(words).description("");
}

/// One value each time, any number of times.
inline CLI::Option* repeatable(CLI::Option* option) {
  return option->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
}

}  // namespace oslo::messaging::cli
