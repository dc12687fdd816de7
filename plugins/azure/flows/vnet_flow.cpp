// Flow logs of virtual networks.
// Source: Microsoft, "Azure Network Watcher", "Virtual network flow logs", "Log format".
#include "flows.hpp"

namespace {

struct Format {
  static constexpr std::string_view kCategory = "FlowLogFlowEvent";
  static constexpr std::string_view kForeign = "'category' is not FlowLogFlowEvent: not a flow log of a virtual network";
  static constexpr std::string_view kNoFlows = "no list 'flows' in 'flowRecords'";
  static constexpr bool kRuleOfRecord = false;  // rules come with the id of what has them

  static constexpr auto kState = azure_flows::verdict;

  // The state says what became of the flow; the encryption, why it was dropped.
  static azure_flows::Verdict verdict(std::string_view state, std::string_view encryption) {
    if (state.empty()) return {};
    if (lm::is(state, "D")) {
      const bool dropped = encryption == "NX_SW_NOT_READY" || encryption == "NX_NOT_ACCEPTED" || encryption == "NX_NOT_SUPPORTED";
      return {.activity = 5, .action = 2, .disposition = dropped ? 6 : 2};  // Refuse; Denied; Dropped, Blocked
    }
    const int activity = azure_flows::activity_of(state);
    if (activity == 99) return {.activity = 99, .activity_word = state};
    return {.activity = activity, .action = 1, .disposition = 1};
  }
};

}  // namespace

struct VnetFlow {
  static constexpr lm::Descriptor descriptor{.id = "azure.vnet_flow",
                                             .title = "Azure virtual network flow logs",
                                             .vendor = "Microsoft",
                                             .version = "1.0.0",
                                             .reads = "Flow logs of virtual networks, subnets and interfaces: a row a flow tuple",
                                             .framing = lm::Framing::json,
                                             .envelope = "records"};
  static constexpr auto keys = lm::strings("insights-logs-flowlogflowevent/**");

  static int score(lm::Sample s) { return azure_flows::Parser<Format>::score(s); }

  void parse(lm::Record record, lm::Rows<azure_flows::kFlow>& flows, lm::Rows<azure_flows::kOther>& others) {
    parser_.parse(record, flows, others);
  }

 private:
  azure_flows::Parser<Format> parser_;
};

LOGMILL_PARSERS(VnetFlow)
