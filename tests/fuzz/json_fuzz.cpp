// The JSON reader of the SDK against simdjson's DOM: it accepts what simdjson accepts and nothing else, and gives the same keys and values however the
// callback takes them. The first byte says how values are taken.
//
// Where the two differ on purpose:
//   UTF-8             the reader leaves it to the host, which checks it before parsers run: bytes that are not UTF-8 are not compared
//   lone surrogates   "\ud800" is within RFC 8259's grammar: the reader passes it (U+FFFD in text()), simdjson refuses the document
//   wide numbers      1e999 and 99999999999999999999 too: the reader passes them (integer() is absent), simdjson refuses the document
//   depth             the reader stops below 512 brackets and says too_deep(), simdjson below 1,024
// For lone surrogates and wide numbers the document is written again without them, and then must be accepted. That copy is made by code of its own.
#include <logmill/sdk/json.hpp>

#include <simdjson.h>
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using lm::json::Type;
using lm::json::Value;

// What does not hold is a defect of the reader.
void require(bool holds, const char* what, std::string_view text = {}) {
  if (holds) return;
  std::fprintf(stderr, "%s: %s\n", what, std::string(text.substr(0, 1000)).c_str());
  std::abort();
}

// What the reader gave.
struct Node {
  Type type = Type::null;
  std::string_view raw;
  std::string text;
  bool boolean = false;
  std::optional<std::int64_t> integer;
  std::string key;  // of a member of an object
  std::vector<Node> members;
};

simdjson::dom::parser& oracle() {
  static simdjson::dom::parser parser;
  return parser;
}

bool oracle_accepts(std::string_view text) { return oracle().parse(text.data(), text.size()).error() == simdjson::SUCCESS; }

// `how` chooses the calls, so that values are left untaken, taken by the wrong function, and asked for their text afterwards.
void take(Value& value, Node& out, unsigned how) {
  out.type = value.type();
  if (how & 1) {  // another type's function: absent, and nothing is lost
    if (out.type != Type::string) require(!value.text(), "text() of what is no string");
    if (out.type != Type::boolean) require(!value.boolean(), "boolean() of what is none");
    if (out.type != Type::number) require(!value.integer(), "integer() of what is no number");
    out.raw = value.raw();
    return;
  }
  switch (out.type) {
    case Type::object:
      value.object([&](std::string_view key, Value& member) {
        Node& node = out.members.emplace_back();
        node.key = key;
        take(member, node, how);
      });
      break;
    case Type::array: value.array([&](Value& element) { take(element, out.members.emplace_back(), how); }); break;
    case Type::string:
      if (const auto text = value.text()) out.text = *text;
      break;
    case Type::boolean: out.boolean = value.boolean().value_or(false); break;
    case Type::number: out.integer = value.integer(); break;
    case Type::null: break;
  }
  out.raw = value.raw();
}

bool is_hex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }

unsigned unit(std::string_view digits) { return static_cast<unsigned>(std::stoul(std::string(digits), nullptr, 16)); }

// `text` with lone surrogates as � and numbers that simdjson cannot hold as 0. Everything else stays, defects included.
std::string within_the_oracle(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '"') {
      out.push_back(text[i++]);
      while (i < text.size() && text[i] != '"') {
        const auto escape = [&](std::size_t at) {
          return at + 6 <= text.size() && text[at] == '\\' && text[at + 1] == 'u' && std::all_of(&text[at] + 2, &text[at] + 6, is_hex);
        };
        if (escape(i)) {
          const unsigned first = unit(text.substr(i + 2, 4));
          const unsigned second = escape(i + 6) ? unit(text.substr(i + 8, 4)) : 0;
          if (first >= 0xd800 && first < 0xdc00 && second >= 0xdc00 && second < 0xe000) {
            out.append(text.substr(i, 12)), i += 12;
          } else {
            out.append(first >= 0xd800 && first < 0xe000 ? std::string_view("\\ufffd") : text.substr(i, 6)), i += 6;
          }
        } else if (text[i] == '\\' && i + 1 < text.size()) {
          out.append(text.substr(i, 2)), i += 2;
        } else {
          out.push_back(text[i++]);
        }
      }
      if (i < text.size()) out.push_back(text[i++]);
    } else if (text[i] == '-' || (text[i] >= '0' && text[i] <= '9')) {
      const std::size_t n = std::min(text.find_first_not_of("+-.eE0123456789", i), text.size()) - i;
      const std::string number(text.substr(i, n));
      // simdjson refuses a number for its grammar and for its size alike. One that std::strtod reads to its end has JSON's grammar, but for these.
      char* end = nullptr;
      (void)std::strtod(number.c_str(), &end);
      const std::string_view digits = std::string_view(number).substr(number[0] == '-');
      const std::size_t point = number.find('.');
      const bool grammar =
          *end == 0 && !digits.empty() && digits[0] >= '0' && digits[0] <= '9' &&
          !(digits.size() > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9') &&
          (point == std::string::npos || (point + 1 < number.size() && number[point + 1] >= '0' && number[point + 1] <= '9'));
      out += grammar && !oracle_accepts("[" + number + "]") ? "0" : number;
      i += n;
    } else {
      out.push_back(text[i++]);
    }
  }
  return out;
}

// `inside`: the members of objects and arrays were taken as well.
void compare(const Node& mine, simdjson::dom::element theirs, bool inside, bool below) {
  using simdjson::dom::element_type;
  switch (theirs.type()) {
    case element_type::OBJECT: {
      require(mine.type == Type::object, "not an object", mine.raw);
      if (!inside) return;
      std::size_t i = 0;
      for (const auto& [key, value] : simdjson::dom::object(theirs)) {
        require(i < mine.members.size() && mine.members[i].key == key, "another key", mine.raw);
        compare(mine.members[i++], value, below, below);
      }
      return require(i == mine.members.size(), "more members than there are", mine.raw);
    }
    case element_type::ARRAY: {
      require(mine.type == Type::array, "not an array", mine.raw);
      if (!inside) return;
      std::size_t i = 0;
      for (const simdjson::dom::element value : simdjson::dom::array(theirs)) {
        require(i < mine.members.size(), "fewer elements than there are", mine.raw);
        compare(mine.members[i++], value, below, below);
      }
      return require(i == mine.members.size(), "more elements than there are", mine.raw);
    }
    case element_type::STRING:
      require(mine.type == Type::string, "not a string", mine.raw);
      return require(!below || std::string_view(theirs) == mine.text, "another text", mine.raw);
    case element_type::BOOL:
      require(mine.type == Type::boolean, "not a boolean", mine.raw);
      return require(!below || bool(theirs) == mine.boolean, "another boolean", mine.raw);
    case element_type::NULL_VALUE: return require(mine.type == Type::null, "not null", mine.raw);
    case element_type::INT64:
    case element_type::UINT64:
    case element_type::DOUBLE: {
      require(mine.type == Type::number, "not a number", mine.raw);
      if (!below) return;
      std::int64_t value = 0;
      const bool plain = mine.raw.find_first_of(".eE") == std::string_view::npos;
      if (plain && oracle_accepts(mine.raw) && theirs.get(value) == simdjson::SUCCESS)
        return require(mine.integer == value, "another integer", mine.raw);
      return require(!mine.integer, "an integer of what is none", mine.raw);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const unsigned how = data[0];
  // A block of its own: AddressSanitizer sees a read behind the text.
  const std::size_t n = size - 1;
  const std::unique_ptr<char[]> exact(new char[n]);
  std::copy_n(reinterpret_cast<const char*>(data) + 1, n, exact.get());
  const std::string_view text(exact.get(), n);

  static lm::json::Reader reader;  // keeps its scratch memory from record to record, as in a parser
  const bool valid = reader.valid(text), too_deep = reader.too_deep();
  require(valid == (*reader.error() == 0), "an error without a word, or a word without an error", text);
  require(reader.error_offset() <= n, "the error lies behind the text", text);
  Node root;
  root.type = Type::object;
  const bool object = reader.read(text, [&](std::string_view key, Value& value) {
    Node& node = root.members.emplace_back();
    node.key = key;
    if ((how & 2) == 0) take(value, node, how);  // otherwise it is passed over
  });
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  require(object == (valid && text[first] == '{'), "read() and valid() disagree", text);
  require(reader.too_deep() == (too_deep && text[first] == '{'), "read() and valid() disagree of the depth", text);
  if (!simdjson::validate_utf8(text.data(), n) || too_deep) return 0;

  std::string quoted;
  lm::json::append_quoted(quoted, text);
  require(std::string_view(oracle().parse(quoted)) == text, "text that was quoted reads otherwise", text);

  const std::string copy = within_the_oracle(text);
  simdjson::dom::parser parser;
  simdjson::dom::element theirs;
  const auto error = parser.parse(copy).get(theirs);
  require(valid == (error == simdjson::SUCCESS),
          valid ? "simdjson refuses what the reader accepts" : "simdjson accepts what the reader refuses", text);
  if (!object) return 0;
  if (how & 2)
    return require(root.members.size() == simdjson::dom::object(theirs).size() || root.members.size() > 0xffffff, "members were lost",
                   text),
           0;
  // raw() is the value's own text: it stands where it was read, and is valid alone.
  for (const Node& node : root.members) {
    require(node.raw.data() >= text.data() && node.raw.data() + node.raw.size() <= text.data() + n, "raw() lies elsewhere", text);
    static lm::json::Reader second;
    require(second.valid(node.raw), "raw() is not JSON", node.raw);
  }
  compare(root, theirs, true, (how & 1) == 0);
  return 0;
}
