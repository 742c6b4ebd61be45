// Which offsets may be committed, whatever the order in which messages are acknowledged.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace oslo::messaging::kafka {

/// One partition of one topic.
struct partition_name {
  std::string topic;
  std::int32_t number = 0;
  auto operator<=>(const partition_name&) const = default;
};

/// What a handed-out message is settled with. One of an earlier assignment settles nothing: its
/// partition was given away in between, and the message is delivered again from its offset.
struct offset_ticket {
  std::uint64_t assignment = 0;  ///< never the same twice
  std::int64_t offset = 0;
  bool operator==(const offset_ticket&) const = default;
};

/// The partitions that a consumer has been assigned, and in each the messages that arrived and are
/// not settled. Kafka knows one committed offset a partition, which says "all before me is done":
/// it may only pass a message once that and all before it are settled. A message that is delivered
/// again stays unsettled, and holds the committed offset back until then.
///
/// A value: no clock, no thread, no library.
class offset_ledger {
 public:
  /// A position that is worth committing: the first offset that is not done.
  struct position {
    partition_name where;
    std::int64_t next = 0;
    bool operator==(const position&) const = default;
  };

  /// `most`: messages of a partition that may be remembered before `full` says so.
  explicit offset_ledger(std::size_t most) noexcept : most_(most) {}

  /// Begins with nothing arrived. A partition that is assigned already begins anew.
  void assign(partition_name p);
  /// Forgets the partition, with all that is not settled.
  void revoke(const partition_name& p);

  /// True for a message that cannot be a second copy of one that arrived: its topic was deleted and
  /// made again, and has its offsets again. It lies below what was committed, or it was made
  /// (`made`: milliseconds) after all that have arrived. Then the partition is to be assigned anew.
  bool begins_anew(const partition_name& p, std::int64_t offset, std::int64_t made) const;
  /// A message has arrived. None when the partition is not assigned, or when the offset is not
  /// above all that have arrived: that is not to be handed out. Offsets may leave gaps.
  std::optional<offset_ticket> arrived(const partition_name& p, std::int64_t offset,
                                       std::int64_t made = 0);
  /// The message is done with. False when its ticket settles nothing (any more).
  bool settle(const offset_ticket& t);
  /// True for a message that was handed out and is neither settled nor of an earlier assignment.
  bool is_open(const offset_ticket& t) const;

  /// What has moved since it was last committed.
  std::vector<position> due() const;
  /// The broker has it.
  void committed(const position& p);

  /// Messages that have arrived and are not settled.
  std::size_t open() const noexcept { return open_; }
  std::size_t open(const partition_name& p) const;
  /// So many messages behind one that is not settled are done that no more should be taken.
  bool full() const noexcept { return full_ != 0; }
  bool has(const partition_name& p) const { return partitions_.contains(p); }
  std::vector<partition_name> assigned() const;

 private:
  struct entry {
    std::int64_t offset;
    bool settled;
  };
  struct partition {
    std::uint64_t assignment = 0;
    std::deque<entry> entries{};  ///< in order; the first is not settled
    std::size_t open = 0;
    std::int64_t first = -1, highest = -1;
    std::int64_t newest = 0;                  ///< when the last one of them was made
    std::optional<std::int64_t> next{};       ///< all before it is done
    std::optional<std::int64_t> committed{};  ///< as the broker has it
  };
  using table = std::map<partition_name, partition>;

  /// Where the entry of an open message is; none when there is none.
  static std::optional<std::size_t> find(const partition& p, std::int64_t offset);
  void forget(table::iterator at);
  bool is_full(const partition& p) const noexcept { return p.entries.size() >= most_; }

  std::size_t most_;
  table partitions_;
  std::map<std::uint64_t, table::iterator> by_assignment_;
  std::uint64_t last_assignment_ = 0;
  std::size_t open_ = 0;
  std::size_t full_ = 0;  ///< partitions that are
};

}  // namespace oslo::messaging::kafka
