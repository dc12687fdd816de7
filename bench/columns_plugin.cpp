// Sources with 10, 20, 50 and 100 columns, for bench/growth: a line is that many values with a space between them, each of which goes to a text column of its own.
// Of two columns the first has few values and is a dictionary; the second is nearly unique, and plain. The script makes the lines so.
#include <logmill/sdk.hpp>

namespace ocsf = lm::ocsf::v1_8;

namespace {

template <lm::detail::FixedString... Path>
struct Paths {};
template <lm::detail::FixedString... A, lm::detail::FixedString... B>
consteval Paths<A..., B...> operator+(Paths<A...>, Paths<B...>) {
  return {};
}

// None of them is an observable, so that a value costs what a column costs.
constexpr Paths<"api.operation", "api.request.uid", "api.service.name", "actor.session.uid", "cloud.provider", "metadata.correlation_uid",
                "cloud.region", "metadata.original_event_uid", "src_endpoint.svc_name", "src_endpoint.interface_uid">
    k10;
constexpr auto k20 =
    k10 +
    Paths<"actor.idp.name", "actor.user.uid_alt", "api.version", "http_request.uid", "http_request.http_method", "http_request.url.path",
          "cloud.zone", "src_endpoint.instance_uid", "api.response.error", "http_request.url.query_string">();
constexpr auto k50 =
    k20 + Paths<"actor.app_name", "actor.app_uid", "actor.idp.domain", "actor.idp.uid", "actor.idp.issuer", "actor.session.uid_alt",
                "actor.idp.protocol_name", "actor.user.full_name", "actor.session.issuer", "actor.user.display_name", "actor.user.domain",
                "api.group.uid_alt", "api.group.domain", "api.response.message", "api.group.type", "api.response.error_message",
                "api.service.version", "api.token.uid", "cloud.cloud_partition", "dst_endpoint.instance_uid", "cloud.org.name",
                "dst_endpoint.interface_uid", "cloud.org.ou_name", "http_request.args", "dst_endpoint.svc_name", "http_request.referrer",
                "dst_endpoint.zone", "message", "http_request.version", "api.service.uid">();
constexpr auto k100 =
    k50 + Paths<"dst_endpoint.domain", "dst_endpoint.interface_name", "dst_endpoint.location.city", "dst_endpoint.name",
                "dst_endpoint.location.continent", "dst_endpoint.subnet_uid", "dst_endpoint.location.region", "dst_endpoint.vlan_uid",
                "dst_endpoint.autonomous_system.name", "dst_endpoint.vpc_uid", "dst_endpoint.isp", "dst_endpoint.location.geohash",
                "dst_endpoint.isp_org", "dst_endpoint.location.postal_code", "src_endpoint.domain", "src_endpoint.interface_name",
                "src_endpoint.location.city", "src_endpoint.name", "src_endpoint.location.continent", "src_endpoint.subnet_uid",
                "src_endpoint.location.region", "src_endpoint.vlan_uid", "src_endpoint.autonomous_system.name", "src_endpoint.vpc_uid",
                "src_endpoint.isp", "src_endpoint.location.geohash", "src_endpoint.isp_org", "src_endpoint.location.postal_code",
                "src_endpoint.zone", "http_request.url.subdomain", "http_request.url.scheme", "metadata.original_time",
                "http_request.url.domain", "metadata.tenant_uid", "http_request.url.resource_type", "metadata.source",
                "metadata.event_code", "metadata.type", "metadata.log_level", "actor.user.phone_number", "metadata.log_format",
                "actor.session.terminal", "metadata.log_provider", "actor.session.uuid", "metadata.log_version", "cloud.org.ou_uid",
                "api.token.zone", "cloud.org.uid", "api.group.desc", "api.token.tenant_uid">();

// What OCSF requires of the class beside them; the same in every row.
constexpr auto kCommon = lm::columns({lm::constant("activity_id", "1"),
                                      lm::constant("severity_id", "1"),
                                      {"time"},
                                      lm::constant("metadata.product.name", "Columns"),
                                      lm::constant("metadata.product.vendor_name", "logmill")});

template <lm::detail::FixedString... Path>
consteval auto text_columns(Paths<Path...>) {
  std::size_t i = 0;
  return lm::Columns<sizeof...(Path)>{{lm::Column{Path.view(), i++ % 2 == 0 ? lm::Encoding::automatic : lm::Encoding::plain}...}};
}

template <lm::detail::FixedString Id, class List>
struct Source;

template <lm::detail::FixedString Id, lm::detail::FixedString... Path>
struct Source<Id, const Paths<Path...>> {
  static constexpr auto table = lm::table(ocsf::api_activity, lm::profiles("cloud"), kCommon + text_columns(Paths<Path...>()));
  static constexpr lm::Descriptor descriptor{.id = Id.view(),
                                             .title = "Lines of values",
                                             .vendor = "logmill",
                                             .version = "1.0.0",
                                             .reads = "A fixed number of values with a space between them",
                                             .framing = lm::Framing::lines};

  static int score(lm::Sample) { return 0; }  // asked for by name

  void parse(lm::Record record, lm::Rows<table>& rows) {
    if (lm::split(record.text(), ' ', values_) != values_.size()) return record.reject(lm::malformed, "another number of values");
    auto row = rows.begin(record);
    row.template set<"time">(std::int64_t{1772323200000});
    std::size_t i = 0;
    (row.template set<Path>(values_[i++]), ...);
  }

 private:
  std::array<std::string_view, sizeof...(Path)> values_;
};

}  // namespace

using Columns10 = Source<"bench.columns10", decltype(k10)>;
using Columns20 = Source<"bench.columns20", decltype(k20)>;
using Columns50 = Source<"bench.columns50", decltype(k50)>;
using Columns100 = Source<"bench.columns100", decltype(k100)>;
LOGMILL_PARSERS(Columns10, Columns20, Columns50, Columns100)
