// What an object's name says: account, service, region, day. By it listings leave out what a run does not want, before it is listed. Two layouts are known:
// - AWS, under AWSLogs/: [o-ORG/]ACCOUNT/SERVICE/REGION/YYYY/MM/DD/, and the Hive form aws-account-id=ACCOUNT/... (the delivery sections of each service's
//   guide);
// - Azure, under resourceId=/, tenantId=ID/, WorkspaceResourceId=/ or flowLogResourceID=/: SUBSCRIPTIONS/ID/.../y=YYYY/m=MM/d=DD/h=HH/m=MM/ (Azure Monitor,
//   "Send resource logs to Azure Storage"; Log Analytics, "Data export"; Network Watcher, "Flow log format"). The account is the subscription.
// What a name does not say is never held against it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lm {

struct KeyFacts {
  bool under_logs = false;  // there is a segment AWSLogs, or one that begins Azure's layout
  bool azure = false;
  std::string_view organization, account, service, region;
  int year = 0, month = 0, day = 0;  // 0: not said
  unsigned others = 0;               // segments of the layout that say nothing
  // [first, behind) of the time that the name stands for, in milliseconds since 1970-01-01 UTC.
  std::optional<std::int64_t> first_ms, behind_ms;
};
// Of the directories of `key`: what stands behind the last '/' is not looked at.
KeyFacts facts_of(std::string_view key);

struct KeyFilter {
  std::optional<std::int64_t> since_ms, until_ms;  // event time: names a day off are still read, for delivery is late at times
  std::vector<std::string> accounts, regions;
  bool active() const { return since_ms || until_ms || !accounts.empty() || !regions.empty(); }
  // False: nothing in this directory, or no object of this name, is wanted.
  bool wants(std::string_view key) const;
};

enum class Descend {
  no,       // nothing below is wanted
  step,     // what is directly below decides
  whole,    // all below is wanted, or cannot be told apart by its name
  unknown,  // no layout that is known (yet)
};
// `prefix` ends in '/'.
Descend descend(std::string_view prefix, const KeyFilter&);

}  // namespace lm
