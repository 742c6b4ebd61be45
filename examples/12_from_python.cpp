// The C++ pieces of docs/coming-from-python.md, as one program. The Python ones stand in
// tests/interop/from_python.py.
#include <boost/describe/class.hpp>
#include <chrono>
#include <iostream>
#include <oslo/messaging/messaging.hpp>
#include <oslo/messaging/testing.hpp>
#include <string>

#include "expect.hpp"

namespace om = oslo::messaging;
using namespace std::chrono_literals;

class InstanceNotFound : public om::remote_error {
 public:
  using remote_error::remote_error;
};

struct resize_args {
  std::string instance;
  int ram = 1024;
};
BOOST_DESCRIBE_STRUCT(resize_args, (), (instance, ram))
constexpr om::rpc::method<int(resize_args)> resize{"resize"};

class ComputeEndpoint : public om::rpc::endpoint {
 public:
  ComputeEndpoint() : endpoint({.namespace_ = "compute", .version = "1.2"}) {
    bind(resize, &ComputeEndpoint::on_resize)
        .require("instance")
        .expect<om::rpc::remote_exception>();
    bind("who", &ComputeEndpoint::who).expose();
  }

 private:
  int on_resize(const om::context&, const resize_args& args) {
    if (args.instance == "i-404")
      throw om::rpc::remote_exception("nova.exception", "InstanceNotFound", args.instance);
    return args.ram;
  }
  om::value who(const om::context& ctxt) { return *ctxt.find("user"); }
};

class LegacyEndpoint : public om::rpc::endpoint {
 public:
  LegacyEndpoint()
      : endpoint({.namespace_ = "compute2",
                  .version = "2.0",
                  .legacy_namespaces = {"compute1", std::nullopt}}) {
    bind("ping", [] { return std::string("pong"); });
  }
};

class UpperSerializer : public om::serializer {
 public:
  om::context serialize_context(const om::context& ctxt) const override {
    om::context out = ctxt;
    out.entries()["serialized"] = true;
    return out;
  }
};

class AdminsOnly : public om::rpc::access_policy {
 public:
  bool is_allowed(std::string_view method, bool) const override { return !method.starts_with('_'); }
  void authorize(const om::rpc::access_request& request) const override {
    const auto* admin = request.ctxt.find("is_admin");
    if (admin == nullptr || *admin != true)
      throw om::rpc::remote_exception("nova.exception", "Forbidden", "not for you");
  }
};

int main() {
  const auto log = om::stderr_logger(om::log_level::error);

  // -- transport and server
  const auto conf = om::config::parse("[DEFAULT]\nrpc_response_timeout = 10\n");
  om::transport transport = om::open_transport("fake://", {.conf = conf, .log = log});
  om::rpc::server server{transport,
                         {.topic = "compute", .server = "host1"},
                         {std::make_shared<ComputeEndpoint>(), std::make_shared<LegacyEndpoint>()},
                         {.executor = om::thread_pool(8)}};
  server.start();

  // -- the configuration of a test
  const auto for_tests = om::testing::make_config({{"DEFAULT", "rpc_response_timeout", "5"}});
  om::transport in_process = om::open_transport({}, {.conf = for_tests, .log = log});
  expect(in_process.url().transport == "fake", "without a broker");

  // -- client
  om::blocking::client client{transport,
                              {.topic = "compute", .namespace_ = "compute", .version = "1.0"},
                              {.timeout = 5s, .version_cap = "1.2"}};
  const om::context ctxt{{"user", "ada"}};
  int ram = client.call(resize, ctxt, {.instance = "i-1", .ram = 2048});
  expect(ram == 2048, "resized");

  // -- without a contract
  om::value answer = client.call("resize", ctxt, {{"instance", "i-1"}, {"ram", 512}});
  expect(answer == 512, "by name");

  // -- prepare, cast, fanout
  auto one = client.prepare({.version = "1.1", .server = "host1", .timeout = 2s});
  expect(one.call("who", ctxt) == "ada", "at one server");
  client.cast("who", ctxt);
  client.prepare({.fanout = true}).cast("who", ctxt);

  // -- version cap
  expect(!client.async().can_send_version("1.3"), "above the cap");
  try {
    client.prepare({.version = "1.3"}).call("who", ctxt);
    expect(false, "refused");
  } catch (const om::rpc_version_cap_error& e) {
    std::cout << e.what() << '\n';
  }

  // -- legacy namespaces
  auto old =
      client.prepare({.namespace_ = "compute1", .version = "2.0", .version_cap = std::nullopt});
  expect(old.call("ping", ctxt) == "pong", "by its old name");

  // -- remote errors
  auto known = std::make_shared<om::rpc::exception_table>();
  known->add<InstanceNotFound>("nova.exception", "InstanceNotFound");
  om::blocking::client knowing{
      transport, {.topic = "compute", .namespace_ = "compute"}, {.exceptions = known}};
  try {
    knowing.call(resize, ctxt, {.instance = "i-404"});
    expect(false, "there is none");
  } catch (const InstanceNotFound& e) {
    std::cout << e.message() << '\n';
  }
  om::blocking::client wary{transport,
                            {.topic = "compute", .namespace_ = "compute"},
                            {.exceptions = known, .allowed_remote_exmods = {{"cinder.exception"}}}};
  try {
    wary.call(resize, ctxt, {.instance = "i-404"});
    expect(false, "there is none");
  } catch (const InstanceNotFound&) {
    expect(false, "its module is not allowed");
  } catch (const om::remote_error& e) {
    std::cout << e.module() << '.' << e.type() << '\n';
  }
  try {
    client.call("no_such_method", ctxt);
    expect(false, "there is none");
  } catch (const om::remote_error& e) {
    std::cout << e.module() << '.' << e.type() << '\n';
  }

  // -- timeouts
  try {
    client.prepare({.topic = "nobody", .timeout = 100ms}).call("who", ctxt);
    expect(false, "nobody answers");
  } catch (const om::messaging_timeout&) {
    std::cout << "nobody answered\n";
  }

  // -- monitored calls
  auto monitored = client.prepare({.timeout = 3600s, .call_monitor_timeout = 10s});
  expect(monitored.call("who", ctxt) == "ada", "monitored");

  // -- explicit policy, serializer and ping
  om::rpc::server strict{transport,
                         {.topic = "strict", .server = "host1"},
                         {std::make_shared<ComputeEndpoint>()},
                         {.serializer = std::make_shared<UpperSerializer>(),
                          .access_policy = om::rpc::explicit_access_policy(),
                          .ping = true}};
  strict.start();
  om::blocking::client exposed{transport,
                               {.topic = "strict", .namespace_ = "compute"},
                               {.serializer = std::make_shared<UpperSerializer>()}};
  expect(exposed.call("who", ctxt) == "ada", "exposed");
  auto ping = exposed.prepare({.namespace_ = std::nullopt});
  expect(ping.call("oslo_rpc_server_ping", ctxt) == "pong", "alive");

  // -- authorization
  om::rpc::server guarded{transport,
                          {.topic = "guarded", .server = "host1"},
                          {std::make_shared<ComputeEndpoint>()},
                          {.access_policy = std::make_shared<AdminsOnly>()}};
  guarded.start();
  try {
    client.prepare({.topic = "guarded"}).call("who", ctxt);
    expect(false, "refused");
  } catch (const om::remote_error& e) {
    std::cout << e.message() << '\n';
  }

  // -- end
  for (auto* s : {&server, &strict, &guarded}) {
    s->stop();
    s->wait({.timeout = 60s, .log_after = 30s});
  }
  transport.close();
}
