// Random Arrow batches of a nested schema, and the same rows as JSON: what the Parquet sink's tests write, and what must come back.
//
// The arrays are as unpleasant as the Arrow C data interface allows: offsets at every level, counts of nulls that are unknown, bitmaps without a null,
// values below null structs, null lists with elements, dictionaries that grow and differ between owners.
#pragma once

#include <logmill/sdk/arrays.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace lm::test {

struct Column {
  char kind = 's';  // 's' struct, '[' list, 'd' dictionary, 'u' text, 'j' JSON, 'i', 'l', 't' timestamp, 'g', 'b'
  std::string name;
  std::vector<Column> children;
  int distinct = 50;  // of a dictionary
  bool never_null = false;
  int same_as = -1;  // a sibling before this one; in some batches this column is its very arrays
};

inline std::string json_text(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char hex[8];
      std::snprintf(hex, sizeof hex, "\\u%04x", c);
      out += hex;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// An ArrowSchema that owns itself.
class Schema {
 public:
  explicit Schema(const Column& root) { fill(root, schema_); }
  Schema(const Schema&) = delete;
  Schema& operator=(const Schema&) = delete;
  const ArrowSchema* get() const { return &schema_; }

 private:
  void fill(const Column& column, ArrowSchema& out) {
    out = {};
    static const std::map<char, const char*> formats{{'s', "+s"}, {'[', "+l"}, {'d', "i"}, {'u', "u"}, {'j', "u"},
                                                     {'i', "i"},  {'l', "l"},  {'t', "l"}, {'g', "g"}, {'b', "b"}};
    out.format = formats.at(column.kind);
    names_.push_back(std::make_unique<std::string>(column.name));
    out.name = names_.back()->c_str();
    out.flags = ARROW_FLAG_NULLABLE;
    out.release = [](ArrowSchema*) {};
    if (column.kind == 'j') out.metadata = metadata("ARROW:extension:name", "arrow.json");
    if (column.kind == 't') out.metadata = metadata("ocsf.type", "timestamp_t");
    if (column.kind == 'd') {
      nodes_.push_back(std::make_unique<ArrowSchema>());
      *nodes_.back() = {};
      nodes_.back()->format = "u";
      nodes_.back()->name = "";
      nodes_.back()->release = [](ArrowSchema*) {};
      out.dictionary = nodes_.back().get();
    }
    if (!column.children.empty()) {
      lists_.push_back(std::make_unique<std::vector<ArrowSchema*>>());
      auto& list = *lists_.back();
      for (const Column& child : column.children) {
        nodes_.push_back(std::make_unique<ArrowSchema>());
        ArrowSchema* node = nodes_.back().get();
        fill(child, *node);
        list.push_back(node);
      }
      out.n_children = static_cast<std::int64_t>(list.size());
      out.children = list.data();
    }
  }
  const char* metadata(const std::string& key, const std::string& value) {
    auto text = std::make_unique<std::string>();
    const auto number = [&](std::size_t n) {
      const auto value32 = static_cast<std::int32_t>(n);
      text->append(reinterpret_cast<const char*>(&value32), 4);
    };
    number(1), number(key.size());
    *text += key;
    number(value.size());
    *text += value;
    names_.push_back(std::move(text));
    return names_.back()->data();
  }
  ArrowSchema schema_{};
  std::vector<std::unique_ptr<std::string>> names_;
  std::vector<std::unique_ptr<ArrowSchema>> nodes_;
  std::vector<std::unique_ptr<std::vector<ArrowSchema*>>> lists_;
};

class BatchMaker {
 public:
  BatchMaker(const Column& root, std::uint64_t seed) : root_(root), random_(seed) {}

  // The dictionaries of an owner begin anew.
  void forget(std::uint64_t instance) {
    std::erase_if(dictionaries_, [&](const auto& entry) { return entry.first.first == instance; });
    std::erase_if(same_, [&](const auto& entry) { return entry.first.first == instance; });
  }

  // A batch of `rows` rows, of one of the owners of dictionaries; `json` gets a row each. The first column is an 'l' that numbers all rows.
  ArrowArray make(std::size_t rows, std::uint64_t instance, std::vector<std::string>& json) {
    instance_ = instance;
    auto arena = lm::detail::ArrayArena::make();
    arena_ = arena.get();
    std::vector<std::string> values;
    ArrowArray& root = build(root_, rows, "", values);
    json.insert(json.end(), values.begin(), values.end());
    ArrowArray out{};
    lm::detail::ArrayArena::finish(std::move(arena), root, &out);
    return out;
  }

 private:
  std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_); }
  bool one_in(std::size_t n) { return below(n) == 0; }

  template <class T>
  T* memory(std::size_t n) {
    auto block = lm::detail::allocate_zeroed((n + 1) * sizeof(T));
    T* at = lm::detail::slots<T>(block);
    arena_->keep(std::move(block), n * sizeof(T));
    return at;
  }

  // Nulls of the slots offset .. offset + length; answers which slots are there.
  std::vector<bool> nulls(ArrowArray& array, const Column& column, std::size_t physical) {
    std::vector<bool> there(physical, true);
    const std::size_t mode = column.never_null || column.name.empty() ? 0 : below(8);
    if (mode <= 2) {
      array.null_count = 0;
      if (mode == 2) array.null_count = -1;
      return there;
    }
    auto* bits = memory<std::uint8_t>(physical / 8 + 1);
    const std::size_t odds = mode == 3 ? 50 : 3;
    for (std::size_t i = 0; i < physical; ++i) {
      there[i] = mode == 4 ? false : mode == 5 ? true : !one_in(odds);
      if (mode == 7 && i > physical / 2) there[i] = i % 200 > 3;
      if (there[i]) bits[i / 8] = static_cast<std::uint8_t>(bits[i / 8] | 1u << (i % 8));
    }
    array.buffers[0] = bits;
    array.null_count = one_in(2) ? -1 : std::count(there.begin() + array.offset, there.end(), false);
    return there;
  }

  std::string word() {
    static const char* const kWords[] = {"",          "a",          "us-east-1",   "eu-west-1", "Größe",     "日本",
                                         "GetObject", "192.0.2.17", "2001:db8::1", "..",        "tab\there", "\"q\""};
    std::string out = kWords[below(std::size(kWords))];
    if (one_in(3)) out += std::to_string(below(1000));
    if (one_in(200)) out += std::string(below(300), 'x');
    // Cut anywhere, this is no UTF-8 any more; and nothing is greater than a character of the second kind.
    if (one_in(300)) {
      const char* const character = one_in(3) ? "\xf4\x8f\xbf\xbf" : "日";
      for (std::size_t n = below(60); n > 0; --n) out += character;
    }
    return out;
  }

  void text_array(ArrowArray& array, const std::vector<std::string>& values) {
    auto* offsets = memory<std::int32_t>(values.size() + 1);
    std::size_t total = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      total += values[i].size();
      offsets[i + 1] = static_cast<std::int32_t>(total);
    }
    auto* bytes = memory<char>(total + 1);
    for (std::size_t i = 0; i < values.size(); ++i) std::memcpy(bytes + offsets[i], values[i].data(), values[i].size());
    array.buffers[1] = offsets;
    array.buffers[2] = bytes;
  }

  // From batch to batch; codes of one owner, though, are of one dictionary as long as it lasts.
  bool is_same(const Column& column, const std::string& path) {
    const bool now = !one_in(4);
    return column.kind == 'd' ? same_.try_emplace({instance_, path + "." + column.name}, now).first->second : now;
  }

  // Another array of the same buffers.
  ArrowArray& copy(const ArrowArray& from) {
    ArrowArray& array = arena_->add(from.length, static_cast<int>(from.n_buffers));
    array.offset = from.offset, array.null_count = from.null_count, array.dictionary = from.dictionary;
    std::copy_n(from.buffers, from.n_buffers, array.buffers);
    return array;
  }

  // `json`: of the array's logical slots.
  ArrowArray& build(const Column& column, std::size_t length, const std::string& path, std::vector<std::string>& json) {
    const std::size_t offset = one_in(2) ? 0 : below(11), physical = length + offset;
    const bool is_text = column.kind == 'u' || column.kind == 'j';
    ArrowArray& array = arena_->add(static_cast<std::int64_t>(length), column.kind == 's' ? 1 : is_text ? 3 : 2);
    array.offset = static_cast<std::int64_t>(offset);
    const std::vector<bool> there = nulls(array, column, physical);
    const std::string own = path + "." + column.name;
    std::vector<std::string> all(physical, "null");  // by physical slot
    const auto each = [&](auto&& value) {
      for (std::size_t i = 0; i < physical; ++i) {
        std::string text = value(i);
        if (there[i]) all[i] = std::move(text);
      }
    };
    switch (column.kind) {
      case 's': {
        std::vector<ArrowArray*> children;
        std::vector<std::string> texts(physical);
        std::vector<std::vector<std::string>> all_values;
        for (const Column& child : column.children) {
          auto& values = all_values.emplace_back();
          if (child.same_as >= 0 && is_same(child, own)) {
            const auto sibling = static_cast<std::size_t>(child.same_as);
            children.push_back(&copy(*children[sibling]));
            values = all_values[sibling];
          } else {
            children.push_back(&build(child, physical, own, values));
          }
          for (std::size_t i = 0; i < physical; ++i) texts[i] += (texts[i].empty() ? "" : ",") + json_text(child.name) + ":" + values[i];
        }
        arena_->set_children(array, std::move(children));
        each([&](std::size_t i) { return "{" + texts[i] + "}"; });
        break;
      }
      case '[': {
        auto* offsets = memory<std::int32_t>(physical + 1);
        std::size_t total = one_in(2) ? 0 : below(5);
        offsets[0] = static_cast<std::int32_t>(total);
        const std::size_t mode = below(3);
        for (std::size_t i = 0; i < physical; ++i) {
          total += mode == 0 ? below(4) : mode == 1 ? 1 : one_in(20) ? below(40) : 0;
          offsets[i + 1] = static_cast<std::int32_t>(total);
        }
        array.buffers[1] = offsets;
        std::vector<std::string> values;
        ArrowArray& child = build(column.children[0], total + below(3), own, values);
        arena_->set_children(array, {&child});
        each([&](std::size_t i) {
          std::string out = "[";
          for (std::int32_t j = offsets[i]; j < offsets[i + 1]; ++j)
            out += (j == offsets[i] ? "" : ",") + values[static_cast<std::size_t>(j)];
          return out + "]";
        });
        break;
      }
      case 'd': {
        auto& dictionary = dictionaries_[{instance_, own}];
        while (dictionary.empty() || dictionary.size() < static_cast<std::size_t>(column.distinct) / 2 ||
               (one_in(2) && dictionary.size() < static_cast<std::size_t>(column.distinct))) {
          dictionary.push_back(word() + (column.distinct > 1000 ? std::to_string(random_()) : ""));
        }
        auto* codes = memory<std::int32_t>(physical);
        const bool constant = one_in(4);
        for (std::size_t i = 0; i < physical; ++i) {
          codes[i] = constant ? 1 % static_cast<std::int32_t>(dictionary.size()) : static_cast<std::int32_t>(below(dictionary.size()));
          if (!there[i] && one_in(2)) codes[i] = one_in(2) ? -7 : 1 << 30;  // below a null anything may stand
        }
        array.buffers[1] = codes;
        ArrowArray& values = arena_->add(static_cast<std::int64_t>(dictionary.size()), 3);
        text_array(values, dictionary);
        array.dictionary = &values;
        each([&](std::size_t i) { return there[i] ? json_text(dictionary[static_cast<std::size_t>(codes[i])]) : ""; });
        break;
      }
      case 'u':
      case 'j': {
        std::vector<std::string> values(physical);
        const bool shared = column.name == "uid";
        for (std::size_t i = 0; i < physical; ++i) {
          values[i] = column.kind == 'j' ? "{" + json_text(word()) + ": " + std::to_string(below(100)) + "}"
                      : shared           ? "0123456789abcdef0123456789abcdef-" + std::to_string(serial_ + i * 7)
                                         : word() + word();
          if (!there[i] && one_in(2)) values[i].clear();
        }
        text_array(array, values);
        each([&](std::size_t i) { return json_text(values[i]); });
        break;
      }
      case 'i': {
        auto* values = memory<std::int32_t>(physical);
        const bool wild = one_in(2);
        for (std::size_t i = 0; i < physical; ++i)
          values[i] = wild ? static_cast<std::int32_t>(random_()) : static_cast<std::int32_t>(below(3));
        array.buffers[1] = values;
        each([&](std::size_t i) { return std::to_string(values[i]); });
        break;
      }
      case 'l':
      case 't': {
        auto* values = memory<std::int64_t>(physical);
        const bool wild = one_in(2);
        for (std::size_t i = 0; i < physical; ++i) {
          if (column.name == "id") {
            values[i] = static_cast<std::int64_t>(serial_) + static_cast<std::int64_t>(i);
          } else if (column.kind == 't') {
            values[i] = 1772352000000 + static_cast<std::int64_t>(below(86400000)) + (one_in(300) ? 86400000 : 0);
          } else {
            values[i] = wild ? static_cast<std::int64_t>(random_()) : static_cast<std::int64_t>(i);
          }
        }
        if (column.name == "id") serial_ += physical;
        array.buffers[1] = values;
        each([&](std::size_t i) { return std::to_string(values[i]); });
        break;
      }
      case 'g': {
        auto* values = memory<double>(physical);
        for (std::size_t i = 0; i < physical; ++i) values[i] = static_cast<double>(below(1000000)) / 64.0 - 5000;
        array.buffers[1] = values;
        each([&](std::size_t i) {
          char text[40];
          std::snprintf(text, sizeof text, "%.17g", values[i]);
          return std::string(text);
        });
        break;
      }
      case 'b': {
        auto* bits = memory<std::uint8_t>(physical / 8 + 1);
        const std::size_t odds = one_in(2) ? 2 : 100;
        for (std::size_t i = 0; i < physical; ++i) {
          if (one_in(odds)) bits[i / 8] = static_cast<std::uint8_t>(bits[i / 8] | 1u << (i % 8));
        }
        array.buffers[1] = bits;
        each([&](std::size_t i) { return std::string(bits[i / 8] >> (i % 8) & 1 ? "true" : "false"); });
        break;
      }
      default: break;
    }
    json.assign(all.begin() + static_cast<std::ptrdiff_t>(offset), all.end());
    return array;
  }

  const Column root_;
  std::mt19937_64 random_;
  lm::detail::ArrayArena* arena_ = nullptr;
  std::uint64_t instance_ = 0;
  std::uint64_t serial_ = 0;
  std::map<std::pair<std::uint64_t, std::string>, std::vector<std::string>> dictionaries_;
  std::map<std::pair<std::uint64_t, std::string>, bool> same_;
};

// Every type, and lists in lists.
inline Column sample_table() {
  const auto leaf = [](char kind, const char* name, int distinct = 50) { return Column{kind, name, {}, distinct, false}; };
  const auto group = [](const char* name, std::vector<Column> children) { return Column{'s', name, std::move(children), 0, false}; };
  const auto list = [](const char* name, Column item) {
    item.name = "item";
    return Column{'[', name, {std::move(item)}, 0, false};
  };
  return group(
      "", {Column{'l', "id", {}, 0, true},
           Column{'t', "time", {}, 0, true},
           group("cloud", {leaf('d', "region", 3), group("account", {leaf('d', "uid", 3)})}),
           leaf('d', "name"),
           leaf('d', "many", 5000),
           leaf('u', "plain"),
           leaf('i', "int_value"),
           leaf('l', "long_value"),
           Column{'d', "name_again", {}, 50, false, 3},
           Column{'l', "long_again", {}, 0, false, 7},
           Column{'u', "plain_again", {}, 0, false, 5},
           leaf('g', "score"),
           leaf('b', "flag"),
           group("metadata", {leaf('u', "uid"), leaf('t', "logged_time"), leaf('j', "raw")}),
           leaf('j', "unmapped"),
           list("tags", leaf('d', "")),
           list("numbers", leaf('l', "")),
           list("resources",
                group("", {leaf('d', "type"), leaf('u', "uid"), leaf('b', "ok"), group("owner", {leaf('d', "account"), leaf('i', "level")}),
                           list("labels", group("", {leaf('d', "key"), leaf('u', "value"), list("more", leaf('i', ""))})),
                           leaf('g', "weight")})),
           list("grid", list("", leaf('i', ""))),
           list("documents", leaf('j', ""))});
}

}  // namespace lm::test
