#include "drivers/zmq/own_wire.hpp"

#include <array>
#include <charconv>
#include <oslo/messaging/json.hpp>
#include <utility>

#include "core/shown_name.hpp"

namespace oslo::messaging::zmq {
namespace {

constexpr std::size_t longest_id = 64;
constexpr std::string_view verbs = "HQ?EW!UTABRGP";

failure malformed(const std::string& what) {
  return {errc::malformed_message, "A message of ZeroMQ cannot be read: " + what};
}

/// Whole numbers, separated by single spaces.
template <std::size_t N>
bool read_numbers(std::string_view text, std::array<std::int64_t, N>& out) {
  const char* at = text.data();
  const char* const end = at + text.size();
  for (std::size_t i = 0; i < N; ++i) {
    if (i > 0) {
      if (at == end || *at != ' ') return false;
      ++at;
    }
    const auto [next, fault] = std::from_chars(at, end, out[i]);
    if (fault != std::errc{}) return false;
    at = next;
  }
  return at == end;
}

std::optional<std::uint32_t> as_number(std::int64_t n) {
  if (n < 0 || n > 0xffff'ffff) return std::nullopt;
  return static_cast<std::uint32_t>(n);
}

std::string read_text(json_reader& in) {
  std::string text;
  if (!in.next_element()) throw messaging_error(malformed("a list in it is too short."));
  in.read_string(text);
  return text;
}

}  // namespace

std::optional<std::uint32_t> read_number(std::string_view text) {
  std::array<std::int64_t, 1> n{};
  if (!read_numbers(text, n)) return std::nullopt;
  return as_number(n[0]);
}

result<own_message> read_own_frames(frame_views in) {
  if (in.size() != 6)
    return malformed("it has " + std::to_string(in.size()) + " frames instead of 6.");
  if (!in[0].empty()) return malformed("its first frame is not empty.");
  if (in[1] != own_version) return malformed("its version is " + shown_name(in[1]) + ".");
  if (in[2].size() != 1 || verbs.find(in[2][0]) == verbs.npos)
    return malformed("its verb is " + shown_name(in[2]) + ".");
  if (in[3].size() > longest_id)
    return malformed("its id has " + std::to_string(in[3].size()) + " bytes.");
  return own_message{static_cast<verb>(in[2][0]), in[3], in[4], in[5]};
}

frames write_own_frames(verb what, std::string_view id, std::string head, std::string body) {
  frames out;
  out.reserve(6);
  out.emplace_back();
  out.emplace_back(own_version);
  out.emplace_back(1, static_cast<char>(what));
  out.emplace_back(id);
  out.push_back(std::move(head));
  out.push_back(std::move(body));
  return out;
}

std::string write_greeting(const greeting& g) {
  std::string out = "[";
  write_json(out, g.server);
  for (const auto& s : g.all) {
    out += ", [";
    write_json(out, s.id);
    out += s.of == subscription::service::rpc ? ", \"rpc\"" : ", \"notification\"";
    for (const auto& text : {s.exchange, s.topic, s.server, s.pool}) {
      out += ", ";
      write_json(out, text);
    }
    out += ']';
  }
  return out += ']';
}

result<greeting> read_greeting(std::string_view head) {
  try {
    greeting g;
    json_reader in(head, 8);
    in.begin_array();
    g.server = read_text(in);
    while (in.next_element()) {
      if (g.all.size() >= most_subscriptions)
        return malformed("it has more than " + std::to_string(most_subscriptions) +
                         " subscriptions.");
      subscription s;
      in.begin_array();
      if (!in.next_element()) return malformed("a subscription in it is empty.");
      const auto id = as_number(in.read_int64());
      if (!id) return malformed("the number of a subscription in it is out of range.");
      s.id = *id;
      const auto service = read_text(in);
      if (service != "rpc" && service != "notification")
        return malformed("the service of a subscription in it is " + shown_name(service) + ".");
      s.of = service == "rpc" ? subscription::service::rpc : subscription::service::notification;
      for (auto* text : {&s.exchange, &s.topic, &s.server, &s.pool}) *text = read_text(in);
      if (in.next_element()) return malformed("a subscription in it is too long.");
      g.all.push_back(std::move(s));
    }
    in.finish();
    return g;
  } catch (const messaging_error& e) {
    return malformed(e.what());
  }
}

std::string write_request_head(const request_head& h) {
  std::string out = std::to_string(h.subscription);
  for (const std::int64_t n :
       {std::int64_t{h.turn}, std::int64_t{h.tell_taken}, std::int64_t{h.again},
        std::int64_t{h.requeues}, h.left ? std::int64_t{h.left->count()} : std::int64_t{-1}})
    out.append(1, ' ').append(std::to_string(n));
  if (h.headers.empty()) return out;
  out += "\n[";
  for (const auto& each : h.headers) {
    if (&each != &h.headers.front()) out += ", ";
    write_json(out, each.name);
    out += ", ";
    write_json(out, each.value);
  }
  return out += ']';
}

result<request_head> read_request_head(std::string_view head) {
  const auto line = head.find('\n');
  std::array<std::int64_t, 6> n{};
  if (!read_numbers(head.substr(0, line), n)) return malformed("its head has no six numbers.");
  const auto of = as_number(n[0]), turn = as_number(n[1]), requeues = as_number(n[4]);
  if (!of || !turn || !requeues || n[2] < 0 || n[2] > 1 || n[3] < 0 || n[3] > 1 || n[5] < -1)
    return malformed("a number of its head is out of range.");
  request_head h{*of, *turn, n[2] == 1, n[3] == 1, *requeues};
  if (n[5] >= 0) h.left = std::chrono::milliseconds(n[5]);
  if (line == head.npos) return h;
  try {
    json_reader in(head.substr(line + 1), 4);
    in.begin_array();
    while (in.next_element()) {
      if (h.headers.size() >= most_headers)
        return malformed("it has more than " + std::to_string(most_headers) + " headers.");
      message_header one;
      in.read_string(one.name);
      one.value = read_text(in);
      h.headers.push_back(std::move(one));
    }
    in.finish();
    return h;
  } catch (const messaging_error& e) {
    return malformed(e.what());
  }
}

std::string write_turn(const turn_head& t) {
  return std::to_string(t.subscription) + ' ' + std::to_string(t.turn) + ' ' +
         std::to_string(t.credit);
}

result<turn_head> read_turn(std::string_view head) {
  std::array<std::int64_t, 3> n{};
  if (!read_numbers(head, n)) return malformed("its head has no three numbers.");
  const auto of = as_number(n[0]), turn = as_number(n[1]), credit = as_number(n[2]);
  if (!of || !turn || !credit) return malformed("a number of its head is out of range.");
  return turn_head{*of, *turn, *credit};
}

std::string write_returned(const returned_head& h) {
  return write_turn({h.subscription, h.requeues, h.again ? 1U : 0U});
}

result<returned_head> read_returned(std::string_view head) {
  const auto t = read_turn(head);
  if (!t) return t.error();
  if (t->credit > 1) return malformed("a number of its head is out of range.");
  return returned_head{t->subscription, t->turn, t->credit == 1};
}

}  // namespace oslo::messaging::zmq
