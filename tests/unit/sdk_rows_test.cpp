// Rows of records that give many: what they share is looked up once.
#include <logmill/sdk.hpp>

#include <gtest/gtest.h>

namespace {

constexpr auto kTable = lm::table(lm::ocsf::v1_8::base_event, lm::profiles(),
                                  {{"activity_id"}, {"time"}, {"severity_id"}, {"message"}, {"status_code"}, {"metadata.product.name"}});
constexpr std::size_t kMessage = 3;

struct Filled {
  lm::Rows<kTable> rows;
  lm::Row<kTable> row() { return {rows.columns(), rows.columns().add_row(0)}; }
};

TEST(Rows, ATextThatWasLookedUpIsSetByItsCode) {
  Filled f;
  f.rows.columns().reserve(4);
  const lm::Code code = f.rows.code<"message">("shared"), none = f.rows.code<"message">(lm::Text());
  EXPECT_TRUE(f.row().set<"message">(code));
  EXPECT_TRUE(f.row().set<"message">("shared"));
  EXPECT_FALSE(f.row().set<"message">(none));
  EXPECT_TRUE(f.row().set<"message">("other"));
  EXPECT_TRUE(f.rows.columns().is_set(kMessage, 0));
  EXPECT_TRUE(f.rows.columns().is_set(kMessage, 1));
  EXPECT_FALSE(f.rows.columns().is_set(kMessage, 2));

  ArrowArray array{};
  std::uint64_t bytes = 0;
  f.rows.columns().export_rows(&array, &bytes);
  ASSERT_EQ(array.length, 4);
  for (std::int64_t i = 0; i < array.n_children; ++i) {
    const ArrowArray& child = *array.children[i];
    if (!child.dictionary || child.dictionary->length != 2) continue;
    const auto* codes = static_cast<const std::int32_t*>(child.buffers[1]);
    EXPECT_EQ(codes[0], codes[1]);
    EXPECT_NE(codes[0], codes[3]);
  }
  array.release(&array);
}

TEST(Rows, ACodeIsOfItsOwnColumn) {
  Filled f;
  f.rows.columns().reserve(1);
  EXPECT_EQ(f.rows.code<"status_code">("a").value, f.rows.code<"status_code">("a").value);
  EXPECT_NE(f.rows.code<"status_code">("a").value, f.rows.code<"status_code">("b").value);
  EXPECT_EQ(f.rows.code<"message">("b").value, 0);  // the first of another dictionary
}

}  // namespace
