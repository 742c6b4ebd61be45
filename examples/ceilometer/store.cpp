#include "store.hpp"

#include <sqlite3.h>

#include <stdexcept>
#include <string_view>

namespace telemetry {
namespace {

constexpr const char* schema = R"(
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS message(
  id TEXT PRIMARY KEY, event_type TEXT, publisher TEXT, times INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sample(
  id TEXT PRIMARY KEY, meter TEXT, type TEXT, unit TEXT, volume REAL, resource TEXT, time TEXT)
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event(
  id TEXT PRIMARY KEY, event_type TEXT, publisher TEXT, time TEXT, payload TEXT) WITHOUT ROWID;)";

constexpr int busy_limit_ms = 5'000;

/// Of a publisher that gives no id the same text counts as the same message.
std::string key_of(const om::notify::notification& n) {
  if (n.message_id && !n.message_id->empty()) return *n.message_id;
  return "no id " + n.timestamp.value_or("") + ' ' + n.payload_json;
}

[[noreturn]] void fail(sqlite3* db, const char* what) {
  throw std::runtime_error(std::string(what) + ": " + sqlite3_errmsg(db));
}

}  // namespace

class store::statement {
 public:
  statement(sqlite3* db, const char* sql) : db_(db) {
    if (sqlite3_prepare_v2(db, sql, -1, &stmt_, nullptr) != SQLITE_OK) fail(db, sql);
  }
  ~statement() { sqlite3_finalize(stmt_); }
  statement(const statement&) = delete;
  statement& operator=(const statement&) = delete;

  template <class... Values>
  void run(const Values&... values) {
    int column = 0;
    (bind(++column, values), ...);
    const int done = sqlite3_step(stmt_);
    sqlite3_reset(stmt_);
    sqlite3_clear_bindings(stmt_);
    if (done != SQLITE_DONE) fail(db_, sqlite3_sql(stmt_));
  }

 private:
  void bind(int column, std::string_view text) {
    sqlite3_bind_text64(stmt_, column, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  }
  void bind(int column, double number) { sqlite3_bind_double(stmt_, column, number); }

  sqlite3* db_;
  sqlite3_stmt* stmt_ = nullptr;
};

/// Undone unless it was committed.
class store::transaction {
 public:
  explicit transaction(store& s) : store_(s), messages_(s.messages_) { s.begin_->run(); }
  void commit() {
    store_.commit_->run();
    committed_ = true;
  }
  ~transaction() {
    if (committed_) return;
    store_.messages_ = messages_;
    try {
      store_.rollback_->run();
    } catch (const std::exception&) {  // SQLite has rolled back by itself
    }
  }
  transaction(const transaction&) = delete;
  transaction& operator=(const transaction&) = delete;

 private:
  store& store_;
  std::size_t messages_;
  bool committed_ = false;
};

void store::closer::operator()(sqlite3* db) const noexcept {
  sqlite3_close(db);
}

store::store(const std::string& file) {
  sqlite3* db = nullptr;
  const int opened = sqlite3_open(file.c_str(), &db);
  db_.reset(db);
  if (opened != SQLITE_OK) fail(db, file.c_str());
  sqlite3_busy_timeout(db, busy_limit_ms);
  if (sqlite3_exec(db, schema, nullptr, nullptr, nullptr) != SQLITE_OK) fail(db, file.c_str());
  const auto prepare = [db](const char* sql) { return std::make_unique<statement>(db, sql); };
  begin_ = prepare("BEGIN IMMEDIATE");
  commit_ = prepare("COMMIT");
  rollback_ = prepare("ROLLBACK");
  new_message_ = prepare("INSERT OR IGNORE INTO message VALUES(?, ?, ?, 1)");
  old_message_ = prepare("UPDATE message SET times = times + 1 WHERE id = ?");
  new_sample_ = prepare("INSERT OR IGNORE INTO sample VALUES(?, ?, ?, ?, ?, ?, ?)");
  new_event_ = prepare("INSERT OR IGNORE INTO event VALUES(?, ?, ?, ?, ?)");
}

store::~store() = default;

bool store::note(const std::string& id, const om::notify::notification& n) {
  new_message_->run(id, n.event_type.value_or(""), n.publisher_id.value_or(""));
  if (sqlite3_changes(db_.get()) != 0) {
    ++messages_;
    return true;
  }
  old_message_->run(id);
  return false;
}

void store::add(std::span<const om::notify::typed_notification<polling_batch>> batch) {
  transaction t{*this};
  for (const auto& n : batch) {
    if (!note(key_of(n.about), n.about)) continue;
    for (const auto& s : n.payload.samples)
      new_sample_->run(s.message_id, s.counter_name, s.counter_type, s.counter_unit,
                       s.counter_volume, s.resource_id, s.timestamp);
  }
  t.commit();
}

void store::add(std::span<const om::notify::notification> events) {
  transaction t{*this};
  for (const auto& n : events) {
    const auto id = key_of(n);
    if (note(id, n))
      new_event_->run(id, n.event_type.value_or(""), n.publisher_id.value_or(""),
                      n.timestamp.value_or(""), n.payload_json);
  }
  t.commit();
}

}  // namespace telemetry
