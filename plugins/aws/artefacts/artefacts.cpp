// Objects that lie among AWS's logs and hold no events: recognised, so that a run names them instead of failing them.
// Source: AWS, "Elastic Load Balancing User Guide", "Access logs"; "AWS Config Developer Guide", "Viewing compliance history", "Delivering configuration snapshots"; "Amazon S3 User
// Guide", "Locating your inventory list"; "AWS CloudTrail User Guide", "Validate CloudTrail Lake saved query results".
#include <logmill/sdk.hpp>

#include <algorithm>

namespace {

constexpr std::string_view name_of(std::string_view key) { return lm::after_last(key, '/'); }

}  // namespace

// Told by their names, and by being too short for a log: what stands in them differs from service to service.
struct DeliveryTest {
  static constexpr lm::Descriptor descriptor{.id = "aws.delivery_test",
                                             .title = "Test object of an AWS log delivery",
                                             .vendor = "AWS",
                                             .version = "1.1.0",
                                             .reads = "written to see whether the bucket takes logs, or that a job is done, no events",
                                             .framing = lm::Framing::lines,
                                             .kind = lm::Kind::set_aside};
  static int score(lm::Sample s) {
    constexpr std::string_view kNames[] = {"aws-logs-write-test", "ELBAccessLogTestFile", "ConfigWritabilityCheckFile", "_SUCCESS"};
    return s.whole && s.head.size() < 256 && std::find(std::begin(kNames), std::end(kNames), name_of(s.key)) != std::end(kNames) ? 100 : 0;
  }
};

struct ConfigItems {
  static constexpr lm::Descriptor descriptor{.id = "aws.config_snapshot",
                                             .title = "AWS Config snapshot or history",
                                             .vendor = "AWS",
                                             .version = "1.0.0",
                                             .reads = "configurations of resources, which are not read, no events",
                                             .framing = lm::Framing::json,
                                             .kind = lm::Kind::set_aside};
  static constexpr auto keys = lm::strings("AWSLogs/{account}/Config/{region}/**", "AWSLogs/{org}/{account}/Config/{region}/**");
  static int score(lm::Sample s) {
    const lm::json::Outline outline(s, "configurationItems");
    const bool item = outline.record("configurationItemStatus") || outline.record("configurationItemCaptureTime");
    return outline.document("fileVersion") && (item || outline.document("configSnapshotId") || outline.document("configurationItems")) ? 95
                                                                                                                                       : 0;
  }
};

struct S3Inventory {
  static constexpr lm::Descriptor descriptor{.id = "aws.s3_inventory",
                                             .title = "S3 Inventory manifest",
                                             .vendor = "AWS",
                                             .version = "1.0.0",
                                             .reads = "a list of the files of an inventory, no events",
                                             .framing = lm::Framing::json,
                                             .kind = lm::Kind::set_aside};
  static int score(lm::Sample s) {
    const lm::json::Outline outline(s);
    return outline.document("sourceBucket") && outline.document("destinationBucket") && outline.document("fileFormat") ? 95 : 0;
  }
};

struct LakeSignature {
  static constexpr lm::Descriptor descriptor{.id = "aws.cloudtrail_lake_signature",
                                             .title = "Signature of CloudTrail Lake query results",
                                             .vendor = "AWS",
                                             .version = "1.0.0",
                                             .reads = "hashes of result files, no events",
                                             .framing = lm::Framing::json,
                                             .kind = lm::Kind::set_aside};
  static int score(lm::Sample s) {
    const lm::json::Outline outline(s);
    return outline.document("hashSignature") && outline.document("publicKeyFingerprint") && outline.document("files") ? 95 : 0;
  }
};

LOGMILL_PARSERS(DeliveryTest, ConfigItems, S3Inventory, LakeSignature)
