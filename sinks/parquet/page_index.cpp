#include "parquet/page_index.hpp"

#include <cstring>

namespace lm::sink::parquet {
namespace {

template <class T>
int compare_as(std::string_view a, std::string_view b) {
  T x{}, y{};
  std::memcpy(&x, a.data(), sizeof x);
  std::memcpy(&y, b.data(), sizeof y);
  return x < y ? -1 : x > y ? 1 : 0;
}

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// Where the last character begins; somewhere near the end where the text is no UTF-8.
std::size_t last_character(std::string_view text) {
  std::size_t at = text.size() - 1;
  while (at > 0 && text.size() - at < 4 && continues(text[at])) --at;
  return at;
}

// The character behind this one, in the order of bytes, which is that of code points; empty if there is none.
std::string next_character(std::string_view character) {
  static constexpr std::uint32_t kFirst[] = {0, 0x80, 0x800, 0x10000};  // of a length
  const auto lead = static_cast<unsigned char>(character[0]);
  const std::size_t n = lead < 0x80 ? 1 : lead >> 5 == 0x6 ? 2 : lead >> 4 == 0xe ? 3 : lead >> 3 == 0x1e ? 4 : 0;
  if (n != character.size()) return {};
  std::uint32_t code = n == 1 ? lead : lead & (0x7fu >> n);
  for (const char c : character.substr(1)) code = code << 6 | (static_cast<unsigned char>(c) & 0x3f);
  if (code < kFirst[n - 1] || code >= 0x10ffff) return {};
  ++code;
  if (code >= 0xd800 && code < 0xe000) code = 0xe000;  // surrogates are no characters
  if (code < 0x80) return {static_cast<char>(code)};
  const std::size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  std::string out(length, '\0');
  for (std::size_t i = length - 1; i > 0; --i, code >>= 6) out[i] = static_cast<char>(0x80 | (code & 0x3f));
  out[0] = static_cast<char>((0xf00u >> length & 0xff) | code);
  return out;
}

}  // namespace

int compare(LeafKind kind, std::string_view a, std::string_view b) {
  switch (kind) {
    case LeafKind::int32: return compare_as<std::int32_t>(a, b);
    case LeafKind::int64:
    case LeafKind::timestamp: return compare_as<std::int64_t>(a, b);
    case LeafKind::float64: return compare_as<double>(a, b);
    case LeafKind::boolean: return compare_as<std::uint8_t>(a, b);
    case LeafKind::coded:
    case LeafKind::text:
    case LeafKind::json: break;
  }
  return a.compare(b);
}

std::string_view round_down(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  std::size_t end = most;
  while (end > 0 && most - end < 3 && continues(text[end])) --end;
  return text.substr(0, continues(text[end]) ? most : end);
}

std::optional<std::string> round_up(std::string_view text, std::size_t most) {
  if (text.size() <= most) return std::string(text);
  // What is cut off is made good by the next greater character in the place of the last one that has such.
  for (std::string_view head = round_down(text, most); !head.empty();) {
    const std::size_t at = last_character(head);
    const std::string next = next_character(head.substr(at));
    head = head.substr(0, at);
    if (!next.empty() && head.size() + next.size() <= most) return std::string(head) + next;
  }
  return std::nullopt;
}

void PageIndex::add(LeafKind kind, std::int32_t bytes, std::int32_t slots, std::int32_t nulls, std::int32_t rows,
                    const std::optional<Bounds>& bounds) {
  Page page;
  page.at = bytes_, page.first_row = rows_, page.bytes = bytes, page.nulls = nulls;
  page.has_values = slots != nulls;
  if (page.has_values && bounded_) {
    if (bounds) {
      keep(kind, *bounds, page);
    } else {
      bounded_ = false;
    }
  }
  bytes_ += bytes, rows_ += rows;
  pages_.push(page);
}

void PageIndex::keep(LeafKind kind, const Bounds& bounds, Page& page) {
  const bool text = kind == LeafKind::coded || kind == LeafKind::text;
  const std::string_view smallest = text ? round_down(bounds.smallest, kLongestBound) : bounds.smallest;
  const std::optional<std::string> largest = text ? round_up(bounds.largest, kLongestBound) : std::string(bounds.largest);
  if (!largest) {
    bounded_ = false;
    return;
  }
  if (last_) {
    const Page& before = pages_[*last_];
    const int low = compare(kind, this->smallest(before), smallest), high = compare(kind, this->largest(before), *largest);
    ascending_ = ascending_ && low <= 0 && high <= 0;
    descending_ = descending_ && low >= 0 && high >= 0;
  }
  last_ = pages_.size();
  page.bounds_at = static_cast<std::uint32_t>(bounds_.size());
  page.smallest_bytes = static_cast<std::uint16_t>(smallest.size());
  page.largest_bytes = static_cast<std::uint16_t>(largest->size());
  bounds_.append(reinterpret_cast<const std::uint8_t*>(smallest.data()), smallest.size());
  bounds_.append(reinterpret_cast<const std::uint8_t*>(largest->data()), largest->size());
}

}  // namespace lm::sink::parquet
