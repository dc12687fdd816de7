// Parsers of "TIME NAME TEXT" lines that know only their own, and one that takes itself for everybody's until it looks.
#include <logmill/sdk.hpp>

namespace {
constexpr auto kTable =
    lm::table(lm::ocsf::v1_8::base_event, lm::profiles(),
              {{"activity_id"}, {"time"}, {"severity_id"}, {"message"}, lm::constant("metadata.product.name", "foreign")});

template <class Self>
struct Named {
  static int score(lm::Sample s) {
    const auto line = s.first_line();
    return line.find(Self::name) != line.npos ? 60 : line.find("greedy") != line.npos && Self::greedy ? 90 : Self::greedy ? 50 : 0;
  }
  void parse(lm::Record record, lm::Rows<kTable>& rows) {
    const std::string_view text = record.text();
    const auto time = lm::time::seconds(lm::before(text, ' '));
    if (!time) return record.reject(lm::malformed, "no time");
    if (text.find(Self::name) == text.npos) return record.reject(lm::foreign, Self::why);
    auto row = rows.begin(record);
    row.template set<"activity_id">(1);
    row.template set<"severity_id">(1);
    row.template set<"time">(*time);
    row.template set<"message">(text);
  }
};
}  // namespace

struct Alpha : Named<Alpha> {
  static constexpr lm::Descriptor descriptor{
      .id = "test.alpha", .title = "Alpha", .vendor = "test", .version = "1.0.0", .reads = "TIME alpha", .framing = lm::Framing::lines};
  static constexpr std::string_view name = "alpha", why = "not alpha";
  static constexpr bool greedy = false;
};
struct Beta : Named<Beta> {
  static constexpr lm::Descriptor descriptor{
      .id = "test.beta", .title = "Beta", .vendor = "test", .version = "1.0.0", .reads = "TIME beta", .framing = lm::Framing::lines};
  static constexpr std::string_view name = "beta", why = "not beta";
  static constexpr bool greedy = false;
};
// Surer of everything but what the others name.
struct Greedy : Named<Greedy> {
  static constexpr lm::Descriptor descriptor{
      .id = "test.greedy", .title = "Greedy", .vendor = "test", .version = "1.0.0", .reads = "TIME gamma", .framing = lm::Framing::lines};
  static constexpr std::string_view name = "gamma", why = "not gamma";
  static constexpr bool greedy = true;
};
LOGMILL_PARSERS(Alpha, Beta, Greedy)
