// The numbers of spec.hpp against the specification in machine-readable form (Debian: amqp-specs).
#include "protocol/amqp091/spec.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <string>

using namespace amqp091;

namespace {

std::string specification() {
  std::ifstream in{"/usr/share/amqp/specs/0-9-1/amqp0-9-1.stripped.xml"};
  return {std::istreambuf_iterator<char>{in}, {}};
}

std::string attribute(const std::string& tag, const std::string& name) {
  std::smatch found;
  return std::regex_search(tag, found, std::regex{" " + name + "=\"([^\"]*)\""}) ? found[1].str()
                                                                                 : "";
}

TEST(amqp_spec, methods_are_those_of_the_specification_and_four_of_rabbitmq) {
  const std::string xml = specification();
  ASSERT_FALSE(xml.empty()) << "package amqp-specs is missing";
  std::map<std::string, std::uint32_t> wanted{{"connection.blocked", 10u << 16 | 60},
                                              {"connection.unblocked", 10u << 16 | 61},
                                              {"basic.nack", 60u << 16 | 120},
                                              {"confirm.select", 85u << 16 | 10},
                                              {"confirm.select-ok", 85u << 16 | 11}};
  const std::regex tag{"<(class|method) [^>]*>"};
  std::string class_name;
  std::uint32_t class_index = 0;
  for (std::sregex_iterator i{xml.begin(), xml.end(), tag}, end; i != end; ++i) {
    const std::string text = i->str();
    const auto index = static_cast<std::uint32_t>(std::stoul(attribute(text, "index")));
    if ((*i)[1] == "class") {
      class_name = attribute(text, "name");
      class_index = index;
    } else {
      wanted[class_name + "." + attribute(text, "name")] = class_index << 16 | index;
    }
  }
  std::map<std::string, std::uint32_t> ours;
  for (const method_entry& e : method_table)
    ours[std::string{e.name}] = static_cast<std::uint32_t>(e.id);
  EXPECT_EQ(ours, wanted);
}

TEST(amqp_spec, constants_are_those_of_the_specification) {
  const std::string xml = specification();
  std::map<std::string, unsigned long> theirs;
  const std::regex tag{"<constant [^>]*>"};
  for (std::sregex_iterator i{xml.begin(), xml.end(), tag}, end; i != end; ++i)
    theirs[attribute(i->str(), "name")] = std::stoul(attribute(i->str(), "value"));
  const std::map<std::string, unsigned long> ours{
      {"frame-method", static_cast<unsigned long>(frame_type::method)},
      {"frame-header", static_cast<unsigned long>(frame_type::header)},
      {"frame-body", static_cast<unsigned long>(frame_type::body)},
      {"frame-heartbeat", static_cast<unsigned long>(frame_type::heartbeat)},
      {"frame-min-size", frame_min_size},
      {"frame-end", frame_end},
      {"reply-success", reply_code::success},
      {"content-too-large", reply_code::content_too_large},
      {"no-consumers", reply_code::no_consumers},
      {"connection-forced", reply_code::connection_forced},
      {"invalid-path", reply_code::invalid_path},
      {"access-refused", reply_code::access_refused},
      {"not-found", reply_code::not_found},
      {"resource-locked", reply_code::resource_locked},
      {"precondition-failed", reply_code::precondition_failed},
      {"frame-error", reply_code::frame_error},
      {"syntax-error", reply_code::syntax_error},
      {"command-invalid", reply_code::command_invalid},
      {"channel-error", reply_code::channel_error},
      {"unexpected-frame", reply_code::unexpected_frame},
      {"resource-error", reply_code::resource_error},
      {"not-allowed", reply_code::not_allowed},
      {"not-implemented", reply_code::not_implemented},
      {"internal-error", reply_code::internal_error}};
  EXPECT_EQ(theirs, ours);
}

TEST(amqp_spec, ids_come_apart_again) {
  EXPECT_EQ(class_of(method::basic_deliver), 60);
  EXPECT_EQ(method_of(method::basic_deliver), 60);
  EXPECT_EQ(method_name(method::queue_unbind_ok), "queue.unbind-ok");
  EXPECT_EQ(method_name(static_cast<method>(0xFFFFFFFF)), "");
}

}  // namespace
