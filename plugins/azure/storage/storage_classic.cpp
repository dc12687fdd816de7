// Storage Analytics logs, which storage accounts wrote to their container $logs before there were resource logs: versions 1.0 and 2.0.
// Source: Microsoft, "Storage Analytics log format".
//
// A record is a line of fields with semicolons between them. What may have a semicolon or a quote stands in quotes, with entities of HTML for what is special there.
#include "requests.hpp"

#include <deque>

using namespace azure_storage;

namespace {

constexpr std::string_view kNames[] = {
    "version-number", "request-start-time", "operation-type", "request-status", "http-status-code", "end-to-end-latency-in-ms",
    "server-latency-in-ms", "authentication-type", "requester-account-name", "owner-account-name", "service-type", "request-url",
    "requested-object-key", "request-id-header", "operation-count", "requester-ip-address", "request-version-header", "request-header-size",
    "request-packet-size", "response-header-size", "response-packet-size", "request-content-length", "request-md5", "server-md5",
    "etag-identifier", "last-modified-time", "conditions-used", "user-agent-header", "referrer-header", "client-request-id",
    // of version 2.0
    "user-object-id", "tenant-id", "application-id", "audience", "issuer", "user-principal-name", "reserved-field", "authorization-detail"};
constexpr std::size_t kFirst = 30, kAll = std::size(kNames);

consteval std::size_t at(std::string_view name) {
  for (std::size_t i = 0; i < kAll; ++i) {
    if (kNames[i] == name) return i;
  }
  throw "no such field";
}

// "1.0;2026-03-02T16:00:00.2481552Z;"
bool is_line(std::string_view line) {
  if (!line.starts_with("1.0;") && !line.starts_with("2.0;")) return false;
  const std::string_view time = lm::before(line.substr(4), ';');
  return lm::time::rfc3339(time).has_value() && line.size() > time.size() + 5;
}

// Puts the character that an entity stands for behind `out`. False: it is none that is known.
bool entity(std::string_view name, std::string& out) {
  struct Named {
    std::string_view name;
    char character;
  };
  constexpr Named kNamed[] = {{"quot", '"'}, {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"apos", '\''}};
  for (const Named& n : kNamed) {
    if (n.name == name) return out.push_back(n.character), true;
  }
  if (!name.starts_with('#')) return false;
  name.remove_prefix(1);
  const bool hex = name.starts_with('x') || name.starts_with('X');
  if (hex) name.remove_prefix(1);
  std::uint32_t c = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), c, hex ? 16 : 10);
  if (error != std::errc{} || end != name.data() + name.size() || c < 0x20 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return false;
  if (c < 0x80) {
    out.push_back(static_cast<char>(c));
  } else {
    const int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    constexpr std::uint32_t kLead[] = {0, 0xc0, 0xe0, 0xf0};
    out.push_back(static_cast<char>(kLead[more] | c >> (6 * more)));
    for (int i = more - 1; i >= 0; --i) out.push_back(static_cast<char>(0x80 | (c >> (6 * i) & 0x3f)));
  }
  return true;
}

}  // namespace

struct StorageClassic {
  static constexpr lm::Descriptor descriptor{.id = "azure.storage_classic",
                                             .title = "Azure Storage Analytics logs",
                                             .vendor = "Microsoft",
                                             .version = "1.0.0",
                                             .reads = "Lines of the container $logs, versions 1.0 and 2.0",
                                             .framing = lm::Framing::lines};
  static constexpr auto keys = lm::strings("$logs/**");

  static int score(lm::Sample s) { return s.line_score(is_line); }

  void parse(lm::Record record, lm::Rows<kRequest>& rows) {
    texts_used_ = 0;
    rest_.clear();
    const std::size_t n = split(record.text());
    auto& f = fields_;
    if (f[0] != "1.0" && f[0] != "2.0") return record.reject(lm::malformed, "the version is neither 1.0 nor 2.0");
    const std::size_t wanted = f[0] == "1.0" ? kFirst : kAll;
    if (n < wanted) return record.reject(lm::malformed, "the line has fewer fields than its version");
    const auto time = lm::time::of_event(f[at("request-start-time")], true);
    if (!time) return record.reject(lm::malformed, "'request-start-time' is not a time");

    auto row = rows.begin(record);
    row.set<"time">(*time);
    row.set<"metadata.original_time">(f[at("request-start-time")]);
    row.set<"metadata.log_version">(f[0]);
    row.set<"metadata.log_name">("$logs");
    row.set<"metadata.log_provider">("Microsoft.Storage");
    row.set<"metadata.event_code">(azure::present(f[at("operation-type")]));
    row.set<"metadata.correlation_uid">(azure::present(f[at("request-id-header")]));
    if (const Text tenant = azure::present(f[at("tenant-id")])) {
      row.set<"metadata.tenant_uid">(azure::lower_case(*tenant, lowered_));
      row.set<"cloud.org.uid">(azure::lower_case(*tenant, lowered_));
    }
    if (const auto took = lm::integer_or_keep(rest_, kNames[at("end-to-end-latency-in-ms")], f[at("end-to-end-latency-in-ms")]);
        took && *took > 0)
      row.set<"duration">(*took);

    Request r;
    const auto take = [&](Member& to, std::size_t field) { to.set(f[field], kNames[field], rest_); };
    take(r.operation, at("operation-type"));
    take(r.status_text, at("request-status"));
    take(r.status_code, at("http-status-code"));
    take(r.authentication, at("authentication-type"));
    take(r.requester_account, at("requester-account-name"));
    take(r.account, at("owner-account-name"));
    take(r.service, at("service-type"));
    take(r.uri, at("request-url"));
    take(r.key, at("requested-object-key"));
    take(r.caller, at("requester-ip-address"));
    take(r.version, at("request-version-header"));
    take(r.request_size, at("request-packet-size"));
    take(r.response_size, at("response-packet-size"));
    take(r.agent, at("user-agent-header"));
    take(r.referrer, at("referrer-header"));
    take(r.client_request, at("client-request-id"));
    take(r.object, at("user-object-id"));
    take(r.tenant, at("tenant-id"));
    take(r.app, at("application-id"));
    take(r.issuer, at("issuer"));
    take(r.upn, at("user-principal-name"));
    if (const Text details = azure::present(f[at("authorization-detail")]); details && details->starts_with('[') && reader_.valid(*details))
      r.authorization = details;
    filler_.fill(row, r);
    for (const std::size_t field :
         {at("server-latency-in-ms"), at("service-type"), at("operation-count"), at("request-header-size"), at("response-header-size"),
          at("request-content-length"), at("request-md5"), at("server-md5"), at("etag-identifier"), at("last-modified-time"),
          at("conditions-used"), at("audience"), at("reserved-field"), at("authorization-detail")}) {
      lm::keep(rest_, kNames[field], f[field]);
    }
    if (!more_.empty()) {
      record.drift("more");
      rest_.add_text("more", more_);
    }
    if (const auto rest = rest_.finish(); !rest.empty()) row.set<"unmapped">(rest);
  }

 private:
  // Answers how many fields there are, of those that the version has; what is behind them is `more_`.
  std::size_t split(std::string_view line) {
    fields_.fill({});
    more_ = {};
    const std::size_t most = line.starts_with("1.0;") ? kFirst : kAll;
    std::size_t n = 0, begin = 0;
    for (;;) {
      std::size_t end = begin;
      if (begin < line.size() && line[begin] == '"') {
        end = line.find('"', begin + 1);
        end = end == std::string_view::npos ? line.size() : end;
      }
      end = line.find(';', end);
      if (n == most) {
        more_ = line.substr(begin);
        return n;
      }
      fields_[n++] = plain(line.substr(begin, end == std::string_view::npos ? end : end - begin));
      if (end == std::string_view::npos) return n;
      begin = end + 1;
    }
  }

  // Without its quotes, and decoded.
  std::string_view plain(std::string_view field) {
    field = bare(field);
    std::size_t at = field.find('&');
    if (at == std::string_view::npos) return field;
    if (texts_used_ == texts_.size()) texts_.emplace_back();
    std::string& out = texts_[texts_used_++];
    out.clear();
    out.reserve(field.size() + LM_PADDING);
    std::size_t from = 0;
    for (; at != std::string_view::npos; at = field.find('&', from)) {
      out.append(field.substr(from, at - from));
      const std::size_t end = field.find(';', at);
      if (end != std::string_view::npos && end - at < 12 && entity(field.substr(at + 1, end - at - 1), out)) {
        from = end + 1;
      } else {
        out.push_back('&');
        from = at + 1;
      }
    }
    out.append(field.substr(from));
    return out;
  }

  std::array<std::string_view, kAll> fields_{};
  std::string_view more_;
  std::deque<std::string> texts_;  // decoded fields; a deque, for views into them must stay
  std::size_t texts_used_ = 0;
  std::string lowered_;
  lm::json::Reader reader_;
  lm::json::ObjectWriter rest_;
  Filler filler_;
};

LOGMILL_PARSERS(StorageClassic)
