// Decoding: what was compressed comes back whole or the object is said to be damaged; never silently less, never silently different.
#include "decode/decode.hpp"

#include <bzlib.h>
#include <gtest/gtest.h>
#include <lz4frame.h>
#include <lzma.h>
#include <random>
#include <zlib.h>
#include <zstd.h>

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

Outcome decode(std::string_view stored, std::size_t chunk = 1 << 20, std::size_t out_size = 1 << 16, DecodeLimits limits = {}) {
  auto decoder = make_object_decoder(limits);
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
                         testing::Values(Method{"gzip", gzip}, Method{"zstd", zstd}, Method{"bzip2", bzip2}, Method{"xz", xz}, Method{"lz4", lz4}),
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

TEST_P(EveryFormat, IsReadToTheEndOfItsLastMember) {
  const std::string text = sample(20), stored = GetParam().compress(text) + GetParam().compress("") + GetParam().compress("tail");
  for (const std::size_t chunk : {1ul, 1ul << 20}) EXPECT_EQ(decode(stored, chunk).text, text + "tail");
}

TEST_P(EveryFormat, CutAnywhereIsAnErrorAndNeverTheEnd) {
  const std::string text = sample(30), stored = GetParam().compress(text);
  for (std::size_t cut = 6; cut < stored.size(); ++cut) {
    const Outcome o = decode(std::string_view(stored).substr(0, cut));
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

TEST(Decode, WhatIsNotCompressedPassesAsItStands) {
  for (const std::string& text : {std::string(), std::string("B"), std::string("BZ no"), std::string("PAR1...."), sample(5)}) {
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
  EXPECT_FALSE(decode(bomb, 1 << 20, 1 << 16, limits).error) << "limits are the user's to set";
}

}  // namespace
