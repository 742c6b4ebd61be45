// The drivers that the suite runs over. A driver joins with a row here, and with an entry in
// CMakeLists.txt that says what it needs.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "bus.hpp"
#include "support/amqp1_broker.hpp"
#include "support/mock_kafka.hpp"

namespace oslo::messaging::conformance {
namespace {

bus_kind over(std::string name, std::string url) {
  return {std::move(name),
          [url](transport_options o) { return open_transport(url, std::move(o)); }};
}

/// In one of its two modes of addressing, over a broker in this process.
bus_kind over_amqp1(const std::string& mode) {
  return {"amqp1_" + mode, [mode](transport_options o) {
            // Lives until the process ends: so do transports of some tests.
            static const auto* const broker = new testing::amqp1_broker;
            return open_transport(broker->url() + "?addressing_mode=" + mode, std::move(o));
          }};
}

/// Places for the servers of this process; a transport takes the first that is free.
std::string zmq_hosts() {
  namespace ip = boost::asio::ip;
  boost::asio::io_context io;
  std::vector<ip::tcp::acceptor> held;  // until all are chosen
  std::string hosts;
  for (int i = 0; i < 8; ++i) {
    held.emplace_back(io, ip::tcp::endpoint(ip::address_v4::loopback(), 0));
    hosts += (hosts.empty() ? "127.0.0.1:" : ",127.0.0.1:") +
             std::to_string(held.back().local_endpoint().port());
  }
  return hosts;
}

transport over_zmq_static(transport_options o) {
  static const std::string hosts = zmq_hosts();
  return open_transport("zmq+static://" + hosts + "/", std::move(o));
}

/// Sockets in a folder that ends with the process.
transport over_zmq_ipc(transport_options o) {
  struct folder {
    std::filesystem::path path = std::filesystem::temp_directory_path() / unique_name("oslo-ipc");
    folder() { std::filesystem::create_directory(path); }
    ~folder() { std::filesystem::remove_all(path); }
    folder(const folder&) = delete;
    folder& operator=(const folder&) = delete;
  };
  static const folder sockets;
  o.conf.set("oslo_messaging_zmq", "rpc_zmq_ipc_dir", sockets.path.string());
  return open_transport("zmq+ipc:///", std::move(o));
}

/// Names of the queues on which single servers get what is meant for all.
std::string fanout_queues(const std::string& topic) {
  std::istringstream all(testing::rabbitmqctl({"list_queues", "--silent", "name"}));
  std::string found;
  for (std::string line; std::getline(all, line);)
    if (line.find(topic + "_fanout_") != std::string::npos) found += line + "\n";
  return found;
}

/// A group of its own for each transport, so that no test waits for members of another one. All
/// goes to one partition: only there Kafka keeps an order.
transport over_kafka(std::string url, transport_options o) {
  url +=
      "?cpp_rdkafka_producer.partitioner=consistent"
      "&cpp_rdkafka_consumer.topic.metadata.refresh.interval.ms=300"
      "&consumer_group=" +
      unique_name("group");
  return open_transport(url, std::move(o));
}

/// The cluster of librdkafka lets a member that joins again wait for a second less than its
/// session.
transport over_mock_kafka(transport_options o) {
  o.conf.set("oslo_messaging_kafka", "cpp_rdkafka_consumer.session.timeout.ms", "4000");
  o.conf.set("oslo_messaging_kafka", "cpp_rdkafka_consumer.heartbeat.interval.ms", "300");
  return over_kafka(testing::mock_kafka().url(), std::move(o));
}

}  // namespace

std::vector<bus_kind> all_buses() {
  std::vector<bus_kind> rows{over("fake", "fake://")};
  for (const char* mode : {"legacy", "routable"}) {
    rows.push_back(over_amqp1(mode));
    rows.back().drops_expired = true;
    rows.back().keeps_for_nobody = true;
  }
  rows.push_back({"kafka_mock", over_mock_kafka});
  rows.push_back(over("zmq_dummy", "zmq+dummy://"));
  rows.push_back({"zmq_static", over_zmq_static});
  rows.push_back({"zmq_ipc", over_zmq_ipc});
  if (const char* const redis = std::getenv("OSLO_TEST_REDIS"))
    rows.push_back(
        over("zmq_redis", "zmq+redis://" + std::string(redis) +
                              "/?rpc_zmq_host=127.0.0.1&rpc_zmq_bind_address=127.0.0.1"));
  for (auto& r : rows)
    if (r.name.starts_with("zmq_")) r.forgets_late = r.without_broker = true;
  if (std::getenv("OSLO_TEST_KAFKA_URL") != nullptr)
    rows.push_back({"kafka", [](transport_options o) {
                      return over_kafka(testing::environment("OSLO_TEST_KAFKA_URL"), std::move(o));
                    }});
  if (std::getenv("OSLO_TEST_RABBIT_URL") != nullptr) {
    rows.push_back(over("rabbit", testing::rabbit_url()));
    rows.back().drops_expired = true;
    rows.back().private_queues = fanout_queues;
  }
  for (const auto& [name, variable] :
       {std::pair("qpid", "OSLO_TEST_QPID_URL"), std::pair("artemis", "OSLO_TEST_ARTEMIS_URL")})
    if (const char* const url = std::getenv(variable)) {
      rows.push_back(over(name, url));
      rows.back().drops_expired = true;
      rows.back().keeps_for_nobody = true;
      rows.back().forgets_late = true;
    }
  return rows;
}

}  // namespace oslo::messaging::conformance
