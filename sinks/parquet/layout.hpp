// Where rows go: folders by the values of columns. Every layout is a template, the default one too.
//
//   {table}/region={cloud.region}/accountId={cloud.account.uid}/eventDay={time:%Y%m%d}
//
// A part between slashes is text, with one value in it at most: {table}, a column by its OCSF path, or a column of milliseconds with a format of %Y %m %d %H. What a value holds is
// escaped (safe_component), so that it can neither leave its part nor make a name that stores refuse or engines pass over; what is null or empty is "unknown".
#pragma once

#include "common/error.hpp"
#include "parquet/chain.hpp"

#include <logmill/arrow.h>
#include <logmill/sdk/intern.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lm::sink::parquet {

class Layout {
 public:
  // "lake", "flat" or a template. LM_INVALID says what is wrong with it.
  static Result<Layout> parse(std::string_view value);
  // ext/SOURCE/region=R/accountId=A/eventDay=YYYYMMDD: of a custom source of Amazon Security Lake. {class_uid} in `source` is the class. A is `external`, with the account or tenant behind it,
  // for what is not of AWS. An empty region: that of the event.
  static Layout security_lake(std::string_view source, std::string_view region);

  // The columns that it names, as OCSF writes them.
  std::vector<std::string> columns() const;

 private:
  friend class TableLayout;
  enum class Value : std::uint8_t { none, table, class_uid, column, time, account };
  struct Part {
    std::string before, after;
    Value value = Value::none;
    std::string column, format;
  };
  static Result<Part> part(std::string_view text, std::string_view whole);
  std::vector<Part> parts_;
};

// A layout for the columns of one table.
class TableLayout {
 public:
  // LM_INVALID: a column has no values that folders could be named after.
  static Result<TableLayout> make(const Layout& layout, const ArrowSchema& schema, std::string_view table, std::uint32_t class_uid);
  bool has(std::string_view column) const;
  bool one_folder() const { return columns_.empty(); }

 private:
  friend class Keys;
  struct Column {
    enum class Kind : std::uint8_t { absent, text, int32, int64, time } kind = Kind::absent;
    std::string name;
    std::int64_t unit = 1;  // time: milliseconds that have the same text
    bool coded = false;
    std::vector<std::int32_t> steps;
  };
  struct Part {
    Layout::Part spelt;
    std::optional<std::size_t> column, provider;  // of columns_
  };
  static Result<Column> find(const ArrowSchema& schema, std::string_view path, std::string_view format);
  std::vector<Part> parts_;
  std::vector<Column> columns_;
};

// The values of a batch that its rows are told apart by, as numbers. Equal numbers are equal values; different ones may still be the same folder.
class Keys {
 public:
  // Both outlive it. Throws BadColumn.
  Keys(const TableLayout& layout, const ArrowArray& rows);

  std::size_t count() const { return columns_.size(); }
  std::int64_t at(std::size_t key, std::size_t row) const {
    const Column& c = columns_[key];
    return c.constant ? c.value : c.one(row);
  }
  bool all_constant() const;
  std::string folder(std::size_t row) const;

 private:
  static constexpr std::int64_t kNull = INT64_MIN;
  struct Column {
    const TableLayout::Column* of = nullptr;
    Chain chain;
    const ArrowArray* dictionary = nullptr;
    const std::int32_t* codes = nullptr;
    const std::int64_t* longs = nullptr;
    std::vector<std::int32_t> interned;
    lm::detail::Interner interner;
    bool constant = true;
    std::int64_t value = kNull;

    void look(const TableLayout::Column& column, const ArrowArray& rows);
    bool valid(std::size_t row) const;
    std::int64_t one(std::size_t row) const;
    std::string text(std::int64_t key, std::string_view format) const;  // empty: null
  };
  const TableLayout& layout_;
  std::vector<Column> columns_;
};

}  // namespace lm::sink::parquet
