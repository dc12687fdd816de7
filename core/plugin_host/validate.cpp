#include "plugin_host/validate.hpp"

#include <fmt/format.h>
#include <simdjson.h>
#include <cstring>
#include <string>
#include <string_view>

namespace lm {
namespace {

class Validator {
 public:
  explicit Validator(Validation level) : level_(level) {}

  Result<void> check(const ArrowSchema& schema, ArrowArray& a, const std::string& path) {
    const auto bad = [&](std::string_view what) {
      return fail(Errc::plugin, fmt::format("array '{}': {}", path.empty() ? "(row)" : path, what));
    };
    if (!schema.format) return bad("has a schema without a format");
    const std::string_view format = schema.format;
    const bool text = format == "u", list = format == "+l", structure = format == "+s";
    if (a.length < 0 || a.length > INT32_MAX) return bad("has an impossible length");
    if (a.offset != 0) return bad("has an offset, which this interface does not use");
    const std::int64_t wanted = text ? 3 : structure ? 1 : 2;
    if (a.n_buffers != wanted || !a.buffers) return bad(fmt::format("has {} buffers, wanted {}", a.n_buffers, wanted));
    if (a.n_children != schema.n_children) return bad(fmt::format("has {} children, its schema {}", a.n_children, schema.n_children));
    if ((a.dictionary != nullptr) != (schema.dictionary != nullptr)) return bad("and its schema differ about a dictionary");
    const auto* valid = static_cast<const std::uint8_t*>(a.buffers[0]);
    if (a.null_count < -1 || a.null_count > a.length) return bad("has an impossible null count");
    if (!valid && a.null_count > 0) return bad("has nulls but no validity bitmap");
    if (a.null_count == -1 || (level_ == Validation::full && valid)) {
      std::int64_t nulls = 0;
      for (std::int64_t i = 0; valid && i < a.length; ++i) nulls += !(valid[i >> 3] >> (i & 7) & 1);
      if (a.null_count >= 0 && nulls != a.null_count) return bad(fmt::format("says {} nulls and has {}", a.null_count, nulls));
      a.null_count = nulls;
    }
    if (!structure && a.length != 0 && !a.buffers[1]) return bad("lacks its values");

    if (text || list) {
      const auto* offsets = static_cast<const std::int32_t*>(a.buffers[1]);
      if (offsets) {
        if (offsets[0] < 0 || offsets[a.length] < offsets[0]) return bad("has offsets that go backwards");
        // Offsets are used as bounds by every reader, so that each of them must be in order, at every level.
        std::uint32_t backwards = 0;
        for (std::int64_t i = 0; i < a.length; ++i) backwards |= static_cast<std::uint32_t>(offsets[i + 1] < offsets[i]);
        if (backwards) return bad("has offsets that go backwards");
        if (text && offsets[a.length] > 0 && !a.buffers[2]) return bad("lacks its text");
        if (text && level_ == Validation::full &&
            !simdjson::validate_utf8(static_cast<const char*>(a.buffers[2]) + offsets[0],
                                     static_cast<std::size_t>(offsets[a.length] - offsets[0]))) {
          return bad("holds text that is not UTF-8");
        }
      }
      if (list) {
        const std::int64_t elements = offsets ? offsets[a.length] : 0;
        if (a.n_children != 1 || !a.children || !a.children[0]) return bad("is a list without an element array");
        if (a.children[0]->length < elements) return bad("points behind its elements");
      }
    }
    if (a.dictionary) {
      if (auto ok = check(*schema.dictionary, *a.dictionary, path + " (dictionary)"); !ok) return ok;
      const auto* codes = static_cast<const std::int32_t*>(a.buffers[1]);
      const auto size = static_cast<std::uint32_t>(a.dictionary->length);
      std::uint32_t out_of_range = 0;
      for (std::int64_t i = 0; i < a.length; ++i) out_of_range |= static_cast<std::uint32_t>(static_cast<std::uint32_t>(codes[i]) >= size);
      if (out_of_range && a.null_count != 0) {  // what a null's slot holds is nobody's business
        out_of_range = 0;
        for (std::int64_t i = 0; i < a.length; ++i) {
          out_of_range |= static_cast<std::uint32_t>((valid[i >> 3] >> (i & 7) & 1) && static_cast<std::uint32_t>(codes[i]) >= size);
        }
      }
      if (out_of_range) return bad("has a code that its dictionary does not");
    }
    for (std::int64_t i = 0; i < a.n_children; ++i) {
      if (!a.children || !a.children[i] || !a.children[i]->release) return bad("lacks a child");
      const std::string name = schema.children[i]->name ? schema.children[i]->name : "";
      const std::string below = list ? path + "[]" : path.empty() ? name : fmt::format("{}.{}", path, name);
      if (structure && a.children[i]->length < a.length) return bad(fmt::format("has a child '{}' that is too short", name));
      if (auto ok = check(*schema.children[i], *a.children[i], below); !ok) return ok;
    }
    return {};
  }

 private:
  Validation level_;
};

}  // namespace

Result<void> validate(const ArrowSchema& schema, ArrowArray& array, Validation level) { return Validator(level).check(schema, array, ""); }

}  // namespace lm
