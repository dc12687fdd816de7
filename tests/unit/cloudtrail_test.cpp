// What aws.cloudtrail makes of records: callers, classes, values of the wrong type, what the key says, duplicate keys, and what is set aside.
#include "parser_harness.hpp"

#include <gtest/gtest.h>

extern "C" const lm_entry logmill_entry;  // of the plugin that is linked in

namespace {

using lm::testing::Blocks;
using lm::testing::content;
using lm::testing::difference;
using lm::testing::Harness;
using lm::testing::Outcome;

constexpr std::string_view kKey =
    "AWSLogs/o-example/111122223333/CloudTrail/eu-central-1/2026/03/01/111122223333_CloudTrail_eu-central-1_20260301T1205Z_x.json.gz";

Outcome read(std::string_view text, std::string_view key = "object") {
  Harness harness(logmill_entry, "aws.cloudtrail");
  Blocks blocks(harness);
  blocks.add(text, key);
  return harness.run(blocks);
}

// A record with the members that `more` adds or, where a member has the same name, puts in the place of the usual one. `more` is JSON without its braces.
std::string record(std::string_view more = "") {
  constexpr std::pair<std::string_view, std::string_view> kUsual[] = {
      {"eventVersion", R"("1.09")"},
      {"userIdentity",
       R"({"type":"IAMUser","principalId":"AIDAEXAMPLE","arn":"arn:aws:iam::111122223333:user/alice","accountId":"111122223333","userName":"alice"})"},
      {"eventTime", R"("2026-03-01T12:00:00Z")"},
      {"eventSource", R"("ec2.amazonaws.com")"},
      {"eventName", R"("RunInstances")"},
      {"awsRegion", R"("eu-central-1")"},
      {"sourceIPAddress", R"("192.0.2.1")"},
      {"requestID", R"("r-1")"},
      {"eventID", R"("e-1")"},
      {"eventType", R"("AwsApiCall")"},
      {"recipientAccountId", R"("111122223333")"},
  };
  std::string out = "{";
  for (const auto& [key, value] : kUsual) {
    const std::string name = std::string(1, '"').append(key).append("\":");
    if (more.find(name) == more.npos) out.append(name).append(value).append(",");
  }
  if (more.empty()) out.pop_back();
  return out.append(more).append("}");
}

void expect_event(std::string_view text, std::string_view wanted, std::string_view key = "object") {
  const Outcome out = read(text, key);
  ASSERT_EQ(out.events.size(), 1u) << text << (out.rejects.empty() ? "" : out.rejects[0].why);
  EXPECT_EQ(difference(wanted, out.events[0].json), "") << text << "\n" << out.events[0].json;
}

void expect_reject(std::string_view text, std::uint32_t code, std::string_view why, std::string_view key = "object") {
  const Outcome out = read(text, key);
  EXPECT_TRUE(out.events.empty()) << text;
  ASSERT_EQ(out.rejects.size(), 1u) << text;
  EXPECT_EQ(out.rejects[0].code, code) << text;
  EXPECT_EQ(out.rejects[0].why, why) << text;
}

// ---- Callers ----

TEST(CloudTrail, EveryTypeOfCallerHasItsNameItsIdAndItsType) {
  const struct {
    std::string_view identity, actor;
  } kCases[] = {
      {R"({"type":"Root","principalId":"111122223333","arn":"arn:aws:iam::111122223333:root","accountId":"111122223333"})",
       R"({"user":{"name":"root","type":"Root","type_id":2,"uid":"arn:aws:iam::111122223333:root","uid_alt":"111122223333","account":{"uid":"111122223333","type_id":10}}})"},
      {R"({"type":"Root","userName":"my-alias","principalId":"111122223333","accountId":"111122223333","accessKeyId":""})",
       R"({"user":{"name":"my-alias","type_id":2,"uid":"111122223333","uid_alt":null,"programmatic_credentials":null}})"},
      {R"({"type":"IAMUser","userName":"J\u00f6rg M","principalId":"AIDAX","arn":"arn:aws:iam::111122223333:user/x/j","accountId":"111122223333","accessKeyId":"AKIAX",
           "sessionContext":{"attributes":{"creationDate":"20260301T110000Z","mfaAuthenticated":"false"}}})",
       "{\"user\":{\"name\":\"J\xc3\xb6rg "
       "M\",\"type_id\":1,\"uid_alt\":\"AIDAX\",\"programmatic_credentials\":[{\"uid\":\"AKIAX\",\"type\":\"AWS access key\"}]},"
       "\"session\":{\"created_time\":1772362800000,\"is_mfa\":false}}"},
      {R"({"type":"AssumedRole","principalId":"AROAX:j.doe@example.com","arn":"arn:aws:sts::111122223333:assumed-role/Admin/j.doe@example.com","accountId":"111122223333",
           "sessionContext":{"sessionIssuer":{"type":"Role","arn":"arn:aws:iam::111122223333:role/Admin"},"signInSessionArn":"arn:aws:signin:s","webIdFederationData":{}}})",
       R"({"user":{"name":"j.doe@example.com","type_id":99,"type":"AssumedRole"},"session":{"issuer":"arn:aws:iam::111122223333:role/Admin","uid":"arn:aws:signin:s","is_mfa":null}})"},
      {R"({"type":"AssumedRole","principalId":"AROAX:","arn":"arn:aws:sts::111122223333:assumed-role/Admin/last"})",
       R"({"user":{"name":"last"}})"},
      {R"({"type":"Role","arn":"arn:aws:iam::111122223333:role/path/Audit"})", R"({"user":{"name":"Audit","type_id":99}})"},
      {R"({"type":"FederatedUser","principalId":"111122223333:fed","arn":"arn:aws:sts::111122223333:federated-user/fed"})",
       R"({"user":{"name":"fed","type_id":1}})"},
      {R"({"type":"SAMLUser","principalId":"q:s","userName":"s@example.com","identityProvider":"q"})",
       R"({"user":{"name":"s@example.com","type_id":1,"uid":"q:s"},"idp":{"name":"q"}})"},
      {R"({"type":"WebIdentityUser","principalId":"issuer:app:u","userName":"u","sessionContext":{"webIdFederationData":{"federatedProvider":"issuer"}}})",
       R"({"user":{"name":"u","type_id":1},"idp":{"name":"issuer"}})"},
      {R"({"type":"IdentityCenterUser","accountId":"111122223333","onBehalfOf":{"userId":"u-1","identityStoreArn":"arn:aws:identitystore::111122223333:identitystore/d-1"},"credentialId":"c-1"})",
       R"({"user":{"name":null,"type_id":1,"uid":"u-1"},"idp":{"uid":"arn:aws:identitystore::111122223333:identitystore/d-1"},"session":{"credential_uid":"c-1"}})"},
      {R"({"type":"Directory","userName":"d"})", R"({"user":{"name":"d","type_id":1}})"},
      {R"({"type":"AWSAccount","principalId":"AIDAO","accountId":"444455556666"})",
       R"({"user":{"name":null,"type_id":99,"uid":"AIDAO","account":{"uid":"444455556666"}}})"},
      {R"({"type":"AWSService","invokedBy":"events.amazonaws.com"})",
       R"({"user":{"name":"events.amazonaws.com","type_id":4},"app_name":"events.amazonaws.com"})"},
      {R"({"type":"Unknown","principalId":"p"})", R"({"user":{"type":"Unknown","type_id":0,"uid":"p"}})"},
      {R"({"type":"Martian","principalId":"p"})", R"({"user":{"type":"Martian","type_id":99}})"},
      {R"({"accountId":"111122223333","invokedBy":"ec2.amazonaws.com"})",
       R"({"user":{"type":"Service","type_id":4},"app_name":"ec2.amazonaws.com"})"},
      {R"({"type":"Unknown"})", R"({"user":null,"app_name":"ec2.amazonaws.com"})"},
      {"{}", R"({"user":null,"app_name":"ec2.amazonaws.com"})"},
      {"null", R"({"user":null,"app_name":"ec2.amazonaws.com"})"},
  };
  for (const auto& c : kCases)
    expect_event(record("\"userIdentity\":" + std::string(c.identity)), "{\"actor\":" + std::string(c.actor) + "}");
}

TEST(CloudTrail, WhatACallerHasBeyondOcsfStaysUnderItsNesting) {
  expect_event(
      record(
          R"("userIdentity":{"type":"AssumedRole","principalId":"A:s","arn":"arn:aws:sts::1:assumed-role/r/s","inScopeOf":{"sourceArn":"a"},"invokedByDelegate":{"accountId":"1"},
    "onBehalfOf":{"userId":"u","more":1},"sessionContext":{"sourceIdentity":"sid","ec2RoleDelivery":"2.0","assumedRoot":"true","attributes":{"creationDate":"never","mfaAuthenticated":"maybe","x":1},
    "sessionIssuer":{"type":"Role","userName":"r","arn":"arn:aws:iam::1:role/r"},"webIdFederationData":{"federatedProvider":"p","attributes":{"k":"v"}},"later":[1]}})"),
      R"({"actor":{"session":{"created_time":null,"is_mfa":null,"issuer":"arn:aws:iam::1:role/r"},"idp":{"name":"p"}},
    "unmapped":{"userIdentity":{"inScopeOf":{"sourceArn":"a"},"invokedByDelegate":{"accountId":"1"},"onBehalfOf":{"more":1},"onBehalfOf.userId":"u",
    "sessionContext":{"sourceIdentity":"sid","ec2RoleDelivery":"2.0","assumedRoot":"true","attributes":{"creationDate":"never","mfaAuthenticated":"maybe","x":1},
    "sessionIssuer":{"type":"Role","userName":"r","arn":null},"webIdFederationData":{"federatedProvider":"p","attributes":{"k":"v"}},"later":[1]}}}})");
}

TEST(CloudTrail, AKeyOfNobodyIsNoUser) {
  for (const std::string_view class_of :
       {R"("eventName":"RunInstances")", R"("eventSource":"iam.amazonaws.com","eventName":"ChangePassword")"})
    expect_event(record(std::string(class_of) + R"(,"userIdentity":{"type":"IAMUser","accessKeyId":"AKIAX"})"),
                 R"({"actor":{"user":null},"unmapped":{"userIdentity":{"type":"IAMUser","accessKeyId":"AKIAX"}}})");
  // Classes that need a user have one all the same.
  for (const std::string_view class_of : {R"("eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin")",
                                          R"("eventSource":"sts.amazonaws.com","eventName":"AssumeRole")",
                                          R"("eventSource":"iam.amazonaws.com","eventName":"ChangePassword")"})
    expect_event(record(std::string(class_of) + R"(,"recipientAccountId":null,"userIdentity":{"type":"IAMUser","accessKeyId":"AKIAX"})"),
                 R"({"user":{"name":"unknown","type":"IAMUser","account":null},"unmapped":{"userIdentity":{"accessKeyId":"AKIAX"}}})");
  expect_event(record(R"("userIdentity":{"accountId":"111122223333","accessKeyId":"AKIAX"})"),
               R"({"actor":{"user":{"account":{"uid":"111122223333"},"programmatic_credentials":[{"uid":"AKIAX"}]}},"unmapped":null})");
}

// As Athena and Trino export them.
TEST(CloudTrail, NamesInLowerCaseAreReadAsTheOthersAre) {
  const std::string record =
      R"({"eventVersion":"1.09","userIdentity":{"type":"AssumedRole","principalId":"AROAX:s","arn":"arn:aws:sts::111122223333:assumed-role/R/s",
    "accountId":"111122223333","accessKeyId":"ASIAX","userName":"u","invokedBy":"i.amazonaws.com","credentialId":"c","identityProvider":"p","inScopeOf":{"sourceArn":"a"},
    "onBehalfOf":{"userId":"o","identityStoreArn":"arn:aws:identitystore::111122223333:identitystore/d-1"},
    "sessionContext":{"attributes":{"creationDate":"2026-03-01T11:00:00Z","mfaAuthenticated":"true"},"signInSessionArn":"arn:aws:signin:s","sourceIdentity":"sid",
      "sessionIssuer":{"type":"Role","principalId":"AROAX","arn":"arn:aws:iam::111122223333:role/R","accountId":"111122223333","userName":"R"},
      "webIdFederationData":{"federatedProvider":"f","attributes":{"k":"v"}},"ec2RoleDelivery":"2.0","assumedRoot":"true"}},
    "eventTime":"2026-03-01T12:00:00Z","eventSource":"ec2.amazonaws.com","eventName":"RunInstances","awsRegion":"eu-central-1","sourceIPAddress":"192.0.2.1","requestID":"r-1",
    "eventID":"e-1","resources":[{"ARN":"arn:aws:ec2:eu-central-1:111122223333:instance/i-1","accountId":"111122223333","type":"AWS::EC2::Instance"}],
    "tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"c","clientProvidedHostHeader":"h.example.com"},"addendum":{"reason":"UPDATED_DATA","originalEventID":"e-0"}})";
  std::string lower;
  bool name = false;
  for (std::size_t i = 0; i < record.size(); ++i) {
    if (record[i] == '"' && !(name = !name && (record[i - 1] == '{' || record[i - 1] == ',' || record[i - 1] == ' '))) name = false;
    lower.push_back(name ? lm::lower(record[i]) : record[i]);
  }
  const Outcome as_it_is = read(record), in_lower_case = read(lower);
  ASSERT_EQ(as_it_is.events.size(), 1u);
  ASSERT_EQ(in_lower_case.events.size(), 1u) << lower;
  EXPECT_TRUE(as_it_is.drift.empty());
  EXPECT_TRUE(in_lower_case.drift.empty());
  const auto mapped = [](const Outcome& out) {
    const std::string json = content(out.events[0].json);
    return json.substr(0, json.find("\nunmapped="));
  };
  EXPECT_EQ(mapped(in_lower_case), mapped(as_it_is));
  EXPECT_EQ(
      difference(
          R"({"actor":{"user":{"name":"u","programmatic_credentials":[{"uid":"ASIAX"}]},"session":{"is_mfa":true,"issuer":"arn:aws:iam::111122223333:role/R"}},
    "unmapped":{"tlsdetails":{"tlsversion":"TLSv1.3","ciphersuite":"c"},"userIdentity":{"inscopeof":{"sourcearn":"a"},"onBehalfOf.userId":"o",
      "sessioncontext":{"sourceidentity":"sid","sessionissuer":{"type":"Role","username":"R","arn":null},"attributes":null}}}})",
          in_lower_case.events[0].json),
      "");
}

TEST(CloudTrail, HiddenNamesAreNoNames) {
  expect_event(record(R"("userIdentity":{"type":"IAMUser","accountId":"111122223333","userName":"HIDDEN_DUE_TO_SECURITY_REASONS"})"),
               R"({"actor":{"user":{"name":null}},"unmapped":{"userIdentity":{"userName":"HIDDEN_DUE_TO_SECURITY_REASONS"}}})");
}

// ---- Kinds of events ----

TEST(CloudTrail, KindsOfEventsAreNamedByTheirCategory) {
  expect_event(record(R"("eventCategory":"Management","managementEvent":true)"),
               R"({"class_uid":6003,"metadata":{"product":{"feature":{"name":"Management"}}},"unmapped":{"managementEvent":true}})");
  expect_event(
      record(),
      R"({"metadata":{"product":{"name":"CloudTrail","vendor_name":"AWS","feature":{"name":"Management"}},"log_provider":"CloudTrail","profiles":["cloud"]}})");
  expect_event(
      record(
          R"("eventCategory":"NetworkActivity","eventType":"AwsVpceEvent","eventSource":"kms.amazonaws.com","eventName":"Decrypt","vpcEndpointId":"vpce-1","vpcEndpointAccountId":"444455556666",
    "userIdentity":{"type":"AWSAccount","principalId":"AIDAO","accountId":"444455556666"},"errorCode":"VpceAccessDenied","errorMessage":"denied by the policy of the endpoint")"),
      R"({"class_uid":6003,"activity_id":2,"status_id":2,"status_code":"VpceAccessDenied","src_endpoint":{"uid":"vpce-1"},"metadata":{"type":"AwsVpceEvent","product":{"feature":{"name":"NetworkActivity"}}},
                   "unmapped":{"vpcEndpointAccountId":"444455556666"}})");
  expect_event(record(R"("vpcEndpointId":"AWS Internal")"), R"({"src_endpoint":{"uid":null},"unmapped":{"vpcEndpointId":"AWS Internal"}})");
}

TEST(CloudTrail, DataEventsOfS3NameTheirBucketAndObject) {
  const std::string data = R"("eventSource":"s3.amazonaws.com","eventName":"GetObject","eventCategory":"Data",)";
  expect_event(
      record(data + R"("requestParameters":{"bucketName":"b","key":"a/k"})"),
      R"({"activity_id":2,"resources":[{"uid":"arn:aws:s3:::b","name":"b","type":"AWS::S3::Bucket"},{"uid":"arn:aws:s3:::b/a/k","name":"a/k","type":"AWS::S3::Object"}]})");
  expect_event(
      record(data + R"("requestParameters":{"bucketName":"b"},"userIdentity":{"type":"IAMUser","arn":"arn:aws-cn:iam::1:user/x"})"),
      R"({"cloud":{"cloud_partition":"aws-cn"},"resources":[{"uid":"arn:aws-cn:s3:::b"}]})");
  for (const std::string_view none : {R"("requestParameters":{"bucketName":5})", R"("requestParameters":"bucketName")",
                                      R"("requestParameters":null)", R"("requestParameters":[1])"})
    expect_event(record(data + std::string(none)), R"({"resources":null})");
  expect_event(record(data + R"("requestParameters":{"bucketName":"b"},"resources":[])"),
               R"({"resources":null,"unmapped":{"resources":[]}})");
}

TEST(CloudTrail, ResourcesThatSayMoreThanOcsfAreKeptWhole) {
  expect_event(
      record(
          R"("resources":[{"arn":"arn:aws:kms:eu-west-1:1:key/k","accountID":"444455556666"},{"ARNPrefix":"arn:aws:s3:::b/"},{"type":"AWS::X::Y"}])"),
      R"({"resources":[{"uid":"arn:aws:kms:eu-west-1:1:key/k","name":"k","region":"eu-west-1","owner":{"account":{"uid":"444455556666"}}},{"uid":"arn:aws:s3:::b/","name":"b"},{"type":"AWS::X::Y","uid":null}],"unmapped":null})");
  for (const std::string_view odd : {R"([{"ARN":"a","extra":1}])", R"([5])", R"({"ARN":"a"})", R"("text")", R"([{"ARN":5}])",
                                     R"([{"ARN":"a","ARNPrefix":"b"}])", R"([{"ARN":"a","arn":"b"}])", R"([{"ARN":"a"},{}])", R"([])"})
    expect_event(record("\"resources\":" + std::string(odd)), "{\"unmapped\":{\"resources\":" + std::string(odd) + "}}");
  expect_event(record(R"("resources":null)"), R"({"resources":null,"unmapped":null})");
}

TEST(CloudTrail, InsightsBeginAndEndAFinding) {
  const std::string head =
      R"({"eventVersion":"1.08","eventTime":"2026-03-01T12:10:00Z","awsRegion":"us-east-1","eventID":"i-1","eventType":"AwsCloudTrailInsight","recipientAccountId":"111122223333",)";
  expect_event(
      head +
          R"("sharedEventID":"s-1","eventCategory":"Insight","insightDetails":{"state":"End","eventSource":"ec2.amazonaws.com","eventName":"RunInstances","insightType":"ApiErrorRateInsight",
    "errorCode":"Client.X","insightContext":{"statistics":{"baseline":{"average":9.8E-5},"insight":{"average":5.0},"insightDuration":1},
    "attributions":[{"attribute":"userIdentityArn","insight":[{"value":"arn:u1","average":1},{"value":"null","average":2},{"value":"arn:u2"}],"baseline":[{"value":"arn:u3"}]},
                    {"attribute":"resourceArn","insight":[{"value":"arn:r"}]},{"attribute":"userAgent","insight":[{"value":"x"}]}]}}})",
      R"({"class_uid":2004,"type_uid":200403,"activity_id":3,"status_id":4,"severity_id":3,"is_alert":true,"time":1772367000000,
    "finding_info":{"uid":"s-1","title":"ApiErrorRateInsight: RunInstances","types":["ApiErrorRateInsight"],"analytic":{"type_id":3,"name":"ApiErrorRateInsight"},"first_seen_time":null},
    "anomaly_analyses":[{"analysis_targets":[{"name":"ec2.amazonaws.com","type":"service"},{"name":"RunInstances","type":"api"}],
      "anomalies":[{"observation_parameter":"errors per minute","observations":[{"value":"5.0"}]}],"baselines":[{"observation_parameter":"errors per minute","observations":[{"value":"9.8E-5"}]}]}],
    "evidences":[{"api":{"operation":"RunInstances","service":{"name":"ec2.amazonaws.com"}},"actor":{"user":{"uid":"arn:u1"}}},{"actor":{"user":{"uid":"arn:u2"}}}],
    "resources":[{"uid":"arn:r"}],"unmapped":{"insightDetails":{"state":"End","errorCode":"Client.X"}}})");
  expect_event(
      head + R"("eventCategory":"Insight","insightDetails":{"state":"Start"}})",
      R"({"activity_id":1,"status_id":1,"finding_info":{"uid":"i-1","title":"Insight","types":null,"first_seen_time":1772367000000},"anomaly_analyses":null,"evidences":null})");
  // OCSF has no analysis without an anomaly.
  const std::string_view no_average =
      R"({"state":"Start","eventSource":"ec2.amazonaws.com","eventName":"RunInstances","insightContext":{"statistics":{"baseline":{"average":1.5},"insight":{}}}})";
  expect_event(head + R"("eventCategory":"Insight","insightDetails":)" + std::string(no_average) + "}",
               R"({"anomaly_analyses":null,"evidences":[{"api":{"operation":"RunInstances"}}],"unmapped":{"insightDetails":)" +
                   std::string(no_average) + "}}");
  for (const std::string_view odd : {R"("text")", "5", "[1]", R"({"insightContext":[{"statistics":1}]})",
                                     R"({"state":1,"insightContext":{"statistics":{"insight":{"average":"5"}},"attributions":{"a":1}}})"})
    expect_event(head + R"("insightDetails":)" + std::string(odd) + "}",
                 "{\"class_uid\":2004,\"activity_id\":1,\"unmapped\":{\"insightDetails\":" + std::string(odd) + "}}");
}

TEST(CloudTrail, EventsThatAreNoCallsKeepWhatTheyHaveOfOne) {
  const std::string rest =
      R"("userIdentity":{"type":"IAMUser","userName":"alice","arn":"arn:aws:iam::1:user/alice","odd":1},"sourceIPAddress":"192.0.2.1","userAgent":"a","errorCode":"e","errorMessage":"m",
    "requestParameters":{"p":1},"responseElements":{"q":1},"requestID":"r","apiVersion":"v","vpcEndpointId":"vpce-1","resources":[1],"tlsDetails":{"clientProvidedHostHeader":"h","tlsVersion":"t"})";
  const std::string_view kept =
      R"({"userIdentity":{"type":"IAMUser","userName":"alice","arn":"arn:aws:iam::1:user/alice","odd":1},"sourceIPAddress":"192.0.2.1","userAgent":"a","errorCode":"e","errorMessage":"m",
    "requestParameters":{"p":1},"responseElements":{"q":1},"requestID":"r","apiVersion":"v","vpcEndpointId":"vpce-1","resources":[1],"tlsDetails":{"tlsVersion":"t","clientProvidedHostHeader":"h"}})";
  expect_event(R"({"eventTime":"2026-03-01T12:10:00Z","insightDetails":{"state":"Start"},)" + rest + "}",
               "{\"class_uid\":2004,\"unmapped\":" + std::string(kept) + "}");
  expect_event(R"({"eventTime":"2026-03-01T12:10:00Z","eventType":"AwsAggregatedEvent",)" + rest + "}",
               "{\"class_uid\":0,\"unmapped\":" + std::string(kept) + "}");
}

TEST(CloudTrail, AggregatedEventsCountTheirWindow) {
  const std::string head =
      R"({"eventVersion":"1.0","accountId":"444455556666","eventId":"a-1","eventCategory":"Aggregated","eventType":"AwsAggregatedEvent","awsRegion":"us-west-2","eventSource":"s3.amazonaws.com",)";
  expect_event(
      head + R"("timeWindow":{"windowStart":"2026-03-01 12:00:00","windowEnd":"2026-03-01T12:05:00Z","windowSize":"PT5M"},
    "summary":{"primaryDimension":{"dimension":"eventName","statistics":[{"name":"PutObject","value":1000},{"name":"GetObject","value":7}],"aggregationType":"Count"}}})",
      R"({"class_uid":0,"type_uid":99,"activity_name":"Aggregated","time":1772366400000,"start_time":1772366400000,"end_time":1772366700000,"count":1007,"message":"s3.amazonaws.com by eventName",
    "cloud":{"account":{"uid":"444455556666"},"region":"us-west-2"},"metadata":{"original_event_uid":"a-1","log_version":"1.0","product":{"feature":{"name":"Aggregated"}}},
    "unmapped":{"timeWindow":{"windowSize":"PT5M"},"summary":{"primaryDimension":{"dimension":"eventName"}}}})");
  // What is no number, or more than a count holds, is no count; the summary has it all the same.
  for (const std::string_view value : {"-5", "1.5", "\"7\"", "null"})
    expect_event(head + R"("eventTime":"2026-03-01T12:00:00Z","timeWindow":5,"summary":{"primaryDimension":{"statistics":[{"value":)" +
                     std::string(value) + R"(}],"aggregationType":"Count"}}})",
                 R"({"count":null,"end_time":null,"unmapped":{"timeWindow":5}})");
  expect_event(
      head +
          R"("eventTime":"2026-03-01T12:00:00Z","timeWindow":{"windowStart":"never"},"summary":{"primaryDimension":{"statistics":[{"value":2147483647},{"value":1}],"aggregationType":"Count"}}})",
      R"({"time":1772366400000,"count":null})");
  const Outcome wide = read(
      head +
      R"("eventTime":"2026-03-01T12:00:00Z","summary":{"primaryDimension":{"statistics":[{"value":99999999999999999999}],"aggregationType":"Count"}}})");
  ASSERT_EQ(wide.events.size(), 1u);
  EXPECT_NE(wide.events[0].json.find(R"("statistics":[{"value":99999999999999999999}])"), std::string::npos);
  expect_event(
      head + R"("eventTime":"2026-03-01T12:00:00Z","summary":{"primaryDimension":{"statistics":[{"value":3}],"aggregationType":"Sum"}}})",
      R"({"count":null})");
}

// ---- Sign-ins, accounts and groups ----

TEST(CloudTrail, SignInsKeepWhatTheyCannotMap) {
  // A host header that is not where the sign-in went.
  expect_event(
      record(
          R"("eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin","tlsDetails":{"clientProvidedHostHeader":"signin.aws.amazon.com"},"additionalEventData":{"LoginTo":"https://console.example.com/x"})"),
      R"({"dst_endpoint":{"hostname":"console.example.com"},"unmapped":{"tlsDetails":{"clientProvidedHostHeader":"signin.aws.amazon.com"}}})");
  // The step's own result counts, wherever it stands.
  for (const std::string_view member : {"responseElements", "serviceEventDetails"}) {
    expect_event(record(R"("eventSource":"signin.amazonaws.com","eventName":"CredentialVerification",")" + std::string(member) +
                        R"(":{"CredentialVerification":"Failure"})"),
                 R"({"status_id":2,"status":"Failure"})");
  }
  expect_event(
      record(
          R"("eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin","additionalEventData":{"CredentialType":"PASSWORD,TOTP","MFAIdentifier":"arn:aws:iam::111122223333:mfa/alice"})"),
      R"({"auth_factors":[{"factor_type_id":11,"factor_type":"Password"},{"factor_type_id":7,"factor_type":"OTP"},{"factor_type_id":7,"factor_type":"OTP","device":{"uid":"arn:aws:iam::111122223333:mfa/alice","type_id":99}}]})");
  // Of who switched roles the ARN is all that is known: nothing of the role may stand beside it.
  expect_event(
      record(
          R"("eventSource":"signin.amazonaws.com","eventName":"SwitchRole","additionalEventData":{"SwitchFrom":"arn:aws:iam::444455556666:user/carol"})"),
      R"({"actor":{"user":{"uid":"arn:aws:iam::444455556666:user/carol","name":"carol","type":"IAMUser","type_id":1,"account":{"uid":"444455556666"}}}})");
  // Root of an account is taken over by the account's number; what it does then has root's ARN.
  expect_event(
      record(R"("eventSource":"sts.amazonaws.com","eventName":"AssumeRoot","requestParameters":{"targetPrincipal":"777788889999"})"),
      R"({"user":{"name":"root","type":"Root","type_id":2,"uid":"arn:aws:iam::777788889999:root","account":{"uid":"777788889999"}}})");
}

TEST(CloudTrail, RefusesAnotherMajorVersion) {
  const Outcome out = read(record(R"("eventVersion":"2.0")"));
  EXPECT_EQ(out.events.size(), 0u);
}

TEST(CloudTrail, SignInsTellTheirFactors) {
  const std::string head = R"("eventSource":"signin.amazonaws.com","eventType":"AwsConsoleSignIn",)";
  expect_event(
      record(
          head +
          R"("eventName":"ConsoleLogin","responseElements":{"ConsoleLogin":"Success"},"errorMessage":"x","additionalEventData":{"MFAUsed":"YES","MfaType":"Virtual MFA","LoginTo":"https://c.example.com:8443/x"})"),
      R"({"type_uid":300201,"status_id":1,"is_mfa":true,"logon_type_id":2,"is_remote":true,"service":{"name":"signin.amazonaws.com"},"dst_endpoint":{"hostname":"c.example.com"},
                   "auth_factors":[{"factor_type_id":7,"factor_type":"OTP"}],"user":{"name":"alice","type_id":1},"actor":{"user":{"name":"alice"}}})");
  // Whether an external provider asked for a second factor, nobody knows here.
  struct Factor {
    std::string type;
    int id;
    std::string caption, is_mfa;
  };
  for (const auto& [type, id, caption, is_mfa] : std::initializer_list<Factor>{{"PASSWORD", 11, "Password", "false"},
                                                                               {"TOTP", 7, "OTP", "true"},
                                                                               {"RESYNC_TOTP", 7, "OTP", "true"},
                                                                               {"WEBAUTHN", 10, "WebAuthn", "true"},
                                                                               {"EMAIL_OTP", 8, "Email", "true"},
                                                                               {"EXTERNAL_IDP", 99, "EXTERNAL_IDP", "null"}}) {
    expect_event(record(head + R"("eventName":"CredentialVerification","additionalEventData":{"CredentialType":")" + type + "\"}"),
                 "{\"type_uid\":300206,\"is_mfa\":" + is_mfa + ",\"auth_factors\":[{\"factor_type_id\":" + std::to_string(id) +
                     ",\"factor_type\":\"" + caption + "\"}]}");
  }
  for (const auto& [device, id] : std::initializer_list<std::pair<std::string, int>>{
           {"arn:aws:iam::1:u2f/user/alice/k", 9}, {"arn:aws:iam::1:other/x", 99}, {"GAHT12345678", 6}})
    expect_event(record(head + R"("eventName":"ConsoleLogin","additionalEventData":{"MFAIdentifier":")" + device + "\"}"),
                 "{\"auth_factors\":[{\"factor_type_id\":" + std::to_string(id) + ",\"device\":{\"uid\":\"" + device + "\"}}]}");
  // The key and the session are the role's, not those of who switched to it.
  expect_event(
      record(
          head +
          R"("eventName":"SwitchRole","additionalEventData":{"SwitchFrom":"arn:aws:iam::1:user/from"},"userIdentity":{"type":"AssumedRole","principalId":"AROAX:from","arn":"arn:aws:sts::111122223333:assumed-role/Admin/from","accountId":"111122223333","accessKeyId":"ASIAX","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::111122223333:role/Admin"},"attributes":{"creationDate":"2026-03-01T12:00:00Z","mfaAuthenticated":"true"}}})"),
      R"({"actor":{"session":null,"user":{"uid":"arn:aws:iam::1:user/from","uid_alt":null,"programmatic_credentials":null}},"is_mfa":true,
    "user":{"uid":"arn:aws:sts::111122223333:assumed-role/Admin/from"},"session":{"credential_uid":"ASIAX","issuer":"arn:aws:iam::111122223333:role/Admin","is_mfa":true,"created_time":1772366400000}})");
  expect_event(
      record(head + R"("eventName":"SwitchRole","additionalEventData":{"SwitchFrom":"arn:aws:iam::1:user/from"})"),
      R"({"type_uid":300207,"account_switch_type_id":1,"actor":{"user":{"uid":"arn:aws:iam::1:user/from"}},"user":{"uid":"arn:aws:iam::111122223333:user/alice"}})");
  for (const std::string_view odd : {"5", "\"x\"", "[]", R"({"MFAUsed":1,"LoginTo":"nowhere","CredentialType":{}})"})
    expect_event(record(head + R"("eventName":"ConsoleLogin","additionalEventData":)" + std::string(odd)),
                 "{\"is_mfa\":null,\"auth_factors\":null,\"unmapped\":{\"additionalEventData\":" + std::string(odd) + "}}");
}

TEST(CloudTrail, OfRolesTheUserIsWhoTheCallerBecomes) {
  const std::string head = R"("eventSource":"sts.amazonaws.com",)";
  expect_event(
      record(head +
             R"("eventName":"AssumeRole","requestParameters":{"roleArn":"arn:aws:iam::444455556666:role/Audit","roleSessionName":"n"},
    "responseElements":{"credentials":{"accessKeyId":"ASIAX","expiration":"Mar 1, 2026, 1:28:26 PM","sessionToken":"t"},"assumedRoleUser":{"arn":"arn:aws:sts::444455556666:assumed-role/Audit/n","assumedRoleId":"AROAX:n"}})"),
      R"({"type_uid":300201,"logon_type_id":3,"user":{"uid":"arn:aws:sts::444455556666:assumed-role/Audit/n","name":"n","uid_alt":"AROAX:n","type":"AssumedRole","type_id":99,"account":{"uid":"444455556666"}},
    "session":{"credential_uid":"ASIAX","uid":"arn:aws:sts::444455556666:assumed-role/Audit/n","uid_alt":"AROAX:n","issuer":"arn:aws:iam::444455556666:role/Audit","expiration_time":1772371706000},"actor":{"user":{"name":"alice"}}})");
  expect_event(
      record(
          head +
          R"("eventName":"AssumeRoleWithSAML","requestParameters":{"roleArn":"arn:aws:iam::1:role/r"},"responseElements":{"credentials":{"expiration":"Mar 1, 2026 12:23:05 )"
          "\xe2\x80\xaf"
          R"(AM"}})"),
      R"({"auth_protocol_id":5,"session":{"expiration_time":1772324585000},"user":{"uid":"arn:aws:iam::1:role/r"}})");
  expect_event(record(head + R"("eventName":"AssumeRoleWithWebIdentity")"), R"({"auth_protocol_id":4,"user":{"name":"alice"}})");
  expect_event(
      record(
          head +
          R"("eventName":"GetFederationToken","requestParameters":{"name":"fed"},"responseElements":{"federatedUser":{"arn":"arn:aws:sts::1:federated-user/fed","federatedUserId":"1:fed"}})"),
      R"({"user":{"uid":"arn:aws:sts::1:federated-user/fed","name":"fed","type":"FederatedUser","type_id":1}})");
  expect_event(record(head + R"("eventName":"AssumeRoot","requestParameters":{"targetPrincipal":"arn:aws:iam::444455556666:root"})"),
               R"({"user":{"uid":"arn:aws:iam::444455556666:root","account":{"uid":"444455556666"}}})");
  // What the answer leaves out, role and name of the session tell: the ARN of all that is done in it.
  const std::string asked =
      R"("eventName":"AssumeRole","requestParameters":{"roleArn":"arn:aws-cn:iam::444455556666:role/path/Audit","roleSessionName":"i-0"})";
  expect_event(
      record(head + asked),
      R"({"user":{"uid":"arn:aws-cn:sts::444455556666:assumed-role/Audit/i-0","name":"i-0","type":"AssumedRole","account":{"uid":"444455556666"}},"session":{"uid":"arn:aws-cn:sts::444455556666:assumed-role/Audit/i-0","issuer":"arn:aws-cn:iam::444455556666:role/path/Audit"}})");
  expect_event(record(head + asked + R"(,"errorCode":"AccessDenied")"),
               R"({"status_id":2,"user":{"uid":"arn:aws-cn:iam::444455556666:role/path/Audit","name":"i-0"},"session":{"uid":null}})");
  expect_event(record(head + R"("eventName":"GetSessionToken","responseElements":{"credentials":{"accessKeyId":"ASIAS"}})"),
               R"({"user":{"name":"alice"},"session":{"credential_uid":"ASIAS"}})");
  expect_event(
      record(
          R"("eventSource":"rolesanywhere.amazonaws.com","eventName":"CreateSession","userIdentity":{"type":"Unknown","principalId":"CN"},"responseElements":{"credentialSet":[{"assumedRoleUser":{"arn":"arn:aws:sts::1:assumed-role/R/serial","assumedRoleId":"AROAR:serial"},"credentials":{"accessKeyId":"ASIAR","expiration":"2026-03-01T13:00:00Z"},"roleArn":"arn:aws:iam::1:role/R"}]})"),
      R"({"type_uid":300201,"user":{"uid":"arn:aws:sts::1:assumed-role/R/serial","name":"serial","uid_alt":"AROAR:serial"},"session":{"credential_uid":"ASIAR","issuer":"arn:aws:iam::1:role/R","expiration_time":1772370000000}})");
  expect_event(
      record(
          R"("eventSource":"cognito-identity.amazonaws.com","eventName":"GetCredentialsForIdentity","userIdentity":{"type":"Unknown"},"requestParameters":{"identityId":"eu-central-1:g"},"responseElements":{"credentials":{"accessKeyId":"ASIAC"},"identityId":"eu-central-1:g"})"),
      R"({"type_uid":300201,"user":{"uid":"eu-central-1:g"},"session":{"credential_uid":"ASIAC"}})");
  expect_event(record(head + R"("eventName":"GetCallerIdentity")"), R"({"class_uid":6003,"activity_id":2})");
  for (const std::string_view time : {"Feb 30, 2026, 1:28:26 PM", "Mar 1, 2026, 13:28:26 PM", "Mar 1, 2026", "x",
                                      "Mar 1, 2026, 1:28:26 PM 5", "Mar 1, 99999999999, 1:28:26 PM"})
    expect_event(
        record(
            head +
            R"("eventName":"AssumeRole","requestParameters":{"roleArn":"arn:aws:iam::1:role/r"},"responseElements":{"credentials":{"expiration":")" +
            std::string(time) + "\"}}"),
        R"({"session":{"expiration_time":null},"user":{"uid":"arn:aws:iam::1:role/r"}})");
}

TEST(CloudTrail, AccountChangesNameTheirTarget) {
  const std::string head = R"("eventSource":"iam.amazonaws.com",)";
  expect_event(
      record(
          head +
          R"("eventName":"CreateUser","requestParameters":{"userName":"asked"},"responseElements":{"user":{"userName":"bob","arn":"arn:aws:iam::111122223333:user/bob","userId":"AIDAB"}})"),
      R"({"type_uid":300101,"user":{"name":"bob","uid":"arn:aws:iam::111122223333:user/bob","uid_alt":"AIDAB","type":"IAMUser","type_id":1,"account":{"uid":"111122223333"}},"actor":{"user":{"name":"alice"}}})");
  expect_event(
      record(
          head +
          R"("eventName":"CreateRole","requestParameters":{"roleName":"r"},"responseElements":{"role":{"roleName":"r","arn":"arn:aws:iam::1:role/r","roleId":"AROAR"}})"),
      R"({"user":{"name":"r","type":"Role","type_id":99,"uid_alt":"AROAR"}})");
  expect_event(record(head + R"("eventName":"ChangePassword","requestParameters":null)"), R"({"type_uid":300103,"user":{"name":"alice"}})");
  expect_event(record(head + R"("eventName":"CreateAccessKey","responseElements":{"accessKey":{"accessKeyId":"AKIAB","userName":"bob"}})"),
               R"({"user":{"name":"bob","programmatic_credentials":[{"uid":"AKIAB","type":"AWS access key"}]}})");
  expect_event(record(head + R"("eventName":"UpdateUser","requestParameters":{"userName":"bob","newUserName":"rob"})"),
               R"({"activity_id":99,"activity_name":"UpdateUser","user":{"name":"bob"},"user_result":{"name":"rob"}})");
  expect_event(
      record(head + R"("eventName":"EnableMFADevice","requestParameters":{"userName":"bob","serialNumber":"arn:aws:iam::1:mfa/bob"})"),
      R"({"type_uid":300110,"auth_factors":[{"factor_type_id":7,"device":{"uid":"arn:aws:iam::1:mfa/bob","type_id":99}}]})");
  expect_event(
      record(head + R"("eventName":"AttachUserPolicy","requestParameters":{"userName":"bob","policyArn":"arn:aws:iam::aws:policy/P"})"),
      R"({"type_uid":300107,"policies":[{"uid":"arn:aws:iam::aws:policy/P","name":null}]})");
  expect_event(
      record(head + R"("eventName":"PutUserPermissionsBoundary","requestParameters":{"userName":"bob","permissionsBoundary":"arn:b"})"),
      R"({"policies":[{"uid":"arn:b"}]})");
  for (const std::string_view odd : {"5", "\"x\"", "[]", R"({"userName":5,"policyArn":[]})"})
    expect_event(record(head + R"("eventName":"DeleteUser","requestParameters":)" + std::string(odd)),
                 "{\"type_uid\":300106,\"user\":{\"name\":null,\"uid\":null,\"account\":{\"uid\":\"111122223333\"}},\"api\":{\"request\":{"
                 "\"data\":" +
                     std::string(odd) + "}}}");
}

// Whoever deletes or raises another one is not the one who is deleted or raised.
TEST(CloudTrail, AccountChangesDoNotTakeTheCallerForTheTarget) {
  const std::string
      iam = R"("eventSource":"iam.amazonaws.com",)",
      denied =
          R"(,"requestParameters":null,"errorCode":"AccessDenied","errorMessage":"User: arn:aws:iam::1:user/m is not authorized to perform: iam:x on resource: )";
  expect_event(
      record(iam + R"("eventName":"CreateUser")" + denied + R"(arn:aws:iam::111122223333:user/ops/backdoor because no policy allows it")"),
      R"({"type_uid":300101,"status_id":2,"user":{"name":"backdoor","uid":"arn:aws:iam::111122223333:user/ops/backdoor","type":"IAMUser"},"actor":{"user":{"name":"alice"}}})");
  expect_event(record(iam + R"("eventName":"DeleteUser")" + denied + R"(user bob because no policy allows it")"),
               R"({"user":{"name":"bob","uid":null}})");
  expect_event(record(iam + R"("eventName":"DeleteRole")" + denied + R"(role r")"), R"({"user":{"name":"r","type":"Role"}})");
  expect_event(record(iam + R"("eventName":"CreateUser")" + denied + R"(arn:aws:iam::111122223333:user/*")"),
               R"({"user":{"name":null,"uid":null,"account":{"uid":"111122223333"}}})");
  expect_event(record(iam + R"("eventName":"CreateAccessKey")" + denied + R"(user ")"), R"({"user":{"name":null,"uid":null}})");
  expect_event(record(iam + R"("eventName":"AddUserToGroup")" + denied + R"(group admins because x")"),
               R"({"type_uid":300603,"group":{"name":"admins"}})");
  expect_event(
      record(iam + R"("eventName":"DeleteVirtualMFADevice","requestParameters":{"serialNumber":"arn:aws:iam::1:mfa/bob"})"),
      R"({"user":{"name":null,"account":{"uid":"111122223333"}},"auth_factors":[{"factor_type_id":7,"device":{"uid":"arn:aws:iam::1:mfa/bob"}}]})");
  expect_event(
      record(iam +
             R"("eventName":"CreateVirtualMFADevice","responseElements":{"virtualMFADevice":{"serialNumber":"arn:aws:iam::1:mfa/bob"}})"),
      R"({"user":{"name":null},"auth_factors":[{"device":{"uid":"arn:aws:iam::1:mfa/bob"}}]})");
  // Keys are made for the caller where nobody is named.
  expect_event(record(iam + R"("eventName":"DeleteAccessKey","requestParameters":{"accessKeyId":"AKIAX"})"),
               R"({"user":{"name":"alice","programmatic_credentials":[{"uid":"AKIAX"}]}})");
  expect_event(
      record(
          R"("eventSource":"identitystore.amazonaws.com","eventName":"DeleteUser","requestParameters":{"identityStoreId":"d-1","userId":"guid"})"),
      R"({"type_uid":300106,"user":{"name":null,"uid":"guid","type":"IdentityCenterUser","type_id":1}})");
  expect_event(
      record(
          R"("eventSource":"identitystore.amazonaws.com","eventName":"CreateUser","requestParameters":{"userName":"bob"},"responseElements":{"userId":"guid"})"),
      R"({"user":{"name":"bob","uid":"guid","type":"IdentityCenterUser"}})");
  expect_event(
      record(
          R"("eventSource":"sso-directory.amazonaws.com","eventName":"CreateUser","responseElements":{"user":{"userName":"bob","userId":"guid"}})"),
      R"({"user":{"name":"bob","uid":"guid","uid_alt":null}})");
  expect_event(
      record(
          R"("eventSource":"sso.amazonaws.com","eventName":"CreateAccountAssignment","requestParameters":{"principalId":"guid","principalType":"GROUP","permissionSetArn":"arn:aws:sso:::permissionSet/p","targetId":"444455556666","targetType":"AWS_ACCOUNT"})"),
      R"({"type_uid":300107,"user":{"uid":"guid","name":null,"type":"Group","type_id":99,"account":{"uid":"444455556666"}},"policies":[{"uid":"arn:aws:sso:::permissionSet/p"}]})");
  expect_event(
      record(R"("eventSource":"cognito-idp.amazonaws.com","eventName":"AdminDeleteUser","requestParameters":{"username":"carol"})"),
      R"({"type_uid":300106,"user":{"name":"carol","type":"Cognito","type_id":1}})");
  expect_event(record(R"("recipientAccountId":null,"eventSource":"iam.amazonaws.com","eventName":"DeleteUser")"),
               R"({"user":{"name":"unknown","type":null}})");
}

// Query engines give JSON within records as strings: nothing of it is passed over for that.
TEST(CloudTrail, ObjectsInStringsAreReadAsObjects) {
  expect_event(record(R"("eventSource":"iam.amazonaws.com","eventName":"DeleteUser","requestParameters":"{\"userName\":\"bo\\u0062\"}")"),
               R"({"user":{"name":"bob"},"api":{"request":{"data":{"userName":"bob"}}}})");
  expect_event(
      record(
          R"("eventSource":"signin.amazonaws.com","eventName":"CredentialVerification","serviceEventDetails":"{\"CredentialVerification\":\"Failure\"}")"),
      R"({"status_id":2})");
  expect_event(
      record(
          R"("eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin","additionalEventData":"{\"MFAUsed\":\"Yes\"}","responseElements":"{\"ConsoleLogin\":\"Failure\"}")"),
      R"({"status_id":2,"is_mfa":true,"unmapped":{"additionalEventData":"{\"MFAUsed\":\"Yes\"}"}})");
  for (const std::string_view odd : {R"("{\"a\":1")", R"("{]")", R"("[1]")", R"("\u007b")"})
    expect_event(record(R"("requestParameters":)" + std::string(odd)), "{\"api\":{\"request\":{\"data\":" + std::string(odd) + "}}}");
}

TEST(CloudTrail, ResourcesAreNamedWithoutTheirVersionsAndStreams) {
  for (const auto& [arn, name] : std::initializer_list<std::pair<std::string, std::string>>{
           {"arn:aws:lambda:eu-central-1:1:function:pay:3", "pay"},
           {"arn:aws:logs:eu-central-1:1:log-group:/aws/lambda/pay:*", "/aws/lambda/pay"},
           {"arn:aws:dynamodb:eu-central-1:1:table/T/stream/2026-01-01T00:00:00.000", "T"},
           {"arn:aws:s3:::b/dir/a.txt", "dir/a.txt"},
           {"arn:aws:s3:::b/", "b"},
           {"arn:aws:s3:::b", "b"},
           {"arn:aws:lambda:eu-central-1:1:function:", "function"},
           {"arn:aws:kms:eu-central-1:1:key/k", "k"},
           {"arn:aws", "aws"},
           {"x", "x"}})
    expect_event(record(R"("resources":[{"ARN":")" + arn + "\"}]"), R"({"resources":[{"uid":")" + arn + R"(","name":")" + name + "\"}]}");
}

TEST(CloudTrail, PolicyDocumentsAreJsonHoweverTheyAreWrapped) {
  const auto document = [](std::string_view text, std::string_view wanted) {
    expect_event(
        record(
            R"("eventSource":"iam.amazonaws.com","eventName":"PutUserPolicy","requestParameters":{"userName":"bob","policyName":"p","policyDocument":")" +
            std::string(text) + "\"}"),
        "{\"policies\":[{\"name\":\"p\",\"data\":" + std::string(wanted) + "}]}");
  };
  document(R"({\"Version\":\"2012-10-17\",\"Statement\":[]})", R"({"Version":"2012-10-17","Statement":[]})");
  document(R"(%7B%22a%22%3A%22b%20c%22%7d)", R"({"a":"b c"})");
  document("%7B%22a%22%3A%22%C3%A9%22%7D", R"("%7B%22a%22%3A%22%C3%A9%22%7D")");  // beyond ASCII it stays as it was written
  document("%FF%FE", R"("%FF%FE")");
  document("%7B%00%7D", R"("%7B%00%7D")");  // as does what is no JSON
  document("%", R"("%")");
  document("%7", R"("%7")");
  document("%zz", R"("%zz")");
  document("no policy", R"("no policy")");
  document("\xc3\xa9", "\"\xc3\xa9\"");
}

TEST(CloudTrail, GroupsHaveTheirMembersAndPolicies) {
  const std::string head = R"("eventSource":"iam.amazonaws.com",)";
  expect_event(
      record(
          head +
          R"("eventName":"CreateGroup","requestParameters":{"groupName":"g"},"responseElements":{"group":{"groupName":"g","arn":"arn:aws:iam::1:group/g"}})"),
      R"({"type_uid":300606,"group":{"name":"g","uid":"arn:aws:iam::1:group/g"},"user":null,"privileges":null})");
  expect_event(record(head + R"("eventName":"PutGroupPolicy","requestParameters":{"groupName":"g","policyName":"p","policyArn":"arn:p"})"),
               R"({"type_uid":300601,"privileges":["arn:p","p"]})");
  expect_event(
      record(
          head +
          R"("eventName":"AddUserToGroup","requestParameters":null,"errorCode":"AccessDenied","tlsDetails":{"clientProvidedHostHeader":"h"})"),
      R"({"type_uid":300603,"status_id":2,"group":{"name":"unknown"},"unmapped":{"tlsDetails":{"clientProvidedHostHeader":"h"}}})");
}

// ---- Values ----

TEST(CloudTrail, StatusIsWhatTheServiceSaid) {
  expect_event(record(), R"({"status_id":1,"status_code":null})");
  expect_event(record(R"("errorCode":"Success")"), R"({"status_id":1,"status_code":"Success"})");
  expect_event(record(R"("errorMessage":"no")"), R"({"status_id":2,"status_detail":"no","api":{"response":{"error_message":"no"}}})");
  expect_event(record(R"("errorCode":"")"), R"({"status_id":1,"status_code":null})");
}

TEST(CloudTrail, AddressesAreTakenForWhatTheyAre) {
  for (const auto& [text, endpoint] : std::initializer_list<std::pair<std::string, std::string>>{
           {"\"2001:db8::1\"", R"({"ip":"2001:db8::1"})"},
           {"\" [192.0.2.7] \"", R"({"ip":"192.0.2.7"})"},
           {"\"ec2.amazonaws.com\"", R"({"svc_name":"ec2.amazonaws.com","ip":null})"},
           {"\"x.amazonaws.com.cn\"", R"({"svc_name":"x.amazonaws.com.cn"})"},
           {"\"AWS Internal\"", R"({"svc_name":"AWS Internal"})"},
           {"\"host.example.com\"", R"({"hostname":"host.example.com"})"},
           {"\"192.0.2.999\"", R"({"hostname":"192.0.2.999","ip":null})"},
           {"\"something else\"", R"({"name":"something else"})"},
           {"\"\"", R"({"svc_name":"ec2.amazonaws.com"})"},
           {"null", R"({"svc_name":"ec2.amazonaws.com"})"},
           {"5", R"({"svc_name":"ec2.amazonaws.com"})"}})
    expect_event(record("\"sourceIPAddress\":" + text), "{\"src_endpoint\":" + endpoint + "}");
}

TEST(CloudTrail, ValuesOfAnotherTypeStayAsTheyStand) {
  expect_event(
      record(
          R"("eventVersion":1.09,"userAgent":[1],"errorCode":{"a":1},"apiVersion":false,"sharedEventID":12345678901234567890,"readOnly":"false","awsRegion":7,"eventType":{},"tlsDetails":"t",
    "addendum":5,"vpcEndpointId":3,"userIdentity":{"type":5,"userName":["x"],"accountId":111122223333,"sessionContext":"s","onBehalfOf":1})"),
      R"({"metadata":{"log_version":null,"type":null,"correlation_uid":null},"http_request":null,"status_code":null,"status_id":1,"api":{"version":null},"src_endpoint":{"uid":null},
    "unmapped":{"eventVersion":1.09,"userAgent":[1],"errorCode":{"a":1},"apiVersion":false,"sharedEventID":12345678901234567890,"readOnly":"false","awsRegion":7,"tlsDetails":"t","addendum":5,"vpcEndpointId":3,
    "userIdentity":{"type":5,"userName":["x"],"accountId":111122223333,"sessionContext":"s","onBehalfOf":1}}})");
  expect_event(record(R"("userIdentity":"nobody")"),
               R"({"actor":{"user":null,"app_name":"ec2.amazonaws.com"},"unmapped":{"userIdentity":"nobody"}})");
}

TEST(CloudTrail, NumbersOfAnySizePassAsTheyAreWritten) {
  const Outcome out = read(record(
      R"("requestParameters":{"n":123456789012345678901234567890,"f":1e400,"z":-0.0},"additionalEventData":{"x":99999999999999999999})"));
  ASSERT_EQ(out.events.size(), 1u);
  EXPECT_NE(out.events[0].json.find(R"("data":{"n":123456789012345678901234567890,"f":1e400,"z":-0.0})"), std::string::npos)
      << out.events[0].json;
  EXPECT_NE(out.events[0].json.find(R"("additionalEventData":{"x":99999999999999999999})"), std::string::npos);
}

TEST(CloudTrail, ReadOnlyMakesACallARead) {
  expect_event(record(R"("readOnly":true)"), R"({"activity_id":2,"unmapped":{"readOnly":true}})");
  expect_event(record(R"("readOnly":"true")"), R"({"activity_id":2})");
  expect_event(record(R"("readOnly":false)"), R"({"activity_id":1})");
  expect_event(record(R"("readOnly":1)"), R"({"activity_id":1,"unmapped":{"readOnly":1}})");
}

TEST(CloudTrail, EmptyAndNullAreAbsent) {
  expect_event(R"({"eventSource":"a","eventName":"b","eventTime":"2026-03-01T12:00:00Z","awsRegion":""})",
               R"({"cloud":{"region":null,"account":null,"provider":"AWS"}})");
  expect_event(
      record(
          R"("requestParameters":{},"responseElements":null,"additionalEventData":{},"userAgent":"","serviceEventDetails":"","annotation":null,"addendum":{})"),
      R"({"api":{"request":{"data":null,"uid":"r-1"},"response":null},"http_request":null,"unmapped":null})");
  expect_event(record(R"("additionalEventData":[],"requestParameters":[])"),
               R"({"api":{"request":{"data":[]}},"unmapped":{"additionalEventData":[]}})");
}

TEST(CloudTrail, RequestsWithoutAnyIdAreKept) {
  expect_event(record(R"("requestID":null,"requestParameters":{"a":1})"), R"({"api":{"request":{"uid":"e-1","data":{"a":1}}}})");
  expect_event(record(R"("requestID":null,"eventID":null,"requestParameters":{"a":1})"),
               R"({"api":{"request":null},"unmapped":{"requestParameters":{"a":1}}})");
}

TEST(CloudTrail, WhatTheRecordDoesNotSayTheKeySays) {
  const std::string bare = R"({"eventSource":"ec2.amazonaws.com","eventName":"RunInstances","eventTime":"never"})";
  expect_event(
      bare,
      R"({"time":1772366700000,"metadata":{"original_time":"never"},"cloud":{"account":{"uid":"111122223333"},"region":"eu-central-1","org":{"uid":"o-example"}}})",
      kKey);
  expect_reject(bare, LM_REJECT_MALFORMED, "'eventTime' is not a time");
  expect_event(record(), R"({"cloud":{"account":{"uid":"111122223333"},"region":"eu-central-1","org":{"uid":"o-example"}}})", kKey);
  for (const std::string_view folder : {"CloudTrail-Insight", "CloudTrail-NetworkActivity", "CloudTrail-Aggregated", "CloudTrail"}) {
    expect_event(R"({"eventSource":"a","eventName":"b","eventTime":"2026-03-01T12:00:00.999Z"})",
                 R"({"time":1772366400999,"cloud":{"account":{"uid":"444455556666"},"region":"us-east-1","org":null}})",
                 "AWSLogs/444455556666/" + std::string(folder) + "/us-east-1/2026/x");
  }
}

TEST(CloudTrail, RecordsThatAreNoneAreRejected) {
  expect_reject(R"({"a":1})", LM_REJECT_FOREIGN, "no eventName and eventSource: not a CloudTrail record");
  expect_reject(R"({"eventName":"a"})", LM_REJECT_FOREIGN, "no eventName and eventSource: not a CloudTrail record");
  expect_reject(R"({"eventName":5,"eventSource":"b"})", LM_REJECT_FOREIGN, "no eventName and eventSource: not a CloudTrail record");
  expect_reject(record(R"("eventTime":"1970-01-01T00:00:00Z")"), LM_REJECT_MALFORMED, "'eventTime' is not a time");
  expect_reject(record(R"("eventTime":5)"), LM_REJECT_MALFORMED, "'eventTime' is not a time");
  EXPECT_EQ(read(record("\"x\":tru")).rejects.size(), 1u);
  EXPECT_EQ(read(record("\"x\":\"\x01\"")).rejects.size(), 1u);
}

TEST(CloudTrail, NestingIsReadToADepthAndRejectedBeyond) {
  const auto nested = [](int n) {
    return record("\"x\":" + std::string(static_cast<std::size_t>(n), '[') + std::string(static_cast<std::size_t>(n), ']'));
  };
  EXPECT_EQ(read(nested(500)).events.size(), 1u);
  const Outcome deep = read(nested(600));
  ASSERT_EQ(deep.rejects.size(), 1u);
  EXPECT_EQ(deep.rejects[0].code, static_cast<std::uint32_t>(LM_REJECT_DEPTH));
}

TEST(CloudTrail, InvalidUtf8AndNulBytesCostTheirRecordOnly) {
  Harness harness(logmill_entry, "aws.cloudtrail");
  Blocks blocks(harness);
  blocks.add(record() + "\n" + record("\"x\":\"\xff\"") + "\n" + record(std::string("\"x\":\"\0\"", 7)) + "\n" +
                 record("\"x\":\"\\u0000\"") + "\n",
             kKey);
  const Outcome out = harness.run(blocks);
  EXPECT_EQ(blocks.not_utf8(), 1u);
  EXPECT_EQ(out.events.size(), 2u);
  EXPECT_EQ(out.rejects.size() + blocks.frame_rejects().size(), 1u);
  EXPECT_EQ(difference(R"({"unmapped":{"x":"\u0000"}})", out.events.back().json), "");
}

TEST(CloudTrail, OfDuplicateKeysTheLastOneHoldsAndTheOthersAreKept) {
  expect_event(
      record(
          R"("eventName":"A","eventName":"GetB","awsRegion":"a","awsRegion":"b","requestParameters":{"a":1},"requestParameters":{"b":2},"eventID":"x","eventId":"y")"),
      R"({"activity_id":2,"api":{"operation":"GetB","request":{"data":{"b":2,"a":null}}},"cloud":{"region":"b"},"metadata":{"original_event_uid":"y"},
                   "unmapped":{"eventName":"A","awsRegion":"a","requestParameters":{"a":1},"eventId":"x"}})");
  const std::string first = R"({"type":"Root","userName":"r","odd":1,"sessionContext":{"sourceIdentity":"a"}})";
  expect_event(
      record(
          R"("userIdentity":)" + first +
          R"(,"userIdentity":{"type":"IAMUser","odd":2,"userName":"u","sessionContext":{"sourceIdentity":"b"},"sessionContext":{"sourceIdentity":"c"}})"),
      R"({"actor":{"user":{"name":"u","type":"IAMUser"}},"unmapped":{"odd":null,"sourceIdentity":null,"userIdentity":)" + first + "}}");
  const Outcome out = read(record(
      R"("tlsDetails":{"tlsVersion":"a"},"tlsDetails":{"tlsVersion":"b"},"new":1,"new":2,"userIdentity":{"a":1,"sessionContext":{"b":1},"sessionContext":{"c":1}})"));
  ASSERT_EQ(out.events.size(), 1u);
  EXPECT_NE(
      out.events[0].json.find(
          R"("unmapped":{"tlsDetails":{"tlsVersion":"a"},"new":1,"new":2,"userIdentity":{"a":1,"sessionContext":{"b":1},"sessionContext":{"c":1}},"tlsDetails":{"tlsVersion":"b"}})"),
      std::string::npos)
      << out.events[0].json;
}

TEST(CloudTrail, FieldsThatNobodyKnowsAreCountedOnceARecordAndKept) {
  using Counts = std::map<std::string, std::uint64_t>;
  const std::string_view more =
      R"("brandNew":{"a":[1]},"tlsDetails":{"tlsVersion":"t","new":1},"resources":[{"ARN":"a","new":1},{"ARN":"b","new":2}],
    "userIdentity":{"type":"Root","one":1,"two":2,"one":3,"onBehalfOf":{"new":1},
      "sessionContext":{"later":2,"last":3,"attributes":{"new":1},"sessionIssuer":{"type":"Role","new":1},"webIdFederationData":{"attributes":{"not":"new"},"new":1}}})";
  const Outcome out = read(record(more) + "\n" + record(R"("userIdentity":{"two":2},"brandNew":1)"));
  ASSERT_EQ(out.events.size(), 2u);
  EXPECT_EQ(out.drift, (Counts{{"brandNew", 2},
                               {"resources.new", 1},
                               {"tlsDetails.new", 1},
                               {"userIdentity.one", 1},
                               {"userIdentity.two", 2},
                               {"userIdentity.onBehalfOf.new", 1},
                               {"userIdentity.sessionContext.later", 1},
                               {"userIdentity.sessionContext.last", 1},
                               {"userIdentity.sessionContext.attributes.new", 1},
                               {"userIdentity.sessionContext.sessionIssuer.new", 1},
                               {"userIdentity.sessionContext.webIdFederationData.new", 1}}));
  EXPECT_EQ(difference(R"({"unmapped":{"brandNew":{"a":[1]},"tlsDetails":{"new":1},"resources":[{"ARN":"a","new":1},{"ARN":"b","new":2}],
    "userIdentity":{"two":2,"sessionContext":{"later":2,"last":3,"attributes":{"new":1}}}}})",
                       out.events[0].json),
            "");
}

TEST(CloudTrail, NamesThatAnAttackerMakesUpAreCountedTogether) {
  std::string many = R"("userIdentity":{)";
  for (int i = 0; i < 3000; ++i) many += "\"x" + std::to_string(i) + "\":1,";
  const std::string longest = [] {
    std::string text = "y";
    for (int i = 0; i < 50'000; ++i) text += "\xc3\xa9";
    return text;
  }();
  const Outcome out = read(record(many + "\"" + longest + "\":1}") + "\n" + record("\"" + longest + "\":1"));
  EXPECT_EQ(out.events.size(), 2u);
  EXPECT_EQ(out.drift.size(), 1001u);
  EXPECT_EQ(out.drift.at("(others)"), 2u);
  for (const auto& [name, records] : out.drift) EXPECT_LE(name.size(), 200u);
}

// A caller whose text is that of the record before is not read again: nobody may see that.
TEST(CloudTrail, CallersInARowAreReadAsOneByOne) {
  const std::string callers[] = {
      R"({"type":"IAMUser","principalId":"AIDAEXAMPLE","arn":"arn:aws:iam::111122223333:user/alice","accountId":"111122223333","userName":"alice"})",
      R"({"type":"IAMUser","accountId":"111122223333","userName":"al\u0069ce","arn":"arn:aws:iam::111122223333:user/al\u0069ce"})",
      R"({"type":"AssumedRole","accountId":"111122223333","new":1,"sessionContext":{"attributes":{"mfaAuthenticated":"true"},"sourceIdentity":"bob"}})",
      R"({"type":"AssumedRole","accountId":"111122223333","sessionContext":{"later":1,"sessionIssuer":{"type":"Role","arn":"arn:aws:iam::111122223333:role/r"}}})",
      R"({"type":"IAMUser","accountId":"111122223333","userName":"alice"} )",
      R"({"accountId":"111122223333"},"userIdentity":{"type":"Root","accountId":"111122223333"})",
      R"({})",
      R"(null)",
      R"("none")",
  };
  std::string all;
  std::vector<std::string> alone;
  std::map<std::string, std::uint64_t> drift;
  for (int round = 0; round < 3; ++round) {
    for (const std::string& caller : callers) {
      for (int again = 0; again <= round; ++again) {
        const std::string text = record("\"userIdentity\":" + caller + ",\"eventID\":\"e-" + std::to_string(alone.size()) + "\"");
        const Outcome out = read(text);
        ASSERT_EQ(out.events.size(), 1u) << text;
        alone.push_back(content(out.events[0].json));
        for (const auto& [name, records] : out.drift) drift[name] += records;
        all += text + "\n";
      }
    }
  }
  const Outcome out = read(all);
  ASSERT_EQ(out.events.size(), alone.size());
  for (std::size_t i = 0; i < alone.size(); ++i) EXPECT_EQ(content(out.events[i].json), alone[i]) << i;
  EXPECT_EQ(out.drift, drift);
  EXPECT_EQ(drift.size(), 2u);
}

TEST(CloudTrail, ARejectedRecordLeavesNothingToTheNextOne) {
  const std::string good = R"({"eventSource":"ec2.amazonaws.com","eventName":"RunInstances","eventTime":"2026-03-01T12:00:00Z"})";
  const std::string bad =
      record(R"("eventTime":"never","errorCode":"leak","requestParameters":{"leak":1},"resources":[{"ARN":"leak"}],"leak":1)");
  const Outcome out = read(good + "\n" + bad + "\n" + good);
  ASSERT_EQ(out.events.size(), 2u);
  EXPECT_EQ(out.events[1].json.find("leak"), std::string::npos);
  EXPECT_EQ(content(out.events[1].json), content(out.events[0].json));
}

// ---- Forms, and what is set aside ----

TEST(CloudTrail, EveryFormOfAFileGivesTheSameRecords) {
  const std::string a = record(), b = record(R"("eventID":"e-2")");
  for (const std::string& text : {"{\"Records\":[" + a + "," + b + "]}", "[" + a + "," + b + "]", a + "\n" + b + "\n", a + b,
                                  "{ \"x\" : 1, \"Records\" :\r\n[ " + a + " ,\n" + b + " ] }"}) {
    for (const std::size_t block_size : {std::size_t{1}, std::size_t{1} << 20}) {
      Harness harness(logmill_entry, "aws.cloudtrail");
      Blocks blocks(harness);
      blocks.add(text, "object", block_size);
      const Outcome out = harness.run(blocks);
      ASSERT_EQ(out.events.size(), 2u) << text;
      EXPECT_EQ(text.substr(out.events[1].offset, out.events[1].length), b);
      EXPECT_EQ(difference(R"({"metadata":{"original_event_uid":"e-2"}})", out.events[1].json), "");
    }
  }
}

TEST(CloudTrail, KnowsItsObjectsAndLeavesTheOthersToTheirParsers) {
  Harness trail(logmill_entry, "aws.cloudtrail"), digest(logmill_entry, "aws.cloudtrail_digest"),
      notice(logmill_entry, "aws.s3_notification");
  const struct {
    std::string text;
    bool is_trail, is_digest, is_notice;
  } kCases[] = {
      {"{\"Records\":[" + record() + "]}", true, false, false},
      {" \r\n" + record(), true, false, false},
      {R"({"eventSource":"a","eventName":"b","userIdentity":{},"awsRegion":"c"})", true, false, false},
      {R"([{"insightDetails":{}}])", true, false, false},
      {R"({"eventType":"AwsAggregatedEvent"})", true, false, false},
      {R"({"awsAccountId":"111122223333","digestStartTime":"2026-03-01T12:00:00Z","digestS3Object":"x","logFiles":[{"s3Object":"y"}]})",
       false, true, false},
      {R"({"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{"bucket":{}}}]})", false, false,
       true},
      {R"({"s3Bucket":"b","s3ObjectKey":["k"]})", false, false, true},
      {R"({"detail-type":"AWS API Call via CloudTrail","detail":)" + record() + "}", false, false, false},
      {R"({"messageType":"DATA_MESSAGE","logEvents":[{"message":"eventSource eventName eventVersion"}]})", false, false, false},
      {R"({"class_uid":6003,"eventSource":"a","eventName":"b","eventVersion":"c"})", false, false, false},
      {"", false, false, false},
      // Who may write a tag must not be able to hide the object that it stands in.
      {"{\"Records\":[" + record(R"("requestParameters":{"tags":{"s3":"aws:s3","digestStartTime":"1","digestS3Object":"2"}})") + "]}", true,
       false, false},
      {"{\"Records\":[" +
           record(R"("requestParameters":{"detail-type":"x","logEvents":[],"class_uid":1,"CloudTrailEvent":"{}","s3Bucket":"b"})") + "]}",
       true, false, false},
      // A line that is broken does not cost the others.
      {"{\"torn\":tru\n" + record(), true, false, false},
      {"no JSON at all\n\n" + record(), true, false, false},
      {"text with \"eventSource\" \"eventName\" \"eventVersion\"", false, false, false},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(trail.score(c.text) > 0, c.is_trail) << c.text;
    EXPECT_EQ(digest.score(c.text) > 0, c.is_digest) << c.text;
    EXPECT_EQ(notice.score(c.text) > 0, c.is_notice) << c.text;
  }
  EXPECT_EQ(digest.descriptor().kind, static_cast<std::uint32_t>(LM_KIND_SET_ASIDE));
  EXPECT_EQ(notice.descriptor().kind, static_cast<std::uint32_t>(LM_KIND_SET_ASIDE));
}

}  // namespace
