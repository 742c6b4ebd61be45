// Writes the seeds of fuzz_amqp1_session and fuzz_amqp1_message: what a broker says to a client,
// and a message of each kind.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "drivers/amqp1/bodies.hpp"
#include "drivers/amqp1/message.hpp"
#include "support/amqp1_peer.hpp"
#include "support/amqp1_session.hpp"

namespace {

using namespace oslo::messaging;

void write(const std::filesystem::path& folder, const std::string& name, std::string_view input) {
  std::filesystem::create_directories(folder);
  std::ofstream{folder / name, std::ios::binary} << input;
}

/// All that the broker says while `act` does something on the open connection.
template <class Act>
std::string session(Act act) {
  amqp1_script::peer broker;
  amqp1_script::client c;
  std::string all;
  const auto talk = [&] {
    for (;;) {
      const auto out = c.output();
      broker.take(out);
      const auto said = broker.output();
      if (out.empty() && said.empty()) return;
      all += said;
      c.take(said);
    }
  };
  talk();
  act(broker);
  talk();
  return all;
}

std::string message(std::string_view body) {
  std::string out;
  amqp1::message_head head;
  head.message_id = "1";
  head.to = "to";
  head.reply_to = "back";
  head.ttl_ms = 30'000;
  head.time.limit_ms = 30'000;
  amqp1::write_message(out, head, body);
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: make_amqp1_seeds CORPUS_FOLDER\n";
    return 2;
  }
  const std::filesystem::path corpus = argv[1];
  const auto sessions = corpus / "fuzz_amqp1_session";
  std::string request;
  amqp1::write_request(request, R"({"method": "m", "args": {"a": 1}})", {{"user", "ada"}},
                       std::chrono::seconds(7));
  const auto whole = session([&](auto& broker) {
    broker.deliver("from", message(request));
    broker.deliver("from", message("{}"), true);
    broker.grant("to", 5);
  });
  write(sessions, "session", "\xff" + whole);
  write(sessions, "session-bytewise", std::string(1, '\0') + whole);
  write(sessions, "link-ended",
        "\x10" + session([](auto& b) { b.detach("to", false, "amqp:not-found"); }));
  write(sessions, "session-ended", "\x10" + session([](auto& b) { b.end_session(); }));
  write(sessions, "redirect", "\x10" + session([](auto& b) { b.redirect("elsewhere", 5672); }));
  write(sessions, "other-protocol", std::string("\xff") + std::string("AMQP\0\0\x9\1", 8));

  const auto messages = corpus / "fuzz_amqp1_message";
  write(messages, "request", message(request));
  std::string text;
  amqp1::write_notification(text, R"({"event_type": "e"})", {}, notification_format::envelope);
  write(messages, "notification", message(text));
  write(messages, "reply", message(R"({"failure": "{\"class\": \"E\"}", "response": 1})"));
  return 0;
}
