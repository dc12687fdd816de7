// What Event Hubs Capture writes: Avro containers, an event a record. Decoded, an object is the events' bodies, a line each, as if a collector had stored them so;
// what they hold is told by what is in them. The schema is read from the file: only that records have a field Body is relied upon.
//
// Source: "Apache Avro 1.11 Specification", "Object Container Files", "Binary Encoding", "Required Codecs"; Microsoft, "Exploring captured Avro files in Azure Event
// Hubs". A library could not be had: Debian's avro-c reads from files that may block, and allocates whatever a length in the file says.
#include "decode/codec.hpp"

#include <logmill/sdk/json.hpp>
#include <logmill/sdk/text.hpp>

#include <fmt/format.h>
#include <snappy-c.h>
#include <zlib.h>
#include <map>
#include <new>
#include <string_view>
#include <vector>

namespace lm {
namespace {

constexpr std::size_t kMostHeader = 1 << 20;
constexpr std::size_t kLongestName = 1024;
constexpr std::size_t kMostBlock = 64 << 20;  // as it is stored, and as it is decoded; the same of a body

enum class Inflated { whole, cut, broken, large };

// `bits` as zlib has them. What came before it failed is in `out`.
Inflated inflate_into(std::string_view in, int bits, std::string& out) {
  struct Stream {
    z_stream z{};
    explicit Stream(int window) {
      if (inflateInit2(&z, window) != Z_OK) throw std::bad_alloc();
    }
    ~Stream() { inflateEnd(&z); }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
  } stream(bits);
  z_stream& z = stream.z;
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
  z.avail_in = static_cast<uInt>(in.size());
  out.clear();
  std::size_t size = 0;
  const auto ended = [&](Inflated how) {
    out.resize(size);
    return how;
  };
  for (;;) {
    if (size == out.size()) {
      if (size == kMostBlock) return ended(Inflated::large);
      out.resize(std::min(kMostBlock, std::max<std::size_t>(2 * size, 64 << 10)));
    }
    z.next_out = reinterpret_cast<Bytef*>(out.data()) + size;
    z.avail_out = static_cast<uInt>(out.size() - size);
    const int code = inflate(&z, Z_NO_FLUSH);
    size = out.size() - z.avail_out;
    if (code == Z_STREAM_END) {
      // Of a gzip stream another member may follow.
      if (bits < 16 || z.avail_in == 0) return ended(Inflated::whole);
      const std::string_view rest = in.substr(in.size() - z.avail_in);
      if (rest.find_first_not_of('\0') == std::string_view::npos) return ended(Inflated::whole);
      if (!rest.starts_with('\x1f') || inflateReset(&z) != Z_OK) return ended(Inflated::broken);
      continue;
    }
    if (code == Z_BUF_ERROR || (code == Z_OK && z.avail_in == 0 && z.avail_out != 0)) return ended(Inflated::cut);
    if (code != Z_OK) return ended(Inflated::broken);
  }
}

// Bytes that are read from the front.
class Cursor {
 public:
  Cursor() = default;
  explicit Cursor(std::string_view bytes) : left_(bytes) {}
  std::size_t left() const { return left_.size(); }
  // Zigzag, seven bits a byte, the least first.
  std::optional<std::int64_t> number() {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < 10 && i < left_.size(); ++i) {
      const auto byte = static_cast<unsigned char>(left_[i]);
      if (i == 9 && byte > 1) return {};
      value |= std::uint64_t{byte & 0x7fu} << (7 * i);
      if (byte & 0x80u) continue;
      left_.remove_prefix(i + 1);
      return static_cast<std::int64_t>((value >> 1) ^ (~(value & 1) + 1));
    }
    return {};
  }
  std::optional<std::string_view> take(std::int64_t n) {
    if (n < 0 || static_cast<std::uint64_t>(n) > left_.size()) return {};
    const std::string_view out = left_.substr(0, static_cast<std::size_t>(n));
    left_.remove_prefix(out.size());
    return out;
  }
  std::string_view rest() const { return left_; }

 private:
  std::string_view left_;
};

class Schema {
 public:
  // Why it cannot be read; "" if it can.
  std::string read(std::string_view json) {
    nodes_.clear(), names_.clear(), why_.clear();
    const std::uint32_t root = build(json, "", 0);
    if (!why_.empty()) return why_;
    if (nodes_[root].kind != Kind::record) return "its schema is no record";
    root_ = root;
    for (const auto& [name, node] : nodes_[root].fields) {
      if (name == "Body" && has_bytes(node)) return "";
    }
    return "its records have no bytes that are called Body: this is not what Event Hubs Capture writes";
  }

  // Reads a record. False: it does not fit. `body` is what there is of it even then, if it was cut off within.
  bool read_record(Cursor& from, std::uint64_t& work, std::string_view& body) const {
    body = {};
    for (const auto& [name, node] : nodes_[root_].fields) {
      if (name != "Body" || !body.empty()) {
        if (!skip(from, node, work, 0)) return false;
        continue;
      }
      std::uint32_t at = node;
      if (nodes_[at].kind == Kind::choice) {
        const auto branch = from.number();
        if (!branch || *branch < 0 || static_cast<std::uint64_t>(*branch) >= nodes_[at].fields.size()) return false;
        at = nodes_[at].fields[static_cast<std::size_t>(*branch)].second;
      }
      if (nodes_[at].kind != Kind::bytes) {
        if (!skip(from, at, work, 0)) return false;
        continue;
      }
      const auto size = from.number();
      if (!size || *size < 0) return false;
      const auto bytes = from.take(*size);
      body = bytes ? *bytes : from.rest();
      if (!bytes) return false;
    }
    return true;
  }

 private:
  static constexpr std::size_t kMostNodes = 4096;
  static constexpr unsigned kDeepest = 32;
  enum class Kind { fixed, number, bytes, array, map, choice, record };
  struct Node {
    Kind kind = Kind::fixed;
    std::uint64_t size = 0;                                     // fixed
    std::vector<std::pair<std::string, std::uint32_t>> fields;  // of a record; branches, or what an array or a map holds, without names
  };

  bool has_bytes(std::uint32_t node) const {
    if (nodes_[node].kind != Kind::choice) return nodes_[node].kind == Kind::bytes;
    return std::any_of(nodes_[node].fields.begin(), nodes_[node].fields.end(),
                       [&](const auto& branch) { return nodes_[branch.second].kind == Kind::bytes; });
  }

  std::uint32_t add(Kind kind, std::uint64_t size = 0) {
    if (nodes_.size() == kMostNodes) return fail("its schema is too large");
    nodes_.push_back({kind, size, {}});
    return static_cast<std::uint32_t>(nodes_.size() - 1);
  }
  std::uint32_t fail(std::string why) {
    if (why_.empty()) why_ = std::move(why);
    if (nodes_.empty()) nodes_.emplace_back();
    return 0;
  }

  static std::string_view unquoted(std::string_view raw) { return raw.size() >= 2 ? raw.substr(1, raw.size() - 2) : raw; }

  std::uint32_t named(std::string_view name, std::string_view space) {
    static constexpr struct {
      std::string_view name;
      Kind kind;
      std::uint64_t size;
    } kPrimitives[] = {{"null", Kind::fixed, 0},  {"boolean", Kind::fixed, 1}, {"int", Kind::number, 0},   {"long", Kind::number, 0},
                       {"float", Kind::fixed, 4}, {"double", Kind::fixed, 8},  {"string", Kind::bytes, 0}, {"bytes", Kind::bytes, 0}};
    for (const auto& p : kPrimitives) {
      if (p.name == name) return add(p.kind, p.size);
    }
    auto found = names_.find(fmt::format("{}.{}", space, name));
    if (found == names_.end()) found = names_.find(std::string(name));
    return found == names_.end() ? fail(fmt::format("its schema names a type that it does not have: {}", name.substr(0, 64)))
                                 : found->second;
  }

  std::uint32_t build(std::string_view raw, std::string_view space, unsigned depth) {
    if (depth > kDeepest || !why_.empty()) return fail("its schema is nested too deeply");
    if (raw.starts_with('"')) return named(unquoted(raw), space);
    json::Reader reader;
    if (raw.starts_with('[')) {
      const std::uint32_t node = add(Kind::choice);
      std::vector<std::string_view> branches;
      if (!reader.read_array(raw, [&](json::Value& branch) { branches.push_back(branch.raw()); })) return fail("its schema is no JSON");
      for (const std::string_view branch : branches) push(node, "", build(branch, space, depth + 1));
      return node;
    }
    std::string_view type, fields, items, size;
    std::string name, own_space(space);
    const bool ok = reader.read(raw, [&](std::string_view key, json::Value& value) {
      if (key == "type") type = value.raw();
      if (key == "fields") fields = value.raw();
      if (key == "items" || key == "values") items = value.raw();
      if (key == "size") size = value.raw();
      if (key == "name") name = value.text().value_or("");
      if (key == "namespace") own_space = value.text().value_or("");
    });
    if (!ok || type.empty()) return fail("its schema is no JSON, or has no type");
    // Each of thousands of types is known by both.
    if (name.size() > kLongestName || own_space.size() > kLongestName) return fail("its schema has a name that is too long");
    if (!type.starts_with('"')) return build(type, space, depth + 1);
    const std::string_view kind = unquoted(type);
    const auto remember = [&](std::uint32_t node) {
      names_[name] = node;
      names_[fmt::format("{}.{}", own_space, name)] = node;
      return node;
    };
    if (kind == "enum") return remember(add(Kind::number));
    if (kind == "fixed") {
      const auto n = integer<std::uint32_t>(size);
      return n ? remember(add(Kind::fixed, *n)) : fail("its schema has a type 'fixed' without a size");
    }
    if (kind == "array" || kind == "map") {
      const std::uint32_t node = add(kind == "map" ? Kind::map : Kind::array);
      push(node, "", build(items, space, depth + 1));
      return node;
    }
    if (kind != "record" && kind != "error") return named(kind, space);
    const std::uint32_t node = remember(add(Kind::record));
    std::vector<std::pair<std::string, std::string_view>> all;
    const bool read = reader.read_array(fields, [&](json::Value& field) {
      auto& known = all.emplace_back();
      field.object([&](std::string_view key, json::Value& value) {
        if (key == "name") known.first = value.text().value_or("");
        if (key == "type") known.second = value.raw();
      });
    });
    if (!read) return fail("its schema has a record without fields");
    for (auto& [field_name, field_type] : all) push(node, std::move(field_name), build(field_type, own_space, depth + 1));
    return node;
  }
  void push(std::uint32_t node, std::string name, std::uint32_t child) { nodes_[node].fields.emplace_back(std::move(name), child); }

  // `work` is what may still be done: values may be of no size, but not without end.
  bool skip(Cursor& from, std::uint32_t index, std::uint64_t& work, unsigned depth) const {
    if (work == 0 || depth > kDeepest) return false;
    --work;
    const Node& node = nodes_[index];
    switch (node.kind) {
      case Kind::fixed: return from.take(static_cast<std::int64_t>(node.size)).has_value();
      case Kind::number: return from.number().has_value();
      case Kind::bytes: {
        const auto size = from.number();
        return size && from.take(*size);
      }
      case Kind::choice: {
        const auto branch = from.number();
        return branch && *branch >= 0 && static_cast<std::uint64_t>(*branch) < node.fields.size() &&
               skip(from, node.fields[static_cast<std::size_t>(*branch)].second, work, depth + 1);
      }
      case Kind::record: {
        for (const auto& field : node.fields) {
          if (!skip(from, field.second, work, depth + 1)) return false;
        }
        return true;
      }
      case Kind::array:
      case Kind::map: return skip_items(from, node, work, depth);
    }
    return false;
  }
  bool skip_items(Cursor& from, const Node& node, std::uint64_t& work, unsigned depth) const {
    for (;;) {
      const auto count = from.number();
      if (!count) return false;
      if (*count == 0) return true;
      if (*count < 0) {  // the size of them follows, for who passes over
        const auto size = from.number();
        if (work == 0 || !size || !from.take(*size)) return false;
        --work;
        continue;
      }
      for (std::int64_t i = 0; i < *count; ++i) {
        if (node.kind == Kind::map) {
          const auto key = from.number();
          if (!key || !from.take(*key)) return false;
        }
        if (!skip(from, node.fields[0].second, work, depth + 1)) return false;
      }
    }
  }

  std::vector<Node> nodes_;
  std::map<std::string, std::uint32_t> names_;
  std::uint32_t root_ = 0;
  std::string why_;
};

class Avro final : public Codec {
 public:
  void reset() override {
    const std::uint64_t worked = worked_;
    *this = Avro();
    worked_ = worked;
  }
  std::uint64_t worked() const override { return worked_; }

  Step step(std::span<const std::byte> in, std::span<std::byte> out) override {
    std::size_t consumed = 0, produced = 0;
    const bool at_end = in.empty();
    for (;;) {
      if (!line_.empty() || line_end_) {
        const std::size_t n = std::min(line_.size(), out.size() - produced);
        std::copy_n(std::as_bytes(std::span(line_)).begin(), n, out.begin() + static_cast<std::ptrdiff_t>(produced));
        line_.remove_prefix(n);
        produced += n;
        if (produced == out.size()) return {consumed, produced, false, {}};
        if (line_end_) out[produced++] = std::byte{'\n'};
        line_end_ = false;
        if (produced == out.size()) return {consumed, produced, false, {}};
        continue;
      }
      if (records_ != 0) {
        next_record();
        continue;
      }
      if (error_) return broken(error_->code, error_->what, consumed, produced);
      const std::size_t n = std::min(wanted_ - held_.size(), in.size() - consumed);
      held_.append(reinterpret_cast<const char*>(in.data()) + consumed, n);
      consumed += n;
      if (held_.size() < wanted_) {
        if (at_end && next_ == Next::count && held_.empty() && digits_ == 0) return ended(0, produced);
        // Of a block that is cut off, the records that are whole are good.
        if (at_end && next_ == Next::data && !held_.empty() && codec_ != "snappy") {
          partial_ = true;
          open_block();
          continue;
        }
        return {consumed, produced, false, {}};
      }
      if (next_ == Next::count && digits_ == 0 && held_[0] == 'O') {
        // The number of records in a block is none that begins so: this is another container behind the first.
        return ended(consumed - n, produced);
      }
      advance();
    }
  }

 private:
  enum class Next { magic, entries, entries_size, key_size, key, value_size, value, sync, count, size, data, block_sync };

  void fail(const std::string& what, Errc code = Errc::corrupt) {
    if (!error_) error_ = Error{code, "avro: " + what};
  }
  void want(Next next, std::size_t bytes) { next_ = next, wanted_ = bytes; }

  // What was wanted is held.
  void advance() {
    header_ += next_ <= Next::sync ? held_.size() : 0;
    if (header_ > kMostHeader) return fail(fmt::format("a header of more than {} bytes", kMostHeader), Errc::limit);
    switch (next_) {
      case Next::magic:
        if (held_ != std::string_view("Obj\1", 4)) return fail("no container");
        want(Next::entries, 1);
        break;
      case Next::key:
        key_ = held_;
        want(Next::value_size, 1);
        break;
      case Next::value:
        if (key_ == "avro.schema") schema_text_ = held_;
        if (key_ == "avro.codec") codec_ = held_;
        next_entry();
        break;
      case Next::sync:
        sync_ = held_;
        if (codec_ != "null" && codec_ != "deflate" && codec_ != "snappy")
          return fail(fmt::format("its codec is none of null, deflate, snappy, but {}", printable(codec_)));
        if (const std::string why = schema_.read(trim(schema_text_)); !why.empty()) return fail(why);
        want(Next::count, 1);
        break;
      case Next::data: open_block(); return;
      case Next::block_sync:
        if (held_ != sync_) return fail("a block does not end with the marker of its container");
        want(Next::count, 1);
        break;
      default: return digit(static_cast<unsigned char>(held_[0]));
    }
    held_.clear();
  }

  static std::string printable(std::string_view text) {
    std::string out(text.substr(0, 32));
    std::replace_if(
        out.begin(), out.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    return out;
  }

  // Numbers come a byte at a time.
  void digit(unsigned char byte) {
    held_.clear();
    if (digits_ == 9 && byte > 1) return fail("a number that is too large");
    value_ |= std::uint64_t{byte & 0x7fu} << (7 * digits_++);
    if (byte & 0x80u) return;
    const auto number = static_cast<std::int64_t>((value_ >> 1) ^ (~(value_ & 1) + 1));
    value_ = 0, digits_ = 0;
    const auto sized = [&](Next next, std::size_t most) {
      if (number < 0 || static_cast<std::uint64_t>(number) > most)
        return fail(fmt::format("something of {} bytes; at most {} are read", number, most), Errc::limit);
      want(next, static_cast<std::size_t>(number));
    };
    switch (next_) {
      case Next::entries:
        if (number == INT64_MIN) return fail("a number that is too large");
        entries_ = number < 0 ? -number : number;
        if (number < 0) return want(Next::entries_size, 1);
        return entries_ == 0 ? want(Next::sync, 16) : want(Next::key_size, 1);
      case Next::entries_size: return want(Next::key_size, 1);
      case Next::key_size: return sized(Next::key, kMostHeader);
      case Next::value_size: return sized(Next::value, kMostHeader);
      case Next::count:
        if (number < 0) return fail("a block of fewer than no records");
        count_ = static_cast<std::uint64_t>(number);
        return want(Next::size, 1);
      default: return sized(Next::data, kMostBlock);
    }
  }
  void next_entry() { --entries_ == 0 ? want(Next::entries, 1) : want(Next::key_size, 1); }

  // The block that is held, or its beginning.
  void open_block() {
    if (codec_ == "null") {
      block_.swap(held_);
    } else if (codec_ == "deflate") {
      switch (inflate_into(held_, -15, block_)) {
        case Inflated::whole: break;
        case Inflated::cut:
          if (!partial_) fail("the compressed data of a block ends too early");
          partial_ = true;
          break;
        case Inflated::broken: fail("the compressed data of a block is broken"), partial_ = true; break;
        case Inflated::large:
          fail(fmt::format("a block that decodes to more than {} bytes", kMostBlock), Errc::limit), partial_ = true;
          break;
      }
    } else {
      open_snappy();
    }
    held_.clear();
    records_ = count_;
    if (!error_ && !partial_ && records_ == 0 && !block_.empty()) fail("a block of no records that is not empty");
    cursor_ = Cursor(block_);
    work_ = 4 * block_.size() + 4096;
    worked_ += block_.size();
    want(Next::block_sync, 16);
  }
  void open_snappy() {
    block_.clear();
    std::size_t size = 0;
    if (held_.size() < 4 || snappy_uncompressed_length(held_.data(), held_.size() - 4, &size) != SNAPPY_OK) {
      count_ = 0;
      return fail("the compressed data of a block is broken");
    }
    if (size > kMostBlock) {
      count_ = 0;
      return fail(fmt::format("a block that decodes to more than {} bytes", kMostBlock), Errc::limit);
    }
    block_.resize(size);
    if (snappy_uncompress(held_.data(), held_.size() - 4, block_.data(), &size) != SNAPPY_OK) {
      count_ = 0;
      return fail("the compressed data of a block is broken");
    }
    std::uint32_t wanted = 0;
    for (const char c : std::string_view(held_).substr(held_.size() - 4)) wanted = wanted << 8 | static_cast<unsigned char>(c);
    const auto sum = crc32(0, reinterpret_cast<const Bytef*>(block_.data()), static_cast<uInt>(block_.size()));
    if (sum != wanted) fail("the checksum of a block does not match it");
  }

  void next_record() {
    --records_;
    std::string_view body;
    const bool whole = schema_.read_record(cursor_, work_, body);
    if (!whole) {
      records_ = 0;
      if (!partial_) return fail("a record does not fit the schema");
    } else if (records_ == 0 && !partial_ && cursor_.left() != 0) {
      fail("a block holds more than its records");
    }
    if (body.empty()) return;
    line_ = body;
    if (body.starts_with("\x1f\x8b")) {
      const Inflated how = inflate_into(body, 15 + 16, plain_);
      worked_ += plain_.size();
      if (how == Inflated::large) {
        damage_ = fmt::format("a body decodes to more than {} bytes", kMostBlock);
      } else if (how != Inflated::whole && !partial_) {
        damage_ = "the gzip stream of a body is broken";
      }
      // What is no gzip for all that stands as it is.
      if (how == Inflated::whole || !plain_.empty()) line_ = plain_;
    }
    line_end_ = whole && !line_.empty() && !line_.ends_with('\n');
  }

  // Of the container. What has cost a body alone is told now.
  Step ended(std::size_t consumed, std::size_t produced) {
    if (!damage_.empty()) return broken(Errc::corrupt, "avro: " + damage_, consumed, produced);
    return {consumed, produced, true, {}};
  }

  std::uint64_t worked_ = 0;
  Next next_ = Next::magic;
  std::size_t wanted_ = 4, header_ = 0;
  std::string held_;  // of what is wanted
  std::uint64_t value_ = 0;
  unsigned digits_ = 0;
  std::int64_t entries_ = 0;
  std::string key_, schema_text_, codec_ = "null", sync_;
  Schema schema_;
  std::uint64_t count_ = 0, records_ = 0, work_ = 0;  // of the block at hand; those that are left of it
  std::string block_, plain_;
  Cursor cursor_;
  bool partial_ = false;   // the block is not whole, which is told by who notices
  std::string_view line_;  // what is left to give of a body, in block_ or plain_
  bool line_end_ = false;
  std::optional<Error> error_;  // once what is good was given
  std::string damage_;          // of bodies
};

}  // namespace

std::unique_ptr<Codec> make_avro() { return std::make_unique<Avro>(); }

}  // namespace lm
