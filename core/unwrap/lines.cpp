#include "unwrap/lines.hpp"

#include <logmill/sdk/json.hpp>
#include <logmill/sdk/text.hpp>
#include <logmill/sdk/time.hpp>

#include <algorithm>

namespace lm {
namespace {

// A longer one is no record, but the end of a quote or a time that was lost.
constexpr std::size_t kLongest = std::size_t{4} << 20;

std::string_view text_of(const Block& block, const lm_record& r) {
  return {reinterpret_cast<const char*>(block.data.data()) + r.offset, r.length};
}

// Lines that belong together, which may begin in one block and end in the next.
class LineWrapping : public Wrapping {
 public:
  FrameSpec framing() const override { return {LM_FRAMING_LINES, {}, {}}; }
  bool unwrap_again(const Unwrapped&, std::uint32_t, Unwrapped&) override { return false; }

  void unwrap(const Block& block, Unwrapped& out) override {
    for (const lm_record& r : block.records) {
      const std::string_view line = text_of(block, r);
      const std::uint64_t offset = block.offset + r.offset;
      if (open_ && !continues(line)) close(out);
      if (open_) {
        // What stood between the lines is not at hand any more: it was a line end.
        pending_ += '\n';
      } else {
        place_.offset = offset;
        open_ = true;
      }
      pending_ += line;
      quotes_ += static_cast<std::size_t>(std::count(line.begin(), line.end(), '"'));
      place_.length = offset + line.size() - place_.offset;
      if (pending_.size() > kLongest) {
        out.rejects.push_back(
            {place_.offset, place_.length, 0, LM_REJECT_OVERSIZE, "lines without an end to what they belong to", pending_});
        forget();
      } else if (complete()) {
        close(out);
      }
    }
  }
  void finish(Unwrapped& out) override {
    if (open_) close(out);
  }

 protected:
  // Whether `line` goes on with what is pending.
  virtual bool continues(std::string_view line) = 0;
  // Whether nothing more can belong to what is pending.
  virtual bool complete() = 0;
  // One record of the wrapping.
  virtual void open(std::string_view text, const Place&, Unwrapped&) = 0;

  static void take(std::string_view text, const Place& place, Unwrapped& out) {
    Unwrapped::Record r;
    r.context = out.context({});
    r.offset = out.bytes.size(), r.length = text.size();
    r.place = place;
    out.bytes.append(std::as_bytes(std::span(text)));
    out.records.push_back(r);
  }
  static void reject(std::string_view text, const Place& place, std::string why, Unwrapped& out) {
    out.rejects.push_back({place.offset, place.length, 0, LM_REJECT_MALFORMED, std::move(why), std::string(text)});
  }
  std::size_t quotes() const { return quotes_; }  // in what is pending

 private:
  void close(Unwrapped& out) {
    open(pending_, place_, out);
    forget();
  }
  void forget() {
    pending_.clear();
    quotes_ = 0;
    open_ = false;
  }
  std::string pending_;
  std::size_t quotes_ = 0;
  Place place_;
  bool open_ = false;
};

// "2026-03-01T12:00:00.000Z", a space, the message; a message of several lines goes on in lines without a time.
constexpr std::size_t kTime = 24;
bool begins_with_time(std::string_view line) {
  return line.size() > kTime && line[kTime] == ' ' && line[kTime - 1] == 'Z' && line[19] == '.' && time::rfc3339(line.substr(0, kTime));
}

class Export final : public LineWrapping {
 public:
  std::string_view id() const override { return "cloudwatch.export"; }
  std::string_view title() const override { return "CloudWatch Logs export"; }

 private:
  bool continues(std::string_view line) override { return !begins_with_time(line); }
  bool complete() override { return false; }
  void open(std::string_view text, const Place& place, Unwrapped& out) override {
    if (!begins_with_time(text)) return reject(text, place, "a line without the time that CloudWatch puts in front", out);
    take(text.substr(kTime + 1), {place.offset + kTime + 1, place.length - kTime - 1}, out);
  }
};

// RFC 4180: fields in quotes may hold commas, line ends and quotes, which are doubled. A field in quotes is its text without them.
class Csv final : public LineWrapping {
 public:
  static constexpr std::size_t kMostColumns = 256;

  std::string_view id() const override { return "csv"; }
  std::string_view title() const override { return "CSV with a header"; }

  // Whether a line looks like names of columns.
  static bool is_header(std::string_view line) {
    std::vector<std::string> names;
    if (!split(line, names) || names.size() < 2 || names.size() > kMostColumns) return false;
    std::vector<std::string_view> sorted(names.begin(), names.end());
    std::sort(sorted.begin(), sorted.end());
    if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) return false;
    return std::all_of(names.begin(), names.end(), [](const std::string& name) {
      const auto letter = [](char c) { return (lower(c) >= 'a' && lower(c) <= 'z') || c == '_' || c == '@'; };
      return !name.empty() && name.size() <= 64 && letter(name[0]) && std::all_of(name.begin(), name.end(), [&](char c) {
        return letter(c) || (c >= '0' && c <= '9') || std::string_view(".- ()[]").find(c) != std::string_view::npos;
      });
    });
  }

 private:
  // An odd number of quotes: a field in quotes has not ended.
  bool continues(std::string_view) override { return quotes() % 2 != 0; }
  bool complete() override { return quotes() % 2 == 0; }

  // False: a quote stands where none may.
  static bool split(std::string_view row, std::vector<std::string>& fields) {
    fields.clear();
    for (std::size_t i = 0;;) {
      std::string& field = fields.emplace_back();
      if (i < row.size() && row[i] == '"') {
        for (++i;; ++i) {
          if (i >= row.size()) return false;
          if (row[i] == '"') {
            if (i + 1 >= row.size() || row[i + 1] != '"') break;
            ++i;
          }
          field += row[i];
        }
        ++i;
        if (i < row.size() && row[i] != ',') return false;
      } else {
        const std::size_t end = std::min(row.find(',', i), row.size());
        field = row.substr(i, end - i);
        i = end;
      }
      if (i >= row.size()) return true;
      ++i;
    }
  }

  void open(std::string_view text, const Place& place, Unwrapped& out) override {
    if (names_.empty()) {
      split(text, names_);
      for (std::size_t i = 0; i < names_.size(); ++i) {
        // A column that has the whole record as text makes the others its copies.
        for (const std::string_view whole : {"eventjson", "CloudTrailEvent", "@message", "message"}) {
          if (names_[i] == whole) record_column_ = i;
        }
      }
      return;
    }
    if (!split(text, fields_)) return reject(text, place, "CSV: a quote where none may stand", out);
    if (fields_.size() != names_.size()) return reject(text, place, "CSV: the row does not have as many fields as the header", out);
    if (record_column_ != kNone && !fields_[record_column_].empty()) return take(fields_[record_column_], place, out);
    row_.clear();
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      if (!fields_[i].empty()) row_.add_text(names_[i], fields_[i]);
    }
    take(row_.empty() ? std::string_view("{}") : row_.finish(), place, out);
  }

  static constexpr std::size_t kNone = ~std::size_t{0};
  std::vector<std::string> names_, fields_;
  std::size_t record_column_ = kNone;
  json::ObjectWriter row_;
};

}  // namespace

std::unique_ptr<Wrapping> recognise_lines(std::string_view head) {
  std::string_view line = head.substr(0, head.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (begins_with_time(line)) return std::make_unique<Export>();
  if (Csv::is_header(line)) return std::make_unique<Csv>();
  return nullptr;
}

}  // namespace lm
