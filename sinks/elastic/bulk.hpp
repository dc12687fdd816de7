// The bodies of _bulk requests, and what is answered to them: a status for every item, in the order of the request.
// (Elasticsearch and OpenSearch, "Bulk API".)
#pragma once

#include "common/error.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lm::sink {

// Documents of one index, each as the two lines that create it. What was built is not moved about: any range of items is a range of the text.
class Chunk {
 public:
  struct Item {
    std::size_t begin, document, end;  // in the text: the action, the row, the end of its line
  };

  Chunk() = default;
  explicit Chunk(std::uint32_t stream) : stream_(stream) {}

  // `document`: a JSON object without line breaks. `id` is of letters, digits, '-' and '_'.
  void add(std::string_view id, std::string_view document) { add(id, std::string_view(), document); }
  // The same with `@timestamp` in front of what is in `row`, which has at least one member.
  void add(std::string_view id, std::int64_t time_ms, std::string_view row);
  std::uint32_t stream() const { return stream_; }
  std::size_t items() const { return items_.size(); }
  std::size_t bytes() const { return text_.size(); }
  std::size_t bytes(std::size_t item) const { return items_.at(item).end - items_.at(item).begin; }
  std::size_t held() const { return text_.capacity() + items_.capacity() * sizeof(Item); }
  std::string_view id(std::size_t item) const;
  std::string_view row(std::size_t item) const;
  // The body that creates these items, which are in rising order: part of the text, or `scratch`.
  std::string_view body(const std::vector<std::uint32_t>& items, std::size_t n, std::string& scratch) const;

 private:
  void add(std::string_view id, std::string_view head, std::string_view rest);
  std::uint32_t stream_ = 0;
  std::string text_;
  std::vector<Item> items_;
};

struct ItemAnswer {
  int status = 0;
  std::string why;  // "mapper_parsing_exception: failed to parse field [x]", if it has failed
};

// Nothing, if it is not a whole answer to `items` items: then nobody knows what became of them.
std::optional<std::vector<ItemAnswer>> parse_bulk_answer(std::string_view body, std::size_t items);
// What a server says of a request that it has not carried out, for people.
std::string reason_of(std::string_view body);
// One line, and not a long one.
std::string one_line(std::string_view text, std::size_t most = 800);

}  // namespace lm::sink
