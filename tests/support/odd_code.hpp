// Code of an application that throws whatever it likes.
#pragma once

#include <oslo/messaging/convert.hpp>
#include <oslo/messaging/serializer.hpp>
#include <stdexcept>
#include <string>
#include <utility>

namespace oslo::messaging::testing {

/// Throws what `kind` names; nothing for any other name.
inline void throw_odd(const std::string& kind) {
  if (kind == "failure") throw messaging_error({errc::malformed_message, "a failure"});
  if (kind == "exception") throw std::out_of_range("beyond the end");
  if (kind == "int") throw 1;
}

struct odd_kind {
  const char* kind;
  const char* reason;  ///< as errors say it
};
inline constexpr odd_kind odd_kinds[] = {{"failure", "a failure"},
                                         {"exception", "beyond the end"},
                                         {"int", "an exception that is no std::exception"}};

/// A value whose codec throws what its text names.
struct odd_value {
  std::string kind;
};

/// Throws what it was made with.
class odd_serializer final : public serializer {
 public:
  odd_serializer(std::string of_entities, std::string of_contexts)
      : of_entities_(std::move(of_entities)), of_contexts_(std::move(of_contexts)) {}
  value serialize_entity(const context&, value v) const override {
    throw_odd(of_entities_);
    return v;
  }
  value deserialize_entity(const context&, value v) const override {
    throw_odd(of_entities_);
    return v;
  }
  context serialize_context(const context& c) const override {
    throw_odd(of_contexts_);
    return c;
  }
  context deserialize_context(const context& c) const override {
    throw_odd(of_contexts_);
    return c;
  }

 private:
  std::string of_entities_, of_contexts_;
};

}  // namespace oslo::messaging::testing

template <>
struct oslo::messaging::json_codec<oslo::messaging::testing::odd_value> {
  using odd = oslo::messaging::testing::odd_value;
  static void write(std::string& out, const odd& v) {
    oslo::messaging::testing::throw_odd(v.kind);
    write_value(out, v.kind);
  }
  static void read(json_reader& r, odd& v) {
    v.kind = read_value<std::string>(r);
    oslo::messaging::testing::throw_odd(v.kind);
  }
};
