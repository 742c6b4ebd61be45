#include "drivers/kafka/offset_ledger.hpp"

#include <algorithm>
#include <utility>

namespace oslo::messaging::kafka {

void offset_ledger::assign(partition_name p) {
  revoke(p);
  const auto at = partitions_.try_emplace(std::move(p)).first;
  at->second.assignment = ++last_assignment_;
  by_assignment_.emplace(last_assignment_, at);
}

void offset_ledger::revoke(const partition_name& p) {
  if (const auto at = partitions_.find(p); at != partitions_.end()) forget(at);
}

void offset_ledger::forget(table::iterator at) {
  open_ -= at->second.open;
  if (is_full(at->second)) --full_;
  by_assignment_.erase(at->second.assignment);
  partitions_.erase(at);
}

bool offset_ledger::begins_anew(const partition_name& p, std::int64_t offset,
                                std::int64_t made) const {
  const auto at = partitions_.find(p);
  if (at == partitions_.end() || offset > at->second.highest) return false;
  const auto& part = at->second;
  return offset < part.committed.value_or(part.first) || made > part.newest;
}

std::optional<offset_ticket> offset_ledger::arrived(const partition_name& p, std::int64_t offset,
                                                    std::int64_t made) {
  const auto at = partitions_.find(p);
  if (at == partitions_.end() || offset <= at->second.highest) return std::nullopt;
  auto& part = at->second;
  if (part.highest < 0) part.first = offset;
  part.highest = offset;
  part.newest = std::max(part.newest, made);
  part.entries.push_back({offset, false});
  if (part.entries.size() == most_) ++full_;
  ++part.open;
  ++open_;
  return offset_ticket{part.assignment, offset};
}

std::optional<std::size_t> offset_ledger::find(const partition& p, std::int64_t offset) {
  const auto at =
      std::lower_bound(p.entries.begin(), p.entries.end(), offset,
                       [](const entry& e, std::int64_t wanted) { return e.offset < wanted; });
  if (at == p.entries.end() || at->offset != offset || at->settled) return std::nullopt;
  return static_cast<std::size_t>(at - p.entries.begin());
}

bool offset_ledger::settle(const offset_ticket& t) {
  const auto known = by_assignment_.find(t.assignment);
  if (known == by_assignment_.end()) return false;
  auto& part = known->second->second;
  const auto found = find(part, t.offset);
  if (!found) return false;
  part.entries[*found].settled = true;
  --part.open;
  --open_;
  const bool was_full = is_full(part);
  while (!part.entries.empty() && part.entries.front().settled) {
    part.next = part.entries.front().offset + 1;
    part.entries.pop_front();
  }
  if (was_full && !is_full(part)) --full_;
  return true;
}

bool offset_ledger::is_open(const offset_ticket& t) const {
  const auto known = by_assignment_.find(t.assignment);
  return known != by_assignment_.end() && find(known->second->second, t.offset).has_value();
}

auto offset_ledger::due() const -> std::vector<position> {
  std::vector<position> all;
  for (const auto& [name, p] : partitions_)
    if (p.next && p.next != p.committed) all.push_back({name, *p.next});
  return all;
}

void offset_ledger::committed(const position& p) {
  if (const auto at = partitions_.find(p.where); at != partitions_.end())
    at->second.committed = p.next;
}

std::size_t offset_ledger::open(const partition_name& p) const {
  const auto at = partitions_.find(p);
  return at == partitions_.end() ? 0 : at->second.open;
}

std::vector<partition_name> offset_ledger::assigned() const {
  std::vector<partition_name> all;
  for (const auto& [name, p] : partitions_) all.push_back(name);
  return all;
}

}  // namespace oslo::messaging::kafka
