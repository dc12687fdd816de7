// Azure without a server: signatures are what Microsoft's documentation describes, computed independently, answers are read within bounds whatever is in them, and
// connection strings and SAS are taken apart. What needs a server is in tests/integration/test_az.py.
#include "object_store/azure.hpp"
#include "object_store/stores.hpp"
#include "object_store/xml.hpp"

#include <gtest/gtest.h>

namespace {

using namespace lm;

// The emulator's, which everybody knows.
constexpr std::string_view kKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

TEST(SharedKey, SignsTheTextOfTheDocumentation) {
  // Azure Storage REST API, "Authorize with Shared Key", the example of Get Container Metadata.
  azure::SigningRequest r;
  r.path = "/mycontainer";
  r.query = {{"restype", "container"}, {"timeout", "20"}, {"comp", "metadata"}};
  r.headers = {{"x-ms-version", "2015-02-21"}, {"x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT"}};
  EXPECT_EQ(azure::string_to_sign(r, "myaccount"),
            "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n/myaccount/mycontainer\n"
            "comp:metadata\nrestype:container\ntimeout:20");
}

TEST(SharedKey, GivesTheSignaturesOfAnotherProgram) {
  const std::string key = azure::base64_decode(kKey).value();
  azure::SigningRequest get;
  get.path = "/devstoreaccount1/logs/a%20b/%3D%2B%C3%A9";
  get.headers = {
      {"range", "bytes=10-"}, {"if-match", "\"0x8D\""}, {"x-ms-version", "2021-12-02"}, {"x-ms-date", "Fri, 24 May 2013 00:00:00 GMT"}};
  EXPECT_EQ(azure::authorization(get, "devstoreaccount1", key), "SharedKey devstoreaccount1:EOKWapy7sR0sG1vo1CSkZ71uZbH+L6yWpYtUYvin9Xk=");
  azure::SigningRequest list;
  list.path = "/logs";
  list.query = {{"restype", "container"}, {"comp", "list"}, {"prefix", "a b&c"}, {"marker", "2!68!x/+="}};
  list.headers = {{"x-ms-date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-ms-version", "2021-12-02"}};
  EXPECT_EQ(azure::authorization(list, "acme", key), "SharedKey acme:GjSd5Z3abgQCBQwuRq+WDARHZrt4jf4JjynZdh22mJ4=");
}

TEST(Base64, ComesBackForEveryLength) {
  for (const std::string& text :
       {std::string(""), std::string("a"), std::string("ab"), std::string("abc\0", 4), std::string(1000, '\xff')}) {
    const std::string written = azure::base64_encode(text);
    if (!text.empty()) {
      EXPECT_EQ(azure::base64_decode(written), text);
    }
  }
  for (const char* wrong : {"", "a", "abc", "ab!=", "a b="}) EXPECT_FALSE(azure::base64_decode(wrong)) << wrong;
}

TEST(Sas, IsTakenWithOrWithoutItsQuestionMark) {
  EXPECT_EQ(*azure::parse_sas("?sv=2021-12-02&sig=a%2Fb%3D"), "sv=2021-12-02&sig=a%2Fb%3D");
  EXPECT_EQ(*azure::parse_sas(" sig=x&sv=1\n"), "sig=x&sv=1");
  for (const char* wrong : {"", "sv=1", "sv=1&sig=a b", "sv=1&sig=a\r\nX: y", "sv=1&sig=a#b", "xsig=1"}) {
    const auto sas = azure::parse_sas(wrong);
    ASSERT_FALSE(sas) << wrong;
    EXPECT_EQ(sas.error().what.find("a b"), std::string::npos);
  }
}

TEST(ConnectionString, SaysWhoAndWhere) {
  const auto usual = azure::parse_connection_string("DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=" + std::string(kKey) +
                                                    ";EndpointSuffix=core.usgovcloudapi.net");
  ASSERT_TRUE(usual) << usual.error().what;
  EXPECT_EQ(usual->account, "acme");
  EXPECT_EQ(usual->key, azure::base64_decode(kKey));
  EXPECT_EQ(usual->endpoint, "https://acme.blob.core.usgovcloudapi.net");
  const auto sas = azure::parse_connection_string("BlobEndpoint=https://acme.blob.core.windows.net/;SharedAccessSignature=sv=1&sig=x%3D;");
  ASSERT_TRUE(sas) << sas.error().what;
  EXPECT_EQ(sas->sas, "sv=1&sig=x%3D");
  EXPECT_EQ(sas->account, "");
  EXPECT_EQ(sas->endpoint, "https://acme.blob.core.windows.net/");
  const auto emulator = azure::parse_connection_string("UseDevelopmentStorage=true");
  ASSERT_TRUE(emulator);
  EXPECT_EQ(emulator->endpoint, "http://127.0.0.1:10000/devstoreaccount1");
  EXPECT_EQ(emulator->key, azure::base64_decode(kKey));
  for (const char* wrong : {"", ";;", "AccountName=acme", "AccountName=acme;AccountKey=hunter2", "hunter2",
                            "AccountKey=aHVudGVyMg==", "AccountName=acme;SharedAccessSignature=hunter2",
                            "DefaultEndpointsProtocol=ftp;AccountName=a;AccountKey=aHVudGVyMg=="}) {
    const auto bad = azure::parse_connection_string(wrong);
    ASSERT_FALSE(bad) << wrong;
    EXPECT_EQ(bad.error().what.find("hunter2"), std::string::npos) << "a secret is no part of an error";
  }
}

TEST(AzureAddresses, AreTakenApart) {
  const auto address = azure::parse_uri("az://acmelogs/insights-logs-auditlogs/tenantId=x//../b c?d#e");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->account, "acmelogs");
  EXPECT_EQ(address->container, "insights-logs-auditlogs");
  EXPECT_EQ(address->key, "tenantId=x//../b c?d#e");
  EXPECT_EQ(azure::parse_uri("az://acmelogs/$logs")->key, "");
  EXPECT_EQ(azure::parse_uri("az://acmelogs/abc/")->key, "");
  for (const char* wrong :
       {"az:/acme/abc", "az://", "az://acme", "az://acme/", "az:///abc/x", "az://Acme/abc", "az://ac.me/abc", "az://acme/A-B",
        "az://acme/ab", "az://acme/-abc", "az://acme/a--b", "az://acme/../x", "az://acme@x/abc/y", "s3://acme/abc"})
    EXPECT_FALSE(azure::parse_uri(wrong)) << wrong;
  store::Stores stores({}, {}, {});
  for (const char* pasted : {"az://acme/logs?sv=1&sig=hunter2", "az://acme/logs/x?sv=1&sig=hunter2", "az://acme?sig=hunter2"}) {
    const auto place = stores.find(pasted);
    ASSERT_FALSE(place) << pasted;
    EXPECT_EQ(place.error().what.find("hunter2"), std::string::npos) << place.error().what;
  }
}

std::string blobs(const std::string& inside) {
  return "\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults "
         "ServiceEndpoint=\"https://acme.blob.core.windows.net/\" ContainerName=\"l\">" +
         inside + "</EnumerationResults>";
}

TEST(BlobList, IsRead) {
  const auto page = azure::parse_list(blobs(
      "<Prefix>a</Prefix><Delimiter>/</Delimiter><Blobs><Blob><Name>a+b%2F &amp;\xc3\xa9</Name><Properties><Creation-Time>Sun, 01 Mar 2026 "
      "07:00:00 GMT</Creation-Time><Last-Modified>Sun, 01 Mar 2026 08:00:00 GMT</Last-Modified><Etag>0x8DC</Etag><Content-Length>12</"
      "Content-Length><BlobType>BlockBlob</BlobType><AccessTier>Archive</AccessTier></Properties></Blob><BlobPrefix><Name>a/</Name>"
      "</BlobPrefix><Blob><Name Encoded=\"true\">a%EF%BF%BEb</Name><Properties><Etag>0x1</Etag><Content-Length>7</Content-Length>"
      "<BlobType>AppendBlob</BlobType></Properties></Blob><Blob><Name>dir</Name><Properties><ResourceType>directory</ResourceType>"
      "<Content-Length>0</Content-Length></Properties></Blob><Blob><Name>sealed</Name><Properties><Content-Length>7</Content-Length>"
      "<BlobType>AppendBlob</BlobType><Sealed>true</Sealed></Properties></Blob></Blobs><NextMarker>2!68!/+=</NextMarker>"));
  ASSERT_TRUE(page) << page.error().what;
  ASSERT_EQ(page->objects.size(), 3u) << "a directory is no object";
  EXPECT_EQ(page->objects[0].key, "a+b%2F &\xc3\xa9") << "a name is what it is";
  EXPECT_EQ(page->objects[0].etag, "0x8DC");
  EXPECT_EQ(page->objects[0].size, 12u);
  EXPECT_EQ(page->objects[0].mtime_ms, 1772352000000);
  EXPECT_FALSE(page->objects[0].growing);
  EXPECT_EQ(page->objects[1].key,
            "a\xef\xbf\xbe"
            "b")
      << "but where the answer says that it is encoded";
  EXPECT_TRUE(page->objects[1].growing);
  EXPECT_FALSE(page->objects[2].growing) << "a sealed blob grows no more";
  EXPECT_EQ(page->prefixes, std::vector<std::string>{"a/"});
  EXPECT_TRUE(page->truncated);
  EXPECT_EQ(page->continuation, "2!68!/+=");
  EXPECT_FALSE(azure::parse_list(blobs("<Blobs/><NextMarker/>"))->truncated);
}

TEST(BlobList, IsRefusedWhenItIsNotOne) {
  for (const std::string& xml :
       {std::string(), std::string("<html/>"), std::string("<ListBucketResult/>"), blobs("<Blobs><Blob>"),
        blobs("<Blobs><Blob><Properties><Content-Length>1</Content-Length></Properties></Blob></Blobs>"),
        blobs("<Blobs><Blob><Name>a</Name><Properties><Content-Length>-1</Content-Length></Properties></Blob></Blobs>")})
    EXPECT_FALSE(azure::parse_list(xml)) << xml;
}

}  // namespace
