// Requests to a storage account, which its resource logs and the older Storage Analytics logs write with the same fields under other names: what becomes of them in a row.
#pragma once

#include <logmill/sdk.hpp>
#include <logmill/sdk/azure.hpp>
#include <logmill/sdk/fields.hpp>
#include <logmill/sdk/http.hpp>

#include <string>

namespace azure_storage {

namespace ocsf = lm::ocsf::v1_8;
namespace azure = lm::azure;
using lm::Text;
using lm::json::Field;
using lm::json::Type;
using lm::json::Value;

constexpr std::string_view kProduct = "Azure Storage";

constexpr auto kRequest = lm::table(ocsf::datastore_activity, lm::profiles("cloud"),
                                    azure::kEvery + lm::columns({lm::constant("metadata.product.name", kProduct),
                                                                 {"activity_name"},
                                                                 {"type_id"},
                                                                 {"duration"},
                                                                 {"status_id"},
                                                                 {"status_code"},
                                                                 {"status_detail"},
                                                                 {"cloud.region"},
                                                                 {"api.operation"},
                                                                 {"api.version"},
                                                                 lm::plain("api.request.uid"),
                                                                 {"actor.user.name"},
                                                                 {"actor.user.uid"},
                                                                 {"actor.user.email_addr"},
                                                                 {"actor.user.type_id"},
                                                                 {"actor.user.programmatic_credentials[].uid"},
                                                                 {"actor.user.programmatic_credentials[].type"},
                                                                 {"actor.user.account.name"},
                                                                 {"actor.app_uid"},
                                                                 {"actor.app_name"},
                                                                 {"actor.idp.issuer"},
                                                                 {"actor.idp.tenant_uid"},
                                                                 {"actor.authorizations[].decision"},
                                                                 {"actor.authorizations[].policy.uid"},
                                                                 {"databucket.name"},
                                                                 {"databucket.uid"},
                                                                 {"databucket.uid_alt"},
                                                                 {"databucket.type_id"},
                                                                 {"databucket.type"},
                                                                 lm::plain("databucket.file.path"),
                                                                 lm::plain("databucket.file.name"),
                                                                 {"databucket.file.type_id"},
                                                                 {"table.name"},
                                                                 {"table.uid"},
                                                                 {"src_endpoint.ip"},
                                                                 {"src_endpoint.port"},
                                                                 {"src_endpoint.intermediate_ips[]"},
                                                                 {"src_endpoint.svc_name"},
                                                                 {"dst_endpoint.hostname"},
                                                                 {"dst_endpoint.port"},
                                                                 {"http_request.user_agent"},
                                                                 {"http_request.referrer"},
                                                                 {"http_request.length"},
                                                                 lm::plain("http_request.url.url_string"),
                                                                 {"http_response.code"},
                                                                 {"http_response.length"}}));

using Row = lm::Row<kRequest>;

// A value, and where it goes if it turns out to have no place.
struct Member {
  Text value;
  std::string_view key;
  lm::json::ObjectWriter* rest = nullptr;

  void read(const Field& f) {
    azure::scalar(f, value);
    key = f.key, rest = &f.rest;
  }
  void set(std::string_view text, std::string_view name, lm::json::ObjectWriter& writer) {
    value = azure::present(text), key = name, rest = &writer;
  }
  void keep() const {
    if (value) rest->add_text(key, *value);
  }
  explicit operator bool() const { return value.has_value(); }
  std::string_view operator*() const { return *value; }
};

struct Request {
  Member operation, version, status_code, status_text, metric, authentication, hash, uri, protocol, service, account, key, caller, agent,
      referrer, client_request, request_size, response_size, upn, user_name, object, app, tenant, issuer, requester_account;
  Text category;       // "StorageRead", where the log says it
  Text authorization;  // a JSON array
  Text resource, resource_lower;
};

inline bool begins(std::string_view text, std::string_view with) { return lm::equals_ignoring_case(text.substr(0, with.size()), with); }

inline int activity_of(std::string_view operation, Text category) {
  struct Verb {
    std::string_view word;
    int activity;
  };
  constexpr Verb kVerbs[] = {{"List", 8},      {"Query", 4},  {"Get", 1},      {"Read", 1},     {"Head", 1},   {"Peek", 1},
                             {"Preflight", 1}, {"Create", 6}, {"Delete", 7},   {"Clear", 7},    {"Put", 5},    {"Append", 5},
                             {"Copy", 5},      {"Insert", 5}, {"Write", 5},    {"Set", 2},      {"Update", 2}, {"Merge", 2},
                             {"Lease", 2},     {"Renew", 2},  {"Undelete", 2}, {"Snapshot", 2}, {"Rename", 2}, {"Flush", 2}};
  for (const Verb& v : kVerbs) {
    if (begins(operation, v.word)) return v.activity;
  }
  if (!category) return operation.empty() ? 0 : 99;
  if (lm::equals_ignoring_case(*category, "StorageRead")) return 1;
  if (lm::equals_ignoring_case(*category, "StorageWrite")) return 5;
  return lm::equals_ignoring_case(*category, "StorageDelete") ? 7 : 99;
}

// Agents and referrers of older logs stand in quotes of their own.
inline std::string_view bare(std::string_view text) {
  return text.size() >= 2 && text.front() == '"' && text.back() == '"' ? text.substr(1, text.size() - 2) : text;
}

class Filler {
 public:
  // All but what the envelope says: time, ids of records, cloud. Members that have no place go where they belong.
  void fill(Row& row, const Request& r) {
    const std::string_view operation = r.operation.value.value_or("");
    const int activity = activity_of(operation, r.category);
    row.set<"activity_id">(activity);
    if (activity == 99) row.set<"activity_name">(operation);
    row.set<"api.operation">(operation.empty() ? std::string_view("Unknown") : operation);
    row.set<"api.version">(r.version.value);
    row.set<"api.request.uid">(r.client_request.value);
    const bool good = result(row, r);
    const bool anonymous = (r.authentication && lm::equals_ignoring_case(*r.authentication, "anonymous")) ||
                           (r.status_text && begins(*r.status_text, "Anonymous"));
    const bool reads = activity == 1 || activity == 4 || activity == 8;
    row.set<"severity_id">(anonymous && good && reads ? 2 : 1);  // Low: whoever asks may read it
    store(row, r);
    actor(row, r);
    ends(row, r);
    sizes(row, r);
  }

 private:
  // Whether the request did what it should.
  bool result(Row& row, const Request& r) {
    const auto code = r.status_code ? lm::integer(*r.status_code) : lm::Maybe<std::int64_t>();
    const bool http = code && *code >= 100 && *code <= 599;
    if (http) {
      row.set<"http_response.code">(*code);
    } else {
      r.status_code.keep();
    }
    row.set<"status_code">(r.status_text.value);
    if (r.metric && !(r.status_text && *r.status_text == *r.metric)) r.metric.keep();
    if (!http && !r.status_text && !r.metric) return false;
    const auto success = [](const Member& m) { return m && azure::contains_ignoring_case(*m, "Success"); };
    const bool good = (http && *code < 400) || success(r.status_text) || success(r.metric);
    row.set<"status_id">(good ? 1 : 2);
    return good;
  }

  enum class Service { unknown, blob, file, queue, table };

  static Service service_of(const Request& r, const lm::http::Url& url) {
    constexpr std::string_view kNames[] = {"", "blob", "file", "queue", "table"};
    for (int i = 1; i < 5; ++i) {
      if (r.service && lm::equals_ignoring_case(*r.service, kNames[i])) return static_cast<Service>(i);
    }
    constexpr std::string_view kTypes[] = {"", "/blobservices/", "/fileservices/", "/queueservices/", "/tableservices/"};
    for (int i = 1; i < 5; ++i) {
      if (r.resource_lower && r.resource_lower->find(kTypes[i]) != std::string_view::npos) return static_cast<Service>(i);
    }
    // "account.blob.core.windows.net"; of a data lake "dfs", which are blobs too.
    const std::string_view host = url.hostname.value_or(""), rest = host.substr(std::min(host.size(), host.find('.') + 1));
    for (int i = 1; i < 5; ++i) {
      if (host.find('.') != std::string_view::npos && begins(rest, kNames[i]) && rest.substr(kNames[i].size()).starts_with('.'))
        return static_cast<Service>(i);
    }
    return begins(rest, "dfs.") ? Service::blob : Service::unknown;
  }

  // Account, container and path: "/account/container/a/b".
  void store(Row& row, const Request& r) {
    const lm::http::Url url = r.uri ? lm::http::url(*r.uri) : lm::http::Url();
    const Service service = service_of(r, url);
    std::string_view account, container, path;
    if (r.key && r.key.value->starts_with('/')) {
      std::string_view rest = r.key.value->substr(1);
      account = next(rest), container = next(rest), path = rest;
      const bool told = (r.account && lm::equals_ignoring_case(*r.account, account)) ||
                        lm::equals_ignoring_case(lm::before(url.hostname.value_or(""), '.'), account);
      if (!told && !container.empty()) r.key.keep();
    } else {
      r.key.keep();
      if (url.path && url.hostname) {
        std::string_view rest = lm::http::percent_decoded(*url.path, decoded_);
        if (rest.starts_with('/')) rest.remove_prefix(1);
        container = next(rest), path = rest;
      }
    }
    if (account.empty()) account = r.account.value.value_or(lm::before(url.hostname.value_or(""), '.'));
    const std::string_view name = container.empty() ? account : container;
    if (!(container.empty() && r.account && lm::equals_ignoring_case(*r.account, name))) r.account.keep();
    if (service == Service::table) {
      // "Table(PartitionKey='a',RowKey='b')" is one of its rows.
      const std::string_view table = lm::before(name, '(');
      row.set<"type_id">(3);
      row.set<"table.name">(table.empty() ? std::string_view("unknown") : table);
      row.set<"table.uid">(r.resource);
      if ((table.size() != name.size() || !path.empty()) && r.key) r.key.keep();
      return;
    }
    row.set<"type_id">(2);
    row.set<"databucket.name">(lm::present(name));
    row.set<"databucket.uid">(r.resource);
    row.set<"databucket.uid_alt">(r.resource_lower);
    row.set<"databucket.type_id">(service == Service::blob ? 2 : service == Service::unknown ? 0 : 99);
    if (service == Service::file) row.set<"databucket.type">("Azure Files share");
    if (service == Service::queue) row.set<"databucket.type">("Azure Queue");
    std::string_view leaf = path;
    while (leaf.ends_with('/')) leaf.remove_suffix(1);
    leaf = lm::after_last(leaf, '/');
    if (leaf.empty()) return;
    if (service == Service::queue) return r.key.keep();  // a message is no file
    row.set<"databucket.file.path">(path);
    row.set<"databucket.file.name">(leaf);
    row.set<"databucket.file.type_id">(1);  // Regular File
  }

  static std::string_view next(std::string_view& rest) {
    const std::string_view part = lm::before(rest, '/');
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    return part;
  }

  // A token names who asked. A key or a signature names nobody: the user is then the way in which the request was authenticated.
  void actor(Row& row, const Request& r) {
    const Text name = r.upn ? r.upn.value : r.user_name.value;
    if (r.upn && r.user_name && r.user_name.value != r.upn.value) r.user_name.keep();
    if (name || r.object) {
      row.set<"actor.user.name">(name);
      row.set<"actor.user.uid">(r.object.value);
      row.set<"actor.user.type_id">(r.upn ? 1 : 4);  // User, Service
      if (name && !azure::email_domain(*name).empty()) row.set<"actor.user.email_addr">(name);
      r.authentication.keep();
    } else if (r.authentication) {
      row.set<"actor.user.name">(r.authentication.value);
      row.set<"actor.user.type_id">(0);
    }
    row.set<"actor.user.account.name">(r.requester_account.value);
    row.set<"actor.app_uid">(r.app.value);
    row.set<"actor.idp.issuer">(r.issuer.value);
    row.set<"actor.idp.tenant_uid">(r.tenant.value);
    const bool user = name || r.object || r.authentication || r.requester_account;
    if (user) {
      if (r.hash) {
        auto credential = row.push<"actor.user.programmatic_credentials">();
        credential.set<"uid">(r.hash.value);
        credential.set<"type">(r.authentication.value);
      }
    } else {
      r.hash.keep();
      if (!r.app) row.set<"actor.app_name">(kProduct);
    }
    if (!r.authorization) return;
    reader_.read_array(*r.authorization, [&](Value& element) {
      Text decision, role;
      element.object([&](std::string_view key, Value& v) {
        static constexpr auto kKeys = azure::keys("result", "roleDefinitionId");
        switch (kKeys.find(key)) {
          case kKeys.at("result"): decision = azure::present(v.text()); break;
          case kKeys.at("roleDefinitionId"): role = azure::present(v.text()); break;
          default: break;
        }
      });
      if (!decision && !role) return;
      auto authorization = row.push<"actor.authorizations">();
      authorization.set<"decision">(decision);
      authorization.set<"policy.uid">(role);
    });
  }

  void ends(Row& row, const Request& r) {
    if (r.caller && !azure::source_endpoint(row, *r.caller)) r.caller.keep();
    if (!row.is_set<"src_endpoint.ip">()) row.set<"src_endpoint.svc_name">(kProduct);
    if (r.uri) {
      const lm::http::Url url = lm::http::url(*r.uri);
      if (row.set<"dst_endpoint.hostname">(url.hostname)) row.set<"dst_endpoint.port">(url.port);
      if (r.protocol && begins(*r.protocol, "SMB")) {
        r.uri.keep();
      } else {
        row.set<"http_request.url.url_string">(r.uri.value);
      }
    }
    r.protocol.keep();
    if (r.agent) row.set<"http_request.user_agent">(azure::present(bare(*r.agent)));
    if (r.referrer) row.set<"http_request.referrer">(azure::present(bare(*r.referrer)));
  }

  void sizes(Row& row, const Request& r) {
    const auto size = [](const Member& m) { return m ? lm::integer<std::int32_t>(*m) : lm::Maybe<std::int32_t>(); };
    const auto sent = size(r.request_size), got = size(r.response_size);
    if (!(sent && *sent >= 0 && row.set<"http_request.length">(*sent))) r.request_size.keep();
    // A response is one with a code.
    if (!(got && *got >= 0 && row.is_set<"http_response.code">() && row.set<"http_response.length">(*got))) r.response_size.keep();
  }

  lm::json::Reader reader_;
  std::string decoded_;
};

}  // namespace azure_storage
