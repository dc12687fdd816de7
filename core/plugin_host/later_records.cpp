#include "plugin_host/later_records.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace lm {
namespace {

constexpr std::size_t kEach = 4;  // of each kind: each is shown to every parser
constexpr std::string_view kSpace = " \t\r\n";

bool is_space(char c) { return kSpace.find(c) != std::string_view::npos; }

void add(std::vector<LaterRecord>& to, LaterRecord record) {
  const bool known = std::any_of(to.begin(), to.end(), [&](const LaterRecord& r) { return r.rest.data() == record.rest.data(); });
  if (!known) to.push_back(record);
}

// By structure: what opens a document or an element, but for the first of each.
void by_structure(std::string_view sample, std::vector<LaterRecord>& out) {
  std::array<char, 2> open{};  // the outermost brackets
  std::size_t depth = 0, found = 0;
  std::string_view last_text, envelope;
  bool behind = false;  // another record, or another document
  for (std::size_t i = 0; i < sample.size() && found < kEach; ++i) {
    const char c = sample[i];
    if (c == '"') {
      const std::size_t from = i + 1;
      for (++i; i < sample.size() && sample[i] != '"'; ++i) i += sample[i] == '\\';
      if (i >= sample.size()) return;
      last_text = sample.substr(from, i - from);
      continue;
    }
    const bool in_list = depth > 0 && depth <= open.size() && open[depth - 1] == '[' && (depth == 1 || open[0] == '{');
    if (c == ',' && in_list) behind = true;
    if (c == '{' && behind && (depth == 0 || in_list)) {
      add(out, {sample.substr(i), depth == 2 ? envelope : std::string_view()});
      ++found;
    }
    if (c == '{' || c == '[') {
      if (depth < open.size()) open[depth] = c;
      if (depth == 1 && c == '[') envelope = last_text, behind = false;
      ++depth;
    } else if (c == '}' || c == ']') {
      if (depth != 0) --depth;
      if (depth == 0) behind = true;
    }
  }
}

// By what stands around it: an object whose first member is named, behind a comma, an object, or at the beginning of a line.
void by_neighbours(std::string_view sample, std::vector<LaterRecord>& out) {
  std::string_view envelope;
  const std::size_t name = sample.find_first_not_of(kSpace, 1);
  if (sample[0] == '{' && name != std::string_view::npos && sample[name] == '"') {
    const std::size_t end = sample.find('"', name + 1);
    const std::size_t list = end == std::string_view::npos ? end : sample.find_first_not_of(" \t\r\n:", end + 1);
    if (list != std::string_view::npos && sample[list] == '[') envelope = sample.substr(name + 1, end - name - 1);
  }
  std::size_t found = 0;
  for (std::size_t i = sample.find('{', 1); i != std::string_view::npos && found < kEach; i = sample.find('{', i + 1)) {
    std::size_t before = i;
    while (before > 0 && is_space(sample[before - 1])) --before;
    const std::size_t key = sample.find_first_not_of(kSpace, i + 1);
    if (before == 0 || key == std::string_view::npos || sample[key] != '"') continue;
    const char last = sample[before - 1];
    if (last == ',' || last == '}' || sample[i - 1] == '\n')
      add(out, {sample.substr(i), last == ',' ? envelope : std::string_view()}), ++found;
  }
}

void by_line(std::string_view sample, std::vector<LaterRecord>& out) {
  std::size_t found = 0;
  for (std::size_t end = sample.find('\n'); end != std::string_view::npos && end + 1 < sample.size() && found < kEach;
       end = sample.find('\n', end + 1)) {
    add(out, {sample.substr(end + 1), {}});
    ++found;
  }
}

}  // namespace

std::vector<LaterRecord> later_records(std::string_view sample) {
  std::vector<LaterRecord> out;
  const std::size_t begin = sample.find_first_not_of(" \t\r\n,");
  if (begin == std::string_view::npos) return out;
  sample.remove_prefix(begin);
  if (sample[0] == '{' || sample[0] == '[') {
    by_structure(sample, out);
    by_neighbours(sample, out);
  } else {
    by_line(sample, out);
  }
  return out;
}

}  // namespace lm
