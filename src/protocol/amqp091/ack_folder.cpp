#include "protocol/amqp091/ack_folder.hpp"

#include <string>

#include "protocol/amqp091/codec.hpp"

namespace amqp091 {

void ack_folder::delivered(std::uint64_t tag, bool from_stream) {
  if (tag <= last_)
    throw violation(reply_code::command_invalid, "the delivery tag " + std::to_string(tag) +
                                                     " follows " + std::to_string(last_));
  if (entries_.size() >= max_unsettled)
    throw violation(reply_code::resource_error,
                    "more than " + std::to_string(max_unsettled) +
                        " deliveries wait for an acknowledgement on one channel");
  last_ = tag;
  entries_.push_back({tag, status::waiting, from_stream});
}

bool ack_folder::ack(std::uint64_t tag) {
  entry* e = find(tag);
  if (e == nullptr || e->what != status::waiting) return false;
  noted_.push_back(tag);
  e->what = status::noted;
  return true;
}

bool ack_folder::settle(std::uint64_t tag) {
  entry* e = find(tag);
  if (e == nullptr || e->what != status::waiting) return false;
  e->what = status::settled;
  while (!entries_.empty() && entries_.front().what == status::settled) entries_.pop_front();
  return true;
}

bool ack_folder::is_from_stream(std::uint64_t tag) noexcept {
  const entry* e = find(tag);
  return e != nullptr && e->what == status::waiting && e->from_stream;
}

ack_folder::entry* ack_folder::find(std::uint64_t tag) noexcept {
  if (entries_.empty() || tag < entries_.front().tag || tag > entries_.back().tag) return nullptr;
  // Brokers count by one, so the place is known unless some tags needed no acknowledgement.
  const std::uint64_t guess = tag - entries_.front().tag;
  if (guess < entries_.size() && entries_[guess].tag == tag) return &entries_[guess];
  std::size_t low = 0, high = entries_.size();
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (entries_[middle].tag < tag)
      low = middle + 1;
    else
      high = middle;
  }
  return entries_[low].tag == tag ? &entries_[low] : nullptr;
}

}  // namespace amqp091
