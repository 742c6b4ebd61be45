#include "protocol/amqp091/field_table.hpp"

#include <algorithm>

namespace amqp091 {

field_table::field_table(std::initializer_list<entry> entries) : entries_(entries) {}
field_table::field_table(const field_table&) = default;
field_table::field_table(field_table&&) noexcept = default;
field_table& field_table::operator=(const field_table&) = default;
field_table& field_table::operator=(field_table&&) noexcept = default;

void field_table::set(std::string key, field_value v) {
  const auto at = std::ranges::find(entries_, key, &entry::first);
  if (at == entries_.end())
    entries_.emplace_back(std::move(key), std::move(v));
  else
    at->second = std::move(v);
}

void field_table::append(std::string key, field_value v) {
  entries_.emplace_back(std::move(key), std::move(v));
}

const field_value* field_table::find(std::string_view key) const noexcept {
  const auto at = std::ranges::find(entries_, key, &entry::first);
  return at == entries_.end() ? nullptr : &at->second;
}

bool field_table::operator==(const field_table& other) const {
  return entries_ == other.entries_;
}

}  // namespace amqp091
