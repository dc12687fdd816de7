#include "elastic/bulk.hpp"

#include <simdjson.h>
#include <algorithm>

namespace lm::sink {
namespace {

constexpr std::string_view kAction = R"({"create":{"_id":")", kActionEnd = "\"}}\n", kTimestamp = R"({"@timestamp":)";

// {"type": T, "reason": R, "caused_by": {...}} -> "T: R (caused by ...)"
std::string error_text(simdjson::dom::element error) {
  std::string_view text;
  if (!error.get(text)) return std::string(text);
  std::string out;
  simdjson::dom::element at = error;
  for (int depth = 0; depth < 4; ++depth) {
    std::string_view type, reason;
    if (at["type"].get(type)) type = {};
    if (at["reason"].get(reason)) reason = {};
    if (type.empty() && reason.empty()) break;
    if (depth != 0) out += ", caused by ";
    out.append(type);
    if (!type.empty() && !reason.empty()) out += ": ";
    out.append(reason);
    simdjson::dom::element inner;
    if (at["caused_by"].get(inner)) break;
    at = inner;
  }
  return out;
}

}  // namespace

std::string one_line(std::string_view text, std::size_t most) {
  std::string out(text.substr(0, most));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  // Not in the middle of a character.
  if (text.size() > most) {
    while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xc0) == 0x80) out.pop_back();
    if (!out.empty() && static_cast<unsigned char>(out.back()) >= 0xc0) out.pop_back();
    out += "...";
  }
  return out;
}

void Chunk::add(std::string_view id, std::int64_t time_ms, std::string_view row) {
  add(id, std::string(kTimestamp) + std::to_string(time_ms) + ",", row.substr(1));
}

void Chunk::add(std::string_view id, std::string_view head, std::string_view rest) {
  Item item{text_.size(), 0, 0};
  text_.append(kAction).append(id).append(kActionEnd);
  item.document = text_.size();
  text_.append(head).append(rest);
  item.end = text_.append("\n").size();
  items_.push_back(item);
}

std::string_view Chunk::id(std::size_t item) const {
  const Item& at = items_.at(item);
  return std::string_view(text_).substr(at.begin + kAction.size(), at.document - at.begin - kAction.size() - kActionEnd.size());
}

std::string_view Chunk::row(std::size_t item) const {
  const Item& at = items_.at(item);
  return std::string_view(text_).substr(at.document, at.end - at.document - 1);
}

std::string_view Chunk::body(const std::vector<std::uint32_t>& items, std::size_t n, std::string& scratch) const {
  if (n == 0) return {};
  const Item &first = items_.at(items.at(0)), &last = items_.at(items.at(n - 1));
  if (items[n - 1] - items[0] + 1 == n) return std::string_view(text_).substr(first.begin, last.end - first.begin);
  scratch.clear();
  for (std::size_t i = 0; i < n; ++i) {
    const Item& at = items_.at(items[i]);
    scratch.append(text_, at.begin, at.end - at.begin);
  }
  return scratch;
}

std::optional<std::vector<ItemAnswer>> parse_bulk_answer(std::string_view body, std::size_t items) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  simdjson::dom::array list;
  const simdjson::padded_string padded(body);
  if (parser.parse(padded).get(root) || root["items"].get(list)) return std::nullopt;
  std::vector<ItemAnswer> out;
  out.reserve(items);
  for (const simdjson::dom::element item : list) {
    simdjson::dom::element answer;
    std::int64_t status = 0;
    if (out.size() == items || item["create"].get(answer) || answer["status"].get(status) || status < 200 || status > 599)
      return std::nullopt;
    ItemAnswer& one = out.emplace_back(ItemAnswer{static_cast<int>(status), {}});
    simdjson::dom::element error;
    if (status >= 300 && !answer["error"].get(error)) one.why = one_line(error_text(error));
  }
  if (out.size() != items) return std::nullopt;
  return out;
}

std::string reason_of(std::string_view body) {
  simdjson::dom::parser parser;
  simdjson::dom::element root, error;
  const simdjson::padded_string padded(body);
  if (!parser.parse(padded).get(root)) {
    if (!root["error"].get(error)) return one_line(error_text(error));
    std::string_view message;  // of a gateway
    if (!root["message"].get(message) || !root["Message"].get(message)) return one_line(message);
  }
  return one_line(body, 200);
}

}  // namespace lm::sink
