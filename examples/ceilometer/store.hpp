// Where a collector keeps what it got.
#pragma once

#include <cstddef>
#include <memory>
#include <oslo/messaging/notify.hpp>
#include <span>
#include <string>

#include "telemetry.hpp"

struct sqlite3;

namespace telemetry {

/// An SQLite file. A notification that comes again changes nothing but its count: that is what
/// makes at-least-once delivery good enough.
///
/// Each function is one transaction; it throws `std::runtime_error` when nothing was stored.
/// Not thread safe.
class store {
 public:
  explicit store(const std::string& file);
  ~store();
  store(const store&) = delete;
  store& operator=(const store&) = delete;

  void add(std::span<const om::notify::typed_notification<polling_batch>> batch);
  void add(std::span<const om::notify::notification> events);

  /// Different ones that this object has stored.
  std::size_t messages() const noexcept { return messages_; }

 private:
  class transaction;
  class statement;
  struct closer {
    void operator()(sqlite3* db) const noexcept;
  };
  /// False when it is there already.
  bool note(const std::string& id, const om::notify::notification& n);

  std::unique_ptr<sqlite3, closer> db_;
  std::unique_ptr<statement> begin_, commit_, rollback_, new_message_, old_message_, new_sample_,
      new_event_;
  std::size_t messages_ = 0;
};

}  // namespace telemetry
