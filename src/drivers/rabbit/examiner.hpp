// What `examine` (doctor.hpp) does on RabbitMQ.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <oslo/messaging/driver.hpp>
#include <string>
#include <vector>

#include "core/unique_id.hpp"
#include "drivers/rabbit/options.hpp"
#include "drivers/rabbit/probe.hpp"
#include "drivers/rabbit/topology.hpp"

namespace oslo::messaging::rabbit {

/// One examination, of options that `net::check` has passed. Runs the loop while it waits.
class examiner {
 public:
  examiner(boost::asio::io_context& io, const options& o, std::string control_exchange,
           const examination& what);

  std::vector<finding> run();

 private:
  using instant = probe::instant;
  /// What a queue is to the program, and what it does with it.
  struct queue_use {
    source from;
    bool declares = false;  ///< and binds
    bool consumes = false;
    enum class kind : std::uint8_t { requests, notifications, own } is = kind::own;
    bool called = false;  ///< somebody waits for whoever reads it
    bool typical = true;  ///< of several that are alike, the one that stands for those not there
  };
  struct exchange_use {
    exchange what;
    bool declares = false;
    bool publishes = false;
  };

  // examiner.cpp: hosts, the broker, what it forbids.
  void look_at_certificate();
  std::unique_ptr<probe> look_at_hosts();
  void host_is_up(const std::string& name, probe& p);
  void compare_clusters(const std::vector<std::unique_ptr<probe>>& hosts);
  void look_at_broker(probe& p);
  void look_at_alarms(std::size_t host);
  void look_at_transient_queues(std::size_t host);
  std::unique_ptr<probe> connect(std::size_t host);
  net::link_settings settings_for(std::size_t host) const;

  // examiner_objects.cpp: exchanges and queues.
  void plan();
  exchange_use& use_of(const exchange& x);
  void look_at_objects(probe& p);
  bool is_a_name(const std::string& subject, const std::string& name);
  void look_at_exchange(probe& p, const exchange_use& u);
  void look_at_queue(probe& p, const queue_use& u);
  void declare(probe& p, const std::string& subject, const std::string& name,
               const probe::question& q, bool ours);
  void count_readers(const queue_use& u, const probe::answer& a);
  void nobody_has_read(const queue_use& u);
  void check_permission(const probe::answer& a, const std::string& subject, const std::string& name,
                        const char* kind);
  /// True when it is a fault of the connection: it is told, and nothing more is to be asked.
  bool broken(probe& p, const probe::answer& a, const std::string& subject);

  void add(severity level, std::string subject, std::string text, std::string advice = {}) {
    found_.push_back({level, std::move(subject), std::move(text), std::move(advice)});
  }
  instant step() const;  ///< until when the next step may take
  bool time_is_up() const;
  bool is_rabbitmq(unsigned major, unsigned minor = 0) const noexcept {
    return rabbitmq_ && version_ >= std::pair(major, minor);
  }

  boost::asio::io_context& io_;
  options o_;
  std::string control_exchange_;
  examination what_;
  instant until_;
  std::vector<finding> found_;
  std::size_t host_ = 0;  ///< the one that all but the hosts is looked at on
  std::string broker_;    ///< its name
  bool rabbitmq_ = false;
  std::pair<unsigned, unsigned> version_{};
  std::string unique_ = unique_id();  ///< part of names that nobody uses
  std::vector<exchange_use> exchanges_;
  std::vector<queue_use> queues_;
};

/// For the registry.
std::vector<finding> examine(const transport_url& url, const driver_environment& env,
                             const examination& what);

}  // namespace oslo::messaging::rabbit
