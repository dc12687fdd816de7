// Bodies of bulk requests, and answers of servers that are hostile, old or broken off.
#include "elastic/bulk.hpp"

#include <gtest/gtest.h>
#include <string>

namespace {

using namespace lm::sink;

Chunk three() {
  Chunk chunk(7);
  chunk.add("a-0", 1, R"({"x":1})");
  chunk.add("b-0", -2, R"({"x":"two"})");
  chunk.add("c-0", 3, R"({"x":3})");
  return chunk;
}

TEST(Bulk, ABodyHasTwoLinesForEachRowThatIsAskedFor) {
  const Chunk chunk = three();
  std::string scratch;
  EXPECT_EQ(chunk.body({0, 2}, 2, scratch),
            "{\"create\":{\"_id\":\"a-0\"}}\n{\"@timestamp\":1,\"x\":1}\n{\"create\":{\"_id\":\"c-0\"}}\n{\"@timestamp\":3,\"x\":3}\n");
  EXPECT_EQ(
      chunk.body({0, 1, 2}, 2, scratch),
      "{\"create\":{\"_id\":\"a-0\"}}\n{\"@timestamp\":1,\"x\":1}\n{\"create\":{\"_id\":\"b-0\"}}\n{\"@timestamp\":-2,\"x\":\"two\"}\n");
  EXPECT_EQ(chunk.body({0, 1, 2}, 3, scratch).size(), chunk.bytes());
  EXPECT_EQ(chunk.bytes(0) + chunk.bytes(1) + chunk.bytes(2), chunk.bytes());
  EXPECT_EQ(chunk.id(1), "b-0");
  EXPECT_EQ(chunk.row(1), R"({"@timestamp":-2,"x":"two"})");
}

constexpr std::string_view kAnswer =
    R"({"took":1,"errors":true,"items":[{"create":{"status":201}},{"create":{"status":409,"error":{"type":"version_conflict_engine_exception"}}},)"
    R"({"create":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"failed to parse field [x]","caused_by":{"type":"illegal_argument_exception","reason":"For input string: \"two\""}}}}]})";

TEST(Bulk, EveryItemHasItsOwnStatusAndReason) {
  const auto answers = parse_bulk_answer(kAnswer, 3);
  ASSERT_TRUE(answers);
  EXPECT_EQ((*answers)[0].status, 201);
  EXPECT_EQ((*answers)[1].status, 409);
  EXPECT_EQ((*answers)[2].status, 400);
  EXPECT_EQ((*answers)[2].why,
            "mapper_parsing_exception: failed to parse field [x], caused by illegal_argument_exception: For input string: \"two\"");
}

TEST(Bulk, AnAnswerThatIsNotWholeIsNone) {
  for (std::size_t n = 0; n < kAnswer.size(); ++n) EXPECT_FALSE(parse_bulk_answer(kAnswer.substr(0, n), 3)) << n;
  EXPECT_FALSE(parse_bulk_answer(kAnswer, 2));
  EXPECT_FALSE(parse_bulk_answer(kAnswer, 4));
  for (const char* const text :
       {"[]", "{}", "null", R"({"items":{}})", R"({"items":[1]})", R"({"items":[{}]})", R"({"items":[{"create":1}]})",
        R"({"items":[{"create":{}}]})", R"({"items":[{"create":{"status":"201"}}]})", R"({"items":[{"create":{"status":99}}]})",
        R"({"items":[{"create":{"status":4294967497}}]})", R"({"items":[{"index":{"status":201}}]})", R"({"errors":false})",
        "<html>gateway</html>"})
    EXPECT_FALSE(parse_bulk_answer(text, 1)) << text;
  EXPECT_FALSE(parse_bulk_answer(std::string(100'000, '['), 1));
}

TEST(Bulk, WhatAServerSaysIsOneShortLine) {
  EXPECT_EQ(reason_of(R"({"error":{"type":"security_exception","reason":"no\n\u001b[31mkey"},"status":401})"),
            "security_exception: no  [31mkey");
  EXPECT_EQ(reason_of(R"({"error":"no handler found"})"), "no handler found");
  EXPECT_EQ(reason_of(R"({"Message":"User is not authorized"})"), "User is not authorized");
  EXPECT_EQ(reason_of("<html>\r\n502"), "<html>  502");
  EXPECT_EQ(one_line("aäb", 2), "a...");
  EXPECT_LE(reason_of(std::string(1 << 20, 'x')).size(), 203u);
  std::string deep = R"({"type":"t","reason":"r"})";
  for (int i = 0; i < 100; ++i) deep = R"({"type":"t","reason":"r","caused_by":)" + deep + "}";
  EXPECT_LE(reason_of(R"({"error":)" + deep + "}").size(), 803u);
}

}  // namespace
