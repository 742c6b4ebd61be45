#include "telemetry.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <oslo/messaging/convert.hpp>

namespace telemetry {
namespace {

constexpr double median_bytes = 2400;
constexpr double p95_bytes = 6600;
constexpr double z95 = 1.645;  // 95 % of a normal distribution lie below
constexpr std::size_t smallest = 400;
constexpr std::size_t largest = 60'000;

struct meter {
  const char* name;
  const char* type;
  const char* unit;
};
constexpr meter meters[] = {
    {"cpu", "cumulative", "ns"},
    {"memory.usage", "gauge", "MB"},
    {"disk.device.read.bytes", "cumulative", "B"},
    {"disk.device.write.requests", "cumulative", "request"},
    {"network.incoming.bytes", "cumulative", "B"},
    {"network.outgoing.packets", "cumulative", "packet"},
};

std::size_t size_of(const om::value& payload) {
  return om::to_json(payload).size();
}

}  // namespace

message generator::next() {
  std::lognormal_distribution<double> sizes(std::log(median_bytes),
                                            std::log(p95_bytes / median_bytes) / z95);
  const auto size = std::clamp(static_cast<std::size_t>(sizes(random_)), smallest, largest);
  switch (up_to(10)) {
    case 0:
    case 1:
    case 2: return instance_event(size);
    case 3: return image_event(size);
    case 4: return network_event(size);
    default: return polling(size);
  }
}

message generator::polling(std::size_t size) {
  om::array samples;
  std::size_t used = 0;
  do {
    samples.emplace_back(one_sample());
    used += size_of(samples.back());
  } while (used + 700 < size);
  if (used < size)
    fill(samples.back().as_object().at("resource_metadata").as_object(), size - used);
  return {om::notify::priority::sample, "telemetry.polling", om::object{{"samples", samples}}};
}

om::object generator::one_sample() {
  const auto& m = meters[up_to(std::size(meters))];
  const auto instance = uuid();
  return {{"source", "openstack"},
          {"counter_name", m.name},
          {"counter_type", m.type},
          {"counter_unit", m.unit},
          {"counter_volume", static_cast<double>(up_to(1'000'000'000)) / 8},
          {"user_id", uuid()},
          {"user_name", nullptr},
          {"project_id", uuid()},
          {"project_name", nullptr},
          {"resource_id", instance},
          {"timestamp", time_text()},
          {"resource_metadata",
           {{"display_name", "worker-" + std::to_string(up_to(1000))},
            {"instance_id", instance},
            {"host", "compute" + std::to_string(up_to(100))},
            {"status", "active"},
            {"flavor", {{"name", "m1.small"}, {"vcpus", 1}, {"ram", 2048}, {"disk", 20}}}}},
          {"message_id", uuid()},
          {"monotonic_time", nullptr},
          {"message_signature", ""}};  // no secret is set
}

message generator::instance_event(std::size_t size) {
  static constexpr const char* steps[] = {"create.start", "create.end",   "update",
                                          "exists",       "resize.error", "delete.end"};
  const std::string step = one_of(steps);
  const bool failed = step.ends_with("error");
  om::object payload{{"tenant_id", uuid()},
                     {"user_id", uuid()},
                     {"instance_id", uuid()},
                     {"display_name", "worker-" + std::to_string(up_to(1000))},
                     {"host", "compute" + std::to_string(up_to(100))},
                     {"availability_zone", "nova"},
                     {"instance_type", "m1.small"},
                     {"instance_flavor_id", "2"},
                     {"memory_mb", 2048},
                     {"vcpus", 1},
                     {"disk_gb", 20},
                     {"root_gb", 20},
                     {"ephemeral_gb", 0},
                     {"state", failed ? "error" : "active"},
                     {"state_description", ""},
                     {"architecture", nullptr},
                     {"os_type", nullptr},
                     {"kernel_id", ""},
                     {"ramdisk_id", ""},
                     {"reservation_id", "r-" + uuid().substr(0, 8)},
                     {"created_at", time_text()},
                     {"launched_at", time_text()},
                     {"deleted_at", ""},
                     {"terminated_at", ""},
                     {"image_ref_url", "http://image:9292/images/" + uuid()},
                     {"image_meta", {{"base_image_ref", uuid()}, {"min_disk", "20"}}},
                     {"fixed_ips", {{{"address", "10.0.0.7"}, {"version", 4}, {"label", "net"}}}},
                     {"metadata", om::object{}}};
  fill(payload.at("metadata").as_object(), size - std::min(size, size_of(payload)));
  return {failed ? om::notify::priority::error : om::notify::priority::info,
          "compute.instance." + step, std::move(payload)};
}

message generator::image_event(std::size_t size) {
  static constexpr const char* steps[] = {"create", "upload", "activate", "delete"};
  om::object payload{{"id", uuid()},
                     {"name", "debian-12"},
                     {"status", "active"},
                     {"owner", uuid()},
                     {"checksum", uuid()},
                     {"size", up_to(4'000'000'000)},
                     {"min_ram", 0},
                     {"min_disk", 0},
                     {"disk_format", "qcow2"},
                     {"container_format", "bare"},
                     {"is_public", false},
                     {"protected", false},
                     {"created_at", time_text()},
                     {"updated_at", time_text()},
                     {"deleted_at", nullptr},
                     {"properties", om::object{}}};
  fill(payload.at("properties").as_object(), size - std::min(size, size_of(payload)));
  return {om::notify::priority::info, std::string("image.") + one_of(steps), std::move(payload)};
}

message generator::network_event(std::size_t size) {
  static constexpr const char* steps[] = {"create.end", "update.end", "delete.end"};
  om::object network{
      {"id", uuid()},        {"name", "private"},        {"tenant_id", uuid()},
      {"status", "ACTIVE"},  {"admin_state_up", true},   {"shared", false},
      {"mtu", 1450},         {"router:external", false}, {"subnets", om::array{uuid()}},
      {"tags", om::object{}}};
  fill(network.at("tags").as_object(), size - std::min(size, size_of(network)));
  return {om::notify::priority::info, std::string("network.") + one_of(steps),
          om::object{{"network", network}}};
}

void generator::fill(om::object& where, std::size_t missing) {
  constexpr std::size_t longest = 255;  // of a value of metadata
  for (int n = 0; missing > 20; ++n) {
    const auto key = "tag_" + std::to_string(n);
    const auto length = std::min(longest, missing - 16);
    where[key] = std::string(length, static_cast<char>('a' + n % 26));
    missing -= std::min(missing, length + key.size() + 6);
  }
}

std::size_t generator::up_to(std::size_t n) {
  return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_);
}

std::string generator::uuid() {
  char text[40];
  const auto high = random_(), low = random_();
  std::snprintf(text, sizeof text, "%08x-%04x-4%03x-8%03x-%012llx",
                static_cast<unsigned>(high >> 32), static_cast<unsigned>(high >> 16) & 0xffff,
                static_cast<unsigned>(high) & 0xfff, static_cast<unsigned>(low >> 52),
                static_cast<unsigned long long>(low & 0xffff'ffff'ffff));
  return text;
}

std::string generator::time_text() {
  char text[32];
  const auto s = second_++ % 86'400;
  std::snprintf(text, sizeof text, "2026-01-02T%02zu:%02zu:%02zu", s / 3600, s / 60 % 60, s % 60);
  return text;
}

}  // namespace telemetry
