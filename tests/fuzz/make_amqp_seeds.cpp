// Writes the seeds of fuzz_session, fuzz_frames, fuzz_table and fuzz_delivery from the recorded
// session.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "support/amqp_samples.hpp"
#include "support/amqp_session.hpp"

namespace {

using namespace amqp_script;

void write(const std::filesystem::path& folder, const std::string& name, std::string_view input) {
  std::filesystem::create_directories(folder);
  std::ofstream{folder / name, std::ios::binary} << input;
}

/// The record of fuzz_frames that makes this frame.
std::string record(std::string_view whole) {
  reader in{whole};
  const std::uint8_t type = in.u8();
  const channel_id channel = in.u16();
  std::string payload{in.longstr()};
  auto bits = static_cast<unsigned>(type == 8 ? 3 : type - 1) | (channel & 3u) << 2;
  if (type == 1) {
    reader id{payload};
    const auto m = static_cast<method>(id.u32());
    for (std::size_t i = 0; i < method_table.size(); ++i)
      if (method_table[i].id == m) payload.replace(0, 4, 1, static_cast<char>(i));
  }
  payload.resize(std::min<std::size_t>(payload.size(), 255));
  std::string out;
  writer w{out};
  w.u8(static_cast<std::uint8_t>(bits));
  w.shortstr(payload);
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: make_amqp_seeds CORPUS_FOLDER\n";
    return 2;
  }
  const std::filesystem::path corpus = argv[1];
  const std::string whole = session();
  write(corpus / "fuzz_session", "session", "\xFF" + whole);
  write(corpus / "fuzz_session", "session-bytewise", std::string(1, '\0') + whole);
  write(corpus / "fuzz_session", "handshake", "\xFF" + start() + tune() + open_ok());
  write(corpus / "fuzz_session", "refused",
        "\xFF" + start() + close_frame(0, 403, "ACCESS_REFUSED"));
  write(corpus / "fuzz_session", "other-version", "\xFF" + bytes("\"AMQP\" 00 00 08 00"));

  std::string records;
  for (std::string_view rest = whole; !rest.empty();) {
    reader in{rest.substr(3)};
    const std::size_t size = in.u32() + frame_overhead;
    records += record(rest.substr(0, size));
    rest.remove_prefix(size);
  }
  write(corpus / "fuzz_frames", "session", records);
  write(corpus / "fuzz_frames", "delivery",
        record(consume_ok(1, "1")) + record(deliver_method(1, 1)) + record(header_frame(1, 4)) +
            record(frame(frame_type::body, 1, "body")));
  write(corpus / "fuzz_frames", "refused",
        record(deliver_method(1, 1)) + record(header_with(1, 4, bytes("0001"))) +
            record(frame(frame_type::body, 1, "body")) + record(deliver_method(1, 2)) +
            record(header_frame(1, 0)));
  write(corpus / "fuzz_frames", "confirms",
        record(confirm(2, method::basic_ack, 1, false)) +
            record(confirm(2, method::basic_nack, 0, true)));
  write(corpus / "fuzz_frames", "clock", bytes("13 00 13 00 13 00 13 00 13 00 13 00 13 00 13 00"));

  std::string table;
  writer{table}.table(every_type());
  write(corpus / "fuzz_table", "every-type", "\x01" + table);
  properties p;
  p.content_type = p.content_encoding = p.correlation_id = p.reply_to = p.expiration =
      p.message_id = p.type = p.user_id = p.app_id = p.cluster_id = "text";
  p.headers = every_type();
  p.delivery_mode = p.priority = 2;
  p.timestamp = 1;
  std::string all(1, '\0');
  writer w{all};
  write_properties(w, p);
  write(corpus / "fuzz_table", "every-property", all);
  write(corpus / "fuzz_delivery", "every-property", all);
  write(corpus / "fuzz_delivery", "no-ack", "\x01" + all.substr(1));
  write(corpus / "fuzz_delivery", "too-short", all.substr(0, all.size() - 1));
  write(corpus / "fuzz_delivery", "left-over", all + '\0');
  write(corpus / "fuzz_delivery", "second-flags", bytes("00 0001 0000"));
  write(corpus / "fuzz_delivery", "unknown-type", bytes("00 2000 00000003 01\"k\"'?'"));
  return 0;
}
