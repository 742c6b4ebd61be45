// The methods of `oslo-msg serve`.
#pragma once

#include <atomic>
#include <boost/describe/class.hpp>
#include <cstdint>
#include <memory>
#include <oslo/messaging/rpc/endpoint.hpp>
#include <oslo/messaging/scheduler.hpp>
#include <oslo/messaging/value.hpp>
#include <string>

namespace oslo::messaging::cli {

// Arguments stay text where every digit counts.
struct add_args {
  raw_json a, b;
};
BOOST_DESCRIBE_STRUCT(add_args, (), (a, b))

struct sleep_args {
  raw_json seconds;
};
BOOST_DESCRIBE_STRUCT(sleep_args, (), (seconds))

struct fail_args {
  std::string module = "builtins", type = "RuntimeError", message;
};
BOOST_DESCRIBE_STRUCT(fail_args, (), (module, type, message))

/// echo, add, sleep, fail, context, hit and hits.
class served_methods : public rpc::endpoint {
 public:
  served_methods(target accepts, std::shared_ptr<scheduler> loop);

 private:
  raw_json echo(raw_json kw) { return kw; }
  raw_json add(add_args args);
  void sleep(sleep_args args, rpc::responder<raw_json> answer);
  void fail(fail_args args);
  raw_json get_context(const context& ctxt) {
    raw_json out;
    write_json(out.text, ctxt);
    return out;
  }
  void hit() { ++hits_; }
  std::uint64_t get_hits() { return hits_; }

  std::shared_ptr<scheduler> loop_;
  std::atomic<std::uint64_t> hits_{0};
};

}  // namespace oslo::messaging::cli
