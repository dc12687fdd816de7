// A parser that compiles; with one of the macros below it does not, and the compiler's message says why in one of the SDK's sentences (compile_fail.cmake).
#include <logmill/sdk.hpp>

namespace ocsf = lm::ocsf::v1_8;

namespace {

constexpr auto kKeys = lm::keys("one", "two");

constexpr auto kTable = lm::table(ocsf::network_activity, lm::profiles("cloud", "security_control"), {
  {"activity_id"}, {"time"},
#if !defined(REQUIRED_OF_THE_CLASS)
      {"severity_id"},
#endif
      {"is_alert"}, {"message"}, {"src_endpoint.ip"}, {"src_endpoint.port"}, {"src_endpoint.intermediate_ips[]"},
#if !defined(REQUIRED_OF_AN_OBJECT)
      {"connection_info.direction_id"},
#endif
      {"connection_info.protocol_num"}, {"traffic.bytes"},
#if !defined(REQUIRED_OF_A_PROFILE)
      lm::constant("cloud.provider", "AWS"),
#endif
      {"cloud.region"}, {"tls.version"}, {"tls.certificate.subject"}, {"tls.certificate.issuer"},
#if !defined(REQUIRED_DEEP_DOWN)
      {"tls.certificate.serial_number"},
#endif
#if defined(UNKNOWN_PATH)
      {"src_endpoint.colour"},
#elif defined(PATH_OF_ANOTHER_CLASS)
                                   {"finding_info.uid"},
#elif defined(LIST_WITHOUT_BRACKETS)
                                   {"observables.name"},
#elif defined(BRACKETS_WITHOUT_LIST)
                                   {"src_endpoint[].name"},
#elif defined(PATH_TO_AN_OBJECT)
                                   {"dst_endpoint"},
#elif defined(DECLARED_TWICE)
                                   {"message"},
#elif defined(CONSTANT_IN_A_LIST)
                                   lm::constant("dst_endpoint.intermediate_ips[]", "192.0.2.1"),
#elif defined(CONSTANT_OF_ANOTHER_TYPE)
      lm::constant("status_id", "x"),
#elif defined(CONSTANT_TOO_LARGE)
      lm::constant("count", "99999999999"),
#elif defined(CONSTANT_OF_JSON)
      lm::constant("unmapped", "{}"),
#endif
      lm::constant("metadata.product.name", "x")
});

}  // namespace

struct Parser {
  static constexpr lm::Descriptor descriptor{
      .id = "test.compile", .title = "x", .vendor = "x", .version = "1.0.0", .reads = "x", .framing = lm::Framing::lines};
#if !defined(NO_SCORE)
  static int score(lm::Sample) { return 0; }
#endif
#if defined(WRONG_PARSE)
  int parse(lm::Record, int) { return 0; }
#else
  void parse(lm::Record record, lm::Rows<kTable>& rows) {
    auto row = rows.begin(record);
    row.set<"time">(1);
    row.set<"is_alert">(true);
    row.set<"message">(lm::Text("x"));
    row.push<"src_endpoint.intermediate_ips">("192.0.2.1");
#if defined(TEXT_FOR_AN_INTEGER)
    row.set<"time">("yesterday");
#elif defined(OPTIONAL_TEXT_FOR_AN_INTEGER)
    row.set<"src_endpoint.port">(lm::Text("80"));
#elif defined(A_BOOLEAN_FOR_AN_INTEGER)
    row.set<"traffic.bytes">(true);
#elif defined(AN_INTEGER_FOR_A_BOOLEAN)
    row.set<"is_alert">(1);
#elif defined(AN_INTEGER_FOR_TEXT)
    row.set<"message">(5);
#elif defined(PATH_THAT_IS_NOT_DECLARED)
    row.set<"dst_endpoint.ip">("192.0.2.1");
#elif defined(SET_OF_A_CONSTANT)
    row.set<"cloud.provider">("x");
#elif defined(PUSH_OF_WHAT_IS_NO_LIST)
    row.push<"message">("x");
#elif defined(KEY_OF_ANOTHER_SET)
    static_assert(kKeys.at("three") == 0);
#elif defined(KEY_TWICE)
    static constexpr auto kTwice = lm::keys("one", "two", "one");
    (void)kTwice;
#endif
    (void)kKeys;
  }
#endif
};

LOGMILL_PARSERS(Parser)
