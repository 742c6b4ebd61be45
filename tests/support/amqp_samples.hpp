// Properties and tables for tests.
#pragma once

#include "protocol/amqp091/connection.hpp"

namespace amqp_script {

/// A table with a value of each type.
inline amqp091::field_table every_type() {
  using namespace amqp091;
  return {{"V", {}},
          {"t", true},
          {"b", std::int8_t{-1}},
          {"B", std::uint8_t{1}},
          {"s", std::int16_t{-1}},
          {"u", std::uint16_t{1}},
          {"I", -1},
          {"i", 1u},
          {"l", std::int64_t{-1}},
          {"f", 1.5f},
          {"d", 1.5},
          {"D", decimal{2, 314}},
          {"S", "text"},
          {"x", byte_array{"bytes"}},
          {"T", timestamp{1}},
          {"A", field_array{1, "x", field_array{}}},
          {"F", field_table{{"k", true}}}};
}

/// Those that Python's peers send with each message.
inline amqp091::properties of_python() {
  amqp091::properties p;
  p.content_type = "application/json";
  p.content_encoding = "utf-8";
  p.headers.emplace();
  p.delivery_mode = 2;
  p.priority = 0;
  return p;
}

}  // namespace amqp_script
