#include "support/broker.hpp"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <random>
#include <sstream>
#include <stdexcept>

namespace oslo::messaging::testing {

namespace {

using namespace std::chrono_literals;

std::string without_newline(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::vector<std::string> joined(std::vector<std::string> words,
                                const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

}  // namespace

std::string environment(const char* name) {
  if (const char* text = std::getenv(name)) return text;
  throw std::runtime_error(std::string(name) +
                           " is not set. Run this test through ctest, or under "
                           "tests/support/with_broker.py.");
}

std::string rabbit_url() {
  return environment("OSLO_TEST_RABBIT_URL");
}

std::string rabbitmqctl(const std::vector<std::string>& arguments) {
  return run(joined(joined(split_words(environment("OSLO_TEST_RABBITMQCTL")), {"--"}), arguments));
}

std::string unique_name(std::string_view prefix) {
  static const unsigned run_id = std::random_device{}();
  static std::atomic<int> count{0};
  return std::string(prefix) + '-' + std::to_string(run_id) + '-' + std::to_string(++count);
}

private_broker::private_broker(std::string_view name)
    : folder_(environment("OSLO_TEST_BROKER_DIR") + '-' + std::string(name)) {
  try {
    control("start");
    url_ = without_newline(control("url"));
  } catch (...) {
    control("stop");
    throw;
  }
}

private_broker::~private_broker() {
  try {
    control("stop");
  } catch (const std::exception&) {
    // The test has its verdict; a broker that would not end shows in the process list.
  }
}

void private_broker::kill() {
  control("kill");
}

void private_broker::pause() {
  control("pause");
}

void private_broker::resume() {
  control("resume");
}

void private_broker::restart() {
  control("restart");
}

std::string private_broker::rabbitmqctl(const std::vector<std::string>& arguments) {
  return control("ctl", joined({"--"}, arguments));
}

std::string private_broker::control(std::string_view action,
                                    const std::vector<std::string>& arguments) {
  auto command = split_words(environment("OSLO_TEST_BROKER_CONTROL"));
  command.insert(command.end(), {std::string(action), "--dir", folder_});
  return run(joined(std::move(command), arguments));
}

served_program::served_program(const std::string& program, const std::string& url,
                               const std::vector<std::string>& arguments)
    : process_(joined(joined(split_words(program), {"--url", url, "serve"}), arguments)) {
  if (!process_.wait_for_line("ready", 30s))
    throw std::runtime_error(program + " did not print \"ready\".");
}

std::optional<int> served_program::stop() {
  process_.send_signal(SIGTERM);
  return process_.wait(30s);
}

std::vector<std::string> split_words(std::string_view text) {
  std::istringstream stream{std::string(text)};
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

}  // namespace oslo::messaging::testing
