// SQLite as the ledger needs it: statements that are prepared, bound and stepped. Failures are thrown as SqlError and caught at the border of Ledger, where they
// become values. Belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace lm {

struct SqlError : std::runtime_error {
  SqlError(int c, const std::string& message) : std::runtime_error(message), code(c) {}
  int code;  // SQLite's primary result code
};

class Query {
 public:
  Query() = default;
  Query(sqlite3* database, std::string_view sql);
  ~Query();
  Query(Query&& other) noexcept : database_(other.database_), statement_(other.statement_) { other.statement_ = nullptr; }
  Query& operator=(Query&& other) noexcept {
    std::swap(database_, other.database_), std::swap(statement_, other.statement_);
    return *this;
  }

  // Begins anew with these values for the ?s. Text must live until the last next().
  template <class... Values>
  Query& with(const Values&... values) {
    reset();
    int at = 0;
    (bind(++at, values), ...);
    return *this;
  }
  bool next();   // true: there is a row
  void run();    // for statements without rows
  void reset();  // lets go of what the statement holds open
  std::int64_t integer(int column) const;
  std::uint64_t count(int column) const { return static_cast<std::uint64_t>(integer(column)); }
  std::string text(int column) const;
  bool null(int column) const;

 private:
  void bind(int at, std::int64_t value);
  void bind(int at, std::uint64_t value) { bind(at, static_cast<std::int64_t>(value)); }
  void bind(int at, int value) { bind(at, std::int64_t{value}); }
  void bind(int at, bool value) { bind(at, std::int64_t{value}); }
  void bind(int at, std::string_view value);
  void bind(int at, const std::string& value) { bind(at, std::string_view(value)); }
  void bind(int at, const char* value) { bind(at, std::string_view(value)); }

  sqlite3* database_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
};

class Database {
 public:
  // `change` false: nothing is written, and the file must exist.
  Database(const std::string& path, bool change);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void run(const char* sql);  // any number of statements
  Query query(std::string_view sql) { return {database_, sql}; }
  bool in_transaction() const;
  std::uint64_t changed() const;  // rows, by the last statement

 private:
  sqlite3* database_ = nullptr;
};

// All or nothing: what was not committed is rolled back.
class Transaction {
 public:
  explicit Transaction(Database& database) : database_(database) { database_.run("BEGIN IMMEDIATE"); }
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit() {
    database_.run("COMMIT");
    done_ = true;
  }

 private:
  Database& database_;
  bool done_ = false;
};

}  // namespace lm
