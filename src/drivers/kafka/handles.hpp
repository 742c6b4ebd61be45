// Owners of what librdkafka hands out.
#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>
#include <oslo/messaging/error.hpp>
#include <span>
#include <utility>

#include "drivers/kafka/options.hpp"

namespace oslo::messaging::kafka {

template <auto destroy>
struct destroyer {
  template <class T>
  void operator()(T* p) const noexcept {
    destroy(p);
  }
};

using conf_handle = std::unique_ptr<rd_kafka_conf_t, destroyer<rd_kafka_conf_destroy>>;
using queue_handle = std::unique_ptr<rd_kafka_queue_t, destroyer<rd_kafka_queue_destroy>>;
using event_handle = std::unique_ptr<rd_kafka_event_t, destroyer<rd_kafka_event_destroy>>;
using message_handle = std::unique_ptr<rd_kafka_message_t, destroyer<rd_kafka_message_destroy>>;
using headers_handle = std::unique_ptr<rd_kafka_headers_t, destroyer<rd_kafka_headers_destroy>>;
using error_handle = std::unique_ptr<rd_kafka_error_t, destroyer<rd_kafka_error_destroy>>;
using partition_list_handle = std::unique_ptr<rd_kafka_topic_partition_list_t,
                                              destroyer<rd_kafka_topic_partition_list_destroy>>;

/// The settings as librdkafka holds them, or `errc::invalid_config` with the one it refuses.
result<conf_handle> make_conf(std::span<const setting> settings);

/// A producer or consumer. To end it waits for the threads of librdkafka, one of which may hang in
/// a look-up of a name: a thread of its own does that, so that nobody else waits.
class client_handle {
 public:
  client_handle() noexcept = default;
  explicit client_handle(rd_kafka_t* client) noexcept : client_(client) {}
  client_handle(client_handle&& other) noexcept
      : client_(std::exchange(other.client_, nullptr)), kept_(std::move(other.kept_)) {}
  client_handle& operator=(client_handle&& other) noexcept {
    client_handle old(std::move(*this));
    client_ = std::exchange(other.client_, nullptr);
    kept_ = std::move(other.kept_);
    return *this;
  }
  ~client_handle();

  /// What librdkafka may look at for as long as the client lives.
  void keep_until_the_end(std::shared_ptr<void> what) noexcept { kept_ = std::move(what); }

  rd_kafka_t* get() const noexcept { return client_; }
  explicit operator bool() const noexcept { return client_ != nullptr; }

 private:
  rd_kafka_t* client_ = nullptr;
  std::shared_ptr<void> kept_{};
};

/// `settings` are those of `options`; `events` is what its main queue is to bring
/// (RD_KAFKA_EVENT_…). Fails with `errc::invalid_config`: settings that do not go together, files
/// that cannot be read.
result<client_handle> make_client(rd_kafka_type_t type, std::span<const setting> settings,
                                  int events);

}  // namespace oslo::messaging::kafka
