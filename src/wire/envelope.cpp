#include "wire/envelope.hpp"

#include <oslo/messaging/json.hpp>
#include <oslo/messaging/target.hpp>

#include "core/json/json_text.hpp"

namespace oslo::messaging::wire {
namespace {

constexpr std::string_view opening = R"({"oslo.version": "2.0", "oslo.message": ")";
constexpr std::string_view closing = R"("})";

[[noreturn]] void unsupported(std::string_view version) {
  std::string text = "Specified RPC envelope version, ";
  text += version.substr(0, 60);
  text += ", not supported by this endpoint.";
  throw messaging_error({errc::malformed_message, std::move(text)});
}

/// `json` is the text of the value of `oslo.version`.
void check_version(std::string_view json) {
  if (json == R"("2.0")") return;
  json_reader r(json);
  if (r.peek() != json_reader::kind::string) unsupported(json);
  std::string version;
  r.read_string(version);
  bool compatible = false;
  try {
    compatible = version_is_compatible("2.0", version);
  } catch (const messaging_error&) {
    // Not a version at all.
  }
  if (!compatible) unsupported(version);
}

}  // namespace

void write_envelope(std::string& out, std::initializer_list<std::string_view> inner) {
  std::size_t size = opening.size() + closing.size();
  for (const auto piece : inner) size += piece.size();
  out.reserve(out.size() + size + size / 4);  // about one byte in six is a quote
  out += opening;
  for (const auto piece : inner) json_text::escape(out, piece);
  out += closing;
}

void open_envelope(std::string_view body, std::string& inner) {
  json_reader r(body);
  if (r.peek() != json_reader::kind::object && r.peek() != json_reader::kind::end)
    throw messaging_error({errc::malformed_message, "The message body is not a JSON object"});
  r.begin_object();
  inner.clear();
  std::string_view version;
  enum class content { missing, text, other } message = content::missing;
  std::string_view key;
  std::string scratch;
  while (r.next_key(key, scratch)) {
    if (key == "oslo.message") {
      if (r.peek() == json_reader::kind::string) {
        inner.reserve(body.size());
        r.read_string(inner);
        message = content::text;
      } else {
        r.skip_value();
        message = content::other;
      }
    } else if (key == "oslo.version") {
      version = r.skip_value();
    } else {
      r.skip_value();
    }
  }
  r.finish();
  if (version.empty() || message == content::missing) {
    inner.assign(body);
    return;
  }
  check_version(version);
  if (message == content::other)
    throw messaging_error({errc::malformed_message, "The key oslo.message is not a string"});
}

result<std::string> read_envelope(std::string_view body) {
  try {
    std::string inner;
    open_envelope(body, inner);
    return inner;
  } catch (const messaging_error& e) {
    return e.failure();
  }
}

}  // namespace oslo::messaging::wire
