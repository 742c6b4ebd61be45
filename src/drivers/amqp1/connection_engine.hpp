// What the two sources of `connection` share: the engine's objects, and how they are spoken of.
#pragma once

#include <proton/condition.h>
#include <proton/connection.h>
#include <proton/event.h>
#include <proton/link.h>
#include <proton/transport.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "core/utf8.hpp"
#include "drivers/amqp1/connection.hpp"

namespace oslo::messaging::amqp1 {

struct connection::engine {
  pn_collector_t* collector = pn_collector();
  pn_connection_t* connection = pn_connection();
  pn_transport_t* transport = pn_transport();
  pn_session_t* session = nullptr;

  engine() = default;
  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;
  ~engine() {
    pn_transport_unbind(transport);
    pn_transport_free(transport);
    pn_connection_free(connection);
    pn_collector_free(collector);
  }
};

inline std::string one_line(const char* words) {
  constexpr std::size_t enough = 300;
  const auto all = words == nullptr ? std::string_view() : std::string_view(words);
  auto text = to_valid_utf8(all.substr(0, enough));
  std::ranges::replace_if(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return text;
}

inline condition to_condition(pn_condition_t* c) {
  if (c == nullptr || !pn_condition_is_set(c)) return {};
  condition found{one_line(pn_condition_get_name(c)), one_line(pn_condition_get_description(c))};
  const char* const host = found.is_redirect() ? pn_condition_redirect_host(c) : nullptr;
  if (host != nullptr && *host != '\0')
    found.elsewhere = one_line(host) + ":" + std::to_string(pn_condition_redirect_port(c));
  return found;
}

inline link_id id_of(pn_link_t* l) {
  return static_cast<link_id>(reinterpret_cast<std::uintptr_t>(pn_link_get_context(l)));
}

}  // namespace oslo::messaging::amqp1
