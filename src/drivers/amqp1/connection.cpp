#include "drivers/amqp1/connection.hpp"

#include <proton/logger.h>
#include <proton/sasl.h>
#include <proton/session.h>

#include <algorithm>

#include "core/tasks/raised_flag.hpp"
#include "drivers/amqp1/connection_engine.hpp"

namespace oslo::messaging::amqp1 {
namespace {

constexpr std::uint32_t max_frame = 64 * 1024;
/// Some of what a broker says in the login stays in the engine's memory.
constexpr std::size_t most_before_open = 256 * 1024;
constexpr std::size_t output_piece = 256 * 1024;

/// The engine's clock: milliseconds, never 0.
std::int64_t to_engine(connection::instant t) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(t.time_since_epoch()).count() + 1;
}
connection::instant from_engine(std::int64_t ms) {
  return connection::instant(std::chrono::milliseconds(ms - 1));
}

std::string_view view(pn_bytes_t b) {
  return {b.start, b.size};
}
pn_bytes_t bytes(std::string_view text) {
  return pn_bytes(text.size(), text.data());
}

/// The text of a symbol or string where `d` stands.
std::string_view text_at(pn_data_t* d) {
  switch (pn_data_type(d)) {
    case PN_SYMBOL: return view(pn_data_get_symbol(d));
    case PN_STRING: return view(pn_data_get_string(d));
    default: return {};
  }
}

bool offers(pn_data_t* capabilities, std::string_view name) {
  pn_data_rewind(capabilities);
  if (!pn_data_next(capabilities)) return false;
  if (pn_data_type(capabilities) != PN_ARRAY) return text_at(capabilities) == name;
  pn_data_enter(capabilities);
  while (pn_data_next(capabilities))
    if (text_at(capabilities) == name) return true;
  return false;
}

void read_properties(pn_data_t* d, peer_description& out) {
  pn_data_rewind(d);
  if (!pn_data_next(d) || pn_data_type(d) != PN_MAP) return;
  pn_data_enter(d);
  while (pn_data_next(d)) {
    const std::string key(text_at(d));
    if (!pn_data_next(d)) return;
    if (key == "product") out.product = to_valid_utf8(text_at(d));
    if (key == "version") out.version = to_valid_utf8(text_at(d));
  }
}

void write_properties(pn_data_t* d, const connection_options& o) {
  pn_data_put_map(d);
  pn_data_enter(d);
  for (const auto& [name, text] : o.properties) {
    pn_data_put_symbol(d, bytes(name));
    pn_data_put_string(d, bytes(text));
  }
  if (o.process_id != 0) {
    pn_data_put_symbol(d, bytes("pid"));
    pn_data_put_long(d, o.process_id);
  }
  pn_data_exit(d);
}

void give_trace(std::intptr_t to, pn_log_subsystem_t, pn_log_level_t, const char* line) {
  reinterpret_cast<const connection_options*>(to)->trace(line);
}

}  // namespace

connection::connection(connection_options options, connection_events& user, instant now)
    : options_(std::move(options)), user_(user), engine_(std::make_unique<engine>()) {
  auto& e = *engine_;
  pn_connection_collect(e.connection, e.collector);
  pn_connection_set_container(e.connection, options_.container_id.c_str());
  if (!options_.hostname.empty())
    pn_connection_set_hostname(e.connection, options_.hostname.c_str());
  if (!options_.username.empty()) {
    pn_connection_set_user(e.connection, options_.username.c_str());
    pn_connection_set_password(e.connection, options_.password.c_str());
  }
  write_properties(pn_connection_properties(e.connection), options_);
  pn_transport_set_max_frame(e.transport, max_frame);
  pn_transport_set_idle_timeout(e.transport,
                                static_cast<pn_millis_t>(options_.idle_timeout.count()));
  auto* const sasl = pn_sasl(e.transport);
  pn_sasl_allowed_mechs(sasl, options_.mechanisms.c_str());
  // What secures the connection lies below the engine, which cannot see it.
  pn_sasl_set_allow_insecure_mechs(sasl, true);
  pn_transport_bind(e.transport, e.connection);
  pn_connection_open(e.connection);
  tick(now);
}

connection::~connection() = default;

// ---- the transport below ------------------------------------------------------------------------

void connection::on_bytes(std::string_view in, instant now) {
  if (!open_ && (before_open_ += in.size()) > most_before_open) {
    ending e{ending::origin::engine, {"amqp:connection:framing-error", "its login has no end"}};
    e.logging_in = true;
    return end(std::move(e));
  }
  auto* const t = engine_->transport;
  while (!in.empty() && !ended_) {
    const auto room = pn_transport_capacity(t);
    if (room <= 0) break;  // the engine has stopped to listen
    const auto n = std::min(in.size(), static_cast<std::size_t>(room));
    const auto taken = pn_transport_push(t, in.data(), n);
    drain_events();
    if (taken < 0) break;
    in.remove_prefix(n);
  }
  has_output();  // some errors show only now
  tick(now);
}

void connection::on_stream_end(std::string_view why, instant) {
  drain_events();
  ending e;
  e.logging_in = !open_;
  e.why.description = why;
  end(std::move(e));  // before the engine has an opinion of its own
  pn_transport_close_tail(engine_->transport);
  pn_transport_close_head(engine_->transport);
  drain_events();
}

bool connection::has_output() {
  drain_events();  // those of what the user did
  const bool some = pn_transport_pending(engine_->transport) > 0;
  drain_events();
  return some;
}

void connection::take_output(std::string& out) {
  out.clear();
  auto* const t = engine_->transport;
  while (out.size() < output_piece) {
    const auto n = pn_transport_pending(t);
    if (n <= 0) break;
    out.append(pn_transport_head(t), static_cast<std::size_t>(n));
    pn_transport_pop(t, static_cast<std::size_t>(n));
  }
  drain_events();
}

void connection::on_tick(instant now) {
  tick(now);
  drain_events();
}

void connection::tick(instant now) {
  const auto next = pn_transport_tick(engine_->transport, to_engine(now));
  deadline_ = next == 0 ? instant::max() : from_engine(next);
}

void connection::end(ending why) {
  if (std::exchange(ended_, true)) return;
  user_.on_closed(why);
}

// ---- events -------------------------------------------------------------------------------------

void connection::drain_events() {
  if (draining_) return;
  const raised_flag draining(draining_);
  while (auto* const e = pn_collector_peek(engine_->collector)) {
    if (!ended_) handle(e);
    pn_collector_pop(engine_->collector);
  }
}

void connection::handle(pn_event_t* e) {
  switch (pn_event_type(e)) {
    case PN_CONNECTION_REMOTE_OPEN: return connection_opened();
    case PN_LINK_REMOTE_OPEN: return link_opened(pn_event_link(e));
    case PN_LINK_REMOTE_CLOSE:
    case PN_LINK_REMOTE_DETACH: return link_ended(pn_event_link(e));
    case PN_LINK_FLOW: {
      auto* const l = pn_event_link(e);
      const auto* const s = find(id_of(l));
      if (s == nullptr || !pn_link_is_sender(l)) return;
      // Whoever takes messages has accepted the link, whatever he called the node.
      if (!s->open && !s->closing && pn_link_credit(l) > 0) return link_accepted(l);
      if (s->open && !s->closing) user_.on_credit(id_of(l));
      if (find(id_of(l)) != nullptr && pn_link_get_drain(l)) pn_link_drained(l);
      return;
    }
    case PN_DELIVERY: return delivery_changed(pn_event_delivery(e));
    case PN_SESSION_REMOTE_CLOSE: {
      // Without its only session the connection is of no use.
      ending why{ending::origin::peer,
                 to_condition(pn_session_remote_condition(pn_event_session(e)))};
      if (why.why.name.empty()) why.why.description = "the session has ended";
      if (!closing_) pn_connection_close(engine_->connection);
      return end(std::move(why));
    }
    case PN_CONNECTION_REMOTE_CLOSE: {
      auto* const c = pn_connection_remote_condition(engine_->connection);
      ending why{closing_ ? ending::origin::local : ending::origin::peer, to_condition(c)};
      if (!closing_) pn_connection_close(engine_->connection);
      return end(std::move(why));
    }
    case PN_TRANSPORT_ERROR: {
      ending why{ending::origin::engine, to_condition(pn_transport_condition(engine_->transport))};
      why.logging_in = !open_;
      // Any byte that came: no variable of the enumeration may hold it.
      const int said = pn_sasl_outcome(pn_sasl(engine_->transport));
      why.for_a_while = said == PN_SASL_TEMP || said == PN_SASL_SYS;
      return end(std::move(why));
    }
    default: return;
  }
}

void connection::connection_opened() {
  auto& e = *engine_;
  open_ = true;
  if (options_.trace) {  // not before: the login holds the password
    auto* const log = pn_transport_logger(e.transport);
    pn_logger_set_log_sink(log, &give_trace, reinterpret_cast<std::intptr_t>(&options_));
    pn_logger_set_mask(log, PN_SUBSYSTEM_AMQP, PN_LEVEL_FRAME);
  }
  e.session = pn_session(e.connection);
  pn_session_open(e.session);
  peer_description peer;
  read_properties(pn_connection_remote_properties(e.connection), peer);
  peer.anonymous_relay =
      offers(pn_connection_remote_offered_capabilities(e.connection), "ANONYMOUS-RELAY");
  user_.on_open(peer);
}

// ---- the user above -----------------------------------------------------------------------------

void connection::close() {
  if (ended_ || std::exchange(closing_, true)) return;
  pn_connection_close(engine_->connection);
}

}  // namespace oslo::messaging::amqp1
