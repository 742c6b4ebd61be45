#include "wire/compression.hpp"

#define ZLIB_CONST  // what is read is const
#include <bzlib.h>
#include <zlib.h>

#include <algorithm>
#include <limits>
#include <new>
#include <stdexcept>

namespace oslo::messaging::wire {
namespace {

using size_32 = unsigned int;
constexpr std::size_t first_room = 4'096;

size_32 to_32(std::size_t n) {
  if (n > std::numeric_limits<size_32>::max())
    throw std::length_error("A body of more than 4 GiB cannot be compressed.");
  return static_cast<size_32>(n);
}

enum class outcome { more, end, broken };

/// One stream of zlib, reading.
class inflater {
 public:
  explicit inflater(std::string_view in) {
    if (::inflateInit(&s_) != Z_OK) throw std::bad_alloc();
    s_.next_in = reinterpret_cast<const Bytef*>(in.data());
    s_.avail_in = to_32(in.size());
  }
  ~inflater() { ::inflateEnd(&s_); }
  inflater(const inflater&) = delete;
  inflater& operator=(const inflater&) = delete;

  /// Takes as much as it can; both counts are what is left.
  outcome step(char* to, size_32& room, size_32& input) {
    s_.next_out = reinterpret_cast<Bytef*>(to);
    s_.avail_out = room;
    const int rc = ::inflate(&s_, Z_NO_FLUSH);
    room = s_.avail_out;
    input = s_.avail_in;
    if (rc == Z_MEM_ERROR) throw std::bad_alloc();
    if (rc == Z_STREAM_END) return outcome::end;
    return rc == Z_OK || rc == Z_BUF_ERROR ? outcome::more : outcome::broken;
  }

 private:
  z_stream s_{};
};

/// The same of bzip2.
class bunzipper {
 public:
  explicit bunzipper(std::string_view in) {
    if (::BZ2_bzDecompressInit(&s_, 0, 0) != BZ_OK) throw std::bad_alloc();
    s_.next_in = const_cast<char*>(in.data());  // it is only read
    s_.avail_in = to_32(in.size());
  }
  ~bunzipper() { ::BZ2_bzDecompressEnd(&s_); }
  bunzipper(const bunzipper&) = delete;
  bunzipper& operator=(const bunzipper&) = delete;

  outcome step(char* to, size_32& room, size_32& input) {
    s_.next_out = to;
    s_.avail_out = room;
    const int rc = ::BZ2_bzDecompress(&s_);
    room = s_.avail_out;
    input = s_.avail_in;
    if (rc == BZ_MEM_ERROR) throw std::bad_alloc();
    if (rc == BZ_STREAM_END) return outcome::end;
    return rc == BZ_OK ? outcome::more : outcome::broken;
  }

 private:
  bz_stream s_{};
};

failure malformed(std::string why) {
  return {errc::malformed_message, std::move(why)};
}

template <class Stream>
result<std::string> read_all(std::string_view in, std::size_t most) {
  const failure broken = malformed("its compressed body is broken");
  Stream stream(in);
  std::string out;
  std::size_t size = 0;
  for (;;) {
    if (size == out.size()) {
      // One byte more than allowed shows that it is too long.
      if (size > most)
        return malformed("its body decompresses to more than " + std::to_string(most) + " bytes");
      out.resize(std::min(most + 1, std::max(2 * size, first_room)));
    }
    size_32 room = to_32(std::min<std::size_t>(out.size() - size, 1u << 30));
    const auto offered = room;
    size_32 input = 0;
    const auto done = stream.step(out.data() + size, room, input);
    size += offered - room;
    if (done == outcome::broken) return broken;
    if (done == outcome::end) {
      if (input != 0) return broken;  // something stands behind it
      break;
    }
    if (input == 0 && room != 0) return broken;  // cut short
  }
  if (size > most)
    return malformed("its body decompresses to more than " + std::to_string(most) + " bytes");
  out.resize(size);
  return out;
}

}  // namespace

std::string_view header_value(codec c) noexcept {
  return c == codec::zlib ? "application/x-gzip" : "application/x-bz2";
}

std::optional<codec> codec_named(std::string_view name) noexcept {
  for (const char* zlib : {"gzip", "zlib", "application/x-gzip"})
    if (name == zlib) return codec::zlib;
  for (const char* bzip2 : {"bzip2", "bzip", "bz2", "application/x-bz2"})
    if (name == bzip2) return codec::bzip2;
  return std::nullopt;
}

std::string compress(codec c, std::string_view body) {
  auto size = to_32(body.size());
  std::string out;
  if (c == codec::zlib) {
    uLongf room = ::compressBound(size);
    out.resize(room);
    if (::compress(reinterpret_cast<Bytef*>(out.data()), &room,
                   reinterpret_cast<const Bytef*>(body.data()), size) != Z_OK)
      throw std::bad_alloc();
    out.resize(room);
    return out;
  }
  constexpr int largest_blocks = 9;                          // as Python's bz2.compress
  auto room = to_32(body.size() + body.size() / 100 + 600);  // as its manual demands
  out.resize(room);
  if (::BZ2_bzBuffToBuffCompress(out.data(), &room, const_cast<char*>(body.data()), size,
                                 largest_blocks, 0, 0) != BZ_OK)
    throw std::bad_alloc();
  out.resize(room);
  return out;
}

result<std::string> decompress(codec c, std::string_view compressed, std::size_t most) {
  try {
    return c == codec::zlib ? read_all<inflater>(compressed, most)
                            : read_all<bunzipper>(compressed, most);
  } catch (const std::bad_alloc&) {
    return malformed("there is no memory to decompress its body");
  }
}

}  // namespace oslo::messaging::wire
