// doctor: what would hurt a program on its bus, before it runs.
#include <CLI/CLI.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <oslo/messaging/doctor.hpp>
#include <oslo/messaging/json.hpp>
#include <string>
#include <vector>

#include "exit_status.hpp"
#include "option_kinds.hpp"
#include "output.hpp"
#include "program.hpp"

namespace oslo::messaging::cli {
namespace {

const std::map<std::string, bus_role>& roles() {
  static const std::map<std::string, bus_role> all{{"client", bus_role::client},
                                                   {"server", bus_role::server},
                                                   {"notifier", bus_role::notifier},
                                                   {"listener", bus_role::listener}};
  return all;
}

struct doctor_options {
  std::vector<std::string> topics, roles;
  double timeout = 30;
  bool json = false;
};

std::string line_of(const finding& f) {
  std::string line(to_string(f.level));
  line.resize(8, ' ');
  line += f.subject + ": " + f.text;
  if (!f.advice.empty()) line += " " + f.advice;
  return line + "\n";
}

std::string document_of(const std::vector<finding>& all) {
  std::string text =
      std::string("{\"ok\": ") + (hurts(all) ? "false" : "true") + ", \"findings\": [";
  const auto member = [&text](const char* name, std::string_view value) {
    text += std::string("\"") + name + "\": ";
    write_json(text, value);
  };
  for (const auto& f : all) {
    text += &f == &all.front() ? "{" : ", {";
    member("severity", to_string(f.level));
    text += ", ";
    member("subject", f.subject);
    text += ", ";
    member("text", f.text);
    text += ", ";
    member("advice", f.advice);
    text += "}";
  }
  return text + "]}\n";
}

std::vector<finding> look(const program& p, const doctor_options& o) {
  checkup what;
  what.topics = o.topics;
  for (const auto& name : o.roles) what.roles.push_back(roles().at(name));
  what.timeout = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::duration<double>(o.timeout));
  config conf;
  try {
    conf = p.make_options().conf;
  } catch (const messaging_error& e) {
    return {{severity::error, "configuration", e.failure().message(), "Mend the file."}};
  }
  return examine(p.url, conf, what);
}

int doctor(const program& p, const doctor_options& o) {
  const auto found = look(p, o);
  std::string text;
  if (o.json)
    text = document_of(found);
  else
    for (const auto& f : found) text += line_of(f);
  print(text);
  return hurts(found) ? unwell : done;
}

}  // namespace

void add_doctor(CLI::App& app, program& p) {
  auto o = std::make_shared<doctor_options>();
  CLI::App* command = app.add_subcommand(
      "doctor", "Look for what would hurt a program on this bus, changing nothing");
  command->footer(
      "\nOne line a finding: ok, note, warning or error, what it is about, what is, what to do.\n"
      "Exit status 0: nothing will hurt. 1: there are warnings or errors.\n"
      "\nExample: oslo-msg --config-file service.conf doctor --topic calc --as client");
  repeatable(
      command->add_option("--topic", o->topics, "Topic; may be repeated [topics of notifications]"))
      ->type_name("T");
  repeatable(command->add_option("--as", o->roles,
                                 "What the program is: client, server, notifier or listener; may "
                                 "be repeated [with --topic client and server, else all others]"))
      ->type_name("ROLE")
      ->check(one_of({"client", "server", "notifier", "listener"}));
  command->add_option("--timeout", o->timeout, "Total time in seconds [30]")
      ->type_name("S")
      ->check(between(0.1, 3600.0));
  command->add_flag("--json", o->json, "Print one JSON document with the same findings");
  command->callback([&p, o] { p.run = [&p, o] { return doctor(p, *o); }; });
}

}  // namespace oslo::messaging::cli
