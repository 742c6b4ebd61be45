// A server whose answers depend on namespaces, policies and serializers; tests/interop/
// rules_service.py is the same in Python.
//
//   interop_rules --url URL serve TOPIC --server NAME [--policy legacy|default|explicit]
//                 [--tagging yes]
#include <oslo/messaging/messaging.hpp>
#include <string>
#include <utility>

#include "service.hpp"

namespace om = oslo::messaging;

namespace {

/// Entities travel as {"tagged": entity}.
class tagging final : public om::serializer {
 public:
  om::value serialize_entity(const om::context&, om::value v) const override {
    return om::value{{"tagged", std::move(v)}};
  }
  om::value deserialize_entity(const om::context&, om::value v) const override {
    return v.as_object().at("tagged");
  }
};

struct key_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::shared_ptr<om::rpc::endpoint> renamed() {
  auto e = std::make_shared<om::rpc::endpoint>(om::target{
      .namespace_ = "new", .version = "2.1", .legacy_namespaces = {"old", std::nullopt}});
  e->bind("ping", [] { return std::string("pong"); });
  return e;
}

std::shared_ptr<om::rpc::endpoint> guarded() {
  auto e = std::make_shared<om::rpc::endpoint>(om::target{.namespace_ = "guarded"});
  e->bind("shown", [] { return 1; }).expose();
  e->bind("hidden", [] { return 2; });
  e->bind("_private", [] { return 3; });
  e->bind("identity", [](const om::value& args) { return args.as_object().at("value"); }).expose();
  e->bind("expected", []() -> int { throw key_error("gone"); }).expect<key_error>();
  e->bind("unexpected", []() -> int { throw key_error("lost"); });
  return e;
}

}  // namespace

int main(int argc, char** argv) {
  return om::interop::run_service(argc, argv, [](const om::interop::service_options& options) {
    const auto bus =
        om::open_transport(options["url"], {.log = om::stderr_logger(om::log_level::error)});
    auto classes = std::make_shared<om::rpc::exception_table>();
    classes->add<key_error>("builtins", "KeyError");
    om::rpc::server_options o;
    o.exceptions = std::move(classes);
    if (options["policy"] == "explicit") o.access_policy = om::rpc::explicit_access_policy();
    if (options["policy"] == "legacy") o.access_policy = om::rpc::legacy_access_policy();
    if (options["tagging"] == "yes") o.serializer = std::make_shared<tagging>();
    om::rpc::server server{
        bus, {.topic = options.topic, .server = options["server"]}, {renamed(), guarded()}, o};
    server.start();
    om::interop::serve_until_told();
    server.stop();
    server.wait();
  });
}
