// Messages to and from text: what every call pays twice at each end.
#include <benchmark/benchmark.h>

#include <memory>
#include <stdexcept>

#include "operation.hpp"
#include "wire/reply.hpp"
#include "wire/request.hpp"

namespace micro {
namespace {

using namespace oslo::messaging;

constexpr const char* msg_id = "0123456789abcdef0123456789abcdef";
constexpr const char* unique_id = "fedcba9876543210fedcba9876543210";

std::string request_with(std::size_t argument_bytes) {
  return R"({"method": "echo", "args": {"data": ")" + std::string(argument_bytes, 'x') +
         R"("}, "version": "1.0", "namespace": null})";
}

/// What a service of OpenStack sends along.
context service_context() {
  return {{"user_id", "7b1d5e2ac0f94a5f9d0b7c2f6f6d9f10"},
          {"project_id", "b9a1c0f2e4d84b54a7e35b9a5f8e6d21"},
          {"request_id", "req-6e5ab4ee-9a4c-4a3e-8a56-4b3f3b0e5b0a"},
          {"is_admin", true},
          {"roles", {"admin", "member", "reader"}},
          {"user_name", "nova"},
          {"project_domain", "default"},
          {"service_catalog",
           {{{"type", "image"}, {"name", "glance"}}, {{"type", "network"}, {"name", "neutron"}}}}};
}

void add_write_request(std::vector<operation>& all, std::string name, std::size_t bytes,
                       context ctxt) {
  all.push_back({std::move(name), [inner = request_with(bytes), ctxt](std::size_t times) {
                   for (; times > 0; --times) {
                     std::string body;
                     wire::write_request(body, inner, ctxt,
                                         {msg_id, "reply_0123456789abcdef", {}, unique_id});
                     benchmark::DoNotOptimize(body.data());
                   }
                 }});
}

void add_read_request(std::vector<operation>& all, std::string name, std::size_t bytes,
                      const context& ctxt) {
  std::string body;
  wire::write_request(body, request_with(bytes), ctxt,
                      {msg_id, "reply_0123456789abcdef", {}, unique_id});
  all.push_back({std::move(name), [body](std::size_t times) {
                   for (; times > 0; --times) {
                     const auto r = wire::read_request(body);
                     if (!r) throw std::runtime_error("The request cannot be read.");
                     benchmark::DoNotOptimize(r->fields.data());
                   }
                 }});
}

}  // namespace

void add_wire(std::vector<operation>& all) {
  add_write_request(all, "wire/write_request/100B", 100, {});
  add_write_request(all, "wire/write_request/2400B_context", 2400, service_context());
  add_read_request(all, "wire/read_request/100B", 100, {});
  add_read_request(all, "wire/read_request/2400B_context", 2400, service_context());
  const outgoing_reply answer{"\"" + std::string(100, 'x') + "\"", {}};
  all.push_back({"wire/write_reply/100B", [answer](std::size_t times) {
                   for (; times > 0; --times) {
                     std::string body;
                     wire::write_reply(body, answer, msg_id, unique_id);
                     benchmark::DoNotOptimize(body.data());
                   }
                 }});
  std::string reply;
  wire::write_reply(reply, answer, msg_id, unique_id);
  all.push_back({"wire/read_reply/100B", [reply](std::size_t times) {
                   for (; times > 0; --times) {
                     const auto r = wire::read_reply(reply);
                     if (!r) throw std::runtime_error("The reply cannot be read.");
                     benchmark::DoNotOptimize(r->result.data());
                   }
                 }});
}

}  // namespace micro
