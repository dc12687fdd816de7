// Catalogues: what each engine is told of a small lake, to the letter, and what cannot be told.
#include "catalog/catalog.hpp"
#include "object_store/text.hpp"

#include <logmill/sdk/columns.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <filesystem>
#include <fstream>

namespace {

namespace fs = std::filesystem;
using lm::detail::SchemaOwner;
using testing::HasSubstr;

std::vector<ArrowSchema> columns(const std::string& kind) {
  const auto leaf = [](const char* format, const char* name, std::string metadata = {}) {
    ArrowSchema out{};
    SchemaOwner::make(&out, format, name, {}, false, std::move(metadata));
    return out;
  };
  if (kind == "other") return {leaf("l", "time")};
  ArrowSchema from{}, user{}, list{};
  SchemaOwner::make(&from, "+s", "from", {leaf("u", "ip"), leaf("i", kind == "tick" ? "it's `port`" : "it's port")});
  SchemaOwner::make(&user, "+s", "element", {leaf("u", "name"), leaf("g", "score")});
  SchemaOwner::make(&list, "+l", "users", {user});
  std::vector<ArrowSchema> out{leaf("tsm:UTC", "time"),
                               leaf("l", "count"),
                               leaf("b", "ok"),
                               from,
                               list,
                               leaf("u", "unmapped", SchemaOwner::encode_metadata({{"ARROW:extension:name", "arrow.json"}}))};
  if (kind == "more") out.push_back(leaf("u", "raw_data"));
  return out;
}

// A sink whose files are text: their content names their columns.
lm_status describe(std::uint32_t, lm_str path, lm_file_info* out, lm_error*) {
  std::ifstream file(std::string(path.data, path.size));
  std::string kind;
  file >> kind;
  if (kind == "bad") return LM_INVALID;
  SchemaOwner::make(&out->schema, "+s", "", columns(kind));
  out->rows = 3;
  return LM_OK;
}
constexpr lm_sink_describe kDescribe{sizeof(lm_sink_describe), 0, describe};

class CatalogTest : public testing::Test {
 protected:
  CatalogTest() : folder_(fs::temp_directory_path() / ("logmill-catalog-" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
    sink_.describe = &kDescribe;
  }
  ~CatalogTest() override { fs::remove_all(folder_); }

  void add(const std::string& name, const std::string& kind = "plain") {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << kind << "\n";
  }
  lm::Result<std::vector<lm::catalog::Table>> read() { return lm::catalog::read_lake(sink_, folder_); }
  std::vector<lm::catalog::Table> lake() {
    auto tables = read();
    EXPECT_TRUE(tables) << tables.error().what;
    return tables ? *tables : std::vector<lm::catalog::Table>();
  }
  void add_partitions() {
    add("flows/region=eu-1/accountId=01/eventDay=20260301/a.parquet");
    add("flows/region=%25it%27s/accountId=02/eventDay=20260304/b.parquet");
  }

  fs::path folder_;
  lm::SinkPlugin sink_;
};

// Without the first line, which has the version.
std::string body(const lm::Result<std::string>& text) {
  EXPECT_TRUE(text) << text.error().what;
  return text ? text->substr(text->find('\n') + 1) : "";
}

const lm::catalog::Where kBucket{"s3://acme-lake/o'csf", {}};

TEST_F(CatalogTest, TablesAreFoldersAndPartitionsTheKeysBelow) {
  add_partitions();
  add("ext/web/region=eu/x.parquet");
  add("flat/y.parquet");
  add("_iceberg/flat/z.parquet");
  add("flat/.y.parquet.unpublished");
  add("flat/_hidden.parquet", "bad");
  const auto tables = lake();
  ASSERT_EQ(tables.size(), 3u);
  EXPECT_EQ(tables[0].name, "web");
  EXPECT_EQ(tables[0].folder, "ext/web");
  EXPECT_TRUE(tables[1].keys.empty());
  EXPECT_EQ(tables[2].keys, (std::vector<std::string>{"region", "accountId", "eventDay"}));
  EXPECT_EQ(tables[2].files[1].values, (std::vector<std::string>{"eu-1", "01", "20260301"}));
  EXPECT_EQ(lm::store::percent_decode("%25it%27s%2", false), "%it's%2");
}

TEST_F(CatalogTest, ColumnsAreTheUnionOfWhatFilesHave) {
  add("t/a.parquet");
  add("t/b.parquet", "more");
  const auto tables = lake();
  ASSERT_EQ(tables.size(), 1u);
  EXPECT_FALSE(tables[0].uniform);
  EXPECT_EQ(tables[0].columns.back().name, "raw_data");
}

TEST_F(CatalogTest, FilesThatContradictEachOtherAreNamed) {
  add("t/a.parquet");
  add("t/b.parquet", "other");
  const auto types = read();
  ASSERT_FALSE(types);
  EXPECT_THAT(types.error().what, HasSubstr("t/b.parquet: the column 'time' has another type than in t/a.parquet"));
  fs::remove(folder_ / "t/b.parquet");
  add("t/region=eu/c.parquet");
  const auto keys = read();
  ASSERT_FALSE(keys);
  EXPECT_THAT(keys.error().what, HasSubstr("other keys than in t/a.parquet"));
}

TEST_F(CatalogTest, AKeyThatIsAColumnAFileThatIsNoneAndNoFilesAreRefused) {
  EXPECT_EQ(read().error().code, lm::Errc::not_found);
  add("t/time=1/a.parquet");
  EXPECT_THAT(read().error().what, HasSubstr("'time' is the name of another column"));
  add("t/time=1/a.parquet", "bad");
  EXPECT_THAT(read().error().what, HasSubstr("t/time=1/a.parquet: no reason given"));
}

TEST_F(CatalogTest, Athena) {
  add_partitions();
  EXPECT_EQ(body(lm::catalog::athena(lake(), kBucket)), R"(CREATE DATABASE IF NOT EXISTS `logmill`;

CREATE EXTERNAL TABLE IF NOT EXISTS `logmill`.`flows` (
  `time` timestamp,
  `count` bigint,
  `ok` boolean,
  `from` struct<`ip`:string,`it's port`:int>,
  `users` array<struct<`name`:string,`score`:double>>,
  `unmapped` string
)
PARTITIONED BY (`region` string, `accountid` string, `eventday` string)
STORED AS PARQUET
LOCATION 's3://acme-lake/o\'csf/flows/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.region.type' = 'enum',
  'projection.region.values' = '%25it%27s,eu-1',
  'projection.accountid.type' = 'enum',
  'projection.accountid.values' = '01,02',
  'projection.eventday.type' = 'date',
  'projection.eventday.format' = 'yyyyMMdd',
  'projection.eventday.range' = '20260301,20260304',
  'projection.eventday.interval' = '1',
  'projection.eventday.interval.unit' = 'DAYS',
  'storage.location.template' = 's3://acme-lake/o\'csf/flows/region=${region}/accountId=${accountid}/eventDay=${eventday}/'
);
)");
}

TEST_F(CatalogTest, AthenaListsNoValueThatAListCannotHold) {
  add("t/region=a,b/day=20260301/a.parquet");
  add("t/region=c/day=unknown/b.parquet");
  const std::string text = body(lm::catalog::athena(lake(), kBucket));
  EXPECT_THAT(text, HasSubstr("'projection.region.type' = 'injected'"));
  EXPECT_THAT(text, HasSubstr("'projection.day.values' = '20260301,unknown'"));
}

TEST_F(CatalogTest, Glue) {
  add("t/region=eu-1/a.parquet", "other");
  const auto text = lm::catalog::glue(lake(), {"s3://acme-lake", "db"});
  ASSERT_TRUE(text);
  EXPECT_EQ(
      *text,
      R"({"DatabaseName":"db","TableInput":{"Name":"t","TableType":"EXTERNAL_TABLE","Parameters":{"EXTERNAL":"TRUE","classification":"parquet",)"
      R"("projection.enabled":"true","projection.region.type":"enum","projection.region.values":"eu-1","storage.location.template":"s3://acme-lake/t/region=${region}/"},)"
      R"("PartitionKeys":[{"Name":"region","Type":"string"}],"StorageDescriptor":{"Location":"s3://acme-lake/t/",)"
      R"("InputFormat":"org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat","OutputFormat":"org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",)"
      R"("SerdeInfo":{"SerializationLibrary":"org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe","Parameters":{"serialization.format":"1"}},)"
      R"("Columns":[{"Name":"time","Type":"bigint"}]}}})"
      "\n");
  add("flows/x.parquet", "tick");
  const auto bad = lm::catalog::glue(lake(), kBucket);
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().what, HasSubstr("no struct can have the field 'it's `port`'"));
}

TEST_F(CatalogTest, DuckDB) {
  add_partitions();
  add("fl\"at/x.parquet");
  EXPECT_EQ(body(lm::catalog::duckdb(lake(), {"/la*ke's", "s"})), R"(CREATE SCHEMA IF NOT EXISTS "s";

CREATE OR REPLACE VIEW "s"."fl""at" AS
SELECT * FROM read_parquet('/la[*]ke''s/fl"at/*.parquet', union_by_name = false, hive_partitioning = false);

CREATE OR REPLACE VIEW "s"."flows" AS
SELECT * FROM read_parquet('/la[*]ke''s/flows/region=*/accountId=*/eventDay=*/*.parquet', union_by_name = false,
  hive_partitioning = true, hive_types = {'region': VARCHAR, 'accountId': VARCHAR, 'eventDay': VARCHAR});
)");
}

TEST_F(CatalogTest, Spark) {
  add_partitions();
  EXPECT_EQ(body(lm::catalog::spark(lake(), {"/lake's", {}})), R"(
CREATE OR REPLACE TEMPORARY VIEW `flows` (
  `time` TIMESTAMP,
  `count` BIGINT,
  `ok` BOOLEAN,
  `from` STRUCT<`ip`: STRING, `it's port`: INT>,
  `users` ARRAY<STRUCT<`name`: STRING, `score`: DOUBLE>>,
  `unmapped` STRING,
  `region` STRING,
  `accountId` STRING,
  `eventDay` STRING
) USING parquet OPTIONS (path '/lake\'s/flows');
)");
  EXPECT_THAT(lm::catalog::spark(lake(), {"/la*ke", {}}).error().what, HasSubstr("/la*ke/flows: Spark reads one of"));
}

TEST_F(CatalogTest, ClickHouse) {
  add("flows/region=eu-1/eventDay=20260301/a.parquet");
  EXPECT_EQ(body(lm::catalog::clickhouse(lake(), {"/lake's", {}})), R"(
CREATE OR REPLACE VIEW `flows` AS
SELECT *,
  decodeURLComponent(extract(_path, '/region=([^/]*)/eventDay=(?:[^/]*)/[^/]*$')) AS `region`,
  decodeURLComponent(extract(_path, '/eventDay=([^/]*)/[^/]*$')) AS `eventDay`
FROM file('/lake\'s/flows/region=*/eventDay=*/*.parquet', 'Parquet',
  '`time` Nullable(DateTime64(3, \'UTC\')), `count` Nullable(Int64), `ok` Nullable(Bool), `from` Tuple(`ip` Nullable(String), `it\'s port` Nullable(Int32)), `users` Array(Tuple(`name` Nullable(String), `score` Nullable(Float64))), `unmapped` Nullable(String)')
SETTINGS use_hive_partitioning = 0;
)");
}

}  // namespace
