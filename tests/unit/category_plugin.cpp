// Parsers of records as Azure's are: each of one category, with or without the envelope, and one of all categories that nobody else knows.
#include <logmill/sdk.hpp>
#include <logmill/sdk/json.hpp>
#include <logmill/sdk/outline.hpp>

namespace {
constexpr auto kTable =
    lm::table(lm::ocsf::v1_8::base_event, lm::profiles(),
              {{"activity_id"}, {"time"}, {"severity_id"}, {"message"}, lm::constant("metadata.product.name", "category")});

template <class Self>
struct OfCategory {
  static bool is_mine(std::string_view category) { return Self::name.empty() || lm::equals_ignoring_case(category, Self::name); }
  static int score(lm::Sample s) {
    const lm::json::Outline outline(s, "records");
    for (const std::string_view name : {"category", "Category", "Type"}) {
      if (const auto text = outline.record_text(name); text && is_mine(*text)) return Self::name.empty() ? 30 : 95;
    }
    return !Self::name.empty() && outline.record(Self::graph) ? 95 : 0;
  }
  void parse(lm::Record record, lm::Rows<kTable>& rows) {
    lm::Text category, time, what;
    bool graph = false;
    const bool ok = json_.read(record.text(), [&](std::string_view key, lm::json::Value& value) {
      graph |= key == Self::graph;
      if (key == "category" || key == "Category" || (key == "Type" && !category)) category = value.text();
      if (key == "time" || key == "TimeGenerated" || key == "createdDateTime") time = value.text();
      if (key == "what") what = value.text();
    });
    if (!ok) return record.reject(json_);
    if (category ? !is_mine(*category) : !graph) return record.reject(lm::foreign, "another category");
    const auto at = time ? lm::time::rfc3339(*time) : lm::Maybe<std::int64_t>();
    if (!at) return record.reject(lm::malformed, "no time");
    auto row = rows.begin(record);
    row.template set<"activity_id">(1);
    row.template set<"severity_id">(1);
    row.template set<"time">(*at);
    row.template set<"message">(what);
  }
  lm::json::Reader json_;
};
}  // namespace

struct Alpha : OfCategory<Alpha> {
  static constexpr lm::Descriptor descriptor{.id = "test.alpha",
                                             .title = "Alpha",
                                             .vendor = "test",
                                             .version = "1.0.0",
                                             .reads = "category Alpha",
                                             .framing = lm::Framing::json,
                                             .envelope = "records"};
  static constexpr std::string_view name = "alpha", graph = "alphaId";
};
struct Beta : OfCategory<Beta> {
  static constexpr lm::Descriptor descriptor{.id = "test.beta",
                                             .title = "Beta",
                                             .vendor = "test",
                                             .version = "1.0.0",
                                             .reads = "category Beta",
                                             .framing = lm::Framing::json,
                                             .envelope = "records"};
  static constexpr std::string_view name = "beta", graph = "betaId";
};
struct Rest : OfCategory<Rest> {
  static constexpr lm::Descriptor descriptor{.id = "test.rest",
                                             .title = "Rest",
                                             .vendor = "test",
                                             .version = "1.0.0",
                                             .reads = "other categories",
                                             .framing = lm::Framing::json,
                                             .envelope = "records"};
  static constexpr std::string_view name = "", graph = "none";
};
LOGMILL_PARSERS(Alpha, Beta, Rest)
