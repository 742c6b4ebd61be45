// The cluster that librdkafka plays for tests: brokers on loopback, in this process.
#pragma once

#include <string>

struct rd_kafka_s;
struct rd_kafka_mock_cluster_s;

namespace oslo::messaging::testing {

/// One broker. It keeps about 5 MB a partition, makes topics of four partitions when they are sent
/// to, lets the first member of a group wait 3 s, and knows neither TLS nor SASL nor permissions.
class kafka_mock_cluster {
 public:
  kafka_mock_cluster();
  ~kafka_mock_cluster();
  kafka_mock_cluster(const kafka_mock_cluster&) = delete;
  kafka_mock_cluster& operator=(const kafka_mock_cluster&) = delete;

  /// "kafka://127.0.0.1:PORT/"
  const std::string& url() const noexcept { return url_; }
  void create_topic(const std::string& name, int partitions);
  /// Writes a record with that value, by whatever program. It is there when this returns.
  void produce(const std::string& topic, const std::string& value);
  /// Connections to it fail, those that there are end; and back.
  void set_down(bool down);
  /// The next `count` produce requests get this error of the protocol.
  void fail_produce(int count, int error) { fail(0, count, error); }
  /// Likewise the next ones to join a group.
  void fail_join(int count, int error) { fail(11, count, error); }

 private:
  void fail(int request, int count, int error);

  rd_kafka_s* owner_ = nullptr;
  rd_kafka_mock_cluster_s* cluster_ = nullptr;
  std::string url_;
};

/// One for the whole program, made by the first who asks.
kafka_mock_cluster& mock_kafka();

}  // namespace oslo::messaging::testing
