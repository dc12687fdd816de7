// logmill/sdk/aws.hpp -- names that AWS's logs have in common. Pure, no allocation, never throws.
//   lm::aws::arn_part("arn:aws:iam::111122223333:user/joe", 4)  -> "111122223333"      1 partition, 2 service, 3 region, 4 account, 5 resource up to a ':'
//   lm::aws::arn_name("arn:aws:iam::111122223333:user/joe")     -> "joe"
//   lm::aws::is_account("111122223333")                         -> true
//   lm::aws::is_service("sts.amazonaws.com")                    -> true                where an address is expected, the service that called
//   lm::aws::source_endpoint(row, "203.0.113.5")                sets src_endpoint's ip, svc_name, hostname or name, as the text is one
//   lm::aws::region_of_zone("us-east-1b")                       -> "us-east-1"         "" for a local or wavelength zone, whose name has more in it
//   lm::aws::Place                                              account, region, organization and log group, as the object's key or what wrapped the records says
// Source of the forms: AWS, "AWS Identity and Access Management User Guide", "IAM identifiers"; "AWS CloudTrail User Guide", sourceIPAddress.
#pragma once

#include <logmill/sdk/net.hpp>
#include <logmill/sdk/text.hpp>

#include <algorithm>
#include <string_view>

namespace lm::aws {

constexpr int kAccountType = 10;  // OCSF account.type_id: AWS Account

constexpr std::string_view arn_part(std::string_view arn, int index) {
  if (!arn.starts_with("arn:")) return {};
  for (; index > 0; --index) {
    const std::size_t colon = arn.find(':');
    if (colon == std::string_view::npos) return {};
    arn.remove_prefix(colon + 1);
  }
  return arn.substr(0, arn.find(':'));
}

// The last part; "arn:aws:s3:::bucket/", the prefix of a list of objects, ends in its separator.
constexpr std::string_view arn_name(std::string_view arn) {
  std::string_view name = arn;
  while (name.ends_with('/') || name.ends_with(':')) name.remove_suffix(1);
  name = name.substr(name.find_last_of(":/") + 1);
  return name.empty() ? arn : name;
}

constexpr bool is_account(std::string_view text) {
  return text.size() == 12 && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

constexpr bool is_service(std::string_view text) {
  return text.ends_with(".amazonaws.com") || text.ends_with(".amazonaws.com.cn") || text.ends_with(".aws.internal") ||
         text.starts_with("AWS Internal");
}

// `text` is what a log has as the source of a call: an address, perhaps in brackets, or the name of a service or host. False: it is empty, and nothing was set.
template <class Row>
bool source_endpoint(Row& row, std::string_view text) {
  text = trim(text);
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
  if (text.empty()) return false;
  if (row.template set<"src_endpoint.ip">(text)) return true;
  if (is_service(text)) {
    row.template set<"src_endpoint.svc_name">(text);
  } else if (net::is_hostname(text)) {
    row.template set<"src_endpoint.hostname">(text);
  } else {
    row.template set<"src_endpoint.name">(text);
  }
  return true;
}

// The name of an availability zone is its region's and a letter. Those of other zones have a second number.
constexpr std::string_view region_of_zone(std::string_view zone) {
  if (zone.size() < 3) return {};
  const std::string_view region = zone.substr(0, zone.size() - 1);
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  const std::size_t number = region.rfind('-');
  if (number == std::string_view::npos || number + 1 == region.size() || zone.back() < 'a' || zone.back() > 'z') return {};
  for (std::size_t i = 0; i < region.size(); ++i) {
    if (digit(region[i]) != (i > number)) return {};
  }
  return region;
}

// Where records were written. What they say of it themselves goes before.
struct Place {
  std::string_view account, region, org, log_group;

  // Views into the object of the block.
  template <class Record>
  static Place of(Record record) {
    return {record.capture("account"), record.capture("region"), record.capture("org"), record.capture("log_group")};
  }

  // cloud.account, cloud.region and, of a table that has it, cloud.org.
  template <class Row>
  void set(Row& row, Text record_account = {}, Text record_region = {}) const {
    if (const std::string_view uid = record_account.value_or(account); !uid.empty()) {
      row.template set<"cloud.account.uid">(uid);
      row.template set<"cloud.account.type_id">(kAccountType);
    }
    if (const std::string_view name = record_region.value_or(region); !name.empty()) row.template set<"cloud.region">(name);
    if constexpr (Row::template has<"cloud.org.uid">) {
      if (!org.empty()) row.template set<"cloud.org.uid">(org);
    }
  }
};

}  // namespace lm::aws
