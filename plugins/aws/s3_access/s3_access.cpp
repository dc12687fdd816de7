// Amazon S3 server access logs, as lines and as the JSON records that CloudWatch Logs gets.
// Source: AWS, "Amazon Simple Storage Service User Guide": "Amazon S3 server access log format", "Log format in CloudWatch Logs".
//
// Three fields of a line are what a client sent: request-URI, referrer and user agent. They stand in quotes and may have quotes of their own, which S3 does not escape. So
// a line is read from both ends, and where it can be read in more than one way the row says so and keeps the line. Lines and JSON end in one array of values by field,
// which map() turns into a row.
#include <logmill/sdk.hpp>
#include <logmill/sdk/aws.hpp>
#include <logmill/sdk/fields.hpp>
#include <logmill/sdk/http.hpp>

namespace ocsf = lm::ocsf::v1_8;

namespace {

using lm::Text;

constexpr auto kFields = lm::keys(
    // the columns of a line
    "bucket_owner", "bucket", "time", "remote_ip", "requester", "request_id", "operation", "key", "request_uri", "http_status",
    "error_code", "bytes_sent", "object_size", "total_time", "turn_around_time", "referer", "user_agent", "version_id", "host_id",
    "signature_version", "cipher_suite", "authentication_type", "host_header", "tls_version", "access_point_arn", "acl_required",
    "source_region",
    // of JSON records alone
    "schema_version_id", "bucket_arn");
constexpr std::size_t kFieldCount = kFields.names.size();
constexpr std::size_t kColumns = 27;

using Values = std::array<std::string_view, kFieldCount>;

consteval std::size_t at(std::string_view name) { return static_cast<std::size_t>(kFields.at(name)); }

constexpr std::string_view kService = "s3.amazonaws.com";

constexpr auto kAccess = lm::table(ocsf::api_activity, lm::profiles("cloud"),
                                   {{"activity_id"},
                                    {"activity_name"},
                                    {"time"},
                                    lm::constant("severity_id", "1"),
                                    {"duration"},
                                    {"status_id"},
                                    {"actor.user.uid"},
                                    {"actor.user.name"},
                                    {"actor.user.account.uid"},
                                    {"actor.user.account.type_id"},
                                    {"actor.app_name"},
                                    {"api.operation"},
                                    lm::constant("api.service.name", kService),
                                    lm::plain("api.request.uid"),
                                    {"api.response.code"},
                                    {"api.response.error"},
                                    lm::same("status_code", "api.response.error"),
                                    {"src_endpoint.ip"},
                                    {"src_endpoint.svc_name"},
                                    {"src_endpoint.hostname"},
                                    {"src_endpoint.name"},
                                    {"src_endpoint.location.region"},
                                    {"dst_endpoint.uid"},
                                    {"dst_endpoint.hostname"},
                                    {"dst_endpoint.port"},
                                    {"http_request.http_method"},
                                    {"http_request.version"},
                                    {"http_request.url.hostname"},
                                    lm::plain("http_request.url.path"),
                                    lm::plain("http_request.url.query_string"),
                                    lm::plain("http_request.url.url_string"),
                                    {"http_request.referrer"},
                                    {"http_request.user_agent"},
                                    {"http_response.code"},
                                    {"http_response.body_length"},
                                    {"http_response.latency"},
                                    lm::plain("resources[].uid"),
                                    lm::plain("resources[].name"),
                                    {"resources[].type"},
                                    lm::plain("resources[].version"),
                                    {"cloud.account.uid"},
                                    {"cloud.account.type_id"},
                                    lm::constant("cloud.provider", "AWS"),
                                    {"cloud.region"},
                                    {"cloud.cloud_partition"},
                                    {"metadata.log_version"},
                                    lm::same("metadata.original_event_uid", "api.request.uid"),
                                    lm::plain("metadata.original_time"),
                                    {"metadata.debug[]"},
                                    lm::constant("metadata.product.name", "Amazon S3"),
                                    lm::constant("metadata.product.feature.name", "Server Access Logs"),
                                    lm::constant("metadata.product.vendor_name", "AWS"),
                                    lm::constant("metadata.log_provider", "Amazon S3"),
                                    lm::plain("raw_data"),
                                    {"unmapped"}});

// ---- A line ----

// The next word of `rest` and the space behind it; "" at the end. Words are mostly short: a call to find the space would cost more than a look at each byte.
[[gnu::always_inline]] inline std::string_view take_word(std::string_view& rest) {
  const char* const data = rest.data();
  std::size_t n = 0;
  while (n < rest.size() && data[n] != ' ') ++n;
  rest.remove_prefix(n == rest.size() ? n : n + 1);
  return {data, n};
}

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The six columns between request-URI and referrer, which no client writes: `rest` behind them begins with the referrer.
bool take_middle(std::string_view& rest, Values& values) {
  const char first = rest.empty() ? ' ' : rest[0];
  if (first != '-' && !is_digit(first)) return false;
  const std::string_view status = take_word(rest);
  if (first == '-' ? status.size() != 1 : status.size() != 3 || !is_digit(status[1]) || !is_digit(status[2])) return false;
  const std::string_view error = take_word(rest);
  if (error.empty()) return false;
  values[at("http_status")] = status, values[at("error_code")] = error;
  for (std::size_t field = at("bytes_sent"); field <= at("turn_around_time"); ++field) {
    const char* const data = rest.data();
    const std::size_t size = rest.size();
    std::size_t n = 0;
    while (n < size && is_digit(data[n])) ++n;
    if (n == 0 && size != 0 && data[0] == '-') n = 1;
    if (n == 0 || n == size || data[n] != ' ') return false;
    values[field] = {data, n};
    rest.remove_prefix(n + 1);
  }
  return !rest.empty() && (rest[0] == '"' || rest[0] == '-');
}

// What stands behind the user agent, from version id on.
struct Tail {
  static constexpr std::size_t kMost = kColumns - at("version_id");
  std::array<std::string_view, kMost + 1> words;
  std::size_t count = 0;
  std::string_view further;  // columns that came later

  explicit Tail(std::string_view rest) {
    count = lm::split(rest, ' ', words);
    if (count <= kMost) return;
    count = kMost;
    further = rest.substr(static_cast<std::size_t>(words[kMost].data() - rest.data()));
  }

  // Whether the words may be those columns: those of which the values are known have them.
  bool fits(std::size_t first) const {
    const auto word = [&](std::size_t field) {
      const std::size_t i = first + field - at("version_id");
      return i < count ? words[i] : std::string_view("-");
    };
    const std::string_view signature = word(at("signature_version")), type = word(at("authentication_type")), tls = word(at("tls_version")),
                           arn = word(at("access_point_arn")), acl = word(at("acl_required"));
    return (signature == "-" || signature.starts_with("SigV")) && (type == "-" || type == "AuthHeader" || type == "QueryString") &&
           (tls == "-" || lm::lower(tls.empty() ? '-' : tls[0]) == 't') && (arn == "-" || arn.starts_with("arn:")) &&
           (acl == "-" || acl == "Yes" || acl == "No");
  }
};

constexpr std::string_view kOtherUri = "ambiguous: request-URI, it holds what looks like the columns behind it",
                           kOtherAgent = "ambiguous: referer and user_agent, the quotes between them may be either's",
                           kNoAgent = "ambiguous: user_agent, it may be absent and its text the referer's";

class LineReader {
 public:
  std::string_view further;                // what stands behind the columns that are known
  std::array<std::string_view, 2> doubts;  // "" where there is none

  // False: `why` says what was expected.
  bool read(std::string_view line, Values& values, const char*& why) {
    values = {}, further = {}, doubts = {};
    while (line.ends_with(' ')) line.remove_suffix(1);
    const std::size_t request = line.find('"');
    // Nine words up to the first quote: the time is two of them.
    std::array<std::string_view, 10> w;
    if (request != std::string_view::npos && request != 0 && line[request - 1] == ' ' && lm::split(line.substr(0, request), ' ', w) == 9 &&
        is_time(w[2], w[3])) [[likely]] {
      values[at("bucket_owner")] = w[0], values[at("bucket")] = w[1];
      values[at("time")] = {w[2].data() + 1, 26};
      std::copy(w.begin() + 4, w.begin() + 9, values.begin() + at("remote_ip"));
      if (!take_request(line.substr(request + 1), values)) return why = kNoEnd, false;
      return true;
    }
    return read_unquoted(line, values, why);
  }

 private:
  // "[01/Mar/2026:12:00:38" and "+0000]", one space between them
  static bool is_time(std::string_view clock, std::string_view zone) {
    return clock.size() == 21 && clock[0] == '[' && zone.size() == 6 && zone[5] == ']' && zone.data() == clock.data() + 22;
  }

  // A line with a dash for the request; of others, what is wrong with them.
  bool read_unquoted(std::string_view line, Values& values, const char*& why) {
    std::string_view rest = line;
    values[at("bucket_owner")] = take_word(rest);
    values[at("bucket")] = take_word(rest);
    if (rest.size() < 29 || rest[0] != '[' || rest[27] != ']' || rest[28] != ' ') return why = "no '[time]' behind owner and bucket", false;
    values[at("time")] = rest.substr(1, 26);
    rest.remove_prefix(29);
    for (std::size_t field = at("remote_ip"); field <= at("key"); ++field) {
      values[field] = take_word(rest);
      if (values[field].empty()) return why = "the line ends before its request-URI", false;
    }
    if (!rest.starts_with("- ")) return why = "no request-URI in quotes, nor a dash for it, behind the key", false;
    rest.remove_prefix(2);
    if (!take_middle(rest, values)) return why = kNoEnd, false;
    const Headers h = headers(rest, rest.rfind('"'));
    if (!h.readable) return why = kNoEnd, false;
    take_headers(h, values);
    return true;
  }

  static constexpr const char* kNoEnd = "status, sizes, times, referer and user agent do not follow the request-URI";

  // The request ends at a quote behind which the rest of the line can be read. A target has no spaces, but headers may have anything: so where there are several such
  // quotes, the first one behind a whole request line is taken, and the last one where none is.
  bool take_request(std::string_view text, Values& values) {
    std::size_t chosen = std::string_view::npos, last = chosen, ends = 0;
    std::size_t end = 0;
    for (std::size_t quote = text.find('"'); quote != std::string_view::npos; quote = text.find('"', quote + 1)) end = quote;
    Headers found;
    for (std::size_t quote = text.find('"'); quote != std::string_view::npos; quote = text.find('"', quote + 1)) {
      if (quote + 2 >= text.size() || text[quote + 1] != ' ') continue;
      std::string_view rest = text.substr(quote + 2);
      if (!take_middle(rest, middle_)) continue;
      const auto begin = static_cast<std::size_t>(rest.data() - text.data());
      const Headers h = headers(rest, end >= begin ? end - begin : std::string_view::npos);
      if (!h.readable) continue;
      ++ends, last = quote;
      if (chosen != std::string_view::npos) continue;
      if (is_whole(text.substr(0, quote))) chosen = quote;
      found = h;
      std::copy(middle_.begin() + at("http_status"), middle_.begin() + at("referer"), values.begin() + at("http_status"));
    }
    if (ends == 0) return false;
    if (ends > 1) [[unlikely]]
      doubts[0] = kOtherUri;
    if (chosen == std::string_view::npos) chosen = last;
    values[at("request_uri")] = text.substr(0, chosen);
    take_headers(found, values);
    return true;
  }

  static bool is_whole(std::string_view request) {
    const std::size_t version = request.rfind(' ');
    return request == "-" || (version != std::string_view::npos && request.substr(version + 1).starts_with("HTTP/"));
  }

  // Where referrer and user agent lie in `rest`. Behind them no column has a quote, so the last quote, at `end`, is where they end.
  struct Headers {
    bool readable = false, referer_quoted = false, agent_quoted = false;
    std::string_view between;  // the quotes at both ends
    std::string_view tail;     // begins with a space, or is empty
  };
  static Headers headers(std::string_view rest, std::size_t end) {
    Headers out;
    out.referer_quoted = rest.starts_with('"');
    if (!out.referer_quoted) {
      if (!rest.starts_with("- ")) return out;
      rest.remove_prefix(2);
      if (end != std::string_view::npos) end -= 2;
    }
    out.agent_quoted = rest.starts_with('"');
    if (!out.agent_quoted) {  // so the referrer is not quoted either
      out.readable = end == std::string_view::npos && rest.starts_with('-') && (rest.size() == 1 || rest[1] == ' ');
      if (out.readable) out.tail = rest.substr(1);
      return out;
    }
    if (end == 0) return out;
    out.between = rest.substr(1, end - 1), out.tail = rest.substr(end + 1);
    if (!out.tail.empty() && out.tail[0] != ' ') return out;
    // One quoted text alone: the user agent must be the dash behind it.
    if (out.referer_quoted && out.between.find("\" \"") == std::string_view::npos) {
      out.agent_quoted = false;
      if (out.tail != " -" && !out.tail.starts_with(" - ")) return out;
    }
    out.readable = true;
    return out;
  }

  void take_headers(const Headers& h, Values& values) {
    values[at("referer")] = "-", values[at("user_agent")] = "-";
    Tail tail(h.tail.substr(h.tail.empty() ? 0 : 1));
    std::size_t first = 0;
    if (!h.referer_quoted) {
      if (h.agent_quoted) values[at("user_agent")] = h.between;
    } else if (!h.agent_quoted) {
      values[at("referer")] = h.between;
      first = 1;
    } else if (!tail.fits(0) && tail.count != 0 && tail.words[0] == "-" && tail.fits(1)) {
      // A referrer with `" "` in it and no user agent: the columns behind tell.
      values[at("referer")] = h.between;
      first = 1;
      doubts[1] = kNoAgent;
    } else {
      const std::size_t cut = h.between.find("\" \"");
      values[at("referer")] = h.between.substr(0, cut), values[at("user_agent")] = h.between.substr(cut + 3);
      if (h.between.find("\" \"", cut + 1) != std::string_view::npos) doubts[1] = kOtherAgent;
    }
    if (first == 1) tail = Tail(h.tail.substr(std::min<std::size_t>(h.tail.size(), 3)));
    for (std::size_t i = 0; i < tail.count; ++i) values[at("version_id") + i] = tail.words[i];
    further = tail.further;
  }

  Values middle_{};  // of a quote that may end the request
};

// ---- A row ----

int activity_id(std::string_view operation) {
  // REST.COPY.OBJECT_GET is the reading half of a copy, REST.POST.MULTI_OBJECT_DELETE deletes.
  if (operation.ends_with("_GET")) return 2;
  if (operation.ends_with("_DELETE")) return 4;
  std::string_view rest = operation.substr(std::min(operation.size(), lm::before(operation, '.').size() + 1));
  const std::string_view verb = lm::before(rest, '.');
  const std::string_view resource = rest.substr(std::min(rest.size(), verb.size() + 1));
  if (lm::is(verb, "GET") || lm::is(verb, "HEAD") || lm::is(verb, "OPTIONS") || lm::is(verb, "SELECT")) return 2;
  if (lm::is(verb, "PUT") || lm::is(verb, "POST") || lm::is(verb, "COPY")) {
    return lm::is(resource, "OBJECT") || lm::is(resource, "PART") || lm::is(resource, "UPLOAD") || lm::is(resource, "UPLOADS") ||
                   lm::is(resource, "BUCKET")
               ? 1
               : 3;
  }
  if (lm::is(verb, "DELETE") || lm::is(verb, "EXPIRE")) return 4;
  if (verb.starts_with("TRANSITION") || verb.starts_with("RESTORE")) return 3;
  return 99;
}

class Mapper {
 public:
  Values values{};
  lm::json::ObjectWriter unmapped;

  void begin_block(lm::Record record) {
    place_ = lm::aws::Place::of(record);
    if (!lm::aws::is_account(place_.account)) place_.account = {};
    if (place_.region.find('-', 1) == std::string_view::npos) place_.region = {};
  }

  // `doubts`: in what other way the record may be read, "" for none. What nothing has an attribute for is already in `unmapped`.
  void map(lm::Record record, lm::Rows<kAccess>& rows, std::array<std::string_view, 2> doubts = {}) {
    const std::string_view when = values[at("time")];
    auto time = lm::time::clf(when);
    if (!time) time = lm::time::rfc3339(when);
    if (!time || !lm::time::plausible(*time)) return record.reject(lm::malformed, "the time of the request is none");
    auto row = rows.begin(record);
    row.expect<"src_endpoint.ip">(values[at("remote_ip")]);
    row.set<"time">(time);
    row.set<"metadata.original_time">(when);
    row.set<"metadata.log_version">(text(at("schema_version_id")));

    const std::string_view operation = values[at("operation")];
    const int activity = lm::present(operation) ? activity_id(operation) : 0;
    row.set<"activity_id">(activity);
    if (activity == 99) row.set<"activity_name">(operation);
    row.set<"api.operation">(lm::present(operation) ? operation : std::string_view("Unknown"));  // required
    row.set<"api.request.uid">(text(at("request_id")));

    actor(row);
    response(row);
    request(row);
    resources(row);
    place_.set(row);
    for (const std::size_t field : {at("bucket_owner"), at("object_size"), at("turn_around_time"), at("host_id"), at("signature_version"),
                                    at("cipher_suite"), at("authentication_type"), at("tls_version"), at("acl_required")}) {
      keep(field);
    }
    if (!doubts[0].empty() || !doubts[1].empty()) [[unlikely]] {
      for (const std::string_view doubt : doubts) {
        if (!doubt.empty()) row.push<"metadata.debug">(doubt);
      }
      row.set<"raw_data">(record.text());
    }
    if (const auto rest = unmapped.finish(); !rest.empty()) row.set<"unmapped">(rest);
  }

 private:
  using Row = lm::Row<kAccess>;

  Text text(std::size_t field) const { return lm::present(values[field]); }

  void keep(std::size_t field) { lm::keep(unmapped, kFields.names[field], values[field]); }

  lm::Maybe<std::int64_t> number(std::size_t field) { return lm::integer_or_keep(unmapped, kFields.names[field], values[field]); }

  void actor(Row& row) {
    const Text requester = text(at("requester")), arn = text(at("access_point_arn"));
    Text service;
    partition_ = arn ? lm::aws::arn_part(*arn, 1) : std::string_view();
    if (!requester) {
      row.set<"actor.user.name">("anonymous");
    } else if (requester->starts_with("svc:") || *requester == "AmazonS3" || lm::aws::is_service(*requester)) {
      service = requester->starts_with("svc:") ? lm::present(requester->substr(4)) : requester;
      row.set<"actor.app_name">(service ? service : requester);
    } else {
      row.set<"actor.user.uid">(requester);
      if (requester->starts_with("arn:")) {
        row.set<"actor.user.name">(lm::aws::arn_name(*requester));
        if (const auto account = lm::aws::arn_part(*requester, 4); lm::aws::is_account(account)) {
          row.set<"actor.user.account.uid">(account);
          row.set<"actor.user.account.type_id">(lm::aws::kAccountType);
        }
        if (partition_.empty()) partition_ = lm::aws::arn_part(*requester, 1);
      }
    }
    // Without an address S3 acts for itself or for another service.
    const Text address = text(at("remote_ip"));
    if (!address || !lm::aws::source_endpoint(row, *address)) row.set<"src_endpoint.svc_name">(service ? *service : kService);
    row.set<"src_endpoint.location.region">(text(at("source_region")));
    row.set<"dst_endpoint.uid">(arn);
    row.set<"cloud.cloud_partition">(lm::present(partition_));
  }

  void response(Row& row) {
    const auto took = number(at("total_time"));
    row.set<"duration">(took);
    const auto status = number(at("http_status"));
    row.set<"status_id">(lm::http::status_id(status));
    if (status && !row.set<"api.response.code">(status)) keep(at("http_status"));
    row.set<"api.response.error">(text(at("error_code")));
    if (!row.set<"http_response.code">(status)) return keep(at("bytes_sent"));
    row.set<"http_response.latency">(took);
    // More than 2 GiB: OCSF has 32 bits for it.
    if (const auto sent = number(at("bytes_sent")); sent && !row.set<"http_response.body_length">(sent)) keep(at("bytes_sent"));
  }

  void request(Row& row) {
    const Text host_header = text(at("host_header"));
    const lm::net::HostPort host = lm::net::host_port(host_header ? *host_header : std::string_view());
    const Text hostname = lm::present(host.host);
    if (row.set<"dst_endpoint.hostname">(hostname)) row.set<"dst_endpoint.port">(host.port);
    row.set<"http_request.referrer">(text(at("referer")));
    row.set<"http_request.user_agent">(text(at("user_agent")));
    const Text request = text(at("request_uri"));
    if (!request) return;
    const lm::http::RequestLine line = lm::http::request_line(*request);
    row.set<"http_request.http_method">(line.method);
    row.set<"http_request.version">(line.version);
    if (!line.target) return;
    const lm::http::Url url = lm::http::url(*line.target);
    row.set<"http_request.url.path">(url.path);
    row.set<"http_request.url.query_string">(url.query_string);
    // What is more than path and query string: an absolute target, as proxies are asked.
    if (!url.path || url.scheme) row.set<"http_request.url.url_string">(line.target);
    row.set<"http_request.url.hostname">(url.hostname ? url.hostname : hostname);
  }

  // The bucket and, of most requests, an object in it.
  void resources(Row& row) {
    const Text key = text(at("key")), version = text(at("version_id"));
    Text bucket = text(at("bucket"));
    const Text bucket_arn = text(at("bucket_arn"));
    if (!bucket && bucket_arn) bucket = lm::aws::arn_name(*bucket_arn);
    if (!bucket) {
      keep(at("key")), keep(at("version_id"));
      return;
    }
    if (bucket_arn) {
      arn_ = *bucket_arn;
    } else {
      arn_ = "arn:", arn_ += partition_.empty() ? std::string_view("aws") : partition_, arn_ += ":s3:::", arn_ += *bucket;
    }
    {
      auto resource = row.push<"resources">();
      resource.set<"uid">(std::string_view(arn_));
      resource.set<"name">(*bucket);
      resource.set<"type">("AWS::S3::Bucket");
    }
    if (!key) return keep(at("version_id"));
    arn_ += '/', arn_ += *key;
    auto resource = row.push<"resources">();
    resource.set<"uid">(std::string_view(arn_));
    resource.set<"name">(*key);
    resource.set<"type">("AWS::S3::Object");
    resource.set<"version">(version);
  }

  lm::aws::Place place_;
  std::string_view partition_;
  std::string arn_;
};

// "<64 hexadecimal digits> BUCKET [01/Mar/2026:12:00:38 +0000] ..."
bool is_line(std::string_view line) {
  std::string_view rest = line;
  const std::string_view owner = take_word(rest), bucket = take_word(rest);
  const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return owner.size() == 64 && std::all_of(owner.begin(), owner.end(), hex) && !bucket.empty() && rest.size() > 28 && rest[0] == '[' &&
         rest[27] == ']' && rest[28] == ' ' && lm::time::clf(rest.substr(1, 26));
}

}  // namespace

struct S3Access {
  static constexpr lm::Descriptor descriptor{.id = "aws.s3_access",
                                             .title = "Amazon S3 server access logs",
                                             .vendor = "AWS",
                                             .version = "1.0.0",
                                             .reads = "Server access log lines with 17 columns or more, read from both ends",
                                             .framing = lm::Framing::lines};
  static constexpr auto keys = lm::strings("{account}/{region}/{bucket}/*/*/*/*-*-*-*-*-*-*", "20*-*-*-*-*-*-*");

  static int score(lm::Sample s) { return s.line_score(is_line); }

  void parse(lm::Record record, lm::Rows<kAccess>& rows) {
    if (record.starts_block()) mapper_.begin_block(record);
    mapper_.unmapped.clear();
    const char* why = nullptr;
    if (!reader_.read(record.text(), mapper_.values, why)) return record.reject(lm::malformed, why);
    if (!reader_.further.empty()) {
      record.drift("field_28");
      if (reader_.further != "-") mapper_.unmapped.add_text("field_28", reader_.further);
    }
    mapper_.map(record, rows, reader_.doubts);
  }

 private:
  LineReader reader_;
  Mapper mapper_;
};

// The same fields as CloudWatch Logs gets them. Names are compared without regard to case, '-' is '_'.
struct S3AccessJson {
  static constexpr lm::Descriptor descriptor{.id = "aws.s3_access_json",
                                             .title = "Amazon S3 server access logs as JSON",
                                             .vendor = "AWS",
                                             .version = "1.0.0",
                                             .reads = "Server access log records as JSON objects, as CloudWatch Logs gets them",
                                             .framing = lm::Framing::json};

  static int score(lm::Sample s) {
    const lm::json::Outline outline(s);
    const int sure = outline.clean() ? 90 : 80;
    return (outline.record_like("bucket_owner_id") || outline.record_like("bucket_owner")) && outline.record_like("request_uri") &&
                   outline.record_like("operation") && outline.record_like("remote_ip")
               ? sure
               : 0;
  }

  void parse(lm::Record record, lm::Rows<kAccess>& rows) {
    if (record.starts_block()) mapper_.begin_block(record);
    mapper_.unmapped.clear();
    mapper_.values = {};
    const bool ok = lm::json::read_values(json_, record.text(), mapper_.values, mapper_.unmapped, field_of,
                                          [&](std::string_view key) { record.drift(key); });
    if (!ok) return record.reject(json_);
    if (mapper_.values[at("operation")].empty() && mapper_.values[at("request_uri")].empty())
      return record.reject(lm::foreign, "neither 'operation' nor 'request_uri': not an access log record");
    mapper_.map(record, rows);
  }

 private:
  static int field_of(std::string_view word) {
    if (const int field = kFields.find(word); field >= 0) return field;
    std::array<char, 24> name{};
    if (word.size() > name.size()) return -1;
    for (std::size_t i = 0; i < word.size(); ++i) name[i] = word[i] == '-' ? '_' : lm::lower(word[i]);
    const std::string_view key(name.data(), word.size());
    if (const int field = kFields.find(key); field >= 0) return field;
    // The names of CloudWatch's records that are not those of the columns.
    static constexpr auto kOthers = lm::keys("bucket_owner_id", "bucket_name", "request_time", "key_name", "referrer");
    switch (kOthers.find(key)) {
      case kOthers.at("bucket_owner_id"): return kFields.at("bucket_owner");
      case kOthers.at("bucket_name"): return kFields.at("bucket");
      case kOthers.at("request_time"): return kFields.at("time");
      case kOthers.at("key_name"): return kFields.at("key");
      case kOthers.at("referrer"): return kFields.at("referer");
      default: return -1;
    }
  }

  lm::json::Reader json_;
  Mapper mapper_;
};

LOGMILL_PARSERS(S3Access, S3AccessJson)
