// Amazon CloudFront standard logs: legacy files, and what vended delivery (v2) writes as lines or JSON.
// Source: AWS, "Amazon CloudFront Developer Guide": "Standard logging reference", "Configure standard logging (v2)", "Configure standard logging (legacy)".
//
// A line has the fields of the "#Fields:" header above it, in any order and number. JSON records have the same names. Both end in one array of values by field, which
// map() turns into a row. CloudFront encodes what clients sent as in URLs: attributes have it decoded, once; `unmapped` as it stands.
#include <logmill/sdk.hpp>
#include <logmill/sdk/aws.hpp>
#include <logmill/sdk/fields.hpp>
#include <logmill/sdk/http.hpp>

namespace ocsf = lm::ocsf::v1_8;

namespace {

using lm::Text;

constexpr auto kFields =
    lm::keys("date", "time", "x-edge-location", "sc-bytes", "c-ip", "cs-method", "cs(Host)", "cs-uri-stem", "sc-status", "cs(Referer)",
             "cs(User-Agent)", "cs-uri-query", "cs(Cookie)", "x-edge-result-type", "x-edge-request-id", "x-host-header", "cs-protocol",
             "cs-bytes", "time-taken", "x-forwarded-for", "ssl-protocol", "ssl-cipher", "x-edge-response-result-type",
             "cs-protocol-version", "fle-status", "fle-encrypted-fields", "c-port", "time-to-first-byte", "x-edge-detailed-result-type",
             "sc-content-type", "sc-content-len", "sc-range-start", "sc-range-end", "distribution-tenant-id", "connection-id",
             // of vended delivery alone
             "timestamp(ms)", "origin-fbl", "origin-lbl", "asn", "c-country", "cache-behavior-path-pattern", "viewer-request-log-data",
             "viewer-response-log-data");
constexpr std::size_t kFieldCount = kFields.names.size();
using Values = std::array<std::string_view, kFieldCount>;

consteval std::size_t at(std::string_view name) { return static_cast<std::size_t>(kFields.at(name)); }

// No other log has fields of these names.
constexpr std::string_view kTelling[] = {
    "x-edge-location", "x-edge-request-id", "x-edge-result-type", "x-edge-response-result-type", "x-edge-detailed-result-type",
    "x-host-header"};

constexpr auto kRequest = lm::table(ocsf::http_activity, lm::profiles("cloud"),
                                    {{"activity_id"},
                                     {"activity_name"},
                                     {"time"},
                                     {"duration"},
                                     lm::constant("severity_id", "1"),
                                     {"status_id"},
                                     {"status_detail"},
                                     {"src_endpoint.ip"},
                                     {"src_endpoint.port"},
                                     {"src_endpoint.location.country"},
                                     {"src_endpoint.autonomous_system.number"},
                                     {"dst_endpoint.name"},
                                     {"dst_endpoint.hostname"},
                                     {"dst_endpoint.uid"},
                                     lm::constant("dst_endpoint.svc_name", "cloudfront.amazonaws.com"),
                                     {"http_request.http_method"},
                                     {"http_request.version"},
                                     {"http_request.url.scheme"},
                                     {"http_request.url.hostname"},
                                     {"http_request.url.port"},
                                     {"http_request.url.path"},
                                     lm::plain("http_request.url.query_string"),
                                     {"http_request.referrer"},
                                     {"http_request.user_agent"},
                                     {"http_request.x_forwarded_for[]"},
                                     lm::plain("http_request.uid"),
                                     {"http_request.length"},
                                     {"http_response.code"},
                                     {"http_response.latency"},
                                     {"http_response.length"},
                                     {"http_response.content_type"},
                                     {"http_response.body_length"},
                                     {"traffic.bytes_in"},
                                     {"traffic.bytes_out"},
                                     {"tls.version"},
                                     {"tls.cipher"},
                                     lm::constant("connection_info.direction_id", "1"),  // Inbound
                                     lm::plain("connection_info.uid"),
                                     {"cloud.account.uid"},
                                     {"cloud.account.type_id"},
                                     lm::constant("cloud.provider", "AWS"),
                                     {"cloud.region"},
                                     {"metadata.log_version"},
                                     lm::same("metadata.original_event_uid", "http_request.uid"),
                                     lm::plain("metadata.original_time"),
                                     lm::constant("metadata.product.name", "Amazon CloudFront"),
                                     lm::constant("metadata.product.feature.name", "Standard Logs"),
                                     lm::constant("metadata.product.vendor_name", "AWS"),
                                     lm::constant("metadata.log_provider", "CloudFront"),
                                     {"unmapped"}});

// "E" and ten to twenty capitals and digits.
bool is_distribution(std::string_view text) {
  return text.size() >= 11 && text.size() <= 21 && text[0] == 'E' &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); });
}

// In the name of a file ("E2EXAMPLE1234.2026-03-01-12.4a5b6c7d.gz") or of a folder ("distributionid=E2EXAMPLE1234", "E2EXAMPLE1234").
std::string_view distribution_of(std::string_view uri) {
  std::string_view rest = uri;
  const std::string_view file = lm::before(lm::after_last(uri, '/'), '.');
  if (is_distribution(file)) return file;
  for (;;) {
    const std::size_t slash = rest.rfind('/');
    if (slash == std::string_view::npos) return {};
    rest = rest.substr(0, slash);
    const std::string_view folder = lm::after_last(lm::after_last(rest, '/'), '=');
    if (is_distribution(folder)) return folder;
  }
}

class Mapper {
 public:
  Values values{};
  lm::json::ObjectWriter unmapped;  // what has no field is there before map()
  std::string_view log_version;

  void begin_block(lm::Record record) {
    place_ = lm::aws::Place::of(record);
    if (!lm::aws::is_account(place_.account)) place_.account = {};
    distribution_ = distribution_of(record.uri());
    log_version = {};
  }

  void map(lm::Record record, lm::Rows<kRequest>& rows) {
    const auto time = moment();
    if (!time || !lm::time::plausible(*time))
      return record.reject(lm::malformed, "neither 'timestamp(ms)' nor 'date' and 'time' are a time");
    auto row = rows.begin(record);
    row.expect<"src_endpoint.ip">(values[at("c-ip")]);
    row.set<"time">(time);
    row.set<"metadata.original_time">(std::string_view(original_time_));
    row.set<"metadata.log_version">(lm::present(log_version));
    row.set<"duration">(elapsed(at("time-taken")));
    row.set<"status_detail">(text(at("x-edge-detailed-result-type")));

    client(row);
    row.set<"dst_endpoint.name">(text(at("x-edge-location")));
    row.set<"dst_endpoint.hostname">(text(at("cs(Host)")));
    row.set<"dst_endpoint.uid">(lm::present(distribution_));
    const bool asked = request(row), answered = response(row);
    if (!asked && !answered) return record.reject(lm::malformed, "none of the fields says what was asked or answered");
    if (const auto version = text(at("ssl-protocol"))) {
      row.set<"tls.version">(lm::http::tls_version(*version));
      row.set<"tls.cipher">(text(at("ssl-cipher")));
    } else {
      keep(at("ssl-cipher"));
    }
    row.set<"connection_info.uid">(text(at("connection-id")));
    place_.set(row);
    for (const std::size_t field :
         {at("cs(Cookie)"), at("x-edge-result-type"), at("x-edge-response-result-type"), at("fle-status"), at("fle-encrypted-fields"),
          at("sc-range-start"), at("sc-range-end"), at("distribution-tenant-id"), at("origin-fbl"), at("origin-lbl"),
          at("cache-behavior-path-pattern"), at("viewer-request-log-data"), at("viewer-response-log-data")}) {
      keep(field);
    }
    if (const auto rest = unmapped.finish(); !rest.empty()) row.set<"unmapped">(rest);
  }

 private:
  using Row = lm::Row<kRequest>;

  Text text(std::size_t field) const { return lm::present(values[field]); }

  // Without its encoding. The view holds until the next one.
  Text decoded(std::size_t field) {
    const auto value = text(field);
    return value ? Text(lm::http::percent_decoded(*value, decoded_)) : value;
  }

  void keep(std::size_t field) { lm::keep(unmapped, kFields.names[field], values[field]); }

  lm::Maybe<std::int64_t> number(std::size_t field) { return lm::integer_or_keep(unmapped, kFields.names[field], values[field]); }
  // Milliseconds, or the text in `unmapped`.
  lm::Maybe<std::int64_t> elapsed(std::size_t field) {
    const auto value = text(field);
    if (!value) return std::nullopt;
    const auto n = lm::time::elapsed(*value);
    if (!n) keep(field);
    return n;
  }

  // The moment, and in original_time_ how the record has it.
  lm::Maybe<std::int64_t> moment() {
    const auto milliseconds = text(at("timestamp(ms)")), date = text(at("date")), clock = text(at("time"));
    lm::Maybe<std::int64_t> exact;
    if (milliseconds) {
      exact = lm::integer(*milliseconds);
      if (exact && !lm::time::plausible(*exact)) exact = std::nullopt;
      if (!exact) keep(at("timestamp(ms)"));
    }
    original_time_.clear();
    if (date) original_time_ += *date;
    if (clock) {
      if (date) original_time_ += ' ';
      original_time_ += *clock;
    }
    if (original_time_.empty() && milliseconds) original_time_ = *milliseconds;
    return exact ? exact : lm::time::rfc3339(original_time_, true);
  }

  void client(Row& row) {
    const auto ip = text(at("c-ip"));
    if (!row.set<"src_endpoint.ip">(ip)) {
      for (const std::size_t field : {at("c-ip"), at("c-port"), at("c-country"), at("asn")}) keep(field);
      return;
    }
    set_or_keep<"src_endpoint.port">(row, at("c-port"));
    row.set<"src_endpoint.location.country">(text(at("c-country")));
    set_or_keep<"src_endpoint.autonomous_system.number">(row, at("asn"));
  }

  // A number that OCSF has no room for is kept, too.
  template <lm::detail::FixedString Path>
  void set_or_keep(Row& row, std::size_t field) {
    if (const auto n = number(field); n && !row.set<Path>(n)) keep(field);
  }

  // False: there is nothing of a request.
  bool request(Row& row) {
    bool any = false;
    const auto method = text(at("cs-method"));
    const int activity = lm::http::activity_id(method ? *method : std::string_view());
    row.set<"activity_id">(activity);
    if (activity == 99) row.set<"activity_name">(method);
    any |= row.set<"http_request.http_method">(method);
    any |= row.set<"http_request.version">(text(at("cs-protocol-version")));
    any |= row.set<"http_request.uid">(text(at("x-edge-request-id")));
    any |= row.set<"http_request.referrer">(decoded(at("cs(Referer)")));
    any |= row.set<"http_request.user_agent">(decoded(at("cs(User-Agent)")));
    if (row.set<"http_request.url.path">(decoded(at("cs-uri-stem")))) {
      any = true;
      row.set<"http_request.url.query_string">(decoded(at("cs-uri-query")));
      row.set<"http_request.url.scheme">(text(at("cs-protocol")));
      if (const auto host = text(at("x-host-header"))) {
        const lm::net::HostPort place = lm::net::host_port(*host);
        row.set<"http_request.url.hostname">(lm::present(place.host));
        row.set<"http_request.url.port">(place.port);
      }
    } else {  // OCSF wants the path of an URL
      for (const std::size_t field : {at("cs-uri-query"), at("cs-protocol"), at("x-host-header")}) keep(field);
    }
    any |= forwarded(row);
    const auto bytes = number(at("cs-bytes"));
    row.set<"traffic.bytes_out">(bytes);
    any |= row.set<"http_request.length">(bytes);
    return any;
  }

  // "198.51.100.4, 10.0.0.1"
  bool forwarded(Row& row) {
    const auto list = decoded(at("x-forwarded-for"));
    if (!list) return false;
    bool any = false, all = true;
    for (std::string_view rest = *list; !rest.empty();) {
      const std::string_view item = lm::before(rest, ',');
      rest.remove_prefix(std::min(rest.size(), item.size() + 1));
      const bool taken = row.push<"http_request.x_forwarded_for">(lm::trim(item));
      any = any || taken, all = all && taken;
    }
    if (!all) keep(at("x-forwarded-for"));
    return any;
  }

  // False: there is nothing of a response.
  bool response(Row& row) {
    const auto bytes = number(at("sc-bytes"));
    row.set<"traffic.bytes_in">(bytes);
    const auto code = number(at("sc-status"));
    // 000: the client went away before it was answered.
    const bool answered = code && *code != 0;
    row.set<"status_id">(code && *code == 0 ? 2 : lm::http::status_id(code));
    if (!answered || !row.set<"http_response.code">(code)) {
      if (code) keep(at("sc-status"));
      for (const std::size_t field : {at("time-to-first-byte"), at("sc-content-type"), at("sc-content-len")}) keep(field);
      return false;
    }
    row.set<"http_response.length">(bytes);
    if (const auto first = elapsed(at("time-to-first-byte")); first && !row.set<"http_response.latency">(first))
      keep(at("time-to-first-byte"));
    row.set<"http_response.content_type">(decoded(at("sc-content-type")));
    set_or_keep<"http_response.body_length">(row, at("sc-content-len"));
    return true;
  }

  lm::aws::Place place_;
  std::string_view distribution_;
  std::string decoded_, original_time_;
};

// The fields of the lines below a header.
struct Layout {
  static constexpr std::size_t kMost = 128;
  std::vector<int> fields;           // numbers, -1 for words that are no field
  std::vector<std::string> unknown;  // their names, in the order of the -1s
  bool telling = false, streaming = false;

  explicit Layout(std::string_view names) {
    while (!names.empty() && fields.size() <= kMost) {
      const std::size_t end = names.find_first_of(" \t");
      const std::string_view name = names.substr(0, end);
      names.remove_prefix(end == std::string_view::npos ? names.size() : end + 1);
      if (name.empty()) continue;
      int field = kFields.find(name);
      telling = telling || std::find(std::begin(kTelling), std::end(kTelling), name) != std::end(kTelling);
      streaming = streaming || name == "x-event";
      // A field that is named twice: the second value must not hide the first one.
      if (std::find(fields.begin(), fields.end(), field) != fields.end()) field = -1;
      fields.push_back(field);
      if (field < 0) unknown.emplace_back(name);
    }
  }
};

constexpr std::string_view kFieldsHeader = "#Fields:", kVersionHeader = "#Version:";

// What a header line of `prologue` says; the last one of its kind.
std::string_view header(std::string_view prologue, std::string_view name) {
  std::string_view found;
  while (!prologue.empty()) {
    const std::string_view line = lm::before(prologue, '\n');
    prologue.remove_prefix(std::min(prologue.size(), line.size() + 1));
    if (line.starts_with(name)) found = line.substr(name.size());
  }
  while (found.ends_with('\r')) found.remove_suffix(1);
  return lm::trim(found);
}

bool is_header(std::string_view line, bool streaming) {
  if (!line.starts_with(kFieldsHeader)) return false;
  const Layout layout(line.substr(kFieldsHeader.size()));
  return layout.telling && layout.streaming == streaming;
}

}  // namespace

struct CloudFront {
  static constexpr lm::Descriptor descriptor{.id = "aws.cloudfront",
                                             .title = "Amazon CloudFront standard logs",
                                             .vendor = "AWS",
                                             .version = "1.0.0",
                                             .reads = "Lines below a #Fields header, legacy and of vended delivery, in any field order",
                                             .framing = lm::Framing::lines};
  static constexpr auto keys =
      lm::strings("AWSLogs/aws-account-id={account}/CloudFront/**", "AWSLogs/{account}/CloudFront/**", "E*.20*-*-*-*.*");

  // {"fields": "date time x-edge-location ..."}: the fields of lines without a header.
  explicit CloudFront(lm::Config config) {
    lm::json::Reader reader;
    const bool ok = reader.read(config.json, [&](std::string_view key, lm::json::Value& value) {
      if (key != "fields") throw std::invalid_argument("unknown setting: " + std::string(key));
      const auto names = value.text();
      configured_.emplace(names ? *names : std::string_view());
      if (!configured_->telling)
        throw std::invalid_argument("fields: wanted the field names of a CloudFront log, as in 'date time x-edge-location'");
    });
    if (!ok) throw std::invalid_argument("the configuration is not a JSON object");
  }

  static int score(lm::Sample s) {
    const int line = s.find_line([](std::string_view l) { return is_header(l, false); });
    return line < 0 ? 0 : line <= 1 ? 95 : 85;
  }

  static bool prologue(std::string_view line) { return line.starts_with(kFieldsHeader) || line.starts_with(kVersionHeader); }

  void parse(lm::Record record, lm::Rows<kRequest>& rows) {
    if (record.starts_block()) begin_block(record);
    const Layout* layout = header_ ? &*header_ : configured_ ? &*configured_ : nullptr;
    if (!layout) return record.reject(lm::malformed, "no '#Fields:' header says what the fields are");
    if (!split(record.text(), layout->fields.size()))
      return record.reject(lm::malformed, "the line does not have as many fields as its header");
    mapper_.unmapped.clear();
    std::size_t unknown = 0;
    for (std::size_t i = 0; i < layout->fields.size(); ++i) {
      if (const int field = layout->fields[i]; field >= 0) {
        mapper_.values[static_cast<std::size_t>(field)] = words_[i];
        continue;
      }
      const std::string& name = layout->unknown[unknown++];
      record.drift(name);
      lm::keep(mapper_.unmapped, name, words_[i]);
    }
    mapper_.map(record, rows);
  }

 private:
  void begin_block(lm::Record record) {
    mapper_.begin_block(record);
    mapper_.values = {};
    const std::string_view names = header(record.prologue(), kFieldsHeader);
    mapper_.log_version = header(record.prologue(), kVersionHeader);
    if (names.empty()) {
      header_.reset();
    } else if (!header_ || names != names_) {
      header_.emplace(names);
      names_ = names;
    }
  }

  // Into words_: by tabs, or by the spaces that vended delivery may have instead. Values have neither; a value that is empty has its place nonetheless.
  bool split(std::string_view line, std::size_t wanted) {
    if (wanted > Layout::kMost) return false;
    if (lm::split(line, '\t', words_) == wanted) return true;
    std::size_t n = 0;
    for (std::size_t from = 0; from <= line.size(); ++n) {
      const std::size_t tab = std::min(line.find('\t', from), line.size());
      if (n < wanted) words_[n] = line.substr(from, tab - from);
      from = tab + 1;
    }
    return n == wanted || (n == 1 && lm::split(line, ' ', words_) == wanted);
  }

  std::optional<Layout> header_, configured_;
  std::string names_;
  std::array<std::string_view, Layout::kMost> words_;
  Mapper mapper_;
};

struct CloudFrontJson {
  static constexpr lm::Descriptor descriptor{.id = "aws.cloudfront_json",
                                             .title = "Amazon CloudFront standard logs as JSON",
                                             .vendor = "AWS",
                                             .version = "1.0.0",
                                             .reads = "JSON objects of vended delivery, with any of the fields",
                                             .framing = lm::Framing::json};
  static constexpr auto keys = lm::strings("AWSLogs/aws-account-id={account}/CloudFront/**", "AWSLogs/{account}/CloudFront/**");

  static int score(lm::Sample s) {
    const lm::json::Outline outline(s);
    const bool telling = outline.record("cs(Host)") ||
                         std::any_of(std::begin(kTelling), std::end(kTelling), [&](auto name) { return outline.record(name); });
    if (!telling || outline.record("x-event") || !(outline.record("date") || outline.record("timestamp(ms)"))) return 0;
    return outline.clean() ? 95 : 85;
  }

  void parse(lm::Record record, lm::Rows<kRequest>& rows) {
    if (record.starts_block()) mapper_.begin_block(record);
    mapper_.values = {};
    mapper_.unmapped.clear();
    const bool ok = lm::json::read_values(
        json_, record.text(), mapper_.values, mapper_.unmapped, [](std::string_view key) { return kFields.find(key); },
        [&](std::string_view key) { record.drift(key); });
    if (!ok) return record.reject(json_);
    mapper_.map(record, rows);
  }

 private:
  lm::json::Reader json_;
  Mapper mapper_;
};

// Logs of RTMP distributions, which CloudFront no longer has: what players did, not requests.
struct CloudFrontRtmp {
  static constexpr lm::Descriptor descriptor{.id = "aws.cloudfront_rtmp",
                                             .title = "Amazon CloudFront RTMP streaming logs",
                                             .vendor = "AWS",
                                             .version = "1.0.0",
                                             .reads = "Logs of RTMP distributions, which are not read",
                                             .framing = lm::Framing::lines,
                                             .kind = lm::Kind::set_aside};
  static int score(lm::Sample s) {
    return s.find_line([](std::string_view l) { return is_header(l, true); }) >= 0 ? 95 : 0;
  }
};

LOGMILL_PARSERS(CloudFront, CloudFrontJson, CloudFrontRtmp)
