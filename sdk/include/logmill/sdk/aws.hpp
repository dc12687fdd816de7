// logmill/sdk/aws.hpp -- names that AWS's logs have in common. Pure, no allocation, never throws.
//   lm::aws::arn_part("arn:aws:iam::111122223333:user/joe", 4)  -> "111122223333"      1 partition, 2 service, 3 region, 4 account, 5 resource up to a ':'
//   lm::aws::arn_name("arn:aws:iam::111122223333:user/joe")     -> "joe"
//   lm::aws::is_account("111122223333")                         -> true
//   lm::aws::is_service("sts.amazonaws.com")                    -> true                where an address is expected, the service that called
//   lm::aws::source_endpoint(row, "203.0.113.5")                sets src_endpoint's ip, svc_name, hostname or name, as the text is one
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

}  // namespace lm::aws
