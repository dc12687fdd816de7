// Which parser reads what: over the samples of all parsers, by content alone and by key alone, and nothing that belongs to nobody.
#include "plugin_host/plugin_host.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>

namespace {

namespace fs = std::filesystem;

const lm::Registry::Impl& registry() {
  static const lm::Registry::Impl loaded = [] {
    lm::Registry::Impl out;
    for (const auto& file : fs::directory_iterator(PLUGINS)) {
      if (file.path().extension() != ".so") continue;
      if (const auto ok = out.load(file.path(), {}); !ok) throw std::runtime_error(ok.error().what);
    }
    return out;
  }();
  return loaded;
}

std::string content_of(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::string detected(std::string_view key, std::string_view content) {
  const auto head = std::as_bytes(std::span(content.substr(0, 64 << 10)));
  const lm::Match match = *lm::detect(registry(), key, head, content.size() <= head.size());
  return match.parser ? match.parser->id : "(nobody)";
}

// Rows: whose samples; columns: who was found. All that counts lies on the diagonal.
TEST(Detection, EverySampleIsItsParsersByContentAlone) {
  std::map<std::string, std::map<std::string, int>> matrix;
  bool good = true;
  for (const auto& folder : fs::directory_iterator(GOLDEN)) {
    if (!folder.is_directory()) continue;
    const std::string id = folder.path().filename();
    for (const auto& file : fs::recursive_directory_iterator(folder.path() / "input")) {
      if (!file.is_regular_file()) continue;
      // Where the name is all there is to go by, as for test objects of a delivery and a binary form, it belongs to the sample.
      const std::string text = content_of(file.path());
      const bool by_name = id == "aws.delivery_test" || id == "azure.sql_audit_xel";
      const std::string found = detected(by_name ? file.path().filename().string() : "x", text);
      ++matrix[id][found];
      good = good && found == id;
    }
  }
  std::string told;
  for (const auto& [id, row] : matrix) {
    told += id + ":";
    for (const auto& [found, count] : row) told += " " + found + " " + std::to_string(count);
    told += "\n";
  }
  EXPECT_TRUE(good) << told;
  for (const auto& p : registry().parsers) EXPECT_TRUE(matrix.contains(p->id)) << p->id << " has no samples";
}

// The documented layouts: AWS service guides, as each plugin's README names them.
TEST(Detection, DocumentedKeysNameTheirParser) {
  const std::string day = "2026/03/01/", account = "AWSLogs/111122223333/", elb = account + "elasticloadbalancing/eu-central-1/" + day;
  const std::string elb_name = "111122223333_elasticloadbalancing_eu-central-1_";
  const std::string hour = "/y=2026/m=03/d=01/h=08/m=00/", resource = "resourceId=/SUBSCRIPTIONS/S/RESOURCEGROUPS/R/PROVIDERS/",
                    aks = resource + "MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/AKS1" + hour + "PT1H.json",
                    sql = resource + "MICROSOFT.SQL/SERVERS/SQL1/DATABASES/DB1" + hour + "PT1H.json",
                    workspace =
                        "WorkspaceResourceId=/subscriptions/s/resourcegroups/r/providers/microsoft.operationalinsights/workspaces/w" +
                        hour + "PT05M.json";
  const std::pair<std::string, std::string> kKeys[] = {
      {account + "CloudTrail/eu-central-1/" + day + "111122223333_CloudTrail_eu-central-1_20260301T0800Z_AbCdEfGhIjKlMnOp.json.gz",
       "aws.cloudtrail"},
      {"some/prefix/AWSLogs/o-exampleorg1/111122223333/CloudTrail/eu-central-1/" + day + "x.json.gz", "aws.cloudtrail"},
      {account + "CloudTrail-Insight/eu-central-1/" + day + "x.json.gz", "aws.cloudtrail"},
      {account + "CloudTrail-NetworkActivity/eu-central-1/" + day + "x.json.gz", "aws.cloudtrail"},
      {account + "CloudTrail-Aggregated/eu-central-1/" + day + "x.json.gz", "aws.cloudtrail"},
      {account + "CloudTrail-Digest/eu-central-1/" + day +
           "111122223333_CloudTrail-Digest_eu-central-1_main_eu-central-1_20260301T080000Z.json.gz",
       "aws.cloudtrail_digest"},
      {account + "vpcflowlogs/eu-central-1/" + day + "111122223333_vpcflowlogs_eu-central-1_fl-0a1b_20260301T0800Z_0a1b2c3d.log.gz",
       "aws.vpcflow"},
      {"AWSLogs/aws-account-id=111122223333/aws-service=vpcflowlogs/aws-region=eu-central-1/year=2026/month=03/day=01/x.log.gz",
       "aws.vpcflow"},
      {account + "vpcdnsquerylogs/vpc-0a1b/" + day + "vpc-0a1b_vpcdnsquerylogs_111122223333_20260301T0800Z_0a1b2c3d.log.gz",
       "aws.route53_resolver"},
      {elb + elb_name + "app.web.50dc6c495c0c9188_20260301T0800Z_203.0.113.80_4x5y6z7a.log.gz", "aws.alb"},
      {elb + "conn_log_" + elb_name + "app.web.50dc6c495c0c9188_20260301T0800Z_203.0.113.80_4x5y6z7a.log.gz", "aws.alb_connection"},
      {elb + "health_check_log_" + elb_name + "app.web.50dc6c495c0c9188_20260301T0800Z_203.0.113.80_4x5y6z7a.log.gz",
       "aws.alb_health_check"},
      {elb + elb_name + "net.edge.c6e77e28c25b2234_20260301T0800Z_4x5y6z7a.log.gz", "aws.nlb"},
      {elb + elb_name + "my-clb_20260301T0800Z_203.0.113.80_4x5y6z7a.log", "aws.clb"},
      {account + "GuardDuty/eu-central-1/" + day + "01234567-89ab-cdef-0123-456789abcdef.jsonl.gz", "aws.guardduty"},
      {account + "WAFLogs/eu-central-1/web/" + day + "08/00/111122223333_waflogs_eu-central-1_web_20260301T0800Z_0a1b2c3d.log.gz",
       "aws.waf"},
      {account + "WAFLogs/cloudfront/web/" + day + "08/00/111122223333_waflogs_cloudfront_web_20260301T0800Z_0a1b2c3d.log.gz", "aws.waf"},
      {account + "network-firewall/alert/eu-central-1/edge/" + day +
           "08/111122223333_network-firewall_alert_eu-central-1_edge_202603010800_0a1b2c3d.log.gz",
       "aws.network_firewall"},
      {"111122223333/eu-central-1/example-bucket/" + day + "2026-03-01-08-00-00-0123456789ABCDEF", "aws.s3_access"},
      {account + "Config/eu-central-1/2026/3/1/ConfigSnapshot/x.json.gz", "aws.config_snapshot"},
      {"logs/2026-03-01-08-00-00-0123456789ABCDEF", "aws.s3_access"},
      {"cdn/E2EXAMPLE12345.2026-03-01-08.abcd1234.gz", "aws.cloudfront"},
      {"insights-logs-kube-audit/" + aks, "azure.aks_audit"},
      {"insights-logs-kube-audit-admin/" + aks, "azure.aks_audit"},
      {"insights-logs-guard/" + aks, "azure.aks_audit"},
      {"am-aksaudit/" + workspace, "azure.aks_audit"},
      {"insights-logs-sqlsecurityauditevents/" + sql, "azure.sql_audit"},
      {"insights-logs-devopsoperationsaudit/" + sql, "azure.sql_audit"},
      {"sqldbauditlogs/sql1/DB1/SqlDbAuditing_ServerAudit_NoRetention/2026-03-01/RO/08_00_00_000_0.xel", "azure.sql_audit_xel"},
  };
  for (const auto& [key, id] : kKeys) {
    const lm::ParserPlugin* found = lm::detect_by_key(registry(), key);
    EXPECT_EQ(found ? found->id : "(nobody)", id) << key;
  }
}

// Logs that look a little like those that are known, and are not.
TEST(Detection, WhatNobodyKnowsIsNobodys) {
  for (
      const char* text :
      {"",
       "\n\n",
       "hello world\n",
       "{}",
       "[]",
       "[1,2]",
       "null",
       "{\"a\":1}\n{\"a\":2}\n",
       "203.0.113.7 - - [01/Mar/2026:08:00:00 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"curl/8\"\n",
       "Mar  1 08:00:00 host sshd[1]: Accepted publickey for joe from 203.0.113.7 port 1 ssh2\n",
       "<34>1 2026-03-01T08:00:00Z host app 1 - - message\n",
       "2026-03-01T08:00:00Z INFO main started on port 443\n",
       "2026-03-01 08:00:00 203.0.113.7 GET /index.html - 443 - 198.51.100.7 Mozilla 200 0 0 5\n",
       "a,b,c\n1,2,3\n",
       "#Fields: a b c\n1 2 3\n",
       "#separator \\x09\n#fields\tts\tuid\tid.orig_h\n1.0\tC1\t192.0.2.1\n",
       R"({"uuid":"a","published":"2026-03-01T08:00:00.000Z","eventType":"user.session.start","actor":{"id":"b","type":"User"},"outcome":{"result":"SUCCESS"}})",
       R"({"timestamp":"2026-03-01T08:00:00.000000+0000","event_type":"alert","src_ip":"192.0.2.1","dest_ip":"192.0.2.2","proto":"TCP","alert":{"action":"allowed"}})",
       R"({"kind":"Event","apiVersion":"v1","metadata":{"name":"web-0.1"},"reason":"Scheduled"})",
       R"({"class_uid":6003,"metadata":{"version":"1.1.0","product":{"name":"CloudTrail"}},"api":{"operation":"x"},"time":1})",
       R"({"eventName":"x","eventSource":"y"})",
       R"({"Records":[{"a":1}]})",
       R"({"findings":[{"a":1}]})",
       R"({"messageType":"DATA_MESSAGE","logGroup":"a","logEvents":[{"id":"1","timestamp":1,"message":"2 111122223333 eni-1 192.0.2.1"}]})",
       R"({"version":"0","detail-type":"x","source":"y","detail":{"schemaVersion":"2.0","eventName":"z"}})"}) {
    EXPECT_EQ(detected("x", text), "(nobody)") << text;
  }
}

}  // namespace
