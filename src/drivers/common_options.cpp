#include "drivers/common_options.hpp"

#include <array>

namespace oslo::messaging {

std::span<const option> tracing_options() {
  static const std::array<option, 5> options{{
      {.name = "tracing_enabled",
       .type = option_type::boolean,
       .default_value = "false",
       .help = "Whether calls, casts and requests are traced; without a tracer of the application, "
               "into the log."},
      {.name = "tracing_service_name",
       .default_value = "openstack",
       .help = "The service that spans name."},
      {.name = "otel_exporter_otlp_endpoint",
       .default_value = "http://localhost:4318",
       .help = "An exporter is the application's (transport_options::tracer).",
       .effect = option_effect::none},
      {.name = "otlp_protocol",
       .default_value = "http/protobuf",
       .help = "Likewise.",
       .effect = option_effect::none},
      {.name = "insecure",
       .type = option_type::boolean,
       .default_value = "false",
       .help = "Likewise.",
       .effect = option_effect::none},
  }};
  return options;
}

std::span<const option> metrics_options() {
  static const std::array<option, 5> options{{
      {.name = "metrics_enabled",
       .type = option_type::boolean,
       .default_value = "false",
       .help =
           "Whether measurements of RPC are sent to oslo.metrics (where the application measures "
           "nothing itself)."},
      {.name = "metrics_buffer_size",
       .type = option_type::integer,
       .default_value = "1000",
       .help = "Measurements that may wait for the collector.",
       .min = 1,
       .max = 1'000'000},
      {.name = "metrics_socket_file",
       .default_value = "/var/tmp/metrics_collector.sock",
       .help = "The UNIX socket of the collector."},
      {.name = "metrics_process_name",
       .default_value = "",
       .help = "Label `process` of each measurement."},
      {.name = "metrics_thread_stop_timeout",
       .type = option_type::integer,
       .default_value = "10",
       .help = "The sending thread never holds up the end of the program.",
       .effect = option_effect::none},
  }};
  return options;
}

}  // namespace oslo::messaging
