// What aws.eks_audit takes from the wrapping of its events: the cluster, the account, the region. The events themselves: tests/mapping/test_eks_audit.py.
#include "parser_harness.hpp"

#include <gtest/gtest.h>

extern "C" const lm_entry logmill_entry;  // of the plugin that is linked in

namespace {

using lm::testing::Blocks;
using lm::testing::difference;
using lm::testing::Harness;

constexpr std::string_view kEvent =
    R"({"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"1","verb":"get","user":{"username":"system:apiserver"},)"
    R"("objectRef":{"resource":"pods","name":"web-0"},"stageTimestamp":"2026-03-01T08:00:00Z"})";

std::string read(std::string_view text, lm::KeyPattern::Captures wrapping) {
  Harness harness(logmill_entry, "aws.eks_audit");
  harness.wrapped_in(std::move(wrapping));
  Blocks blocks(harness);
  blocks.add(text);
  const auto out = harness.run(blocks);
  return out.events.size() == 1 ? out.events[0].json : "";
}

TEST(EksAudit, TakesClusterAccountAndRegionFromTheWrapping) {
  const std::string event =
      read(kEvent, {{"account", "111122223333"}, {"region", "eu-central-1"}, {"log_group", "/aws/eks/prod-1/cluster"}});
  EXPECT_EQ(difference(R"({"cloud":{"account":{"uid":"111122223333","type_id":10},"region":"eu-central-1"},)"
                       R"("metadata":{"log_name":"/aws/eks/prod-1/cluster"},)"
                       R"("resources":[{"name":"web-0","type":"pods","group":{"name":"prod-1"}}]})",
                       event),
            "")
      << event;
}

TEST(EksAudit, TheRecordKnowsTheAccountBetterThanTheWrapping) {
  std::string text(kEvent);
  text.insert(text.find("},\"objectRef\""), R"(,"extra":{"arn":["arn:aws:sts::444455556666:assumed-role/Admin/joe"]})");
  EXPECT_NE(read(text, {{"account", "111122223333"}}).find(R"("uid":"444455556666")"), std::string::npos);
}

TEST(EksAudit, ALogGroupOfAnotherFormNamesNoCluster) {
  for (const char* group : {"audit", "/aws/eks//cluster", "/aws/eks/cluster", "/aws/eks/prod/other", "/aws/ecs/prod/cluster"}) {
    const std::string event = read(kEvent, {{"log_group", group}});
    EXPECT_EQ(event.find("\"group\":"), std::string::npos) << event;
    EXPECT_NE(event.find("log_name"), std::string::npos) << event;
  }
}

}  // namespace
