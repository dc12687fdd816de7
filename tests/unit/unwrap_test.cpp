// Wrappings and kinds of records, without a run around them.
#include "unwrap/unwrap.hpp"

#include <gtest/gtest.h>

namespace {

lm::WrappingContext kind_of(std::string_view record) {
  lm::KindTeller teller;
  lm::WrappingContext context;
  teller.tell(record, context);
  return context;
}

TEST(KindTeller, ARecordOfAzureIsOfItsCategoryAndProvider) {
  const auto vault = kind_of(
      R"({"time":"2026-03-01T12:00:00Z","category":"AuditEvent","resourceId":"/SUBSCRIPTIONS/1/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/V"})");
  EXPECT_EQ(vault.kind, "auditevent");
  EXPECT_EQ(vault.likeness, "microsoft.keyvault");
  EXPECT_EQ(kind_of(R"({"ResourceId":"/subscriptions/1/resourcegroups/r/providers/microsoft.keyvault/vaults/v","Category":"AUDITEVENT"})"),
            vault);
  EXPECT_EQ(kind_of(R"({"TimeGenerated":"2026-03-01T12:00:00Z","Type":"SigninLogs","UserId":"u"})").kind, "signinlogs");
  EXPECT_EQ(kind_of(R"({"TimeGenerated":"2026-03-01T12:00:00Z","Type":"AzureDiagnostics","Category":"kube-audit"})").kind, "kube-audit");
}

TEST(KindTeller, OthersAreAsTheyBegin) {
  EXPECT_EQ(kind_of(R"({"eventVersion":"1.08","eventTime":"x","eventName":"y","more":1})").kind, "");
  EXPECT_EQ(kind_of(R"({"eventVersion":"1.08","eventTime":"x","eventName":"y","more":1})"),
            kind_of(R"({"eventVersion":"1.09","eventTime":"z","eventName":"y","other":{"category":"no"}})"));
  EXPECT_NE(kind_of(R"({"a":1,"b":2})"), kind_of(R"({"a":1,"c":2})"));
  EXPECT_NE(kind_of("2 111122223333 eni"), kind_of("hello"));
  EXPECT_EQ(kind_of(R"({"category":"Cut","time")").kind, "");
  EXPECT_EQ(kind_of(""), lm::WrappingContext());
  EXPECT_EQ(kind_of(R"({"category":5,"Type":"x"})").kind, "");
}

}  // namespace
