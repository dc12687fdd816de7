// What aws.vpcflow and aws.vpcflow_json make of lines: orders, versions, absent values, broken lines, and what the object's key says.
#include "parser_harness.hpp"

#include <gtest/gtest.h>
#include <algorithm>
#include <random>
#include <set>

extern "C" const lm_entry logmill_entry;  // of the plugin that is linked in

namespace {

using lm::testing::Blocks;
using lm::testing::content;
using lm::testing::difference;
using lm::testing::Harness;
using lm::testing::Outcome;

constexpr std::string_view kKey = "AWSLogs/111122223333/vpcflowlogs/eu-central-1/2026/03/01/x.log.gz";
constexpr std::string_view kDefaultHeader =
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n";
constexpr std::string_view kDefaultLine =
    "2 111122223333 eni-0a 192.0.2.1 198.51.100.2 443 50000 6 10 840 1772352000 1772352060 ACCEPT OK\n";

Outcome read(std::string_view text, std::string_view key = "object", std::string_view id = "aws.vpcflow", std::string_view config = "{}") {
  Harness harness(logmill_entry, id, config);
  Blocks blocks(harness);
  blocks.add(text, key);
  return harness.run(blocks);
}

// `wanted` is what each event must have at least, in the order of the records.
void expect_events(const Outcome& out, std::initializer_list<std::string_view> wanted) {
  ASSERT_EQ(out.events.size(), wanted.size());
  std::size_t i = 0;
  for (const std::string_view w : wanted) {
    EXPECT_EQ(difference(w, out.events[i].json), "") << out.events[i].json;
    ++i;
  }
}

std::string join(const std::vector<std::string>& words, std::string_view separator = " ") {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += separator;
    out += word;
  }
  return out + "\n";
}

struct Field {
  int version;
  std::string name, value;
};

// AWS, "Amazon VPC User Guide", "Flow log records": the fields by the version that brought them, each with a value of its own.
const std::vector<Field>& fields() {
  static const std::vector<Field> all = {
      {2, "version", "11"},
      {2, "account-id", "111122223333"},
      {2, "interface-id", "eni-0a"},
      {2, "srcaddr", "192.0.2.1"},
      {2, "dstaddr", "198.51.100.2"},
      {2, "srcport", "40001"},
      {2, "dstport", "40002"},
      {2, "protocol", "17"},
      {2, "packets", "4711"},
      {2, "bytes", "9000000001"},
      {2, "start", "1772352000"},
      {2, "end", "1772352061"},
      {2, "action", "REJECT"},
      {2, "log-status", "OK"},
      {3, "vpc-id", "vpc-0b"},
      {3, "subnet-id", "subnet-0c"},
      {3, "instance-id", "i-0d"},
      {3, "tcp-flags", "18"},
      {3, "type", "IPv4"},
      {3, "pkt-srcaddr", "192.0.2.3"},
      {3, "pkt-dstaddr", "198.51.100.4"},
      {4, "region", "eu-west-1"},
      {4, "az-id", "euw1-az2"},
      {4, "sublocation-type", "outpost"},
      {4, "sublocation-id", "op-0e"},
      {5, "pkt-src-aws-service", "S3"},
      {5, "pkt-dst-aws-service", "DYNAMODB"},
      {5, "flow-direction", "egress"},
      {5, "traffic-path", "8"},
      {7, "ecs-cluster-arn", "arn-1"},
      {7, "ecs-cluster-name", "name-2"},
      {7, "ecs-container-instance-arn", "arn-3"},
      {7, "ecs-container-instance-id", "id-4"},
      {7, "ecs-container-id", "id-5"},
      {7, "ecs-second-container-id", "id-6"},
      {7, "ecs-service-name", "name-7"},
      {7, "ecs-task-definition-arn", "arn-8"},
      {7, "ecs-task-arn", "arn-9"},
      {7, "ecs-task-id", "id-10"},
      {8, "reject-reason", "BPA"},
      {9, "resource-id", "nat-0f"},
      {10, "encryption-status", "3"},
      {11, "instance-tag", "tag-1"},
      {11, "instance-tag-2", "tag-2"},
      {11, "interface-tag", "tag-3"},
      {11, "interface-tag-2", "tag-4"},
      {11, "asg-tag", "tag-5"},
      {11, "asg-tag-2", "tag-6"},
      {11, "interface-type", "nat_gateway"},
      {11, "next-hop-interface-id", "eni-0b"},
      {11, "next-hop-subnet-id", "subnet-0d"},
      {11, "next-hop-az-id", "euw1-az3"},
      {11, "next-hop-vpc-id", "vpc-0e"},
      {11, "next-hop-interface-type", "vpc_endpoint"},
  };
  return all;
}

std::string as_text(const std::vector<const Field*>& order) {
  std::vector<std::string> names, values;
  for (const Field* f : order) names.push_back(f->name), values.push_back(f->value);
  return join(names) + join(values);
}

TEST(VpcFlow, ReadsTheFieldsOfEveryVersionInAnyOrder) {
  std::mt19937 random(1);
  for (const int version : {2, 3, 4, 5, 7, 8, 9, 10, 11}) {
    std::vector<const Field*> order;
    for (const Field& f : fields()) {
      if (f.version <= version) order.push_back(&f);
    }
    const Outcome straight = read(as_text(order));
    ASSERT_EQ(straight.events.size(), 1u) << version;
    EXPECT_TRUE(straight.drift.empty());
    for (int i = 0; i < 5; ++i) {
      std::shuffle(order.begin(), order.end(), random);
      const Outcome shuffled = read(as_text(order));
      ASSERT_EQ(shuffled.events.size(), 1u) << as_text(order);
      EXPECT_EQ(content(shuffled.events[0].json), content(straight.events[0].json)) << as_text(order);
    }
  }
}

TEST(VpcFlow, PutsEachFieldOfVersion11WhereItBelongs) {
  std::vector<const Field*> order;
  for (const Field& f : fields()) order.push_back(&f);
  expect_events(read(as_text(order)), {R"({
    "class_uid": 4001, "activity_id": 5, "type_uid": 400105, "time": 1772352000000, "start_time": 1772352000000, "end_time": 1772352061000, "duration": 61000,
    "severity_id": 1, "action_id": 2, "disposition_id": 2, "status_id": 2, "status_code": "OK", "status_detail": "BPA", "observation_point_id": 1,
    "is_src_dst_assignment_known": false,
    "src_endpoint": {"ip": "192.0.2.3", "intermediate_ips": ["192.0.2.1"], "port": 40001, "svc_name": "S3", "interface_uid": null, "vpc_uid": null,
                     "subnet_uid": null, "instance_uid": null},
    "dst_endpoint": {"ip": "198.51.100.4", "intermediate_ips": ["198.51.100.2"], "port": 40002, "svc_name": "DYNAMODB", "interface_uid": null, "vpc_uid": null},
    "network_observation_point": {"interface_uid": "eni-0a", "uid": "nat-0f", "vpc_uid": "vpc-0b", "subnet_uid": "subnet-0c", "instance_uid": "i-0d", "zone": "euw1-az2"},
    "connection_info": {"direction_id": 2, "protocol_num": 17, "protocol_name": "udp", "protocol_ver_id": 4, "tcp_flags": 18, "boundary_id": 11},
    "traffic": {"bytes": 9000000001, "bytes_out": 9000000001, "packets": 4711, "packets_out": 4711},
    "cloud": {"provider": "AWS", "account": {"uid": "111122223333", "type_id": 10}, "region": "eu-west-1", "zone": "euw1-az2", "org": null},
    "metadata": {"log_version": "11", "profiles": ["cloud", "security_control"], "log_provider": "VPC Flow Logs",
                 "product": {"name": "Amazon VPC", "vendor_name": "AWS", "feature": {"name": "Flowlogs"}}},
    "unmapped": {"sublocation-type": "outpost", "sublocation-id": "op-0e", "ecs-cluster-arn": "arn-1", "ecs-cluster-name": "name-2",
                 "ecs-container-instance-arn": "arn-3", "ecs-container-instance-id": "id-4", "ecs-container-id": "id-5", "ecs-second-container-id": "id-6",
                 "ecs-service-name": "name-7", "ecs-task-definition-arn": "arn-8", "ecs-task-arn": "arn-9", "ecs-task-id": "id-10", "encryption-status": "3",
                 "instance-tag": "tag-1", "instance-tag-2": "tag-2", "interface-tag": "tag-3", "interface-tag-2": "tag-4", "asg-tag": "tag-5", "asg-tag-2": "tag-6",
                 "interface-type": "nat_gateway", "next-hop-interface-id": "eni-0b", "next-hop-subnet-id": "subnet-0d", "next-hop-az-id": "euw1-az3",
                 "next-hop-vpc-id": "vpc-0e", "next-hop-interface-type": "vpc_endpoint", "resource-type": null, "reject-reason": null}})"});
}

// What goes through an interface does not live there: an address on the Internet must not be told to be in our subnet.
TEST(VpcFlow, TheInterfaceIsThatOfItsOwnAddress) {
  const auto flow = [](std::string_view addresses, std::string_view way) {
    return "version interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr flow-direction vpc-id subnet-id instance-id start end action "
           "log-status\n5 eni-0a " +
           std::string(addresses) + " " + std::string(way) + " vpc-0b subnet-0c i-0d 1772352000 1772352060 ACCEPT OK";
  };
  const std::string_view here = R"({"interface_uid": "eni-0a", "vpc_uid": "vpc-0b", "subnet_uid": "subnet-0c", "instance_uid": "i-0d"})",
                         elsewhere = R"({"interface_uid": null, "vpc_uid": null, "subnet_uid": null, "instance_uid": null})";
  const auto expect = [&](std::string_view addresses, std::string_view way, std::string_view source, std::string_view destination) {
    expect_events(read(flow(addresses, way)),
                  {"{\"observation_point_id\": " + std::string(way == "egress" ? "1" : "2") + ", \"src_endpoint\": " + std::string(source) +
                   ", \"dst_endpoint\": " + std::string(destination) + ", \"network_observation_point\": " + std::string(here) + "}"});
  };
  expect("192.0.2.1 198.51.100.2 192.0.2.1 198.51.100.2", "egress", here, elsewhere);
  expect("192.0.2.1 198.51.100.2 - -", "egress", here, elsewhere);
  expect("192.0.2.1 198.51.100.2 192.0.2.1 198.51.100.2", "ingress", elsewhere, here);
  // A NAT gateway: on the way out it is what is spoken to, on the way back what speaks.
  expect("192.0.2.1 192.0.2.220 192.0.2.1 203.0.113.5", "ingress", elsewhere, elsewhere);
  expect("192.0.2.220 192.0.2.1 203.0.113.5 192.0.2.1", "egress", elsewhere, elsewhere);
}

TEST(VpcFlow, ReadsTheQuotedCsvOfQueryEngines) {
  const std::string quoted =
      "\"version\",\"account_id\",\"srcaddr\",\"dstaddr\",\"srcport\",\"protocol\",\"start\",\"end\",\"action\",\"log_status\",\"more\"\n"
      "\"2\",\"111122223333\",\"192.0.2.1\",\"\",\"443\",\"6\",\"1772352000\",\"1772352060\",\"ACCEPT\",\"OK\",\"\"\"\"\n"
      "2,111122223333,192.0.2.1,-,443,6,1772352000,1772352060,ACCEPT,OK,x\n";
  const Outcome out = read(quoted);
  expect_events(out,
                {R"({"activity_id": 6, "src_endpoint": {"ip": "192.0.2.1", "port": 443}, "dst_endpoint": null, "time": 1772352000000})",
                 R"({"activity_id": 6, "src_endpoint": {"ip": "192.0.2.1", "port": 443}, "unmapped": {"more": "x"}})"});
}

TEST(VpcFlow, SpellingsOfTheHeaderAreTheSame) {
  std::vector<std::string> dashed, underlined, braced, values;
  for (const Field& f : fields()) {
    dashed.push_back(f.name), values.push_back(f.value);
    underlined.push_back(f.name), std::replace(underlined.back().begin(), underlined.back().end(), '-', '_');
    braced.push_back("${" + f.name + "}");
  }
  const std::string plain = content(read(join(dashed) + join(values)).events.at(0).json);
  for (const std::string& text : {join(underlined) + join(values), join(braced) + join(values), join(underlined, ",") + join(values, ","),
                                  join(dashed, "  ") + join(values, "   ")}) {
    const Outcome out = read(text);
    ASSERT_EQ(out.events.size(), 1u) << text;
    EXPECT_EQ(content(out.events[0].json), plain) << text;
  }
}

TEST(VpcFlow, WithoutAHeaderReadsTheDefaultFormatAndTheConfiguredOne) {
  expect_events(read(kDefaultLine),
                {R"({"src_endpoint": {"ip": "192.0.2.1", "port": 443}, "connection_info": {"direction_id": 0, "protocol_ver_id": 4}})"});
  const std::string config = R"({"format": "${end} ${start} ${dstaddr} ${srcaddr} ${log-status}"})";
  const std::string text = "1772352060 1772352000 198.51.100.2 192.0.2.1 OK\n";
  expect_events(read(text, "object", "aws.vpcflow", config),
                {R"({"src_endpoint": {"ip": "192.0.2.1"}, "dst_endpoint": {"ip": "198.51.100.2"}, "duration": 60000})"});
  // A header in the object says more than the configuration.
  expect_events(
      read("srcaddr dstaddr end start log-status\n192.0.2.9 198.51.100.2 1772352060 1772352000 OK\n", "object", "aws.vpcflow", config),
      {R"({"src_endpoint": {"ip": "192.0.2.9"}})"});
  EXPECT_EQ(read(text).rejects.size(), 1u);
  EXPECT_THROW(Harness(logmill_entry, "aws.vpcflow", R"({"format": "a b c"})"), std::invalid_argument);
  EXPECT_THROW(Harness(logmill_entry, "aws.vpcflow", R"({"fromat": "x"})"), std::invalid_argument);
  EXPECT_THROW(Harness(logmill_entry, "aws.vpcflow", "[]"), std::invalid_argument);
}

TEST(VpcFlow, KnowsItsObjectsAndNoOthers) {
  Harness harness(logmill_entry, "aws.vpcflow");
  EXPECT_GT(harness.score(kDefaultHeader), 90);
  EXPECT_GT(harness.score("${version} ${vpc-id} ${srcaddr} ${dstaddr} ${log-status}"), 90);
  EXPECT_GT(harness.score(kDefaultLine), 80);
  EXPECT_GT(harness.score("2026-03-01T08:00:00.000Z " + std::string(kDefaultLine)), 80);
  // A line that is cut off, or blank ones, do not cost those below.
  EXPECT_GT(harness.score("5 OK\n" + std::string(kDefaultLine)), 70);
  EXPECT_GT(harness.score("\n\n" + std::string(kDefaultHeader)), 80);
  for (const std::string_view other :
       {"", "\n", "-", "a b c d", "version date time", "2 1 eni-1 x\n",
        "1 111122223333 eni-0a 192.0.2.1 198.51.100.2 443 50000 6 10 840 1772352000 1772352060 ACCEPT OK",
        "2 111122223333 eni-0a 192.0.2.1 198.51.100.2 443 50000 6 10 840 1772352000 1772352060 ACCEPT MAYBE", "{\"srcaddr\":1}"})
    EXPECT_EQ(harness.score(other), 0) << other;
}

TEST(VpcFlow, AbsentValuesLeaveTheirAttributesOut) {
  std::vector<std::string> names, values;
  for (const Field& f : fields()) {
    names.push_back(f.name);
    values.push_back(f.name == "start" || f.name == "end" ? f.value : "-");
  }
  expect_events(read(join(names) + join(values)), {R"({
    "activity_id": 6, "action_id": null, "disposition_id": null, "status_id": null, "status_code": null, "src_endpoint": null, "dst_endpoint": null,
    "connection_info": {"direction_id": 0, "protocol_num": null, "protocol_ver_id": null, "tcp_flags": null, "boundary_id": null},
    "traffic": null, "network_observation_point": null, "cloud": {"account": null, "region": null}, "metadata": {"log_version": null}, "unmapped": null})"});
}

TEST(VpcFlow, WindowsWithoutRecordsAreBaseEvents) {
  const Outcome out = read(std::string(kDefaultHeader) + "2 111122223333 eni-0a - - - - - - - 1772352000 1772352060 - NODATA\n" +
                               "2 unknown eni-0b - - - - - - - 1772352000 1772352060 - SKIPDATA\n",
                           kKey);
  expect_events(
      out,
      {R"({"class_uid": 0, "type_uid": 99, "activity_id": 99, "activity_name": "NODATA", "status_code": "NODATA", "time": 1772352000000,
                          "start_time": 1772352000000, "end_time": 1772352060000, "duration": 60000, "severity_id": 1, "message": "no traffic in this window",
                          "cloud": {"account": {"uid": "111122223333"}, "region": "eu-central-1"}, "metadata": {"product": {"name": "Amazon VPC"}},
                          "unmapped": {"interface-id": "eni-0a"}})",
       R"({"class_uid": 0, "activity_name": "SKIPDATA", "status_code": "SKIPDATA", "message": "records of this window were skipped",
                          "cloud": {"account": {"uid": "111122223333"}}, "unmapped": {"interface-id": "eni-0b", "account-id": "unknown"}})"});
}

TEST(VpcFlow, WindowsOfTransitGatewaysAreTheirs) {
  std::string line = "6 TransitGateway 111122223333 tgw-1 tgw-attach-1";
  for (int i = 0; i < 18; ++i) line += " -";
  expect_events(
      read(line + " 1772352000 1772352060 NODATA - - - - - - us-east-1 - - -\n"),
      {R"({"class_uid": 0, "status_code": "NODATA", "cloud": {"region": "us-east-1"}, "metadata": {"product": {"name": "AWS Transit Gateway"}, "log_version": "6"},
                     "unmapped": {"resource-type": "TransitGateway", "tgw-id": "tgw-1", "tgw-attachment-id": "tgw-attach-1"}})"});
}

TEST(VpcFlow, TransitGatewaysThatLoseEveryPacketFail) {
  const std::string head =
      "start end tgw-id srcaddr dstaddr packets bytes packets-lost-no-route packets-lost-blackhole log-status\n1772352000 1772352060 "
      "tgw-1 ";
  expect_events(
      read(head + "192.0.2.1 192.0.2.2 0 0 5 0 OK\n" + "1772352000 1772352060 tgw-1 192.0.2.1 192.0.2.2 1 60 5 0 OK\n" +
           "1772352000 1772352060 tgw-1 192.0.2.1 192.0.2.2 0 0 0 0 OK\n" + "1772352000 1772352060 - 192.0.2.1 192.0.2.2 0 0 5 0 OK\n"),
      {R"({"activity_id": 4, "type_uid": 400104, "unmapped": {"packets-lost-no-route": "5", "packets-lost-blackhole": "0"}})",
       R"({"activity_id": 6})", R"({"activity_id": 6})", R"({"activity_id": 6})"});
}

TEST(VpcFlow, AddressesOfBothFamiliesAreRead) {
  const std::string head = "start end srcaddr dstaddr type log-status\n";
  const std::string times = "1772352000 1772352060 ";
  expect_events(
      read(head + times + "2001:db8::1 2001:db8:0:1::ffff - OK\n" + times + "::ffff:192.0.2.1 :: IPv6 OK\n" + times +
           "192.0.2.1 192.0.2.256 IPv4 OK\n" + times + "192.0.2.01 2001:db8::g EFA OK\n" + times + "2001:db8::1 192.0.2.1 IPv5 OK\n"),
      {R"({"src_endpoint": {"ip": "2001:db8::1"}, "dst_endpoint": {"ip": "2001:db8:0:1::ffff"}, "connection_info": {"protocol_ver_id": 6}, "unmapped": null})",
       R"({"src_endpoint": {"ip": "::ffff:192.0.2.1"}, "dst_endpoint": {"ip": "::"}, "connection_info": {"protocol_ver_id": 6}})",
       R"({"src_endpoint": {"ip": "192.0.2.1"}, "dst_endpoint": null, "connection_info": {"protocol_ver_id": 4}, "unmapped": {"dstaddr": "192.0.2.256"}})",
       R"({"src_endpoint": null, "dst_endpoint": null, "connection_info": {"protocol_ver_id": 99}, "unmapped": {"srcaddr": "192.0.2.01", "dstaddr": "2001:db8::g"}})",
       R"({"connection_info": {"protocol_ver_id": 6}, "unmapped": {"type": "IPv5"}})"});
}

TEST(VpcFlow, PortsAreOfProtocolsThatHaveThem) {
  const std::string head = "start end srcaddr dstaddr srcport dstport protocol log-status\n",
                    line = "1772352000 1772352060 192.0.2.1 192.0.2.2 ";
  std::string text = head;
  for (const char* protocol : {"6", "17", "33", "132", "136"}) text += line + "1 65535 " + protocol + " OK\n";
  const Outcome with = read(text);
  ASSERT_EQ(with.events.size(), 5u);
  for (const auto& e : with.events)
    EXPECT_EQ(difference(R"({"src_endpoint": {"port": 1}, "dst_endpoint": {"port": 65535}, "unmapped": null})", e.json), "");
  expect_events(
      read(head + line + "0 0 1 OK\n" + line + "8 0 1 OK\n" + line + "65536 -1 6 OK\n" + line + "1 2 256 OK\n" + line + "0 0 0 OK\n"),
      {R"({"connection_info": {"protocol_num": 1, "protocol_name": "icmp"}, "src_endpoint": {"port": null}, "unmapped": null})",
       R"({"src_endpoint": {"port": null}, "unmapped": {"srcport": "8", "dstport": null}})",
       R"({"src_endpoint": {"port": null}, "unmapped": {"srcport": "65536", "dstport": "-1"}})",
       R"({"connection_info": {"protocol_num": null}, "unmapped": {"protocol": "256", "srcport": "1", "dstport": "2"}})",
       R"({"connection_info": {"protocol_num": 0, "protocol_name": null}, "unmapped": null})"});
}

TEST(VpcFlow, NumbersThatCannotBeHeldAreKeptAsText) {
  const std::string head = "start end srcaddr dstaddr packets bytes tcp-flags traffic-path log-status\n",
                    line = "1772352000 1772352060 192.0.2.1 192.0.2.2 ";
  expect_events(
      read(head + line + "9223372036854775807 9223372036854775808 255 1 OK\n" + line + "-1 18446744073709551616 256 9 OK\n" + line +
           "+1 1e3 0 0 OK\n" + line + "00000000000000000012 0x10 0019 00000008 OK\n"),
      {R"({"traffic": {"packets": 9223372036854775807, "bytes": null}, "connection_info": {"tcp_flags": 255, "boundary_id": 4}, "unmapped": {"bytes": "9223372036854775808"}})",
       R"({"traffic": null, "connection_info": {"tcp_flags": null, "boundary_id": null},
                     "unmapped": {"packets": "-1", "bytes": "18446744073709551616", "tcp-flags": "256", "traffic-path": "9"}})",
       R"({"traffic": null, "connection_info": {"tcp_flags": 0, "boundary_id": null}, "unmapped": {"packets": "+1", "bytes": "1e3", "traffic-path": "0"}})",
       R"({"traffic": {"packets": 12, "bytes": null}, "connection_info": {"tcp_flags": 19, "boundary_id": 11}, "unmapped": {"bytes": "0x10"}})"});
}

TEST(VpcFlow, EveryTrafficPathIsABoundary) {
  std::string text = "start end srcaddr dstaddr flow-direction traffic-path log-status\n";
  for (int path = 1; path <= 8; ++path) text += "1772352000 1772352060 192.0.2.1 192.0.2.2 egress " + std::to_string(path) + " OK\n";
  const Outcome out = read(text);
  ASSERT_EQ(out.events.size(), 8u);
  for (int path = 1; path <= 8; ++path) {
    EXPECT_EQ(difference("{\"connection_info\": {\"boundary_id\": " + std::to_string(path + 3) + "}}",
                         out.events[static_cast<std::size_t>(path - 1)].json),
              "");
  }
}

TEST(VpcFlow, LinesWithAWrongCountOrWithoutTimesAreRejected) {
  const Outcome out =
      read(std::string(kDefaultHeader) + std::string(kDefaultLine) + "2 111122223333 eni-0a 192.0.2.1\n" + "x\n" +
           "2 111122223333 eni-0a 192.0.2.1 198.51.100.2 443 50000 6 10 840 1772352000 1772352060 ACCEPT OK more\n" +
           "2 111122223333 eni-0a 192.0.2.1 198.51.100.2 443 50000 6 10 840 - 1772352060 ACCEPT OK\n" +
           "2 111122223333 eni-0a 192.0.2.1 198.51.100.2 443 50000 6 10 840 1772352000 99999999999999999999 ACCEPT OK\n" +
           "2 111122223333 eni-0a 192.0.2.1 198.51.100.2 443 50000 6 10 840 5 1772352060 ACCEPT OK\n" + std::string(kDefaultLine));
  EXPECT_EQ(out.events.size(), 2u);
  std::vector<std::string> why;
  for (const auto& r : out.rejects) {
    EXPECT_EQ(r.code, static_cast<std::uint32_t>(LM_REJECT_MALFORMED));
    why.push_back(r.why);
  }
  const std::string count = "the line does not have as many fields as its format", start = "'start' is not a time",
                    end = "'end' is not a time";
  EXPECT_EQ(why, (std::vector<std::string>{count, count, count, start, end, start}));
}

TEST(VpcFlow, AnEndBeforeTheStartIsNoDuration) {
  expect_events(read("start end srcaddr dstaddr log-status\n1772352060 1772352000 192.0.2.1 192.0.2.2 OK\n"),
                {R"({"time": 1772352060000, "end_time": 1772352000000, "duration": null})"});
}

TEST(VpcFlow, TheKeySaysWhatALineDoesNot) {
  const std::string head = "start end srcaddr dstaddr account-id region log-status\n", line = "1772352000 1772352060 192.0.2.1 192.0.2.2 ";
  const std::string text = head + line + "- - OK\n" + line + "444455556666 us-west-2 OK\n" + line + "unknown - OK\n";
  expect_events(read(text, kKey), {R"({"cloud": {"account": {"uid": "111122223333"}, "region": "eu-central-1", "org": null}})",
                                   R"({"cloud": {"account": {"uid": "444455556666"}, "region": "us-west-2"}})",
                                   R"({"cloud": {"account": {"uid": "111122223333"}}, "unmapped": {"account-id": "unknown"}})"});
  for (const std::string_view key :
       {"b/AWSLogs/o-example/111122223333/vpcflowlogs/eu-central-1/x.log",
        "AWSLogs/aws-account-id=111122223333/aws-service=vpcflowlogs/aws-region=eu-central-1/year=2026/x.parquet",
        "AWSLogs/aws-account-id=111122223333/service=vpcflowlogs/aws-region=eu-central-1/x"}) {
    const Outcome out = read(head + line + "- - OK\n", key);
    ASSERT_EQ(out.events.size(), 1u);
    EXPECT_EQ(difference(R"({"cloud": {"account": {"uid": "111122223333"}, "region": "eu-central-1"}})", out.events[0].json), "") << key;
    EXPECT_EQ(difference(key.find("o-example") != key.npos ? R"({"cloud": {"org": {"uid": "o-example"}}})" : R"({"cloud": {"org": null}})",
                         out.events[0].json),
              "")
        << key;
  }
}

TEST(VpcFlow, WhatTheKeyAndTheHeaderSayHoldsThoughTheFirstRecordsAreRejected) {
  Harness harness(logmill_entry, "aws.vpcflow");
  Blocks blocks(harness);
  const std::string head = "end start srcaddr dstaddr log-status\n", good = "1772352060 1772352000 192.0.2.1 192.0.2.2 OK\n";
  blocks.add(head + "too few\n" + "a b c d e\n" + good, kKey);
  blocks.add(head + "too few\n" + good, "AWSLogs/444455556666/vpcflowlogs/us-east-2/x.log");
  blocks.add(
      "dstaddr srcaddr start end log-status\n\xff\n192.0.2.1 192.0.2.2 1772352000 1772352060 OK\n");  // the first record is not UTF-8
  const Outcome out = harness.run(blocks);
  EXPECT_EQ(blocks.not_utf8(), 1u);
  EXPECT_EQ(out.rejects.size(), 3u);
  expect_events(
      out,
      {R"({"src_endpoint": {"ip": "192.0.2.1"}, "duration": 60000, "cloud": {"account": {"uid": "111122223333"}, "region": "eu-central-1"}})",
       R"({"src_endpoint": {"ip": "192.0.2.1"}, "duration": 60000, "cloud": {"account": {"uid": "444455556666"}, "region": "us-east-2"}})",
       R"({"src_endpoint": {"ip": "192.0.2.2"}, "duration": 60000, "cloud": {"account": null, "region": null}})"});
}

TEST(VpcFlow, AHeaderHoldsForItsObjectOnly) {
  Harness harness(logmill_entry, "aws.vpcflow");
  Blocks blocks(harness);
  blocks.add("version account-id interface-id dstaddr srcaddr srcport dstport protocol packets bytes start end action log-status\n" +
             std::string(kDefaultLine));
  blocks.add(kDefaultLine);
  expect_events(harness.run(blocks), {R"({"src_endpoint": {"ip": "198.51.100.2"}})", R"({"src_endpoint": {"ip": "192.0.2.1"}})"});
}

TEST(VpcFlow, ARejectedLineLeavesNothingToTheNextOne) {
  const std::string head = "start end srcaddr dstaddr vpc-id reject-reason colour log-status\n";
  const std::string good = "1772352000 1772352060 192.0.2.1 192.0.2.2 - - - OK\n";
  const Outcome out = read(head + good + "never 1772352060 198.51.100.9 203.0.113.9 vpc-leak BPA red OK\n" + good);
  ASSERT_EQ(out.events.size(), 2u);
  EXPECT_EQ(content(out.events[0].json), content(out.events[1].json));
}

// Lines are split ahead of time: what a line becomes must not depend on those around it.
TEST(VpcFlow, ALineIsReadTheSameAmongAnyOthers) {
  const std::vector<std::string> lines = {
      std::string(kDefaultLine),
      "2 111122223333 eni-0b 2001:db8::1 2001:db8::2 443 50000 6 10 840 1772352000 1772352060 REJECT OK\n",
      "2 111122223333 eni-0c - - - - - - - 1772352000 1772352060 - NODATA\n",
      "2 111122223333 eni-0d 192.0.2.300 nowhere 443 50000 6 10 840 1772352000 1772352060 ACCEPT OK\n",
      "2026-03-01T08:00:00.000Z 2 111122223333 eni-0e 192.0.2.5 192.0.2.6 53 50000 17 1 84 1772352000 1772352060 ACCEPT OK\n",
      "2 111122223333 eni-0f 192.0.2.7 192.0.2.8\n",
      "\n",
      "2 111122223333 eni-0a 192.0.2.9 192.0.2.1 443 50000 6 10 840 never 1772352060 ACCEPT OK\n",
      std::string(200, 'x') + "\n"};
  const auto contents = [](const Outcome& out) {
    std::vector<std::string> all;
    for (const auto& e : out.events) all.push_back(content(e.json));
    for (const auto& r : out.rejects) all.push_back(r.text + ": " + r.why);
    std::sort(all.begin(), all.end());
    return all;
  };
  std::string gateway = "6 TransitGateway 111122223333 tgw-1 tgw-attach-1";
  for (int i = 0; i < 11; ++i) gateway += " -";
  gateway += " 192.0.2.1 198.51.100.2 443 50000 6 10 840 1772352000 1772352060 OK IPv4 0 0 0 0 2 us-east-1 ingress - -\n";
  ASSERT_EQ(read(gateway).events.size(), 1u);
  Harness harness(logmill_entry, "aws.vpcflow");
  std::mt19937 random(7);
  // Under no header, one of the default format, and one of its first fields only.
  for (const std::string& header : {std::string(), std::string(kDefaultHeader), std::string("version account-id interface-id\n")}) {
    for (int round = 0; round < 30; ++round) {
      std::string text = header;
      std::vector<std::string> alone;
      for (int i = 0; i < 40; ++i) {
        const std::size_t which = random() % (lines.size() + 1);
        const std::string& line = which < lines.size() ? lines[which] : gateway;
        text += line;
        for (auto& one : contents(read(header + line))) alone.push_back(std::move(one));
      }
      std::sort(alone.begin(), alone.end());
      for (const std::size_t block_size : {std::size_t{1}, std::size_t{300}, std::size_t{1} << 20}) {
        Blocks blocks(harness);
        blocks.add(text, "object", block_size);
        ASSERT_EQ(contents(harness.run(blocks)), alone);
      }
    }
  }
}

TEST(VpcFlow, AFieldThatIsNamedTwiceKeepsBothValues) {
  const Outcome out = read("start end srcaddr dstaddr srcaddr log-status\n1772352000 1772352060 192.0.2.1 192.0.2.2 192.0.2.3 OK\n");
  expect_events(out, {R"({"src_endpoint": {"ip": "192.0.2.1"}, "unmapped": {"srcaddr": "192.0.2.3"}})"});
  EXPECT_EQ(out.drift, (std::map<std::string, std::uint64_t>{{"srcaddr", 1}}));
}

TEST(VpcFlow, UnknownFieldsAreKeptUnderTheirNameAndCounted) {
  const Outcome out = read("start end srcaddr dstaddr hue log-status a\"b\n1772352000 1772352060 192.0.2.1 192.0.2.2 red OK \\x\"\n" +
                           std::string("1772352000 1772352060 192.0.2.1 192.0.2.2 - OK -\n"));
  expect_events(out, {R"({"unmapped": {"hue": "red", "a\"b": "\\x\""}})", R"({"unmapped": null})"});
  EXPECT_EQ(out.drift, (std::map<std::string, std::uint64_t>{{"hue", 2}, {"a\"b", 2}}));
}

TEST(VpcFlow, HeadersOfAnyLengthAreBounded) {
  for (const int extra : {122, 123, 124, 1000, 20'000}) {
    std::string header = "start end srcaddr dstaddr log-status", line = "1772352000 1772352060 192.0.2.1 192.0.2.2 OK";
    for (int i = 0; i < extra; ++i) header += " vpc-id", line += " v" + std::to_string(i);  // known words: it stays a header
    const Outcome out = read(header + "\n" + line + "\n");
    if (5 + extra <= 128) {
      ASSERT_EQ(out.events.size(), 1u) << extra;
      EXPECT_EQ(difference(R"({"network_observation_point": {"vpc_uid": "v0"}})", out.events[0].json), "");
    } else {
      EXPECT_EQ(out.rejects.size(), 1u) << extra;  // more columns than are read: nothing is guessed
    }
  }
}

TEST(VpcFlow, ALineMayHoldTheTimeOfAnExport) {
  const std::string line = "2026-03-01T08:00:00.000Z " + std::string(kDefaultLine);
  expect_events(read(line + std::string(kDefaultLine)),
                {R"({"src_endpoint": {"ip": "192.0.2.1"}, "metadata": {"log_version": "2", "logged_time": 1772352000000}})",
                 R"({"src_endpoint": {"ip": "192.0.2.1"}, "metadata": {"logged_time": null}})"});
  EXPECT_EQ(read("2026-99-01T08:00:00.000Z " + std::string(kDefaultLine)).rejects.size(), 1u);
}

TEST(VpcFlow, NulBytesAndOtherControlsAreText) {
  const std::string nul("1772352000 1772352060 192.0.2.1 192.0.2.2 a\0b\x01 OK\n", 51);
  expect_events(read("start end srcaddr dstaddr vpc-id log-status\n" + nul),
                {"{\"network_observation_point\": {\"vpc_uid\": \"a\\u0000b\\u0001\"}}"});
}

TEST(VpcFlow, EventsSayWhereTheirLineIs) {
  const std::string text = std::string(kDefaultHeader) + "x\n\n" + std::string(kDefaultLine) + std::string(kDefaultLine);
  Harness harness(logmill_entry, "aws.vpcflow");
  for (const std::size_t block_size : {std::size_t{1}, std::size_t{100}, std::size_t{1} << 20}) {
    Blocks blocks(harness);
    blocks.add(text, kKey, block_size);
    const Outcome out = harness.run(blocks);
    ASSERT_EQ(out.events.size(), 2u);
    for (const auto& e : out.events) {
      EXPECT_EQ(text.substr(e.offset, e.length) + "\n", kDefaultLine);
      EXPECT_EQ(
          difference("{\"lineage\": {\"offset\": " + std::to_string(e.offset) + ", \"length\": " + std::to_string(e.length) + "}}", e.json),
          "");
    }
  }
}

// Every line has two addresses that no line had before: what an instance keeps of them is bounded, and what a code means is never mixed up.
TEST(VpcFlow, DictionariesStaySmallFromCallToCall) {
  constexpr int kLines = 40'000, kCalls = 6;
  Harness harness(logmill_entry, "aws.vpcflow");
  const auto address = [](int n) {
    return std::to_string(n >> 16 & 255) + "." + std::to_string(n >> 8 & 255) + "." + std::to_string(n & 255);
  };
  const auto lines = [&](int call, int count) {
    std::string text = "srcaddr dstaddr start end log-status\n";
    for (int i = call * kLines; i < call * kLines + count; ++i)
      text += "10." + address(i) + " 198." + address(i) + " 1772352000 1772352060 OK\n";
    return text;
  };
  struct Seen {
    std::int64_t values = 0;
    std::set<std::uint64_t> epochs;
    static std::int64_t count(const ArrowArray& a) {
      std::int64_t sum = a.dictionary ? a.dictionary->length : 0;
      for (std::int64_t i = 0; i < a.n_children; ++i) sum += count(*a.children[i]);
      return sum;
    }
  } seen;
  for (int call = 0; call < kCalls; ++call) {
    Blocks blocks(harness);
    blocks.add(lines(call, kLines));
    lm_emit emit{};
    emit.struct_size = sizeof emit;
    emit.ctx = &seen;
    emit.batch = [](void* ctx, lm_batch* batch) -> lm_status {
      auto& s = *static_cast<Seen*>(ctx);
      s.values = std::max(s.values, Seen::count(batch->array));
      s.epochs.insert(batch->dictionary_epoch);
      batch->array.release(&batch->array);
      return LM_OK;
    };
    emit.reject = [](void*, std::uint32_t, std::uint32_t, std::uint32_t, lm_str) { ADD_FAILURE() << "a reject"; };
    emit.drift = [](void*, lm_str, std::uint64_t) {};
    lm_error error{};
    error.struct_size = sizeof error;
    ASSERT_EQ(harness.parser().parse(harness.parser().self, blocks.pointers().data(), blocks.pointers().size(), &emit, &error), LM_OK);
  }
  EXPECT_GT(seen.epochs.size(), 1u);
  EXPECT_GE(seen.values, 2 * kLines) << "all that one call has";
  EXPECT_LT(seen.values, 2 * kLines * (kCalls - 1)) << "not what all calls had";

  Blocks blocks(harness);
  blocks.add(lines(kCalls - 1, 100));
  const Outcome again = harness.run(blocks), fresh = read(lines(kCalls - 1, 100));
  ASSERT_EQ(again.events.size(), 100u);
  for (std::size_t i = 0; i < 100; ++i) EXPECT_EQ(content(again.events[i].json), content(fresh.events[i].json));
}

TEST(VpcFlowJson, ReadsObjectsNamedAsInTheParquetForm) {
  const std::string one =
      R"({"version":5,"account_id":"111122223333","interface_id":"eni-0a","srcaddr":"192.0.2.1","dstaddr":"198.51.100.2","srcport":443,"dstport":"50000",
    "protocol":6,"packets":10,"bytes":840,"start":1772352000,"end":"1772352060","action":"REJECT","log_status":"OK","vpc_id":null,"tcp_flags":2,"flow-direction":"ingress"})";
  const std::string_view wanted =
      R"({"activity_id": 5, "src_endpoint": {"ip": "192.0.2.1", "port": 443}, "dst_endpoint": {"port": 50000, "interface_uid": "eni-0a"},
    "connection_info": {"tcp_flags": 2, "direction_id": 1}, "traffic": {"bytes": 840}, "metadata": {"log_version": "5"}, "unmapped": null})";
  for (const std::string& text : {one, "[" + one + "]", one + "\n" + one}) {
    const Outcome out = read(text, "object", "aws.vpcflow_json");
    ASSERT_GE(out.events.size(), 1u);
    for (const auto& e : out.events) EXPECT_EQ(difference(wanted, e.json), "");
    EXPECT_GT(Harness(logmill_entry, "aws.vpcflow_json").score(text), 80);
  }
}

TEST(VpcFlowJson, ReadsLinesThatFirehoseWraps) {
  std::string line(kDefaultLine);
  line.pop_back();
  const std::string wrapped = "{\"message\":\"" + line + "\"}";
  const std::string plain = content(read(line).events.at(0).json);
  for (const std::string& text : {wrapped, wrapped + wrapped, wrapped + "\n" + wrapped, "{ \"message\": \"" + line + "\" }"}) {
    const Outcome out = read(text, "object", "aws.vpcflow_json");
    ASSERT_GE(out.events.size(), 1u) << text;
    EXPECT_TRUE(out.drift.empty());
    for (const auto& e : out.events) EXPECT_EQ(content(e.json), plain);
  }
  EXPECT_GT(Harness(logmill_entry, "aws.vpcflow_json").score(wrapped), 80);
  EXPECT_EQ(Harness(logmill_entry, "aws.vpcflow_json").score(R"({"message":"2 hours passed"})"), 0);
  EXPECT_EQ(Harness(logmill_entry, "aws.vpcflow_json")
                .score(R"({"eventId":"1","message":"2 111122223333 eni-1 192.0.2.1 192.0.2.2 1 2 6 1 1 1772352000 1772352060 ACCEPT OK"})"),
            0)
      << "a line in another wrapping is not read yet";
  // Beside other fields a message is one of them: nothing that the record says is dropped for the line.
  const Outcome beside =
      read("{\"srcaddr\":\"192.0.2.77\",\"vpc_id\":\"vpc-77\",\"start\":1772352000,\"end\":1772352060,\"message\":\"" + line + "\"}",
           "object", "aws.vpcflow_json");
  expect_events(beside, {R"({"src_endpoint": {"ip": "192.0.2.77"}, "network_observation_point": {"vpc_uid": "vpc-77"}})"});
  EXPECT_EQ(beside.drift, (std::map<std::string, std::uint64_t>{{"message", 1}}));
  // A message that is no line is a field like any other: there is no flow.
  EXPECT_EQ(read(R"({"message":"2 hours passed"})", "object", "aws.vpcflow_json").rejects.size(), 1u);
}

TEST(VpcFlowJson, ValuesOfAnotherTypeAreKeptAndCounted) {
  const Outcome out = read(
      R"([{"start":1772352000,"end":1772352060,"srcaddr":"192.0.2.1","dstaddr":{"a":[1]},"action":true,"new":"x","packets":1.5,"bytes":1e3,"log_status":"OK"},
                               {"start":1772352000,"end":1772352060,"srcaddr":"192.0.2.3","log_status":"NODATA","a_long_name_of_a_field_that_nobody_has_heard_of_yet":null}])",
      "object", "aws.vpcflow_json");
  expect_events(out, {R"({"src_endpoint": {"ip": "192.0.2.1"}, "dst_endpoint": null, "action_id": null, "traffic": null,
                          "unmapped": {"dstaddr": "{\"a\":[1]}", "action": "true", "new": "x", "packets": "1.5", "bytes": "1e3"}})",
                      R"({"class_uid": 0, "unmapped": {"srcaddr": "192.0.2.3"}})"});
  EXPECT_EQ(out.drift, (std::map<std::string, std::uint64_t>{{"dstaddr", 1}, {"action", 1}, {"new", 1}}));
}

TEST(VpcFlowJson, RecordsThatAreBrokenOrNoFlowsAreRejected) {
  std::string deep;
  for (int i = 0; i < 600; ++i) deep += '[';
  for (int i = 0; i < 600; ++i) deep += ']';
  const Outcome out = read("{\"a\":1}\n{\"start\":1772352000,}\n{\"start\":\"1772352000\",\"end\":null}\n{\"x\":" + deep + "}\n", "object",
                           "aws.vpcflow_json");
  EXPECT_TRUE(out.events.empty());
  ASSERT_EQ(out.rejects.size(), 4u);
  EXPECT_EQ(out.rejects[0].why, "'start' is not a time");
  EXPECT_EQ(out.rejects[2].why, "'end' is not a time");
  EXPECT_EQ(out.rejects[3].code, static_cast<std::uint32_t>(LM_REJECT_DEPTH));
}

TEST(VpcFlowJson, EscapedTextIsReadAsItsOwn) {
  expect_events(
      read(
          R"({"start":"177235\u0032000","end":1772352060,"src\u0061ddr":"192.0.2.1","ecs_cluster_name":"\u00e9\"\u0000","log_status":"OK"})",
          "object", "aws.vpcflow_json"),
      {"{\"time\": 1772352000000, \"src_endpoint\": {\"ip\": \"192.0.2.1\"}, \"unmapped\": {\"ecs-cluster-name\": "
       "\"\xc3\xa9\\\"\\u0000\"}}"});
}

}  // namespace
