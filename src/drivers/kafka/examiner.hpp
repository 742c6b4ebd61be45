// What would hurt a notifier or listener on a cluster of Kafka (doctor.hpp).
#pragma once

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <oslo/messaging/doctor.hpp>
#include <oslo/messaging/driver.hpp>
#include <string>
#include <vector>

#include "drivers/kafka/client_state.hpp"
#include "drivers/kafka/handles.hpp"

namespace oslo::messaging::kafka {

/// Looks at hosts, brokers, topics and the consumer group, as a consumer that joins no group: it
/// makes no topic, commits nothing and is no member. Blocks its thread.
class examiner {
 public:
  using instant = std::chrono::steady_clock::time_point;

  examiner(const options& o, const examination& what);
  std::vector<finding> run();

 private:
  using metadata_handle =
      std::unique_ptr<const rd_kafka_metadata_t, destroyer<rd_kafka_metadata_destroy>>;

  /// A client of one host, and what that knows of the cluster.
  struct contact {
    client_handle client{};
    client_state state{};
    metadata_handle cluster{};
    std::string trouble{};  ///< set: there is no `cluster`
  };

  contact ask(const std::string& server) const;
  std::optional<contact> look_at_hosts();
  void look_at_brokers(const rd_kafka_metadata_t& cluster);
  void look_at_topics(const rd_kafka_metadata_t& cluster);
  void look_at_topic(const std::string& name, const rd_kafka_metadata_topic_t* found);
  static std::optional<rd_kafka_resp_err_t> refusal_in(const contact& c);
  void refuse_group(rd_kafka_resp_err_t why);
  void look_at_group(const contact& c);
  /// `members`: none when that is not known.
  void look_at_backlog(const contact& c, std::optional<std::size_t> members);
  void refer_to_permissions();

  int milliseconds_left() const;
  bool time_is_up() const { return std::chrono::steady_clock::now() >= until_; }
  void add(severity level, std::string subject, std::string text, std::string advice = {}) {
    found_.push_back({level, std::move(subject), std::move(text), std::move(advice)});
  }

  const options& o_;
  const examination& what_;
  const instant until_;
  std::vector<std::string> names_;  ///< topics of notifications on the bus
  std::size_t partitions_ = 0;      ///< all of those that exist
  std::vector<finding> found_;
};

/// An `examiner` of driver_registry.
std::vector<finding> examine(const transport_url& url, const driver_environment& env,
                             const examination& what);

}  // namespace oslo::messaging::kafka
