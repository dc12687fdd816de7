#include "ledger/sqlite.hpp"

#include <sqlite3.h>

namespace lm {
namespace {

[[noreturn]] void throw_error(sqlite3* database, int code) {
  throw SqlError(code & 0xff, database ? sqlite3_errmsg(database) : sqlite3_errstr(code));
}

void check(sqlite3* database, int code) {
  if (code != SQLITE_OK) throw_error(database, code);
}

}  // namespace

Query::Query(sqlite3* database, std::string_view sql) : database_(database) {
  check(database, sqlite3_prepare_v2(database, sql.data(), static_cast<int>(sql.size()), &statement_, nullptr));
}

Query::~Query() { sqlite3_finalize(statement_); }

void Query::bind(int at, std::int64_t value) { check(database_, sqlite3_bind_int64(statement_, at, value)); }

void Query::bind(int at, std::string_view value) {
  check(database_, sqlite3_bind_text64(statement_, at, value.data() ? value.data() : "", value.size(), SQLITE_STATIC, SQLITE_UTF8));
}

void Query::reset() { sqlite3_reset(statement_); }

bool Query::next() {
  switch (const int code = sqlite3_step(statement_)) {
    case SQLITE_ROW: return true;
    case SQLITE_DONE: reset(); return false;
    default:
      const SqlError error(code & 0xff, sqlite3_errmsg(database_));
      reset();
      throw error;
  }
}

void Query::run() {
  while (next()) {}
}

std::int64_t Query::integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::string Query::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return data ? std::string(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))) : std::string();
}

bool Query::null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

Database::Database(const std::string& path, bool change) {
  const int flags = (change ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOMUTEX;
  if (const int code = sqlite3_open_v2(path.c_str(), &database_, flags, nullptr); code != SQLITE_OK) {
    const SqlError error(code & 0xff, database_ ? sqlite3_errmsg(database_) : sqlite3_errstr(code));
    sqlite3_close(database_);
    throw error;
  }
  sqlite3_busy_timeout(database_, 10'000);
}

Database::~Database() { sqlite3_close_v2(database_); }

void Database::run(const char* sql) { check(database_, sqlite3_exec(database_, sql, nullptr, nullptr, nullptr)); }

bool Database::in_transaction() const { return sqlite3_get_autocommit(database_) == 0; }

std::uint64_t Database::changed() const { return static_cast<std::uint64_t>(sqlite3_changes(database_)); }

Transaction::~Transaction() {
  if (done_) return;
  try {
    // SQLite has rolled back by itself where it could not go on, as on a full disk.
    if (database_.in_transaction()) database_.run("ROLLBACK");
  } catch (const SqlError&) {  // what was not committed is gone when the file is opened next
  }
}

}  // namespace lm
