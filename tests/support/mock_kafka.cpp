#include "support/mock_kafka.hpp"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <stdexcept>

namespace oslo::messaging::testing {
namespace {

constexpr std::int32_t the_broker = 1;

}  // namespace

kafka_mock_cluster::kafka_mock_cluster() {
  char why[256] = "";
  owner_ = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), why, sizeof why);
  if (owner_ == nullptr) throw std::runtime_error(why);
  cluster_ = rd_kafka_mock_cluster_new(owner_, 1);
  if (cluster_ == nullptr) throw std::runtime_error("librdkafka plays no cluster");
  url_ = std::string("kafka://") + rd_kafka_mock_cluster_bootstraps(cluster_) + "/";
}

kafka_mock_cluster::~kafka_mock_cluster() {
  if (cluster_ != nullptr) rd_kafka_mock_cluster_destroy(cluster_);
  if (owner_ != nullptr) rd_kafka_destroy(owner_);
}

void kafka_mock_cluster::create_topic(const std::string& name, int partitions) {
  if (rd_kafka_mock_topic_create(cluster_, name.c_str(), partitions, 1) != 0)
    throw std::runtime_error("the topic " + name + " cannot be made");
}

void kafka_mock_cluster::produce(const std::string& topic, const std::string& value) {
  rd_kafka_conf_t* const conf = rd_kafka_conf_new();
  char why[256] = "";
  const auto servers = url_.substr(8, url_.size() - 9);
  rd_kafka_conf_set(conf, "bootstrap.servers", servers.c_str(), why, sizeof why);
  rd_kafka_t* const client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
  if (client == nullptr) throw std::runtime_error(why);
  rd_kafka_vu_t parts[3];
  parts[0].vtype = RD_KAFKA_VTYPE_TOPIC;
  parts[0].u.cstr = topic.c_str();
  std::string copy = value;
  parts[1].vtype = RD_KAFKA_VTYPE_VALUE;
  parts[1].u.mem = {copy.data(), copy.size()};
  parts[2].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  parts[2].u.i = RD_KAFKA_MSG_F_COPY;
  rd_kafka_error_t* const error = rd_kafka_produceva(client, parts, 3);
  const bool sent =
      error == nullptr && rd_kafka_flush(client, 10'000) == RD_KAFKA_RESP_ERR_NO_ERROR;
  rd_kafka_error_destroy(error);
  rd_kafka_destroy(client);
  if (!sent) throw std::runtime_error("the cluster did not take a record");
}

void kafka_mock_cluster::set_down(bool down) {
  if (down)
    rd_kafka_mock_broker_set_down(cluster_, the_broker);
  else
    rd_kafka_mock_broker_set_up(cluster_, the_broker);
}

void kafka_mock_cluster::fail(int request, int count, int error) {
  for (int i = 0; i < count; ++i)
    rd_kafka_mock_push_request_errors(cluster_, static_cast<std::int16_t>(request), 1, error);
}

kafka_mock_cluster& mock_kafka() {
  static kafka_mock_cluster one;
  return one;
}

}  // namespace oslo::messaging::testing
