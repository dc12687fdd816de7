// S3 without a server: signatures are those that AWS publishes, answers are read within bounds whatever is in them, and names say what they say. What needs a
// server is in tests/integration/test_s3.py.
#include "object_store/s3.hpp"
#include "object_store/xml.hpp"
#include "source/layout.hpp"

#include <gtest/gtest.h>
#include <logmill/sdk/time.hpp>

namespace {

using namespace lm;

// Amazon S3 API Reference, "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk", examples.
const aws::Keys kKeys{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""};
constexpr std::int64_t kTime = 1369353600;  // 2013-05-24T00:00:00Z

std::string signature(aws::SigningRequest request, const aws::Keys& keys = kKeys) {
  request.host = "examplebucket.s3.amazonaws.com";
  aws::sign(request, keys, "us-east-1", "s3", kTime);
  const std::string& header = request.headers.back().second;
  return header.substr(header.find("Signature=") + 10);
}

TEST(Signing, GivesThePublishedSignatures) {
  aws::SigningRequest get;
  get.path = "/test.txt";
  get.headers = {{"range", "bytes=0-9"}};
  EXPECT_EQ(signature(get), "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");

  aws::SigningRequest put;
  put.method = "PUT";
  put.path = "/test$file.text";
  put.headers = {{"date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
  put.body = "Welcome to Amazon S3.";
  EXPECT_EQ(signature(put), "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");

  aws::SigningRequest lifecycle;
  lifecycle.path = "/";
  lifecycle.query = {{"lifecycle", ""}};
  EXPECT_EQ(signature(lifecycle), "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");

  aws::SigningRequest list;
  list.path = "/";
  list.query = {{"prefix", "J"}, {"max-keys", "2"}};
  EXPECT_EQ(signature(list), "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(Signing, SendsWhatItSigns) {
  aws::SigningRequest request;
  request.host = "h";
  request.path = "/a b/=+\xc3\xa9//../\n~";
  request.query = {{"prefix", "x y/+="}, {"list-type", "2"}, {"empty", ""}};
  EXPECT_EQ(aws::url_of("https", request), "https://h/a%20b/%3D%2B%C3%A9//../%0A~?empty=&list-type=2&prefix=x%20y%2F%2B%3D");
  aws::sign(request, {"A", "s", "token/+="}, "eu-west-1", "s3", kTime);
  EXPECT_NE(
      std::find(request.headers.begin(), request.headers.end(), std::pair<std::string, std::string>{"x-amz-security-token", "token/+="}),
      request.headers.end());
  EXPECT_NE(request.headers.back().second.find("SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,"),
            std::string::npos);
}

TEST(Encoding, ComesBackForEveryByte) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_EQ(aws::percent_decode(aws::percent_encode(all), true), all);
  EXPECT_EQ(aws::percent_decode("a+b%2Bc%2bd", true), "a b+c+d");
  EXPECT_EQ(aws::percent_decode("a+b", false), "a+b");
  EXPECT_EQ(aws::percent_decode("%", true), "%");
  EXPECT_EQ(aws::percent_decode("%4", true), "%4");
  EXPECT_EQ(aws::percent_decode("%zz%41", true), "%zzA");
}

std::string listing(const std::string& inside) {
  return "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">" + inside + "</ListBucketResult>";
}

TEST(ListAnswer, IsReadWithItsNamesDecoded) {
  const auto page = aws::parse_list(listing(
      "<Name>b</Name><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>a+b%2F=</NextContinuationToken>"
      "<Contents><Key>a+b/%2B%C3%A9%0A</Key><LastModified>2026-03-01T08:00:00.250Z</LastModified><ETag>&quot;abc-2&quot;</ETag><Size>12</"
      "Size>"
      "<StorageClass>GLACIER</StorageClass></Contents><CommonPrefixes><Prefix>x%2F</Prefix></CommonPrefixes>"));
  ASSERT_TRUE(page) << page.error().what;
  ASSERT_EQ(page->objects.size(), 1u);
  EXPECT_EQ(page->objects[0].key, "a b/+\xc3\xa9\n");
  EXPECT_EQ(page->objects[0].etag, "abc-2");
  EXPECT_EQ(page->objects[0].size, 12u);
  EXPECT_EQ(page->objects[0].mtime_ms, 1772352000250);
  EXPECT_EQ(page->prefixes, std::vector<std::string>{"x/"});
  EXPECT_TRUE(page->truncated);
  EXPECT_EQ(page->continuation, "a+b%2F=") << "a token is sent back as it came";
  const auto plain = aws::parse_list(listing("<IsTruncated>false</IsTruncated><Contents><Key>a+b%2F</Key><Size>1</Size></Contents>"));
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->objects[0].key, "a+b%2F") << "without an EncodingType nothing is decoded";
}

TEST(ListAnswer, IsRefusedWhenItIsNotOne) {
  const auto error = [](const std::string& xml) {
    const auto page = aws::parse_list(xml);
    return page ? std::string("read") : page.error().what;
  };
  EXPECT_NE(error(""), "read");
  EXPECT_NE(error("{\"a\":1}"), "read");
  EXPECT_NE(error("<html><body>sign in</body></html>").find("no ListBucketResult"), std::string::npos);
  EXPECT_NE(error(listing("<Contents><Key>a</Key>")), "read") << "cut off";
  EXPECT_NE(error(listing("<Contents><Size>1</Size></Contents>")).find("without a key"), std::string::npos);
  EXPECT_NE(error(listing("<Contents><Key>a</Key><Size>-1</Size></Contents>")).find("without a key or a size"), std::string::npos);
  EXPECT_NE(error(listing("<Contents><Key>a</Key><Size>99999999999999999999</Size></Contents>")), "read");
  EXPECT_NE(error(listing("<IsTruncated>true</IsTruncated>")).find("continuation token"), std::string::npos) << "it would begin again";
  EXPECT_NE(error("<!DOCTYPE x [<!ENTITY a \"aaaa\">]>" + listing("<Name>&a;</Name>")).find("document type"), std::string::npos);
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "<a>";
  EXPECT_NE(error(deep).find("nested too deeply"), std::string::npos);
  EXPECT_NE(error(listing("<Name>" + std::string(1 << 20, 'x') + "</Name>")).find("too long"), std::string::npos);
  std::string many;
  for (int i = 0; i < 10'001; ++i) many += "<Contents><Key>a</Key><Size>1</Size></Contents>";
  EXPECT_NE(error(listing(many)).find("more than"), std::string::npos);
}

TEST(UploadAnswers, AreRead) {
  const std::string begin = "<?xml version=\"1.0\"?><ListMultipartUploadsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  const std::string end = "</ListMultipartUploadsResult>";
  const auto page = aws::parse_uploads(
      begin +
      "<EncodingType>url</EncodingType><KeyMarker>x</KeyMarker><NextKeyMarker>a+b%2Fc</NextKeyMarker><NextUploadIdMarker>2~z</"
      "NextUploadIdMarker>"
      "<IsTruncated>true</IsTruncated><Upload><Key>lake/a+b/%C3%A9</Key><UploadId>2~abc</UploadId><Owner><ID>x</ID></Owner></Upload>" +
      end);
  ASSERT_TRUE(page) << page.error().what;
  ASSERT_EQ(page->uploads.size(), 1u);
  EXPECT_EQ(page->uploads[0].key, "lake/a b/\xc3\xa9");
  EXPECT_EQ(page->uploads[0].id, "2~abc");
  EXPECT_EQ(page->next_key, "a b/c");
  EXPECT_EQ(page->next_id, "2~z");
  EXPECT_TRUE(page->truncated);
  const std::string silent = "<NextKeyMarker>a%2F</NextKeyMarker><Upload><Key>a%01%2B</Key><UploadId>2</UploadId></Upload>";
  EXPECT_EQ(aws::parse_uploads(begin + silent + end)->uploads[0].key, "a%01%2B");
  EXPECT_EQ(aws::parse_uploads(begin + silent + end, true)->uploads[0].key, "a\x01+")
      << "what was asked for is done, whether it is said or not";
  EXPECT_EQ(aws::parse_uploads(begin + silent + end, true)->next_key, "a%2F");
  EXPECT_FALSE(aws::parse_uploads(begin + "<IsTruncated>true</IsTruncated>" + end)) << "it would begin again";
  EXPECT_FALSE(aws::parse_uploads(begin + "<Upload><Key>a</Key></Upload>" + end));
  EXPECT_FALSE(aws::parse_uploads("<html/>"));
  EXPECT_EQ(
      *aws::parse_upload_id("<InitiateMultipartUploadResult><Bucket>b</Bucket><UploadId>2~abc</UploadId></InitiateMultipartUploadResult>"),
      "2~abc");
  EXPECT_FALSE(aws::parse_upload_id("<InitiateMultipartUploadResult><UploadId>2~abc")) << "cut off";
}

TEST(UploadAnswers, ThatCompleteMayBeErrorsInDisguise) {
  EXPECT_TRUE(
      aws::parse_completed(" \n\n <?xml version=\"1.0\"?><CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>"))
      << "white space comes while it is made";
  const std::string error = "  <?xml version=\"1.0\"?><Error><Code>InternalError</Code></Error>";
  EXPECT_FALSE(aws::parse_completed(error));
  EXPECT_EQ(store::parse_error(error).code, "InternalError");
  EXPECT_FALSE(aws::parse_completed(""));
  EXPECT_EQ(aws::completion({"abc-1", "a\"<&"}),
            "<CompleteMultipartUpload "
            "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Part><PartNumber>1</PartNumber><ETag>&quot;abc-1&quot;</ETag>"
            "</Part><Part><PartNumber>2</PartNumber><ETag>&quot;a&#34;&#60;&#38;&quot;</ETag></Part></CompleteMultipartUpload>");
}

TEST(ErrorAnswer, OfEitherServiceIsUnderstood) {
  const auto s3 = store::parse_error("<Error><Code>PermanentRedirect</Code><Message>go there</Message><Region>eu-west-1</Region></Error>");
  EXPECT_EQ(s3.code, "PermanentRedirect");
  EXPECT_EQ(s3.message, "go there");
  EXPECT_EQ(s3.region, "eu-west-1");
  EXPECT_EQ(
      store::parse_error("<ErrorResponse xmlns=\"x\"><Error><Type>Sender</Type><Code>AccessDenied</Code></Error></ErrorResponse>").code,
      "AccessDenied");
  EXPECT_EQ(store::parse_error("<html>502</html>").code, "");
  EXPECT_EQ(store::parse_error("").code, "");
}

TEST(Addresses, AreTakenApart) {
  EXPECT_EQ(s3::parse_uri("s3://bucket/a//../b c?d#e")->key, "a//../b c?d#e");
  EXPECT_EQ(s3::parse_uri("s3://my.bucket_1")->bucket, "my.bucket_1");
  EXPECT_EQ(s3::parse_uri("s3://bucket")->key, "");
  for (const char* wrong :
       {"s3:/b", "s3://", "s3:///key", "s3://a b/c", "s3://a@b/c", "s3://a:80/c", "http://bucket/key", "s3://../x", "s3://a?b/c"})
    EXPECT_FALSE(s3::parse_uri(wrong)) << wrong;
  EXPECT_EQ(store::parse_endpoint("http://127.0.0.1:9000/")->host, "127.0.0.1:9000");
  EXPECT_EQ(store::parse_endpoint("https://s3.example.com:443")->host, "s3.example.com") << "as curl sends it";
  EXPECT_EQ(store::parse_endpoint("https://example.com/base/")->path, "/base");
  for (const char* wrong : {"127.0.0.1:9000", "ftp://a", "https://", "https://a@b", "https://a?b", "file:///etc/passwd", "https:///x"})
    EXPECT_FALSE(store::parse_endpoint(wrong)) << wrong;
}

TEST(ProfileFiles, AreReadAsTheAwsCliReadsThem) {
  const auto profiles = aws::Profiles::parse(
      "[default]\nregion = eu-west-1  # the nearest\noutput=json\n\n[profile  "
      "admin]\nrole_arn=arn:aws:iam::111122223333:role/R\nsource_profile = base\n"
      "services = local\ns3 =\n  max_concurrent_requests = 20\n[services local]\ns3 =\n  endpoint_url = "
      "http://127.0.0.1:9000\n[broken\nx=y\n=\nnothing\n",
      "; a comment\r\n[default]\r\naws_access_key_id = AKID\r\naws_secret_access_key = "
      "s+/=\r\n[base]\naws_access_key_id=B\n[admin]\nregion=us-west-2\n");
  const aws::Profile* const standard = profiles.find("default");
  ASSERT_TRUE(standard);
  EXPECT_EQ(standard->at("region"), "eu-west-1");
  EXPECT_EQ(standard->at("aws_access_key_id"), "AKID");
  EXPECT_EQ(standard->at("aws_secret_access_key"), "s+/=");
  const aws::Profile* const admin = profiles.find("admin");
  ASSERT_TRUE(admin);
  EXPECT_EQ(admin->at("source_profile"), "base");
  EXPECT_EQ(admin->at("region"), "us-west-2");
  EXPECT_EQ(admin->at("s3.max_concurrent_requests"), "20");
  EXPECT_EQ(profiles.service_endpoint(*admin, "s3"), "http://127.0.0.1:9000");
  EXPECT_EQ(profiles.service_endpoint(*standard, "s3"), "");
  EXPECT_TRUE(profiles.find("base"));
  EXPECT_FALSE(profiles.find("nobody"));
}

// ---- Key layouts ----

TEST(KeyLayout, SaysAccountRegionAndDay) {
  struct Example {
    const char *key, *account, *service, *region;
    int year, month, day;
  };
  for (const Example& e : {
           Example{"AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/01/x.json.gz", "111122223333", "CloudTrail", "us-east-1", 2026, 3, 1},
           Example{"p/q/AWSLogs/o-exampleorg1/111122223333/CloudTrail/us-gov-west-1/2026/12/31/x", "111122223333", "CloudTrail",
                   "us-gov-west-1", 2026, 12, 31},
           Example{"o-exampleorg1/AWSLogs/o-exampleorg1/111122223333/Config/eu-west-1/2026/3/1/ConfigHistory/x", "111122223333", "Config",
                   "eu-west-1", 2026, 3, 1},
           Example{"AWSLogs/aws-account-id=111122223333/aws-service=vpcflowlogs/aws-region=us-east-1/year=2026/month=03/day=01/hour=10/x",
                   "111122223333", "vpcflowlogs", "us-east-1", 2026, 3, 1},
           Example{"AWSLogs/111122223333/vpcdnsquerylogs/vpc-0a1b/2026/03/01/x", "111122223333", "vpcdnsquerylogs", "", 2026, 3, 1},
           Example{"AWSLogs/111122223333/WAFLogs/us-east-1/my-acl/2026/03/01/10/05/x", "111122223333", "WAFLogs", "us-east-1", 2026, 3, 1},
           Example{"AWSLogs/111122223333/elasticloadbalancing/us-east-1/2026/03/", "111122223333", "elasticloadbalancing", "us-east-1",
                   2026, 3, 0},
           Example{"AWSLogs/111122223333/CloudFront/E1.2026-03-01-10.x.gz", "111122223333", "CloudFront", "", 0, 0, 0},
           Example{"AWSLogs/111122223333/CloudTrail/us-east-1/2026/13/01/x", "111122223333", "CloudTrail", "us-east-1", 2026, 0, 0},
           Example{"MyAWSLogs/111122223333/CloudTrail/us-east-1/x", "", "", "", 0, 0, 0},
           Example{"logs/2026/03/01/x", "", "", "", 0, 0, 0},
       }) {
    const KeyFacts f = facts_of(e.key);
    EXPECT_EQ(f.account, e.account) << e.key;
    EXPECT_EQ(f.service, e.service) << e.key;
    EXPECT_EQ(f.region, e.region) << e.key;
    EXPECT_EQ(f.year, e.year) << e.key;
    EXPECT_EQ(f.month, e.month) << e.key;
    EXPECT_EQ(f.day, e.day) << e.key;
  }
}

TEST(KeyFilter, LeavesOutOnlyWhatANameRulesOut) {
  const auto at = [](const char* text) { return *lm::time::rfc3339(text); };
  KeyFilter march;
  march.since_ms = at("2026-03-05T00:00:00Z");
  march.until_ms = at("2026-03-06T00:00:00Z");
  const std::string base = "AWSLogs/111122223333/CloudTrail/us-east-1/";
  for (const char* in : {"2026/", "2026/03/", "2026/03/04/", "2026/03/05/", "2026/03/06/"}) EXPECT_TRUE(march.wants(base + in)) << in;
  for (const char* out : {"2025/", "2027/", "2026/02/", "2026/04/", "2026/03/03/", "2026/03/07/", "2026/03/03/a.json.gz"})
    EXPECT_FALSE(march.wants(base + out)) << out;
  EXPECT_TRUE(march.wants("elsewhere/2020/01/01/x")) << "another layout is not ours to judge";
  EXPECT_TRUE(march.wants(base + "x"));
  KeyFilter place;
  place.accounts = {"111122223333"};
  place.regions = {"eu-west-1", "us-east-1"};
  EXPECT_TRUE(place.wants(base + "2026/"));
  EXPECT_TRUE(place.wants("AWSLogs/111122223333/vpcdnsquerylogs/vpc-1/2026/x"));
  EXPECT_FALSE(place.wants("AWSLogs/111122223333/CloudTrail/us-west-2/2026/x"));
  EXPECT_FALSE(place.wants("AWSLogs/444455556666/"));
  EXPECT_TRUE(place.wants("AWSLogs/"));
}

// Azure Monitor's, Log Analytics' and Network Watcher's, in a container or below one.
TEST(KeyLayout, OfAzureSaysSubscriptionAndDay) {
  const std::string id = "01234567-89AB-CDEF-0123-456789ABCDEF";
  struct Example {
    std::string key, account, region;
    int year, month, day;
  };
  for (const Example& e : {
           Example{"resourceId=/SUBSCRIPTIONS/" + id +
                       "/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/V/y=2026/m=03/d=01/h=10/m=00/PT1H.json",
                   id, "", 2026, 3, 1},
           Example{"insights-logs-administrative/resourceId=/SUBSCRIPTIONS/" + id + "/y=2026/m=12/d=31/h=00/m=00/PT1H.json", id, "", 2026,
                   12, 31},
           Example{"tenantId=" + id + "/y=2026/m=3/d=9/h=1/m=00/PT1H.json", "", "", 2026, 3, 9},
           Example{"WorkspaceResourceId=/subscriptions/" + id +
                       "/resourcegroups/rg/providers/microsoft.operationalinsights/workspaces/w/y=2026/m=03/d=01/h=10/m=05/PT05M.json",
                   id, "", 2026, 3, 1},
           Example{"flowLogResourceID=/" + id + "_NETWORKWATCHERRG/NETWORKWATCHER_WESTEUROPE_VM-RG-FLOWLOGS/y=2026/m=03/d=01/", id,
                   "WESTEUROPE", 2026, 3, 1},
           Example{"resourceId=/SUBSCRIPTIONS/" + id + "/y=2026/m=13/d=01/x", id, "", 2026, 0, 0},
           Example{"resourceId=/SUBSCRIPTIONS/" + id + "/m=03/d=01/y=2026/", id, "", 2026, 0, 0},
           Example{"resourceIdentity/y=2026/m=03/d=01/x", "", "", 0, 0, 0},
           Example{"x/y=2026/m=03/d=01/x", "", "", 0, 0, 0},
       }) {
    const KeyFacts f = facts_of(e.key);
    EXPECT_EQ(f.account, e.account) << e.key;
    EXPECT_EQ(f.region, e.region) << e.key;
    EXPECT_EQ(f.year, e.year) << e.key;
    EXPECT_EQ(f.month, e.month) << e.key;
    EXPECT_EQ(f.day, e.day) << e.key;
  }
  KeyFilter day, place;
  day.since_ms = *lm::time::rfc3339("2026-03-05T00:00:00Z");
  day.until_ms = *lm::time::rfc3339("2026-03-06T00:00:00Z");
  const std::string base = "resourceId=/SUBSCRIPTIONS/" + id + "/RESOURCEGROUPS/RG/PROVIDERS/P/VAULTS/V/";
  for (const char* in : {"", "y=2026/", "y=2026/m=03/", "y=2026/m=03/d=04/", "y=2026/m=03/d=06/h=23/m=00/PT1H.json"})
    EXPECT_TRUE(day.wants(base + in)) << in;
  for (const char* out : {"y=2025/", "y=2026/m=02/", "y=2026/m=03/d=03/", "y=2026/m=03/d=07/", "y=2026/m=03/d=07/h=00/m=00/PT1H.json"})
    EXPECT_FALSE(day.wants(base + out)) << out;
  EXPECT_EQ(descend("resourceId=/", day), Descend::step);
  EXPECT_EQ(descend(base, day), Descend::step);
  EXPECT_EQ(descend(base + "y=2026/m=03/", day), Descend::step);
  EXPECT_EQ(descend(base + "y=2026/m=03/d=05/", day), Descend::whole);
  EXPECT_EQ(descend(base + "y=2026/m=03/d=01/", day), Descend::no);
  EXPECT_EQ(descend("resourceId=/", KeyFilter{}), Descend::whole) << "without a filter nothing is walked";
  place.accounts = {"01234567-89ab-cdef-0123-456789abcdef"};
  EXPECT_EQ(descend("resourceId=/SUBSCRIPTIONS/", place), Descend::step);
  EXPECT_EQ(descend("resourceId=/SUBSCRIPTIONS/" + id + "/", place), Descend::whole);
  EXPECT_EQ(descend("resourceId=/SUBSCRIPTIONS/11111111-89AB-CDEF-0123-456789ABCDEF/", place), Descend::no);
}

TEST(KeyFilter, TheWalkStepsAsFarAsNamesTell) {
  KeyFilter none, day, region;
  day.since_ms = *lm::time::rfc3339("2026-03-05T00:00:00Z");
  region.regions = {"us-east-1"};
  EXPECT_EQ(descend("x/", none), Descend::unknown);
  EXPECT_EQ(descend("AWSLogs/", none), Descend::step);
  EXPECT_EQ(descend("AWSLogs/o-1/", none), Descend::step);
  EXPECT_EQ(descend("AWSLogs/111122223333/", none), Descend::step);
  EXPECT_EQ(descend("AWSLogs/111122223333/CloudTrail/", none), Descend::whole);
  EXPECT_EQ(descend("AWSLogs/111122223333/CloudTrail/", region), Descend::step);
  EXPECT_EQ(descend("AWSLogs/111122223333/CloudTrail/us-east-1/", region), Descend::whole);
  EXPECT_EQ(descend("AWSLogs/111122223333/CloudTrail/us-east-1/2026/", day), Descend::step);
  EXPECT_EQ(descend("AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/05/", day), Descend::whole);
  EXPECT_EQ(descend("AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/01/", day), Descend::no);
  EXPECT_EQ(descend("AWSLogs/111122223333/x/a/b/c/d/", day), Descend::whole) << "nothing of ours: not walked for ever";
}

}  // namespace
