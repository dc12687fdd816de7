#include "plugin_host/validate.hpp"

#include "base/passes.hpp"

#include <fmt/format.h>
#include <simdjson.h>
#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lm {
namespace {

// The way to an array, for messages: text is made of it only where something is wrong.
struct Place {
  enum class Kind { row, member, element, dictionary };
  const Place* above = nullptr;
  Kind kind = Kind::row;
  const char* name = nullptr;  // of a member

  std::string text() const {
    switch (kind) {
      case Kind::row: break;
      case Kind::member: {
        const std::string before = above->text();
        return before.empty() ? named() : before + "." + named();
      }
      case Kind::element: return above->text() + "[]";
      case Kind::dictionary: return above->text() + " (dictionary)";
    }
    return "";
  }
  std::string named() const { return name ? name : ""; }
};

class Validator {
 public:
  Validator(Validation level, bool own_dictionaries) : level_(level), own_dictionaries_(own_dictionaries) {}

  Result<void> check(const ArrowSchema& schema, ArrowArray& a, const Place& place) {
    const auto bad = [&](std::string_view what) {
      const std::string path = place.text();
      return fail(Errc::plugin, fmt::format("array '{}': {}", path.empty() ? "(row)" : path, what));
    };
    if (!schema.format) return bad("has a schema without a format");
    const std::string_view format = schema.format;
    const bool text = format == "u", list = format == "+l", structure = format == "+s";
    if (a.length < 0 || a.length > INT32_MAX) return bad("has an impossible length");
    if (a.offset != 0) return bad("has an offset, which this interface does not use");
    const auto length = static_cast<std::size_t>(a.length);
    const std::int64_t wanted = text ? 3 : structure ? 1 : 2;
    if (a.n_buffers != wanted || !a.buffers) return bad(fmt::format("has {} buffers, wanted {}", a.n_buffers, wanted));
    if (a.n_children != schema.n_children) return bad(fmt::format("has {} children, its schema {}", a.n_children, schema.n_children));
    if ((a.dictionary != nullptr) != (schema.dictionary != nullptr)) return bad("and its schema differ about a dictionary");
    const auto* valid = static_cast<const std::uint8_t*>(a.buffers[0]);
    if (a.null_count < -1 || a.null_count > a.length) return bad("has an impossible null count");
    if (!valid && a.null_count > 0) return bad("has nulls but no validity bitmap");
    if (a.null_count == -1 || (level_ == Validation::full && valid)) {
      const std::int64_t nulls = valid ? a.length - static_cast<std::int64_t>(passes::bits_set(valid, length)) : 0;
      if (a.null_count >= 0 && nulls != a.null_count) return bad(fmt::format("says {} nulls and has {}", a.null_count, nulls));
      a.null_count = nulls;
    }
    if (!structure && a.length != 0 && !a.buffers[1]) return bad("lacks its values");

    if (text || list) {
      const auto* offsets = static_cast<const std::int32_t*>(a.buffers[1]);
      if (offsets) {
        // Offsets are used as bounds by every reader, so that each of them must be in order, at every level.
        if (offsets[0] < 0 || !ascending(offsets, length + 1)) return bad("has offsets that go backwards");
        if (text && offsets[length] > 0 && !a.buffers[2]) return bad("lacks its text");
        if (text && level_ == Validation::full && !is_utf8(static_cast<const char*>(a.buffers[2]), offsets, length))
          return bad("holds text that is not UTF-8");
      }
      if (list) {
        const std::int64_t elements = offsets ? offsets[length] : 0;
        if (a.n_children != 1 || !a.children || !a.children[0]) return bad("is a list without an element array");
        if (a.children[0]->length < elements) return bad("points behind its elements");
      }
    }
    if (a.dictionary) {
      if (!own_dictionaries_) {
        if (auto ok = check(*schema.dictionary, *a.dictionary, {&place, Place::Kind::dictionary, nullptr}); !ok) return ok;
      }
      if (!codes_fit(a, valid)) return bad("has a code that its dictionary does not");
    }
    for (std::int64_t i = 0; i < a.n_children; ++i) {
      if (!a.children || !a.children[i] || !a.children[i]->release) return bad("lacks a child");
      const Place below{&place, list ? Place::Kind::element : Place::Kind::member, schema.children[i]->name};
      if (structure && a.children[i]->length < a.length) return bad(fmt::format("has a child '{}' that is too short", below.named()));
      if (auto ok = check(*schema.children[i], *a.children[i], below); !ok) return ok;
    }
    return {};
  }

 private:
  static constexpr std::size_t kWorthRemembering = 1024;

  // Each value by itself: all of them in a row are UTF-8, and none begins inside a character.
  static bool is_utf8(const char* bytes, const std::int32_t* offsets, std::size_t count) {
    const std::int32_t end = offsets[count];
    if (end == offsets[0]) return true;
    if (!simdjson::validate_utf8(bytes + offsets[0], static_cast<std::size_t>(end - offsets[0]))) return false;
    return std::all_of(offsets, offsets + count,
                       [&](std::int32_t at) { return at == end || (static_cast<unsigned char>(bytes[at]) & 0xc0) != 0x80; });
  }

  // Columns may share a buffer, dictionaries mostly do: what was found in order is not looked at again in the same batch.
  bool ascending(const std::int32_t* offsets, std::size_t size) {
    if (size < kWorthRemembering) return passes::ascending(offsets, size);
    for (const auto& [seen, in_order] : in_order_) {
      if (seen == offsets && size <= in_order) return true;
    }
    if (!passes::ascending(offsets, size)) return false;
    in_order_.emplace_back(offsets, size);
    return true;
  }

  std::uint32_t most(const std::uint32_t* codes, std::size_t size) {
    if (size < kWorthRemembering) return passes::most(codes, size);
    for (const Codes& c : codes_) {
      if (c.codes == codes && c.size == size) return c.most;
    }
    return codes_.emplace_back(Codes{codes, size, passes::most(codes, size)}).most;
  }

  bool codes_fit(const ArrowArray& a, const std::uint8_t* valid) {
    const auto* codes = static_cast<const std::uint32_t*>(a.buffers[1]);
    const auto length = static_cast<std::size_t>(a.length);
    const auto size = static_cast<std::uint32_t>(a.dictionary->length);
    if (length == 0 || most(codes, length) < size) return true;
    if (a.null_count == 0 || !valid) return false;
    if (passes::bits_set(valid, length) == 0) return true;
    std::uint32_t out_of_range = 0;  // what a null's slot holds is nobody's business
    for (std::size_t i = 0; i < length; ++i) {
      out_of_range |= static_cast<std::uint32_t>((valid[i >> 3] >> (i & 7) & 1) && codes[i] >= size);
    }
    return out_of_range == 0;
  }

  struct Codes {
    const std::uint32_t* codes;
    std::size_t size;
    std::uint32_t most;
  };

  Validation level_;
  bool own_dictionaries_;
  std::vector<std::pair<const std::int32_t*, std::size_t>> in_order_;
  std::vector<Codes> codes_;
};

}  // namespace

Result<void> validate(const ArrowSchema& schema, ArrowArray& array, Validation level, bool own_dictionaries) {
  return Validator(level, own_dictionaries).check(schema, array, {});
}

}  // namespace lm
