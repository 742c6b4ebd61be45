#include "drivers/zmq/redis_reader.hpp"

#include <hiredis/hiredis.h>

#include <new>
#include <utility>

namespace oslo::messaging::zmq {
namespace {

/// Where hiredis wants the next value: at the root, or in a list that it has made already.
redis_value* place_of(const redisReadTask* task) {
  if (task->parent == nullptr) return new (std::nothrow) redis_value;
  auto* const list = static_cast<redis_value*>(task->parent->obj);
  return &list->items.at(static_cast<std::size_t>(task->idx));
}

// hiredis calls these. Null: it gives up on the connection.

void* make_text(const redisReadTask* task, char* text, std::size_t size) try {
  if (size > redis_reader::longest_text) return nullptr;
  auto* const v = place_of(task);
  if (v == nullptr) return nullptr;
  v->what = task->type == REDIS_REPLY_ERROR ? redis_value::kind::error : redis_value::kind::text;
  v->text.assign(text, size);
  return v;
} catch (...) {
  return nullptr;
}

void* make_list(const redisReadTask* task, int items) try {
  if (items < 0 || static_cast<std::size_t>(items) > redis_reader::most_items) return nullptr;
  auto* const v = place_of(task);
  if (v == nullptr) return nullptr;
  v->what = redis_value::kind::list;
  v->items.resize(static_cast<std::size_t>(items));
  return v;
} catch (...) {
  return nullptr;
}

void* make_number(const redisReadTask* task, long long number) {
  auto* const v = place_of(task);
  if (v == nullptr) return nullptr;
  v->what = redis_value::kind::number;
  v->number = number;
  return v;
}

void* make_nil(const redisReadTask* task) {
  return place_of(task);
}

/// Only roots: the rest is in their lists.
void free_value(void* v) {
  delete static_cast<redis_value*>(v);
}

redisReplyObjectFunctions functions{make_text, make_list, make_number, make_nil, free_value};

}  // namespace

void redis_reader::end_reader::operator()(redisReader* r) const noexcept {
  redisReaderFree(r);
}

redis_reader::redis_reader() : reader_(redisReaderCreateWithFunctions(&functions)) {
  if (!reader_) throw std::bad_alloc();
}
redis_reader::~redis_reader() = default;

result<void> redis_reader::feed(std::string_view bytes) {
  unread_ += bytes.size();
  if (unread_ > most_unread)
    return failure(errc::malformed_message,
                   "An answer of Redis has more than " + std::to_string(most_unread) + " bytes.");
  if (redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) != REDIS_OK)
    return failure(errc::malformed_message,
                   std::string("An answer of Redis cannot be read: ") + reader_->errstr + ".");
  return {};
}

result<std::optional<redis_value>> redis_reader::next() {
  void* root = nullptr;
  if (redisReaderGetReply(reader_.get(), &root) != REDIS_OK)
    return failure(errc::malformed_message,
                   std::string("An answer of Redis cannot be read: ") + reader_->errstr + ".");
  if (root == nullptr) return std::optional<redis_value>();
  const std::unique_ptr<redis_value> whole(static_cast<redis_value*>(root));
  unread_ = reader_->len - reader_->pos;
  return std::optional<redis_value>(std::move(*whole));
}

std::string write_redis_command(const std::vector<std::string>& arguments) {
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  for (const auto& a : arguments) {
    texts.push_back(a.data());
    sizes.push_back(a.size());
  }
  char* text = nullptr;
  const auto size =
      redisFormatCommandArgv(&text, static_cast<int>(texts.size()), texts.data(), sizes.data());
  if (size < 0) throw std::bad_alloc();
  std::string out(text, static_cast<std::size_t>(size));
  redisFreeCommand(text);
  return out;
}

}  // namespace oslo::messaging::zmq
