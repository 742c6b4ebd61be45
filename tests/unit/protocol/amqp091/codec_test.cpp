#include "protocol/amqp091/codec.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

#include "support/amqp_script.hpp"

using namespace amqp_script;

namespace {

template <class Fill>
std::string written(Fill fill) {
  std::string out;
  writer w{out};
  fill(w);
  return out;
}

/// Text of the violation that `read` runs into.
template <class Read>
std::string fault(std::string_view input, Read read) {
  try {
    reader in{input};
    read(in);
    return "none";
  } catch (const violation& v) {
    return std::to_string(v.code()) + " " + v.text();
  }
}

TEST(amqp_codec, numbers_are_big_endian) {
  const std::string out = written([](writer& w) {
    w.u8(0x01);
    w.u16(0x0203);
    w.u32(0x04050607);
    w.u64(0x08090a0b0c0d0e0f);
  });
  EXPECT_EQ(out, bytes("01 0203 04050607 08090a0b0c0d0e0f"));
  reader in{out};
  EXPECT_EQ(in.u8(), 0x01);
  EXPECT_EQ(in.u16(), 0x0203);
  EXPECT_EQ(in.u32(), 0x04050607u);
  EXPECT_EQ(in.u64(), 0x08090a0b0c0d0e0fu);
  in.finish();
}

TEST(amqp_codec, strings_carry_their_length) {
  const std::string out = written([](writer& w) {
    w.shortstr("abc");
    w.longstr(std::string(300, 'x'));
  });
  EXPECT_EQ(out, bytes("03\"abc\" 0000012c") + std::string(300, 'x'));
  reader in{out};
  EXPECT_EQ(in.shortstr(), "abc");
  EXPECT_EQ(in.longstr(), std::string(300, 'x'));
  EXPECT_EQ(in.left(), 0u);
}

TEST(amqp_codec, short_string_takes_255_bytes) {
  EXPECT_EQ(written([](writer& w) { w.shortstr(std::string(255, 'x')); }),
            bytes("ff") + std::string(255, 'x'));
  EXPECT_THROW(written([](writer& w) { w.shortstr(std::string(256, 'x')); }), std::length_error);
}

TEST(amqp_codec, reading_past_the_end_is_a_syntax_error) {
  EXPECT_EQ(fault("", [](reader& r) { r.u8(); }),
            "502 an octet of 1 bytes does not fit in the 0 that are left");
  EXPECT_EQ(fault(bytes("01"), [](reader& r) { r.u16(); }),
            "502 a short of 2 bytes does not fit in the 1 that are left");
  EXPECT_EQ(fault(bytes("010203"), [](reader& r) { r.u32(); }),
            "502 a long of 4 bytes does not fit in the 3 that are left");
  EXPECT_EQ(fault(bytes("01020304050607"), [](reader& r) { r.u64(); }),
            "502 a longlong of 8 bytes does not fit in the 7 that are left");
  EXPECT_EQ(fault(bytes("04\"abc\""), [](reader& r) { r.shortstr(); }),
            "502 a short string of 4 bytes does not fit in the 3 that are left");
  EXPECT_EQ(fault(bytes("ffffffff\"abc\""), [](reader& r) { r.longstr(); }),
            "502 a long string of 4294967295 bytes does not fit in the 3 that are left");
  EXPECT_EQ(fault(bytes("0102"), [](reader& r) { r.finish(); }), "502 2 bytes are left over");
}

TEST(amqp_codec, frame_gets_its_size_and_end) {
  EXPECT_EQ(written([](writer& w) {
              const auto start = w.begin_method(7, method::channel_open);
              w.shortstr("");
              w.end_frame(start, 4096);
            }),
            bytes("01 0007 00000005 0014000a 00 ce"));
  EXPECT_EQ(written([](writer& w) { w.end_frame(w.begin_frame(frame_type::heartbeat, 0), 4096); }),
            bytes("08 0000 00000000 ce"));
}

TEST(amqp_codec, frame_limit_counts_header_and_end) {
  const auto body = [](std::size_t size) {
    return written([&](writer& w) {
      const auto start = w.begin_frame(frame_type::body, 1);
      w.bytes(std::string(size, 'x'));
      w.end_frame(start, 4096);
    });
  };
  EXPECT_EQ(body(4088).size(), 4096u);
  EXPECT_THROW(body(4089), std::length_error);
}

TEST(amqp_codec, mark_takes_back_what_was_not_kept) {
  std::string out = "before";
  {
    output_mark mark{out};
    out += "lost";
  }
  EXPECT_EQ(out, "before");
  {
    output_mark mark{out};
    out += " and after";
    mark.keep();
  }
  EXPECT_EQ(out, "before and after");
}

}  // namespace
