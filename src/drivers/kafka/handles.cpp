#include "drivers/kafka/handles.hpp"

#include <atomic>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "core/tasks/orphan_threads.hpp"
#include "core/utf8.hpp"
#include "net/signals_blocked.hpp"

namespace oslo::messaging::kafka {

result<conf_handle> make_conf(std::span<const setting> settings) {
  conf_handle conf(rd_kafka_conf_new());
  for (const auto& s : settings) {
    char why[512] = "";
    if (rd_kafka_conf_set(conf.get(), s.name.c_str(), s.value.c_str(), why, sizeof why) ==
        RD_KAFKA_CONF_OK)
      continue;
    const auto whose =
        s.origin.empty() ? "The setting \"" + s.name + "\" of the kafka driver" : s.origin;
    return failure(errc::invalid_config,
                   whose + ", which librdkafka does not take: " + to_valid_utf8(why) + ".");
  }
  return conf;
}

result<client_handle> make_client(rd_kafka_type_t type, std::span<const setting> settings,
                                  int events) {
  auto conf = make_conf(settings);
  if (!conf) return conf.error();
  rd_kafka_conf_set_events(conf->get(), events);
  char why[512] = "";
  rd_kafka_t* const client = rd_kafka_new(type, conf->get(), why, sizeof why);
  if (client == nullptr)
    return failure(
        errc::invalid_config,
        std::string("librdkafka cannot be used with these options: ") + to_valid_utf8(why) + ".");
  (void)conf->release();  // it is the client's now
  client_handle made(client);
  rd_kafka_set_log_queue(client, nullptr);  // into the main queue
  return made;
}

client_handle::~client_handle() {
  if (client_ == nullptr) return;
  const auto end = [client = client_, kept = std::move(kept_)] {
    rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
  };
  const auto ended = std::make_shared<std::atomic<bool>>(false);
  try {
    const net::signals_blocked blocked;
    adopt_stuck_orphan(std::thread([end, ended] {
                         end();
                         ended->store(true);
                       }),
                       [ended] { return ended->load(); });
  } catch (const std::system_error&) {  // no thread to be had: then here
    end();
  }
}

}  // namespace oslo::messaging::kafka
