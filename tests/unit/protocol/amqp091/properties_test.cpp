#include <gtest/gtest.h>

#include "protocol/amqp091/codec.hpp"
#include "support/amqp_samples.hpp"
#include "support/amqp_script.hpp"

using namespace amqp_script;

namespace {

std::string written(const properties& p) {
  std::string out;
  writer w{out};
  write_properties(w, p);
  return out;
}

properties read(std::string_view data, properties into = {}) {
  reader in{data};
  read_properties(in, into);
  in.finish();
  return into;
}

properties all_set() {
  properties p = of_python();
  p.headers->set("compression", "application/zstd");
  p.correlation_id = "corr";
  p.reply_to = "reply";
  p.expiration = "60000";
  p.message_id = "id";
  p.timestamp = 0x0102030405060708;
  p.type = "type";
  p.user_id = "user";
  p.app_id = "app";
  p.cluster_id = "cluster";
  return p;
}

TEST(amqp_properties, are_written_as_the_python_client_does) {
  properties p = of_python();
  EXPECT_EQ(written(p), bytes("f800 10\"application/json\" 05\"utf-8\" 00000000 02 00"));
  p.expiration = "60000";
  EXPECT_EQ(written(p),
            bytes("f900 10\"application/json\" 05\"utf-8\" 00000000 02 00 05\"60000\""));
}

TEST(amqp_properties, absent_ones_take_no_bytes) {
  EXPECT_EQ(written({}), bytes("0000"));
}

TEST(amqp_properties, all_are_written_in_the_order_of_the_flags) {
  EXPECT_EQ(written(all_set()),
            bytes("fffc 10\"application/json\" 05\"utf-8\" 00000021 0b\"compression\"'S'"
                  "00000010\"application/zstd\" 02 00 04\"corr\" 05\"reply\" 05\"60000\" 02\"id\" "
                  "0102030405060708 04\"type\" 04\"user\" 03\"app\" 07\"cluster\""));
}

TEST(amqp_properties, are_read_back) {
  EXPECT_EQ(read(written(all_set())), all_set());
  EXPECT_EQ(read(written(of_python())), of_python());
}

TEST(amqp_properties, reading_leaves_nothing_of_the_message_before) {
  EXPECT_EQ(read(written({}), all_set()), properties{});
  EXPECT_EQ(read(written(of_python()), all_set()), of_python());
}

TEST(amqp_properties, undefined_flags_and_missing_bytes_are_syntax_errors) {
  for (const char* broken :
       {"0001", "0002", "f8", "8000", "8000 05\"abc\"", "0040 00000000", "2000 00000001", "1000"}) {
    try {
      read(bytes(broken));
      ADD_FAILURE() << broken;
    } catch (const violation& v) {
      EXPECT_EQ(v.code(), 502) << broken;
    }
  }
}

}  // namespace
