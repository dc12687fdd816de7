// Decoding: what was compressed comes back whole or the object is said to be damaged; never silently less, never silently different.
#include "decode/decode.hpp"

#include <bzlib.h>
#include <gtest/gtest.h>
#include <lz4frame.h>
#include <lzma.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>
#include <random>

namespace {

using namespace lm;

std::string gzip(std::string_view text) {
  z_stream s{};
  deflateInit2(&s, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&s, text.size()) + 64, '\0');
  s.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data())), s.avail_in = static_cast<uInt>(text.size());
  s.next_out = reinterpret_cast<Bytef*>(out.data()), s.avail_out = static_cast<uInt>(out.size());
  deflate(&s, Z_FINISH);
  out.resize(s.total_out);
  deflateEnd(&s);
  return out;
}
std::string zstd(std::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  ZSTD_CCtx* c = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
  out.resize(ZSTD_compress2(c, out.data(), out.size(), text.data(), text.size()));
  ZSTD_freeCCtx(c);
  return out;
}
std::string bzip2(std::string_view text) {
  std::string out(text.size() + text.size() / 100 + 700, '\0');
  auto size = static_cast<unsigned>(out.size());
  BZ2_bzBuffToBuffCompress(out.data(), &size, const_cast<char*>(text.data()), static_cast<unsigned>(text.size()), 9, 0, 0);
  out.resize(size);
  return out;
}
std::string xz(std::string_view text) {
  std::string out(lzma_stream_buffer_bound(text.size()), '\0');
  std::size_t size = 0;
  (void)lzma_easy_buffer_encode(1, LZMA_CHECK_CRC64, nullptr, reinterpret_cast<const std::uint8_t*>(text.data()), text.size(),
                                reinterpret_cast<std::uint8_t*>(out.data()), &size, out.size());
  out.resize(size);
  return out;
}
std::string lz4(std::string_view text) {
  LZ4F_preferences_t p{};
  p.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
  std::string out(LZ4F_compressFrameBound(text.size(), &p), '\0');
  out.resize(LZ4F_compressFrame(out.data(), out.size(), text.data(), text.size(), &p));
  return out;
}

struct Outcome {
  std::string text, format;
  std::optional<Error> error;
};

Outcome decode(std::string_view stored, std::size_t chunk = 1 << 20, std::size_t out_size = 1 << 16, DecodeLimits limits = {},
               std::uint64_t stored_size = 0) {
  auto decoder = make_object_decoder(limits, stored_size);
  Outcome out;
  std::vector<std::byte> buffer(out_size);
  std::size_t at = 0;
  for (std::size_t steps = 0;; ++steps) {
    if (steps > 50'000'000) {
      ADD_FAILURE() << "the decoder makes no progress";
      return out;
    }
    auto pulled = decoder->pull(buffer);
    if (!pulled) {
      out.error = pulled.error();
      break;
    }
    out.text.append(reinterpret_cast<const char*>(buffer.data()), pulled->produced);
    if (pulled->state == Pull::end) break;
    if (pulled->state != Pull::need_input) continue;
    if (at == stored.size()) {
      decoder->end_of_input();
    } else {
      const std::size_t n = std::min(chunk, stored.size() - at);
      decoder->feed({reinterpret_cast<const std::byte*>(stored.data()) + at, n});
      at += n;
    }
  }
  out.format = decoder->format();
  return out;
}

std::string sample(std::size_t lines = 200) {
  std::string out;
  for (std::size_t i = 0; i < lines; ++i) out += "line " + std::to_string(i * 7919 % 1000) + " of some text that repeats and repeats\n";
  return out;
}

struct Method {
  const char* name;
  std::string (*compress)(std::string_view);
};
class EveryFormat : public testing::TestWithParam<Method> {};
INSTANTIATE_TEST_SUITE_P(Decode, EveryFormat,
                         testing::Values(Method{"gzip", gzip}, Method{"zstd", zstd}, Method{"bzip2", bzip2}, Method{"xz", xz},
                                         Method{"lz4", lz4}),
                         [](const auto& p) { return p.param.name; });

TEST_P(EveryFormat, ComesBackWholeHoweverItIsFed) {
  const std::string text = sample(), stored = GetParam().compress(text);
  for (const std::size_t chunk : {1ul, 7ul, 4096ul, 1ul << 20}) {
    for (const std::size_t out : {1ul, 100ul, 65536ul}) {
      const Outcome o = decode(stored, chunk, out);
      ASSERT_FALSE(o.error) << o.error->what;
      ASSERT_EQ(o.text, text);
      EXPECT_EQ(o.format, GetParam().name);
    }
  }
}

// More than a buffer between layers holds, asked for in more than it holds: what the upper layer has run out of, the lower one still has.
TEST_P(EveryFormat, ComesBackWholeFromInsideAnother) {
  std::mt19937 random(1);
  std::string text(400'000, '\0');
  for (char& c : text) c = static_cast<char>('a' + random() % 16);
  const std::string once = GetParam().compress(text);
  for (const std::string& stored : {gzip(once), zstd(gzip(once))}) {
    for (const std::size_t out : {5000ul, 1ul << 20}) {
      const Outcome o = decode(stored, 1 << 18, out);
      ASSERT_FALSE(o.error) << o.error->what;
      ASSERT_EQ(o.text, text);
    }
  }
}

TEST_P(EveryFormat, IsReadToTheEndOfItsLastMember) {
  const std::string text = sample(20), stored = GetParam().compress(text) + GetParam().compress("") + GetParam().compress("tail");
  for (const std::size_t chunk : {1ul, 1ul << 20}) EXPECT_EQ(decode(stored, chunk).text, text + "tail");
}

TEST_P(EveryFormat, CutAnywhereIsAnErrorAndNeverTheEnd) {
  const std::string text = sample(30), stored = GetParam().compress(text);
  for (std::size_t cut = 1; cut < stored.size(); ++cut) {
    const Outcome o = decode(std::string_view(stored).substr(0, cut));
    // A few characters that a text could consist of are a text.
    if (cut < 10 && !o.error && stored.substr(0, cut).find_first_not_of("BZh9(1AY&S") == std::string::npos) continue;
    ASSERT_TRUE(o.error) << cut;
    EXPECT_TRUE(o.error->code == Errc::truncated || o.error->code == Errc::corrupt) << o.error->what;
    EXPECT_TRUE(text.starts_with(o.text));
  }
}

TEST_P(EveryFormat, AFlippedBitIsAnErrorOrChangesNothing) {
  const std::string text = sample(10), stored = GetParam().compress(text);
  for (std::size_t bit = 0; bit < stored.size() * 8; ++bit) {
    std::string flipped = stored;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const Outcome o = decode(flipped);
    if (o.error || o.text == text) continue;
    // A broken magic number makes it something that is not compressed: it passes as it stands, for the detector to refuse.
    EXPECT_EQ(o.text, flipped) << "bit " << bit << " changed the content unseen";
  }
}

TEST_P(EveryFormat, SomethingElseBehindTheLastMemberIsSaid) {
  const std::string text = sample(5);
  const Outcome o = decode(GetParam().compress(text) + "!garbage");
  ASSERT_TRUE(o.error);
  EXPECT_EQ(o.error->code, Errc::corrupt);
  EXPECT_EQ(o.text, text);
  EXPECT_EQ(decode(GetParam().compress(text) + std::string(512, '\0')).text, text) << "padding is no garbage";
}

// Members behind a damaged one may be whole: that they were not read must not go unsaid.
TEST_P(EveryFormat, ABadMemberIsSaidWithItsPlaceAndWhatWasNotReadBehindIt) {
  const std::string name = GetParam().name, first = GetParam().compress(sample(40)), second = GetParam().compress(sample(30)),
                    rest = GetParam().compress(sample(20)) + GetParam().compress(sample(10));
  std::string bad = second;
  // The checksum of what was decoded: gzip has it before the size; of bzip2 and xz it is one of a block, or is checked itself.
  char& flipped = bad[name == "gzip" ? bad.size() - 6 : name == "xz" ? bad.size() - 30 : bad.size() - 2];
  flipped = static_cast<char>(flipped ^ 1);
  const std::string stored = first + bad + rest, part = name == "gzip" ? "member" : name == "zstd" || name == "lz4" ? "frame" : "stream";
  const auto number = [](std::size_t n) { return std::to_string(n); };
  const bool end_is_known = part != "stream";
  for (const std::size_t chunk : {1ul, 7ul, 4096ul, 1ul << 20}) {
    for (const std::size_t out : {1ul, 65536ul}) {
      const Outcome o = decode(stored, chunk, out, {}, stored.size());
      ASSERT_TRUE(o.error);
      EXPECT_TRUE(o.text.starts_with(sample(40)));
      EXPECT_TRUE(!end_is_known || o.text == sample(40) + sample(30)) << "what came before the checksum is given";
      const std::string place = ": " + part + " 2, which begins at stored byte " + number(first.size());
      const std::string lost =
          end_is_known ? "; the " + number(rest.size()) + " stored bytes behind it were not read"
                       : "; nothing behind the break was read, of " + number(bad.size() + rest.size()) + " stored bytes from there on";
      EXPECT_TRUE(o.error->what.ends_with(place + lost)) << o.error->what;
    }
  }
  // Of an unknown size nothing is said but that; of one that is all there is, nothing.
  EXPECT_NE(decode(stored).error->what.find("; nothing behind"), std::string::npos);
  EXPECT_EQ(decode(bad, 1 << 20, 1 << 16, {}, bad.size()).error->what.find("behind it"), std::string::npos);
  // In another layer the place is one of that layer.
  const std::string outer = GetParam().compress(stored);
  const Outcome inner = decode(outer, 1 << 20, 1 << 16, {}, outer.size());
  ASSERT_TRUE(inner.error);
  EXPECT_NE(inner.error->what.find(part + " 2, which begins at inner byte " + number(first.size()) + "; nothing behind"), std::string::npos)
      << inner.error->what;
  // What is no member at all is the end, too.
  const Outcome noise = decode(first + "!garbage", 1 << 20, 1 << 16, {}, first.size() + 8);
  ASSERT_TRUE(noise.error);
  EXPECT_TRUE(noise.error->what.ends_with("; 8 stored bytes were not read")) << noise.error->what;
}

// ---- Avro ----

std::string number(std::int64_t n) {
  auto zigzag = (static_cast<std::uint64_t>(n) << 1) ^ (n < 0 ? ~std::uint64_t{0} : 0);
  std::string out;
  for (; zigzag > 127; zigzag >>= 7) out.push_back(static_cast<char>((zigzag & 127) | 128));
  out.push_back(static_cast<char>(zigzag));
  return out;
}
std::string counted(std::string_view bytes) { return number(static_cast<std::int64_t>(bytes.size())) + std::string(bytes); }

constexpr std::string_view kSync = "0123456789abcdef";
constexpr std::string_view kCaptured =
    R"({"type":"record","name":"EventData","namespace":"Microsoft.ServiceBus.Messaging","fields":[{"name":"SequenceNumber","type":"long"},)"
    R"({"name":"Properties","type":{"type":"map","values":["long","double","string","bytes"]}},{"name":"Body","type":["null","bytes"]}]})";

std::string container(std::string_view codec, std::string_view schema) {
  std::string out("Obj\1", 4);
  out += number(2) + counted("avro.schema") + counted(schema) + counted("avro.codec") + counted(codec) + number(0);
  return out += kSync;
}
std::string block(std::string_view codec, std::int64_t count, std::string_view data) {
  std::string stored(data);
  if (codec == "deflate") {
    z_stream s{};
    deflateInit2(&s, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
    stored.assign(deflateBound(&s, data.size()) + 64, '\0');
    s.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data())), s.avail_in = static_cast<uInt>(data.size());
    s.next_out = reinterpret_cast<Bytef*>(stored.data()), s.avail_out = static_cast<uInt>(stored.size());
    deflate(&s, Z_FINISH);
    stored.resize(s.total_out);
    deflateEnd(&s);
  } else if (codec == "snappy") {
    std::size_t size = snappy_max_compressed_length(data.size());
    stored.assign(size, '\0');
    snappy_compress(data.data(), data.size(), stored.data(), &size);
    stored.resize(size);
    const auto sum = crc32(0, reinterpret_cast<const Bytef*>(data.data()), static_cast<uInt>(data.size()));
    for (const int shift : {24, 16, 8, 0}) stored.push_back(static_cast<char>(sum >> shift));
  }
  return number(count) + counted(stored) + std::string(kSync);
}
std::string event(std::string_view body) {
  return number(7) + number(1) + counted("k") + number(1) + std::string(8, 'd') + number(0) + number(1) + counted(body);
}
std::string capture(std::string_view codec, std::string_view text) {
  std::string out = container(codec, kCaptured), events;
  std::int64_t count = 0;
  for (; !text.empty(); text.remove_prefix(text.find('\n') + 1)) {
    events += event(text.substr(0, text.find('\n')));
    if (++count == 4) out += block(codec, std::exchange(count, 0), std::exchange(events, {}));
  }
  return count == 0 ? out : out + block(codec, count, events);
}

class Avro : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Decode, Avro, testing::Values("null", "deflate", "snappy"), [](const auto& p) { return std::string(p.param); });

TEST_P(Avro, BodiesComeBackWholeHoweverTheyAreFed) {
  const std::string text = sample(30), stored = capture(GetParam(), text);
  for (const std::size_t chunk : {1ul, 7ul, 4096ul, 1ul << 20}) {
    for (const std::size_t out : {1ul, 100ul, 65536ul}) {
      const Outcome o = decode(stored, chunk, out);
      ASSERT_FALSE(o.error) << o.error->what;
      ASSERT_EQ(o.text, text);
      EXPECT_EQ(o.format, "avro");
    }
  }
  EXPECT_EQ(decode(gzip(stored) + gzip(capture("null", "tail\n"))).text, text + "tail\n");
  EXPECT_EQ(decode(capture(GetParam(), "")).text, "");
  EXPECT_FALSE(decode(capture(GetParam(), "")).error);
}

// The format has no end but the stream's: what is cut off between two blocks cannot be told from what is whole.
TEST_P(Avro, CutWithinABlockIsAnErrorAndGivesWhatCameBefore) {
  const std::string text = sample(12), stored = capture(GetParam(), text);
  std::size_t whole = 0;
  for (std::size_t cut = 4; cut < stored.size(); ++cut) {
    const Outcome o = decode(std::string_view(stored).substr(0, cut));
    EXPECT_TRUE(text.starts_with(o.text)) << o.text;
    whole += !o.error;
    EXPECT_TRUE(o.error || stored.substr(0, cut).ends_with(kSync));
  }
  EXPECT_EQ(whole, 3u);
  const auto most = decode(stored.substr(0, stored.size() - 40)).text.size();
  EXPECT_TRUE(GetParam() != std::string("null") || most > text.size() - 40) << most;
}

TEST_P(Avro, AFlippedBitIsNeverTheEndOfTheProgram) {
  const std::string stored = capture(GetParam(), sample(6));
  for (std::size_t bit = 32; bit < stored.size() * 8; ++bit) {
    std::string flipped = stored;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const Outcome o = decode(flipped);
    // Only snappy blocks have a checksum; what is around the records themselves counts for nothing.
    const bool checked = GetParam() == std::string("snappy") && bit / 8 > stored.find(kSync) + 20;
    EXPECT_TRUE(!checked || o.error || o.text == sample(6)) << bit;
  }
}

TEST(AvroSchema, IsReadFromTheFile) {
  const std::string schema =
      R"({"type":"record","name":"x.R","fields":[{"name":"Body","type":"bytes"},{"name":"e","type":{"type":"enum","name":"E","symbols":["A"]}},)"
      R"({"name":"f","type":{"type":"fixed","size":3,"name":"F"}},{"name":"again","type":["null","F",{"type":"array","items":"E"}]},)"
      R"({"name":"list","type":{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}},)"
      R"({"name":"t","type":{"type":"long","logicalType":"timestamp-millis"}},{"name":"b","type":"boolean"},{"name":"g","type":"float"}]})";
  const std::string record = counted("one") + number(0) + "fff" + number(2) + number(2) + number(0) + number(0) + number(0) + number(1) +
                             number(1) + number(0) + number(99) + "b" + "gggg";
  EXPECT_EQ(decode(container("null", schema) + block("null", 2, record + record)).text, "one\none\n");
  const Outcome more = decode(container("null", schema) + block("null", 1, record + record));
  EXPECT_EQ(more.text, "one\n");
  EXPECT_TRUE(more.error);
}

TEST(AvroBody, OfSeveralGzipMembersIsReadWhole) {
  const auto read = [](const std::string& body) { return decode(container("null", kCaptured) + block("null", 1, event(body))); };
  EXPECT_EQ(read(gzip("one\n") + gzip("two\n")).text, "one\ntwo\n");
  EXPECT_FALSE(read(gzip("one\n") + gzip("two\n") + std::string(3, '\0')).error);
  EXPECT_EQ(read(gzip("one\n") + "noise").text, "one\n");
  EXPECT_TRUE(read(gzip("one\n") + "noise").error);
}

TEST(AvroBody, BlocksOfNothingCountForWhatTheyDecodeTo) {
  constexpr std::size_t kNothing = 1 << 20;
  std::string stored = container("deflate", R"({"type":"record","name":"R","fields":[{"name":"Body","type":["null","bytes"]}]})");
  const std::string once = block("deflate", kNothing, std::string(kNothing, '\0'));
  for (int i = 0; i < 3; ++i) stored += once;
  DecodeLimits limits;
  limits.ratio_from = kNothing;
  const Outcome o = decode(stored, 512, 1 << 16, limits);
  ASSERT_TRUE(o.error);
  EXPECT_EQ(o.error->code, Errc::limit);
}

TEST(AvroSchema, HostileOnesEndSoon) {
  const auto fails = [](const std::string& stored) {
    const Outcome o = decode(stored);
    return o.error.has_value() && o.text.empty();
  };
  const auto body = [](std::string_view type) {
    return R"({"type":"record","name":"R","fields":[{"name":"x","type":)" + std::string(type) + R"(},{"name":"Body","type":"bytes"}]})";
  };
  const std::string endless = number(INT64_MAX) + std::string(100, '\0');
  EXPECT_TRUE(fails(container("null", body(R"({"type":"array","items":"null"})")) + block("null", 1, endless)));
  EXPECT_TRUE(fails(container("null", body(R"({"type":"array","items":{"type":"array","items":"null"}})")) + block("null", 1, endless)));
  EXPECT_TRUE(
      fails(container("null", body(R"({"type":"record","name":"L","fields":[{"name":"next","type":"L"}]})")) + block("null", 1, "x")));
  EXPECT_TRUE(fails(container("null", body("\"nobody\"")) + block("null", 1, "x")));
  EXPECT_TRUE(fails(container("null", R"({"type":"record","namespace":")" + std::string(2000, 'n') + R"(",)" + body("\"long\"").substr(1)) +
                    block("null", 1, number(1) + counted("b"))));
  std::string deep, wide = "[\"null\"";
  for (int i = 0; i < 10'000; ++i) deep += "[", wide += ",\"long\"";
  EXPECT_TRUE(fails(container("null", body(deep))));
  EXPECT_TRUE(fails(container("null", body(wide + "]"))));
  for (const std::int64_t size : {INT64_MAX, INT64_MIN, std::int64_t{-1}, std::int64_t{1} << 40})
    EXPECT_TRUE(fails(container("null", kCaptured.data()) + number(1) + number(size) + "x"));
  EXPECT_TRUE(fails(std::string("Obj\1", 4) + number(INT64_MIN) + number(5)));
  EXPECT_TRUE(
      fails(container("null", R"({"type":"record","name":"R","fields":[{"name":"Body","type":"null"}]})") + block("null", INT64_MAX, "")));
  EXPECT_TRUE(fails(container("null", kCaptured) + block("null", INT64_MAX, "")));
  // A snappy block that says it is larger than anything is.
  EXPECT_TRUE(
      fails(container("snappy", kCaptured) + number(1) + counted(std::string("\xff\xff\xff\xff\x0f\0\0\0\0\0", 10)) + std::string(kSync)));
  std::string bomb(65 << 20, ' ');
  EXPECT_TRUE(decode(container("deflate", kCaptured) + block("deflate", 1, event(bomb))).error);
}

TEST(Decode, LayersArePeeled) {
  const std::string text = sample(50);
  for (const std::size_t chunk : {1ul, 100'000ul}) {
    EXPECT_EQ(decode(gzip(gzip(text)), chunk).text, text);
    EXPECT_EQ(decode(gzip(zstd(text)), chunk).format, "gzip+zstd");
    EXPECT_EQ(decode(xz(gzip(zstd(text))), chunk).text, text);
    EXPECT_EQ(decode(gzip(zstd(gzip(gzip(text)))), chunk).text, gzip(text)) << "at most three";
  }
  EXPECT_EQ(decode(gzip(gzip(text)).substr(0, 60)).error->code, Errc::truncated);
}

// zlib's own encoder, asked for every optional field of the header.
TEST(Decode, EveryFieldOfAGzipHeaderIsPassedOver) {
  const std::string text = sample(20);
  z_stream s{};
  deflateInit2(&s, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
  std::string extra(3000, 'e'), name(2000, 'n'), comment(70'000, 'c');
  gz_header header{};
  header.extra = reinterpret_cast<Bytef*>(extra.data()), header.extra_len = static_cast<uInt>(extra.size());
  header.name = reinterpret_cast<Bytef*>(name.data()), header.comment = reinterpret_cast<Bytef*>(comment.data());
  header.hcrc = 1;
  deflateSetHeader(&s, &header);
  std::string stored(200'000, '\0');
  s.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data())), s.avail_in = static_cast<uInt>(text.size());
  s.next_out = reinterpret_cast<Bytef*>(stored.data()), s.avail_out = static_cast<uInt>(stored.size());
  ASSERT_EQ(deflate(&s, Z_FINISH), Z_STREAM_END);
  stored.resize(s.total_out);
  deflateEnd(&s);
  for (const std::size_t chunk : {1ul, 7ul, 4096ul, 1ul << 20}) {
    const Outcome o = decode(stored + stored, chunk);
    ASSERT_FALSE(o.error) << o.error->what;
    EXPECT_EQ(o.text, text + text);
  }
}

TEST(Decode, ThousandsOfMembersAreOneStream) {
  std::string stored, text;
  for (int i = 0; i < 3000; ++i) {
    const std::string line = "line " + std::to_string(i) + "\n";
    stored += gzip(line), text += line;
  }
  for (const std::size_t chunk : {1ul, 13ul, 4096ul, 1ul << 20}) EXPECT_EQ(decode(stored, chunk).text, text) << chunk;
}

TEST(Decode, FramesThatAreToBeSkippedAreSkipped) {
  const std::string text = sample(10), skipped("\x50\x2a\x4d\x18\x04\0\0\0abcd", 12), other("\x5e\x2a\x4d\x18\x02\0\0\0ab", 10);
  for (const std::size_t chunk : {1ul, 1000ul}) {
    const Outcome o = decode(skipped + zstd(text) + skipped + zstd(text) + other, chunk);
    ASSERT_FALSE(o.error) << o.error->what;
    EXPECT_EQ(o.text, text + text);
    EXPECT_EQ(o.format, "zstd");
    EXPECT_EQ(decode(lz4(text) + other + lz4(text), chunk).text, text + text);
  }
}

TEST(Decode, AWindowThatNeedsTooMuchMemoryIsRefused) {
  ZSTD_CCtx* c = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, 28);
  std::string stored(1000, '\0');
  ZSTD_inBuffer in{"hello", 5, 0};
  ZSTD_outBuffer out{stored.data(), stored.size(), 0};
  ASSERT_FALSE(ZSTD_isError(ZSTD_compressStream2(c, &out, &in, ZSTD_e_flush)));
  ASSERT_FALSE(ZSTD_isError(ZSTD_compressStream2(c, &out, &in, ZSTD_e_end)));
  stored.resize(out.pos);
  ZSTD_freeCCtx(c);
  const Outcome o = decode(stored);
  ASSERT_TRUE(o.error);
  EXPECT_EQ(o.error->code, Errc::limit) << o.error->what;
}

TEST(Decode, WhatALayerHoldsGoesOutBeforeTheErrorOfTheOneBelow) {
  const std::string text = sample(400);
  // The outer member is stored, not compressed, so that each of its bytes gives a byte of the inner one.
  z_stream s{};
  const std::string inner = gzip(text) + gzip("second member");
  deflateInit2(&s, 0, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
  std::string outer(deflateBound(&s, inner.size()) + 64, '\0');
  s.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(inner.data())), s.avail_in = static_cast<uInt>(inner.size());
  s.next_out = reinterpret_cast<Bytef*>(outer.data()), s.avail_out = static_cast<uInt>(outer.size());
  deflate(&s, Z_FINISH);
  outer.resize(s.total_out);
  deflateEnd(&s);
  for (const std::size_t chunk : {1ul, 100'000ul}) {
    const Outcome torn = decode(std::string_view(outer).substr(0, outer.size() - 4), chunk);
    EXPECT_EQ(torn.text, text + "second member");
    ASSERT_TRUE(torn.error);
    EXPECT_EQ(torn.error->code, Errc::truncated);
    // Too short for the next layer to know what it is.
    EXPECT_EQ(decode(std::string_view(gzip("abc")).substr(0, 20), chunk).text, "abc");
  }
}

TEST(Decode, ATruncatedStreamSaysHowFarItWasRead) {
  const std::string stored = gzip(sample(100));
  EXPECT_EQ(decode(stored.substr(0, stored.size() - 8)).error->what, "the gzip stream ends in the middle, after " +
                                                                         std::to_string(stored.size() - 8) + " bytes stored, " +
                                                                         std::to_string(sample(100).size()) + " decoded");
}

TEST(Decode, AChecksumThatDoesNotHoldCostsNothingThatWasDecoded) {
  const std::string text = sample(5000);
  const struct {
    std::string stored;
    std::size_t from_end;  // a byte of the checksum
  } kCases[] = {{gzip(text), 6}, {zstd(text), 2}, {lz4(text), 2}, {bzip2(text), 4}};
  for (const auto& c : kCases) {
    std::string damaged = c.stored;
    damaged[damaged.size() - c.from_end] ^= 1;
    for (const std::size_t chunk : {std::size_t{7}, damaged.size() + 1}) {
      for (const std::size_t out : {std::size_t{100}, std::size_t{1} << 20}) {
        const Outcome o = decode(damaged, chunk, out);
        ASSERT_TRUE(o.error) << o.format;
        EXPECT_EQ(o.error->code, Errc::corrupt) << o.format;
        EXPECT_TRUE(o.text == text) << o.format << ": " << o.text.size() << " of " << text.size() << " bytes";
      }
    }
  }
}

TEST(Decode, WhatComesOutBeforeABrokenPlaceIsOfTheStream) {
  // Deflate, RFC 1951: the text in stored blocks, then a block with a copy of 258 bytes from 32,768 before, which is too far in the short one; in the long one
  // a block of a type that there is not.
  const std::string header("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10), block("\0\xe8\x03\x17\xfc", 5), text = sample(100).substr(0, 1000);
  std::string long_text, long_stored = header;
  for (int i = 0; i < 80; ++i) long_text += text, long_stored += block + text;
  const struct {
    std::string text, stored;
  } kCases[] = {{text, header + block + text + "\x1b\xbd\xff\x1f"}, {long_text, long_stored + "\x07"}};
  for (const auto& c : kCases) {
    for (const std::size_t behind : {0ul, 500ul}) {
      for (const std::size_t chunk : {7ul, 5'000ul, 1'000'000ul}) {
        for (const std::size_t out : {std::size_t{100}, std::size_t{70'000}, std::size_t{1} << 20}) {
          if (chunk == 7 && c.text.size() > 1000) continue;
          const Outcome o = decode(c.stored + std::string(behind, '\xff'), chunk, out);
          ASSERT_TRUE(o.error);
          EXPECT_EQ(o.error->code, Errc::corrupt) << o.error->what;
          EXPECT_TRUE(c.text.starts_with(o.text));
          EXPECT_GE(o.text.size(), c.text.size() - 258);  // no more is held back than the longest copy
        }
      }
    }
  }
}

TEST(Decode, WhatIsNotCompressedPassesAsItStands) {
  for (const std::string& text : {std::string(), std::string("B"), std::string("BZ no"), std::string("BZhello, this is text"),
                                  std::string("("), std::string("PAR1...."), std::string("PK\x03\x04zip"), sample(5)}) {
    for (const std::size_t chunk : {1ul, 4096ul}) {
      const Outcome o = decode(text, chunk);
      EXPECT_FALSE(o.error);
      EXPECT_EQ(o.text, text);
      EXPECT_EQ(o.format, "none");
    }
  }
}

TEST(Decode, ABombIsStoppedByItsRatioAndByItsSize) {
  const std::string bomb = gzip(std::string(100 << 20, '\0'));
  DecodeLimits limits;
  EXPECT_EQ(decode(bomb, 1 << 20, 1 << 16, limits).error->code, Errc::limit);
  limits.max_ratio = 100'000;
  limits.max_decoded = 1 << 20;
  EXPECT_EQ(decode(bomb, 1 << 20, 1 << 16, limits).error->code, Errc::limit);
  limits.max_decoded = std::uint64_t{1} << 40;
  const Outcome cut = decode(bomb, 1 << 20, 1 << 16, {1 << 20, 100'000, std::uint64_t{64} << 20});
  EXPECT_EQ(cut.text.size(), std::size_t{1} << 20) << "what the limit allows is given";
  EXPECT_FALSE(decode(bomb, 1 << 20, 1 << 16, limits).error) << "limits are the user's to set";
}

// The inner member is followed by padding that gives nothing, however much of it there is.
TEST(Decode, ABombThatGivesNothingIsStoppedToo) {
  const std::string bomb = gzip(gzip("a") + std::string(200 << 20, '\0'));
  const Outcome o = decode(bomb);
  ASSERT_TRUE(o.error);
  EXPECT_EQ(o.error->code, Errc::limit);
  EXPECT_EQ(o.text, "a");
}

}  // namespace
