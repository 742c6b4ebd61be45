#include "drivers/zmq/examiner.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <optional>

#include "core/saturating.hpp"
#include "drivers/zmq/options.hpp"

namespace oslo::messaging::zmq {
namespace {

using boost::asio::ip::tcp;

constexpr std::chrono::milliseconds longest_visit{5'000};

/// Why nobody answers there; none: somebody does.
std::optional<std::string> visit(const host_port& at, std::chrono::milliseconds limit) {
  boost::asio::io_context io;
  tcp::resolver resolver(io);
  tcp::socket socket(io);
  std::optional<boost::system::error_code> outcome;
  resolver.async_resolve(
      at.host, std::to_string(at.port),
      [&](boost::system::error_code ec, const tcp::resolver::results_type& all) {
        if (ec) {
          outcome = ec;
          return;
        }
        boost::asio::async_connect(
            socket, all,
            [&](boost::system::error_code fault, const tcp::endpoint&) { outcome = fault; });
      });
  io.run_for(limit);
  if (!outcome) return "no answer in time";
  if (*outcome) return outcome->message();
  return std::nullopt;
}

}  // namespace

std::vector<finding> examine(const transport_url& url, const driver_environment& env,
                             const examination& what) {
  std::vector<finding> all;
  options o;
  try {
    o = read_options(env.conf, url);
  } catch (const messaging_error& e) {
    return {{severity::error, "configuration", e.what(), "Correct that option."}};
  }
  for (const auto& w : o.warnings) all.push_back({severity::warning, "configuration", w, {}});
  const auto end = std::chrono::steady_clock::now() + what.timeout;
  std::size_t there = 0;
  const bool redis = o.matchmaker == matchmaker_kind::redis;
  for (const auto& h : o.hosts) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    const auto limit = std::clamp(left, std::chrono::milliseconds(1), longest_visit);
    const auto why = visit(h, limit);
    const std::string subject = (redis ? "Redis " : "server ") + to_string(h);
    if (!why) ++there;
    if (!why)
      all.push_back({severity::ok, subject, "It takes connections.", {}});
    else if (redis)
      all.push_back({severity::error, subject, "It cannot be reached: " + *why + ".",
                     "Start it, or correct its address in the URL."});
    else
      all.push_back({severity::note, subject, "No server listens there: " + *why + ".", {}});
  }
  if (!redis && !o.hosts.empty() && there == 0 && what.has(bus_role::client))
    all.push_back({severity::warning, "servers", "None of the servers of the URL is there.",
                   "Start one, or correct their addresses."});
  if (o.curve.secret.empty() && o.matchmaker != matchmaker_kind::ipc &&
      o.matchmaker != matchmaker_kind::dummy)
    all.push_back({severity::note, "encryption", "Messages go over the network in the clear.",
                   "Set cpp_curve_secret_key_file and its companions (docs/zmq.md)."});
  return all;
}

}  // namespace oslo::messaging::zmq
