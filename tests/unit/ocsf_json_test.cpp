// Events that are OCSF already: what the table has a column for goes there if it is valid, and everything else is left as it stands.
#include <logmill/sdk/ocsf_json.hpp>

#include <gtest/gtest.h>
#include <string>

namespace {

namespace ocsf = lm::ocsf::v1_8;

constexpr auto kTable = lm::table(ocsf::detection_finding, lm::profiles("cloud"),
                                  {{"activity_id"},
                                   {"time"},
                                   {"severity_id"},
                                   {"is_alert"},
                                   {"risk_score"},
                                   {"message"},
                                   {"unmapped"},
                                   {"cloud.provider"},
                                   {"finding_info.uid"},
                                   {"finding_info.types[]"},
                                   {"metadata.product.name"},
                                   {"metadata.log_version"},
                                   {"evidences[].src_endpoint.ip"},
                                   {"evidences[].src_endpoint.port"},
                                   {"evidences[].data"},
                                   {"remediation.desc"},
                                   {"remediation.references[]"}});
constexpr lm::ocsf_json::Renamed kRenamed[] = {{"metadata.version", "metadata.log_version"}};

struct Filled {
  lm::Rows<kTable> rows;
  std::string rest;

  bool has(std::string_view path) {
    for (std::size_t i = 0; i < kTable.columns.size(); ++i) {
      if (kTable.columns[i].path == path) return rows.columns().is_set(i, 0);
    }
    throw std::logic_error("no such column");
  }
};

void fill(Filled& out, std::string_view text) {
  auto event = lm::ocsf_json::Event::of<kTable>(kRenamed);
  lm::json::Reader reader;
  lm::json::ObjectWriter rest;
  ASSERT_TRUE(event.check(reader, text, [](std::string_view, lm::json::Value&) {})) << text;
  out.rows.columns().reserve(1);
  out.rows.columns().add_row(0);
  event.fill(out.rows, rest, [](std::string_view key, const lm::ocsf_json::Seen&) { return key == "class_uid"; });
  out.rest = std::string(rest.finish());
}

void expect_rest(std::string_view text, std::string_view rest) {
  Filled filled;
  fill(filled, text);
  EXPECT_EQ(filled.rest, rest) << text;
}

TEST(OcsfJson, WhatHasAColumnGoesThere) {
  Filled f;
  fill(f, R"({"class_uid":2004,"activity_id":1,"time":1772323200000,"severity_id":4,"is_alert":true,"cloud":{"provider":"AWS"},
              "finding_info":{"uid":"f","types":["a","b"]},"metadata":{"product":{"name":"p"},"version":"1.6.0"},
              "evidences":[{"src_endpoint":{"ip":"192.0.2.1","port":22},"data":{"a":[1]}}],"remediation":{"desc":"d","references":[]}})");
  EXPECT_EQ(f.rest, "");
  for (const std::string_view path : {"activity_id", "time", "severity_id", "is_alert", "cloud.provider", "finding_info.uid",
                                      "metadata.product.name", "metadata.log_version", "remediation.desc"})
    EXPECT_TRUE(f.has(path)) << path;
  EXPECT_FALSE(f.has("message"));
}

TEST(OcsfJson, WhatHasNoneIsLeftUnderItsNesting) {
  expect_rest(R"({"new":1,"cloud":{"provider":"AWS","zone":"z"},"unmapped":{"their":"own"},"none":null,"empty":{}})",
              R"({"new":1,"cloud":{"zone":"z"},"unmapped":{"their":"own"}})");
}

TEST(OcsfJson, ObjectsThatLackWhatOcsfRequiresAreLeftWhole) {
  expect_rest(R"({"remediation":{"references":["u"]}})", R"({"remediation":{"references":["u"]}})");
  expect_rest(R"({"cloud":{"zone":"z"}})", R"({"cloud":{"zone":"z"}})");
  expect_rest(R"({"finding_info":{"types":["a"],"uid":5}})", R"({"finding_info":{"types":["a"],"uid":5}})");
  expect_rest(R"({"evidences":[{"src_endpoint":{"port":22}}]})", R"({"evidences":[{"src_endpoint":{"port":22}}]})");
}

TEST(OcsfJson, AListIsLeftWholeBesideWhatWasTaken) {
  Filled f;
  fill(f, R"({"finding_info":{"uid":"f","types":["a",5,"b"]}})");
  EXPECT_EQ(f.rest, R"({"finding_info":{"types":["a",5,"b"]}})");
  EXPECT_TRUE(f.has("finding_info.uid"));
  expect_rest(R"({"evidences":[{"src_endpoint":{"ip":"192.0.2.1"}},7]})", R"({"evidences":[{"src_endpoint":{"ip":"192.0.2.1"}},7]})");
  expect_rest(R"({"evidences":{"src_endpoint":{"ip":"192.0.2.1"}}})", R"({"evidences":{"src_endpoint":{"ip":"192.0.2.1"}}})");
}

TEST(OcsfJson, ValuesThatDoNotFitAreLeft) {
  for (const std::string_view odd : {R"({"severity_id":"4"})", R"({"risk_score":99999999999})", R"({"is_alert":"true"})",
                                     R"({"message":5})", R"({"time":5})", R"({"time":"2026-03-01T00:00:00Z"})", R"({"cloud":"AWS"})"})
    expect_rest(odd, odd);
  expect_rest(R"({"evidences":[{"src_endpoint":{"ip":"192.0.2.1","port":70000}}]})",
              R"({"evidences":[{"src_endpoint":{"ip":"192.0.2.1","port":70000}}]})");
}

TEST(OcsfJson, AnUnknownMemberOfAnEnumIsOther) {
  Filled f;
  fill(f, R"({"severity_id":42})");
  EXPECT_EQ(f.rest, R"({"severity_id":42})");
  EXPECT_TRUE(f.has("severity_id"));
}

TEST(OcsfJson, ADatetimeStandsForItsTimestamp) {
  for (const std::string_view same :
       {R"({"time_dt":"2026-03-01T00:00:00Z"})", R"({"time":1772323200123,"time_dt":"2026-03-01T00:00:00.123Z"})",
        R"({"time_dt":"2026-03-01T00:00:00.123Z","time":1772323200123})"}) {
    Filled f;
    fill(f, same);
    EXPECT_EQ(f.rest, "") << same;
    EXPECT_TRUE(f.has("time")) << same;
  }
  expect_rest(R"({"time_dt":"2026-03-01T02:00:00+02:00"})", R"({"time_dt":"2026-03-01T02:00:00+02:00"})");
  expect_rest(R"({"time_dt":"2026-03-01T00:00:00.123456Z"})", R"({"time_dt":"2026-03-01T00:00:00.123456Z"})");
  expect_rest(R"({"time":1772323200123,"time_dt":"2026-03-02T00:00:00Z"})", R"({"time_dt":"2026-03-02T00:00:00Z"})");
  expect_rest(R"({"time_dt":"yesterday"})", R"({"time_dt":"yesterday"})");
  expect_rest(R"({"message_dt":"2026-03-01T00:00:00Z"})", R"({"message_dt":"2026-03-01T00:00:00Z"})");
}

TEST(OcsfJson, OfWhatComesTwiceTheFirstHolds) {
  expect_rest(R"({"message":"a","message":"b","severity_id":1,"severity_id":2})", R"({"message":"b","severity_id":2})");
  expect_rest(R"({"metadata":{"product":{"name":"p"},"log_version":"own","version":"1.6.0"}})", R"({"metadata":{"version":"1.6.0"}})");
}

}  // namespace
