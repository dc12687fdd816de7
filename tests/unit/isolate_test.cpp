// What crosses between host and worker arrives as it was, and whatever else arrives is refused or harmless: the worker may be anybody's. Each message lies in memory of
// its own length, so that AddressSanitizer sees who looks behind it.
#include "isolate/transfer.hpp"
#include "plugin_host/validate.hpp"

#include <logmill/sdk.hpp>

#include <gtest/gtest.h>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr auto kTable = lm::table(lm::ocsf::v1_8::authentication, lm::profiles(),
                                  {{"activity_id"},
                                   {"time"},
                                   {"severity_id"},
                                   {"is_mfa"},
                                   {"user.name"},
                                   lm::plain("user.uid"),
                                   {"user.groups[].name"},
                                   lm::plain("message"),
                                   {"unmapped"},
                                   lm::constant("metadata.product.name", "test")});

struct Words {
  static constexpr lm::Descriptor descriptor{
      .id = "test.words", .title = "Words", .vendor = "test", .version = "1.0.0", .reads = "words", .framing = lm::Framing::lines};
  static constexpr auto keys = lm::strings("words/{account}/**");
  static int score(lm::Sample) { return 50; }
  void parse(lm::Record record, lm::Rows<kTable>& rows) {
    const std::string_view text = record.text();
    if (text.size() % 7 == 6) return record.reject(lm::malformed, "of a length that is not liked");
    auto row = rows.begin(record);
    row.set<"activity_id">(1);
    row.set<"severity_id">(1);
    row.set<"time">(static_cast<std::int64_t>(text.size()));
    if (text.size() % 2) row.set<"is_mfa">(text.size() % 4 == 1);
    row.set<"user.name">(text);
    if (text.size() % 3) row.set<"user.uid">(text);
    for (std::size_t i = 0; i < text.size() % 4; ++i) row.push<"user.groups">().set<"name">(text.substr(3 + i));
  }
};
using Library = lm::detail::Library<Words>;

// An instance, and calls of so many records.
class Instance {
 public:
  Instance() {
    lm_error error{};
    error.struct_size = sizeof error;
    EXPECT_EQ(Library::create(0, lm::detail::str("{}"), &parser_, &error), LM_OK);
    EXPECT_EQ(parser_.schema(parser_.self, 0, &schema_, &error), LM_OK);
  }
  ~Instance() {
    schema_.release(&schema_);
    parser_.destroy(parser_.self);
  }
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  const ArrowSchema& schema() const { return schema_; }

  void parse(std::size_t from, std::size_t count, const std::function<void(lm_batch&)>& each) {
    std::string text;
    std::vector<lm_record> records;
    for (std::size_t i = from; i < from + count; ++i) {
      const std::string word = "w\xc3\xb6rd" + std::to_string(i * i);
      records.push_back({static_cast<std::uint32_t>(text.size()), static_cast<std::uint32_t>(word.size())});
      text += word;
    }
    text.append(LM_PADDING, '\0');
    const lm_object object{sizeof(lm_object), 0, lm::detail::str("words/1"), {}, 0, 0, nullptr, 0};
    const lm_block block{sizeof(lm_block),
                         0,
                         reinterpret_cast<const std::uint8_t*>(text.data()),
                         text.size() - LM_PADDING,
                         records.data(),
                         count,
                         0,
                         0,
                         nullptr,
                         0,
                         &object};
    const lm_block* const blocks[] = {&block};
    const lm_emit emit{sizeof(lm_emit),
                       0,
                       const_cast<void*>(static_cast<const void*>(&each)),
                       [](void* ctx, lm_batch* batch) {
                         (*static_cast<const std::function<void(lm_batch&)>*>(ctx))(*batch);
                         batch->array.release(&batch->array);
                         return lm_status{LM_OK};
                       },
                       [](void*, std::uint32_t, std::uint32_t, std::uint32_t, lm_str) {},
                       [](void*, lm_str, std::uint64_t) {}};
    lm_error error{};
    error.struct_size = sizeof error;
    ASSERT_EQ(parser_.parse(parser_.self, blocks, 1, &emit, &error), LM_OK);
  }

 private:
  lm_parser parser_{};
  ArrowSchema schema_{};
};

// Every value, as text: also a way to look at every byte that an array says it has.
std::string text_of(const ArrowSchema& schema, const ArrowArray& a, std::size_t row) {
  const auto* const valid = static_cast<const std::uint8_t*>(a.buffers[0]);
  if (valid && a.null_count != 0 && !(valid[row >> 3] >> (row & 7) & 1)) return "null";
  const std::string_view format = schema.format;
  if (format == "+s") {
    std::string out = "{";
    for (std::int64_t i = 0; i < a.n_children; ++i) out += text_of(*schema.children[i], *a.children[i], row) + ",";
    return out + "}";
  }
  if (format == "+l") {
    const auto* const offsets = static_cast<const std::int32_t*>(a.buffers[1]);
    std::string out = "[";
    for (std::int32_t i = offsets[row]; i < offsets[row + 1]; ++i)
      out += text_of(*schema.children[0], *a.children[0], static_cast<std::size_t>(i)) + ",";
    return out + "]";
  }
  if (format == "u") {
    const auto* const offsets = static_cast<const std::int32_t*>(a.buffers[1]);
    return {static_cast<const char*>(a.buffers[2]) + offsets[row], static_cast<std::size_t>(offsets[row + 1] - offsets[row])};
  }
  if (format == "b") return (static_cast<const std::uint8_t*>(a.buffers[1])[row >> 3] >> (row & 7) & 1) ? "true" : "false";
  if (format == "l") return std::to_string(static_cast<const std::int64_t*>(a.buffers[1])[row]);
  const std::int32_t value = static_cast<const std::int32_t*>(a.buffers[1])[row];
  return schema.dictionary ? text_of(*schema.dictionary, *a.dictionary, static_cast<std::size_t>(value)) : std::to_string(value);
}

std::string text_of(const ArrowSchema& schema, const lm_batch& batch) {
  std::string out;
  for (std::size_t row = 0; row < static_cast<std::size_t>(batch.array.length); ++row)
    out += std::to_string(batch.origins[row].record) + text_of(schema, batch.array, row) + "\n";
  return out;
}

// Bytes in memory of exactly their length, as the host has them, the padding of answers aside.
std::shared_ptr<const std::byte> exactly(std::span<const std::byte> bytes) {
  auto* const memory = static_cast<std::byte*>(std::malloc(bytes.size()));
  std::memcpy(memory, bytes.data(), bytes.size());
  return {memory, [](const std::byte* p) { std::free(const_cast<std::byte*>(p)); }};
}

TEST(Transfer, BatchesArriveAsTheyWereWithDictionariesThatGrow) {
  Instance instance;
  lm::isolate::BatchWriter writer(1);
  lm::isolate::BatchReader reader({&instance.schema()}, 1 << 20);
  std::uint64_t epoch = 0;
  for (std::size_t call = 0; call < 20; ++call) {
    if (call == 10) writer = lm::isolate::BatchWriter(1), reader.fresh();  // another worker
    instance.parse(call * 30, 100, [&](lm_batch& batch) {
      ASSERT_TRUE(lm::validate(instance.schema(), batch.array, lm::Validation::full));
      lm::isolate::Writer out;
      ASSERT_TRUE(writer.put(out, instance.schema(), batch));
      const auto message = exactly(out.contents());
      lm::isolate::Reader in({message.get(), out.size()});
      EXPECT_EQ(in.number(), static_cast<std::uint64_t>(lm::isolate::Emitted::batch));
      auto read = reader.read(in, message);
      ASSERT_TRUE(read) << read.error().what;
      EXPECT_TRUE(in.at_end() && !in.failed());
      const auto valid = lm::validate(instance.schema(), read->array, lm::Validation::full);
      EXPECT_TRUE(valid) << valid.error().what;
      EXPECT_EQ(text_of(instance.schema(), *read), text_of(instance.schema(), batch));
      if (call == 10) {
        EXPECT_NE(read->dictionary_epoch, epoch);
      } else if (call != 0) {
        EXPECT_EQ(read->dictionary_epoch, epoch);
      }
      epoch = read->dictionary_epoch;
      read->array.release(&read->array);
    });
  }
}

// Numbers that hurt, at every place where a number stands, and bits anywhere.
TEST(Transfer, WhatAWorkerMayAnswerIsRefusedOrHarmless) {
  Instance instance;
  lm::isolate::BatchWriter writer(1);
  std::vector<std::vector<std::byte>> messages;
  for (std::size_t call = 0; call < 2; ++call) {
    instance.parse(call * 30, 40, [&](lm_batch& batch) {
      lm::isolate::Writer out;
      ASSERT_TRUE(writer.put(out, instance.schema(), batch));
      messages.emplace_back(out.contents().begin(), out.contents().end());
    });
  }
  std::mt19937_64 random(5);
  const std::uint64_t size = messages[1].size();
  const std::uint64_t hurtful[] = {0,          1,          7,     8,        39, 41, size - 8, size, size + 8, 1ull << 31, (1ull << 31) - 1,
                                   1ull << 32, 1ull << 61, ~0ull, ~0ull - 7};
  std::size_t read_well = 0, valid_at_all = 0;
  const auto receive = [&](std::vector<std::byte> second) {
    lm::isolate::BatchReader reader({&instance.schema()}, 1 << 20);
    for (const auto& bytes : {messages[0], std::move(second)}) {
      const auto message = exactly(bytes);
      lm::isolate::Reader in({message.get(), bytes.size()});
      in.number();
      auto read = reader.read(in, message);
      if (!read) return;
      ++read_well;
      if (lm::validate(instance.schema(), read->array, lm::Validation::full, true)) {
        ++valid_at_all;
        EXPECT_NE(text_of(instance.schema(), *read), "-");
      }
      read->array.release(&read->array);
    }
  };
  for (std::size_t at = 0; at + 8 <= size; at += 8) {
    for (const std::uint64_t value : hurtful) {
      auto changed = messages[1];
      std::memcpy(changed.data() + at, &value, sizeof value);
      receive(std::move(changed));
    }
  }
  for (int i = 0; i < 5000; ++i) {
    auto changed = messages[1];
    for (std::uint64_t n = random() % 4 + 1; n != 0; --n) changed[random() % changed.size()] ^= static_cast<std::byte>(1u << random() % 8);
    if (i % 3 == 0) changed.resize(random() % changed.size());
    receive(std::move(changed));
  }
  EXPECT_GT(read_well, valid_at_all);
  EXPECT_GT(valid_at_all, 100u);
}

TEST(Transfer, WhatALibrarySaysOfItselfArrivesOrIsRefused) {
  lm::isolate::Writer out;
  ASSERT_TRUE(lm::isolate::put_library(out, &Library::factory, false));
  const auto info = lm::isolate::read_library(out.contents());
  ASSERT_TRUE(info);
  ASSERT_EQ(info->parsers.size(), 1u);
  const lm_parser_descriptor& d = info->parsers[0]->value();
  EXPECT_EQ(lm::detail::view(d.id), "test.words");
  EXPECT_EQ(lm::detail::view(d.keys[0]), "words/{account}/**");
  ASSERT_EQ(d.n_classes, 1u);
  EXPECT_EQ(d.classes[0].class_uid, 3002u);
  EXPECT_EQ(d.classes[0].n_columns, Library::descriptor(0)->classes[0].n_columns);
  EXPECT_FALSE(info->sinks);

  lm::isolate::Writer schema;
  Instance instance;
  lm::isolate::put_schema(schema, instance.schema());
  const std::vector<std::byte> whole[] = {{out.contents().begin(), out.contents().end()},
                                          {schema.contents().begin(), schema.contents().end()}};
  std::mt19937_64 random(7);
  std::size_t refused = 0;
  for (int i = 0; i < 20000; ++i) {
    auto changed = whole[i % 2];
    const std::uint64_t value = i % 5 == 0 ? ~0ull : random() % 100;
    if (i % 7 < 5) {
      std::memcpy(changed.data() + random() % (changed.size() / 8) * 8, &value, sizeof value);
    } else {
      changed.resize(random() % changed.size());
    }
    const auto message = exactly(changed);
    if (i % 2 == 0) {
      refused += !lm::isolate::read_library({message.get(), changed.size()});
    } else if (auto read = lm::isolate::read_schema({message.get(), changed.size()})) {
      read->release(&*read);
    } else {
      ++refused;
    }
  }
  EXPECT_GT(refused, 5000u);
}

// A column of so many members, on so many levels that each promise as many again.
TEST(Transfer, ASchemaThatPromisesMoreThanAnyHasIsRefusedBeforeRoomIsMade) {
  const auto node = [](lm::isolate::Writer& out, std::uint64_t children) {
    out.text("+s");
    out.text("a");
    for (const std::uint64_t n : {std::uint64_t{0}, std::uint64_t{0}, children}) out.number(n);
  };
  for (const auto& [wide, good] : {std::pair{1'000, true}, {60'000, true}, {70'000, false}}) {
    lm::isolate::Writer out;
    node(out, static_cast<std::uint64_t>(wide));
    for (int i = 0; i < wide; ++i) node(out, 0);
    auto read = lm::isolate::read_schema(out.contents());
    EXPECT_EQ(read.has_value(), good) << wide;
    if (read) read->release(&*read);
  }
  lm::isolate::Writer deep;
  for (int level = 0; level < 40; ++level) node(deep, 60'000);
  for (int i = 0; i < 60'000; ++i) node(deep, 0);
  EXPECT_FALSE(lm::isolate::read_schema(deep.contents()));
}

}  // namespace
