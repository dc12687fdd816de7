// Flow logs of network security groups, versions 1 and 2.
// Source: Microsoft, "Azure Network Watcher", "Flow logging for network security groups", "Log format".
#include "flows.hpp"

namespace {

struct Format {
  static constexpr std::string_view kCategory = "NetworkSecurityGroupFlowEvent";
  static constexpr std::string_view kForeign =
      "'category' is not NetworkSecurityGroupFlowEvent: not a flow log of a network security group";
  static constexpr std::string_view kNoFlows = "no list 'flows' in 'properties'";
  static constexpr bool kRuleOfRecord = true;  // the group that has the rules is the record's resource

  static constexpr auto kState = azure_flows::detail;

  // The decision, and of version 2 the state of the flow.
  static azure_flows::Verdict verdict(std::string_view decision, std::string_view state) {
    azure_flows::Verdict out;
    if (lm::is(decision, "D")) {
      out = {.activity = 5, .action = 2, .disposition = 2};  // Refuse; Denied; Blocked
      return out;
    }
    if (lm::is(decision, "A")) {
      out.action = out.disposition = 1;
    } else if (!decision.empty()) {
      out.action = 99, out.action_word = decision;
    }
    if (state.empty()) {
      out.activity = lm::is(decision, "A") ? 1 : 0;
    } else {
      out.activity = azure_flows::activity_of(state);
      out.activity_word = state;
    }
    return out;
  }
};

}  // namespace

struct NsgFlow {
  static constexpr lm::Descriptor descriptor{.id = "azure.nsg_flow",
                                             .title = "Azure network security group flow logs",
                                             .vendor = "Microsoft",
                                             .version = "1.0.0",
                                             .reads = "Flow logs of network security groups, versions 1 and 2: a row a flow tuple",
                                             .framing = lm::Framing::json,
                                             .envelope = "records"};
  static constexpr auto keys = lm::strings("insights-logs-networksecuritygroupflowevent/**");

  static int score(lm::Sample s) { return azure_flows::Parser<Format>::score(s); }

  void parse(lm::Record record, lm::Rows<azure_flows::kFlow>& flows, lm::Rows<azure_flows::kOther>& others) {
    parser_.parse(record, flows, others);
  }

 private:
  azure_flows::Parser<Format> parser_;
};

LOGMILL_PARSERS(NsgFlow)
