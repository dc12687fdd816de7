// logmill/sdk/dns.hpp -- DNS as query logs write it. Pure, no allocation, never throws.
//   lm::dns::rcode_id("NXDOMAIN") -> 3        OCSF's rcode_id; 99 for a code that it does not name
//   lm::dns::hostname("example.com.") -> "example.com"     without the one point at the end; the root stays "."
// Source of the codes: IANA, "Domain Name System (DNS) Parameters", RCODEs.
#pragma once

#include <logmill/sdk/text.hpp>

#include <string_view>

namespace lm::dns {

constexpr int rcode_id(std::string_view rcode) {
  constexpr struct {
    std::string_view name;
    int id;
  } kCodes[] = {{"NOERROR", 0},    {"FORMERR", 1},  {"SERVFAIL", 2},  {"NXDOMAIN", 3},  {"NOTIMP", 4},   {"NOTIMPL", 4},
                {"REFUSED", 5},    {"YXDOMAIN", 6}, {"YXRRSET", 7},   {"NXRRSET", 8},   {"NOTAUTH", 9},  {"NOTZONE", 10},
                {"DSOTYPENI", 11}, {"BADVERS", 16}, {"BADSIG", 16},   {"BADKEY", 17},   {"BADTIME", 18}, {"BADMODE", 19},
                {"BADNAME", 20},   {"BADALG", 21},  {"BADTRUNC", 22}, {"BADCOOKIE", 23}};
  for (const auto& code : kCodes) {
    if (lm::detail::equal(rcode, code.name)) return code.id;
  }
  return 99;
}

constexpr std::string_view hostname(std::string_view name) {
  if (name.size() > 1 && name.back() == '.') name.remove_suffix(1);
  return name;
}

}  // namespace lm::dns
