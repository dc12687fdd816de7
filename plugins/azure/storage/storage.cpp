// Resource logs of storage accounts: reads, writes and deletes of blobs, file shares, queues and tables.
// Source: Microsoft, "Azure Blob Storage monitoring data reference", resource logs; Azure Monitor tables StorageBlobLogs, StorageFileLogs, StorageQueueLogs, StorageTableLogs.
//
// One pass reads a record into views (Request); requests.hpp makes the row of them.
#include "requests.hpp"

#include <vector>

using namespace azure_storage;

namespace {

constexpr auto kCategories = azure::keys("StorageRead", "StorageWrite", "StorageDelete");
constexpr auto kTables = azure::keys("StorageBlobLogs", "StorageFileLogs", "StorageQueueLogs", "StorageTableLogs");

// "/subscriptions/S/resourceGroups/G/providers/Microsoft.Storage/storageAccounts/A/blobServices/default"
bool is_service(Text resource) {
  return resource && azure::contains_ignoring_case(*resource, "/Microsoft.Storage/storageAccounts/") &&
         azure::contains_ignoring_case(*resource, "Services/");
}

}  // namespace

struct Storage {
  static constexpr lm::Descriptor descriptor{
      .id = "azure.storage",
      .title = "Azure Storage resource logs",
      .vendor = "Microsoft",
      .version = "1.0.0",
      .reads = "StorageRead, StorageWrite and StorageDelete as resource logs (JSON lines, records), or rows of Log Analytics",
      .framing = lm::Framing::json,
      .envelope = "records"};
  static constexpr auto keys =
      lm::strings("insights-logs-storageread/**", "insights-logs-storagewrite/**", "insights-logs-storagedelete/**",
                  "am-storagebloblogs/**", "am-storagefilelogs/**", "am-storagequeuelogs/**", "am-storagetablelogs/**");

  static int score(lm::Sample s) {
    const lm::json::Outline outline(s, "records");
    const int sure = outline.clean() ? 95 : 85;
    if (const Text table = outline.record_text("Type")) return kTables.find(*table) >= 0 ? sure : 0;
    for (const std::string_view name : {"category", "Category", "CATEGORY"}) {
      if (const Text category = outline.record_text(name)) return kCategories.find(*category) >= 0 ? sure : 0;
    }
    const lm::json::Outline inner(outline.record_raw("properties"));
    return is_service(outline.record_text("resourceId")) && outline.record("operationName") && inner.record("accountName") ? sure : 0;
  }

  void parse(lm::Record record, lm::Rows<kRequest>& rows) {
    Request r;
    Text schema;
    envelope_.clear(), inner_.clear(), unknown_.clear();
    for (auto* writer : {&rest_, &properties_rest_, &identity_rest_, &requester_rest_}) writer->clear();
    std::string_view properties_key, identity_key;
    const bool read = json_.read(record.text(), [&](std::string_view key, Value& value) {
      const Field f{rest_, key, value};
      if (lm::equals_ignoring_case(key, "properties")) {
        properties_key = key;
        azure::object(f, inner_, properties_rest_, [&](const Field& m) { member(r, schema, m); });
        return;
      }
      if (lm::equals_ignoring_case(key, "identity")) {
        identity_key = key;
        azure::object(f, inner_, identity_rest_, [&](const Field& m) { identity(r, m); });
        return;
      }
      if (!envelope_.take(f)) member(r, schema, f);
    });
    constexpr std::string_view kForeign = "'category' is none of StorageRead, StorageWrite, StorageDelete";
    if (!read) {
      const bool anothers = envelope_.category && kCategories.find(*envelope_.category) < 0;
      return anothers ? record.reject(lm::foreign, kForeign) : record.reject(json_);
    }
    envelope_.finish(rest_);
    if (envelope_.table && !envelope_.is_row()) {
      rest_.add_text("type", *envelope_.table);  // no name of a table
      envelope_.table = {};
    }
    if (!is_own(r)) return record.reject(lm::foreign, kForeign);
    for (const std::string_view key : unknown_) record.drift(key);
    const auto time = azure::time(envelope_.time);
    if (!time) return record.reject(lm::malformed, "'time' is not a time");

    auto row = rows.begin(record);
    row.set<"time">(*time);
    row.set<"metadata.original_time">(envelope_.time);
    const bool table = envelope_.is_row();
    const auto take = [&](Member& to, Text value, std::string_view name, std::string_view column) {
      if (value) to.set(*value, table ? column : name, rest_);
    };
    take(r.operation, envelope_.operation, "operationName", "OperationName");
    take(r.version, envelope_.operation_version, "operationVersion", "OperationVersion");
    take(r.caller, envelope_.caller, "callerIpAddress", "CallerIpAddress");
    r.category = envelope_.category;
    if (!envelope_.resource.empty()) r.resource = envelope_.resource.text(), r.resource_lower = envelope_.resource.lower();
    if (envelope_.identity) envelope_.keep(rest_, "identity", envelope_.identity);
    envelope_.operation_version = schema;
    envelope_.set(row, envelope_.table ? envelope_.table : envelope_.category);
    if (envelope_.table && envelope_.category) rest_.add_text("Category", *envelope_.category);
    const auto took = envelope_.milliseconds();
    row.set<"duration">(took);
    if (!took && envelope_.duration && lm::number(*envelope_.duration).value_or(1) != 0)
      envelope_.keep(rest_, "durationMs", envelope_.duration);
    row.set<"status_detail">(envelope_.result_description);
    envelope_.keep(rest_, "resultType", envelope_.result_type);
    envelope_.keep(rest_, "resultSignature", envelope_.result_signature);
    envelope_.keep(rest_, "resourceId", envelope_.other_resource);
    if (envelope_.location) row.set<"cloud.region">(azure::region(*envelope_.location, region_));
    filler_.fill(row, r);

    Field::close(identity_rest_, "requester", requester_rest_);
    Field::close(rest_, identity_key, identity_rest_);
    Field::close(rest_, properties_key, properties_rest_);
    if (const auto rest = rest_.finish(); !rest.empty()) row.set<"unmapped">(rest);
  }

 private:
  // Some exports leave the category out: a request to a service of an account is none other's.
  bool is_own(const Request& r) const {
    if (envelope_.table) return kTables.find(*envelope_.table) >= 0;
    if (envelope_.category) return kCategories.find(*envelope_.category) >= 0;
    return r.account && is_service(Text(envelope_.resource.text()));
  }

  // Resource logs have some at the top and the others in properties; rows of a table have all at the top.
  void member(Request& r, Text& schema, const Field& f) {
    static constexpr auto kKeys = azure::keys(
        "statusCode", "statusText", "uri", "protocol", "schemaVersion", "accountName", "userAgentHeader", "referrerHeader",
        "clientRequestId", "serviceType", "requestBodySize", "responseBodySize", "metricResponseType", "objectKey", "AuthenticationType",
        "AuthenticationHash", "AuthorizationDetails", "RequesterAppId", "RequesterObjectId", "RequesterTenantId", "RequesterTokenIssuer",
        "RequesterUpn", "RequesterUserName",
        // Known, and without a place.
        "requestUrl", "etag", "serverLatencyMs", "operationCount", "requestHeaderSize", "responseHeaderSize", "requestMd5", "serverMd5",
        "lastModifiedTime", "conditionsUsed", "contentLengthHeader", "tlsVersion", "accessTier", "sourceUri", "destinationUri",
        "sasExpiryStatus", "RequesterAudience", "rehydratePriority", "sourceAccessTier", "destinationAccessTier", "metadata");
    switch (kKeys.find(f.key)) {
      case kKeys.at("statusCode"): r.status_code.read(f); break;
      case kKeys.at("statusText"): r.status_text.read(f); break;
      case kKeys.at("uri"): r.uri.read(f); break;
      case kKeys.at("protocol"): r.protocol.read(f); break;
      case kKeys.at("schemaVersion"): azure::scalar(f, schema); break;
      case kKeys.at("accountName"): r.account.read(f); break;
      case kKeys.at("userAgentHeader"): r.agent.read(f); break;
      case kKeys.at("referrerHeader"): r.referrer.read(f); break;
      case kKeys.at("clientRequestId"): r.client_request.read(f); break;
      case kKeys.at("serviceType"): r.service.read(f), f.keep(); break;
      case kKeys.at("requestBodySize"): r.request_size.read(f); break;
      case kKeys.at("responseBodySize"): r.response_size.read(f); break;
      case kKeys.at("metricResponseType"): r.metric.read(f); break;
      case kKeys.at("objectKey"): r.key.read(f); break;
      case kKeys.at("AuthenticationType"): r.authentication.read(f); break;
      case kKeys.at("AuthenticationHash"): r.hash.read(f); break;
      case kKeys.at("AuthorizationDetails"): authorization(r, f); break;
      case kKeys.at("RequesterAppId"): r.app.read(f); break;
      case kKeys.at("RequesterObjectId"): r.object.read(f); break;
      case kKeys.at("RequesterTenantId"): r.tenant.read(f); break;
      case kKeys.at("RequesterTokenIssuer"): r.issuer.read(f); break;
      case kKeys.at("RequesterUpn"): r.upn.read(f); break;
      case kKeys.at("RequesterUserName"): r.user_name.read(f); break;
      case -1:
        if (!begins(f.key, "smb")) unknown_.push_back(f.key);
        f.keep();
        break;
      default: f.keep();
    }
  }

  void identity(Request& r, const Field& f) {
    static constexpr auto kKeys = azure::keys("type", "tokenHash", "authorization", "requester");
    switch (kKeys.find(f.key)) {
      case kKeys.at("type"): r.authentication.read(f); break;
      case kKeys.at("tokenHash"): r.hash.read(f); break;
      case kKeys.at("authorization"): authorization(r, f); break;
      case kKeys.at("requester"):
        f.object(requester_rest_, [&](const Field& m) {
          static constexpr auto kMembers = azure::keys("appId", "objectId", "tenantId", "tokenIssuer", "upn", "userName");
          switch (kMembers.find(m.key)) {
            case kMembers.at("appId"): r.app.read(m); break;
            case kMembers.at("objectId"): r.object.read(m); break;
            case kMembers.at("tenantId"): r.tenant.read(m); break;
            case kMembers.at("tokenIssuer"): r.issuer.read(m); break;
            case kMembers.at("upn"): r.upn.read(m); break;
            case kMembers.at("userName"): r.user_name.read(m); break;
            default: m.keep();
          }
        });
        break;
      default: f.keep();
    }
  }

  // A list, or the text of one. It has more than the row takes of it.
  void authorization(Request& r, const Field& f) {
    const Text text = f.value.text();
    const Text json = text ? Text(lm::trim(*text)) : Text(f.value.raw());
    if (json && json->starts_with('[') && (!text || inner_.open(*json, '['))) r.authorization = json;
    f.keep();
  }

  lm::json::Reader json_;
  azure::Inner inner_;
  azure::Envelope envelope_;
  lm::json::ObjectWriter rest_, properties_rest_, identity_rest_, requester_rest_;
  std::vector<std::string_view> unknown_;  // members, until it is known whose record it is
  std::string region_;
  Filler filler_;
};

LOGMILL_PARSERS(Storage)
