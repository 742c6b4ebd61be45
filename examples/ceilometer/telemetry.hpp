// What travels: the payloads of Ceilometer's polling agents and of the services they watch.
#pragma once

#include <boost/describe/class.hpp>
#include <cstdint>
#include <oslo/messaging/notify.hpp>
#include <oslo/messaging/value.hpp>
#include <random>
#include <string>
#include <vector>

namespace telemetry {

namespace om = oslo::messaging;

/// One measurement, with the keys of Ceilometer's metering messages that a collector stores.
struct sample {
  std::string counter_name;
  std::string counter_type;  ///< cumulative, delta or gauge
  std::string counter_unit;
  double counter_volume = 0;
  std::string resource_id;
  std::string timestamp;
  std::string message_id;  ///< of the sample, not of the notification
  om::value resource_metadata;
};
BOOST_DESCRIBE_STRUCT(sample, (),
                      (counter_name, counter_type, counter_unit, counter_volume, resource_id,
                       timestamp, message_id, resource_metadata))

/// Event type "telemetry.polling", priority sample.
struct polling_batch {
  std::vector<sample> samples;
};
BOOST_DESCRIBE_STRUCT(polling_batch, (), (samples))

/// One notification as an agent or a service would send it.
struct message {
  om::notify::priority priority = om::notify::priority::info;
  std::string event_type;
  om::value payload;
};

/// Makes notifications like those of a cloud: half of them batches of samples, the others events of
/// compute, image and network. Sizes of payloads are log-normal: median 2.4 kB, 95 of 100 below
/// 6.6 kB. The same seed makes the same messages.
class generator {
 public:
  explicit generator(std::uint64_t seed) : random_(seed) {}
  message next();

 private:
  message polling(std::size_t size);
  message instance_event(std::size_t size);
  message image_event(std::size_t size);
  message network_event(std::size_t size);

  om::object one_sample();
  std::string uuid();
  std::string time_text();
  std::size_t up_to(std::size_t n);  ///< 0 to n - 1
  template <std::size_t N>
  const char* one_of(const char* const (&names)[N]) {
    return names[up_to(N)];
  }
  /// Adds tags to `where` until the payload has the size.
  static void fill(om::object& where, std::size_t missing);

  std::mt19937_64 random_;
  std::size_t second_ = 0;
};

}  // namespace telemetry
