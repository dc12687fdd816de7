"""Resource logs of storage accounts: which field stands in which attribute, and that none is lost."""
import copy
import json

import mapping
from mapping import at

SUBSCRIPTION = "99999999-0000-4000-8000-000000000009"
TENANT = "11111111-2222-3333-4444-555555555555"
ADA = "00000000-aaaa-4000-8000-00000000000a"
SERVICE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg1/providers/Microsoft.Storage/storageAccounts/sa1/{{}}Services/default"
AUTHORIZATION = [{"action": "Microsoft.Storage/x/read", "result": "Granted", "reason": "RoleAssignment", "roleAssignmentId": "ra", "roleDefinitionId": "rd",
                  "principals": [{"id": ADA, "type": "User"}], "denyAssignmentId": ""}]
SAS = {
    "time": "2026-03-02T15:00:00.6900118Z", "resourceId": SERVICE.format("blob"), "category": "StorageRead", "operationName": "GetBlob", "operationVersion": "2021-12-02",
    "schemaVersion": "1.0", "statusCode": 206, "statusText": "SASSuccess", "durationMs": 12, "callerIpAddress": "[2001:db8::99]:50123", "correlationId": "b-1",
    "identity": {"type": "SAS", "tokenHash": "key1(AAAA),SasSignature(BBBB)"}, "location": "West Europe",
    "properties": {"accountName": "sa1", "userAgentHeader": "azcopy/10", "referrerHeader": "https://app.example.com/", "clientRequestId": "cr-1", "serviceType": "blob",
                   "operationCount": 0, "requestHeaderSize": 300, "requestBodySize": 17, "responseHeaderSize": 200, "responseBodySize": "4194304", "objectKey": "/sa1/backup/2026/db.bak",
                   "tlsVersion": "TLS 1.2", "metricResponseType": "Success", "etag": "\"0x8D\"", "conditionsUsed": "If-Match", "serverLatencyMs": 9,
                   "lastModifiedTime": "Tuesday, 09-Aug-11 21:13:26 GMT"},
    "uri": "https://sa1.blob.core.windows.net:443/backup/2026/db.bak?sv=2021-12-02&sig=XXXXX", "protocol": "HTTPS",
}
TOKEN = copy.deepcopy(SAS) | {
    "statusText": "OAuthSuccess", "callerIpAddress": "203.0.113.44:51234",
    "identity": {"type": "OAuth", "tokenHash": "hash", "authorization": AUTHORIZATION,
                 "requester": {"appId": "33333333-0000-4000-8000-000000000003", "audience": "https://storage.azure.com/", "objectId": ADA, "tenantId": TENANT,
                               "tokenIssuer": f"https://sts.windows.net/{TENANT}/", "upn": "ada@example.com"}},
}
ROW = {
    "TenantId": "aaaaaaaa-0000-4000-8000-00000000000b", "TimeGenerated": "2026-03-02T15:00:00.6900118Z", "AccountName": "sa1", "Location": "westeurope", "Protocol": "HTTPS",
    "OperationName": "GetBlob", "AuthenticationType": "OAuth", "AuthenticationHash": "hash", "StatusCode": "206", "StatusText": "OAuthSuccess", "DurationMs": 12,
    "ServerLatencyMs": 9, "Uri": SAS["uri"], "CallerIpAddress": "203.0.113.44:51234", "CorrelationId": "b-1", "SchemaVersion": "1.0", "OperationVersion": "2021-12-02",
    "AuthorizationDetails": AUTHORIZATION, "RequesterObjectId": ADA, "RequesterTenantId": TENANT, "RequesterAppId": "33333333-0000-4000-8000-000000000003",
    "RequesterAudience": "https://storage.azure.com/", "RequesterTokenIssuer": f"https://sts.windows.net/{TENANT}/", "RequesterUpn": "ada@example.com", "ServiceType": "blob",
    "ObjectKey": "/sa1/backup/2026/db.bak", "UserAgentHeader": "azcopy/10", "ClientRequestId": "cr-1", "Category": "StorageRead", "TlsVersion": "TLS 1.2",
    "RequestBodySize": 17, "ResponseBodySize": 4194304, "MetricResponseType": "Success", "Type": "StorageBlobLogs", "_ResourceId": SERVICE.format("blob").lower(),
}


def less(base, *names, properties=(), **changes):
    whole = {key: value for key, value in copy.deepcopy(base).items() if key not in names} | changes
    if properties:
        whole["properties"] |= properties
    return whole


class Storage(mapping.Mapping):
    PARSER = "azure.storage"

    # ---- Every row of the mapping ----

    def test_the_request(self):
        self.check(self.one(SAS), {
            "class_uid": 6005, "activity_id": 1, "type_uid": 600501, "time": 1772463600690, "metadata.original_time": "2026-03-02T15:00:00.6900118Z", "api.operation": "GetBlob",
            "api.request.uid": "cr-1", "api.version": "2021-12-02", "metadata.log_version": "1.0", "metadata.correlation_uid": "b-1", "duration": 12, "severity_id": 1})

    def test_operations_are_activities(self):
        for operation, activity in (("ListBlobs", 8), ("QueryEntities", 4), ("GetBlob", 1), ("ReadFile", 1), ("PeekMessages", 1), ("PreflightBlobRequest", 1), ("CreateContainer", 6),
                                    ("DeleteBlob", 7), ("deleteblob", 7), ("ClearMessages", 7), ("PutBlock", 5), ("AppendBlock", 5), ("CopyBlob", 5), ("InsertEntity", 5),
                                    ("WriteFile", 5), ("SetBlobTier", 2), ("UpdateEntity", 2), ("MergeEntity", 2), ("LeaseBlob", 2), ("RenewBlobLease", 2), ("UndeleteBlob", 2),
                                    ("SnapshotBlob", 2), ("RenamePathFile", 2), ("FlushFile", 2)):
            self.check(self.one(less(SAS, operationName=operation)), {"activity_id": activity})
        for category, activity in (("StorageRead", 1), ("StorageWrite", 5), ("STORAGEDELETE", 7)):
            self.check(self.one(less(SAS, operationName="Odd", category=category)), {"activity_id": activity, "metadata.log_name": category})

    def test_container_and_file_are_from_the_key(self):
        self.check(self.one(SAS), {
            "type_id": 2, "databucket.name": "backup", "databucket.uid": SERVICE.format("blob"), "databucket.uid_alt": SERVICE.format("blob").lower(), "databucket.type_id": 2,
            "databucket.file": {"path": "2026/db.bak", "name": "db.bak", "type_id": 1, "type": "Regular File"}, "unmapped.properties.objectKey": None})
        self.check(self.one(less(SAS, properties={"objectKey": "/sa1/backup"})), {"databucket.name": "backup", "databucket.file": None})
        self.check(self.one(less(SAS, properties={"objectKey": "/sa1"})), {"databucket.name": "sa1", "databucket.file": None, "unmapped.properties.accountName": None})
        self.check(self.one(less(SAS, properties={"objectKey": "/sa1/backup/folder/"})), {"databucket.file.name": "folder", "databucket.file.path": "folder/"})
        self.check(self.one(less(SAS, properties={"objectKey": "/other/backup/x"})), {"databucket.name": "backup", "unmapped.properties.objectKey": "/other/backup/x"})

    def test_without_a_key_the_uri_has_them(self):
        event = self.one(less(SAS, properties={"objectKey": ""}, uri="https://sa1.blob.core.windows.net/pub/a%20b/c.txt?x=1"))
        self.check(event, {"databucket.name": "pub", "databucket.file.path": "a b/c.txt", "databucket.file.name": "c.txt"})

    def test_services(self):
        for service, type_id, name in (("blob", 2, "Azure Blob"), ("file", 99, "Azure Files share"), ("queue", 99, "Azure Queue")):
            wanted = {"type_id": 2, "databucket.type_id": type_id, "databucket.type": name}
            self.check(self.one(less(SAS, properties={"serviceType": service})), wanted)
            self.check(self.one(less(SAS, properties={"serviceType": ""}, resourceId=SERVICE.format(service))), wanted)
            self.check(self.one(less(SAS, "resourceId", properties={"serviceType": None}, uri=f"https://sa1.{service}.core.windows.net/backup")), wanted)

    def test_messages_of_queues_are_no_files(self):
        event = self.one(less(SAS, properties={"serviceType": "queue", "objectKey": "/sa1/jobs/messages/1"}))
        self.check(event, {"databucket.name": "jobs", "databucket.file": None, "unmapped.properties.objectKey": "/sa1/jobs/messages/1"})

    def test_tables_are_no_buckets(self):
        event = self.one(less(SAS, properties={"serviceType": "table", "objectKey": "/sa1/Orders(PartitionKey='a',RowKey='b')"}))
        self.check(event, {"type_id": 3, "table.name": "Orders", "table.uid": SERVICE.format("blob"), "databucket": None,
                           "unmapped.properties.objectKey": "/sa1/Orders(PartitionKey='a',RowKey='b')"})

    def test_where_it_came_from_and_where_it_went(self):
        self.check(self.one(SAS), {"src_endpoint.ip": "2001:db8::99", "src_endpoint.port": 50123, "dst_endpoint.hostname": "sa1.blob.core.windows.net", "dst_endpoint.port": 443,
                                   "http_request.url.url_string": SAS["uri"]})
        self.check(self.one(TOKEN), {"src_endpoint.ip": "203.0.113.44", "src_endpoint.port": 51234})
        self.check(self.one(less(SAS, callerIpAddress="x")), {"src_endpoint.svc_name": "Azure Storage", "src_endpoint.ip": None, "unmapped.callerIpAddress": "x"})

    def test_agents_are_without_their_quotes(self):
        self.check(self.one(SAS), {"http_request.user_agent": "azcopy/10", "http_request.referrer": "https://app.example.com/"})
        self.check(self.one(less(SAS, properties={"userAgentHeader": '"curl/8"', "referrerHeader": '""'})), {"http_request.user_agent": "curl/8", "http_request.referrer": None})

    def test_sizes_are_of_bodies_and_may_be_texts(self):
        self.check(self.one(SAS), {"http_request.length": 17, "http_response.length": 4194304})
        self.check(self.one(less(SAS, properties={"requestBodySize": "", "responseBodySize": "big"})), {"http_request.length": None, "http_response.length": None,
                                                                                                       "unmapped.properties.responseBodySize": "big"})
        self.check(self.one(less(SAS, "statusCode")), {"http_response": None, "unmapped.properties.responseBodySize": "4194304"})

    def test_results(self):
        for code, text, metric, status in ((200, "Success", "Success", 1), (404, "BlobNotFound", "ClientOtherError", 2), (403, "AuthorizationFailure", "AuthorizationError", 2),
                                           ("206", "SASSuccess", "", 1), ("Unknown", "NetworkError", "NetworkError", 2), ("Unknown", "", "Success", 1)):
            event = self.one(less(SAS, statusCode=code, statusText=text, properties={"metricResponseType": metric}))
            self.check(event, {"status_id": status, "status_code": text or None, "http_response.code": int(code) if code != "Unknown" else None,
                               "unmapped.statusCode": "Unknown" if code == "Unknown" else None})

    def test_who_asked_with_a_token(self):
        self.check(self.one(TOKEN), {
            "actor.user.name": "ada@example.com", "actor.user.email_addr": "ada@example.com", "actor.user.uid": ADA, "actor.user.type_id": 1, "actor.user.programmatic_credentials": [{"uid": "hash", "type": "OAuth"}],
            "actor.app_uid": "33333333-0000-4000-8000-000000000003", "actor.idp.issuer": f"https://sts.windows.net/{TENANT}/", "actor.idp.tenant_uid": TENANT,
            "actor.authorizations": [{"decision": "Granted", "policy": {"uid": "rd"}}], "unmapped.identity.type": "OAuth", "unmapped.identity.authorization": AUTHORIZATION,
            "unmapped.identity.requester": {"audience": "https://storage.azure.com/"}})
        service = copy.deepcopy(TOKEN)
        del service["identity"]["requester"]["upn"]
        self.check(self.one(service), {"actor.user.uid": ADA, "actor.user.name": None, "actor.user.type_id": 4})

    def test_a_key_or_a_signature_names_nobody_so_the_way_stands_for_the_user(self):
        self.check(self.one(SAS), {"actor.user.name": "SAS", "actor.user.type_id": 0, "actor.user.uid": None, "actor.user.programmatic_credentials": [{"uid": "key1(AAAA),SasSignature(BBBB)", "type": "SAS"}]})
        self.check(self.one(less(SAS, "identity")), {"actor": {"app_name": "Azure Storage"}})

    def test_what_anybody_may_read_is_low_not_informational(self):
        anonymous = less(SAS, identity={"type": "Anonymous"}, statusText="AnonymousSuccess")
        self.check(self.one(anonymous), {"severity_id": 2})
        self.check(self.one(less(anonymous, operationName="PutBlob")), {"severity_id": 1})
        self.check(self.one(less(anonymous, statusCode=404, statusText="BlobNotFound", properties={"metricResponseType": "ClientOtherError"})), {"severity_id": 1})

    def test_the_cloud_and_the_product(self):
        self.check(self.one(SAS), {
            "cloud.provider": "Azure", "cloud.account.uid": SUBSCRIPTION, "cloud.account.type_id": 13, "cloud.region": "westeurope", "metadata.product.name": "Azure Storage",
            "metadata.product.vendor_name": "Microsoft", "metadata.log_name": "StorageRead", "metadata.log_provider": "Microsoft.Storage", "metadata.event_code": "GetBlob"})

    def test_smb_is_no_http(self):
        event = self.one(less(SAS, protocol="SMB", uri="\\\\sa1.file.core.windows.net\\share", statusCode="0", properties={"smbTreeConnectID": "0x1", "smbNewThing": "n"}))
        self.check(event, {"http_request.url": None, "unmapped.uri": "\\\\sa1.file.core.windows.net\\share", "unmapped.protocol": "SMB", "unmapped.statusCode": "0",
                           "unmapped.properties.smbTreeConnectID": "0x1", "http_response": None})
        self.assertNotIn("smbNewThing", json.dumps(self.stats()))

    # ---- Forms ----

    def test_a_row_of_a_table_is_the_same_request(self):
        event, wanted = self.one(ROW), self.one(less(TOKEN, resourceId=TOKEN["resourceId"].lower(), properties={"referrerHeader": ""}))
        same = ("class_uid", "activity_id", "time", "actor", "api", "databucket", "src_endpoint", "dst_endpoint", "http_request", "http_response", "status_id", "status_code",
                "severity_id", "cloud", "duration", "metadata.correlation_uid", "metadata.log_version", "metadata.event_code")
        self.check(event, {path: at(wanted, path) for path in same})
        self.check(event, {"metadata.log_name": "StorageBlobLogs", "unmapped.Category": "StorageRead", "unmapped.AuthenticationType": "OAuth"})
        self.check(self.one(less(ROW, AuthorizationDetails=json.dumps(AUTHORIZATION))), {"actor.authorizations.0.decision": "Granted"})

    def test_properties_and_identity_may_be_json_in_a_text(self):
        wanted = self.one(TOKEN)
        event = self.one(less(TOKEN, identity=json.dumps(TOKEN["identity"])) | {"properties": json.dumps(TOKEN["properties"])})
        self.check(event, {path: at(wanted, path) for path in ("actor", "databucket", "api", "http_request", "unmapped")})

    def test_a_record_without_a_category_is_known_by_its_resource(self):
        self.check(self.one(less(SAS, "category", operationName="deleteblob")), {"activity_id": 7, "databucket.name": "backup", "metadata.log_name": None})

    def test_resource_ids_in_any_case_have_one_form(self):
        self.assertEqual(at(self.one(less(SAS, resourceId=SAS["resourceId"].upper())), "databucket.uid_alt"), SERVICE.format("blob").lower())

    # ---- Nothing is lost ----

    def test_every_field_has_its_place(self):
        for base in (SAS, TOKEN):
            source = less(base, newField="n", level="Informational", properties={"newProperty": {"a": 1}})
            self.nothing_lost(source, self.one(source), {"callerIpAddress": "in parts", "properties.objectKey": "in parts", "location": "as region"})
            for name in ("newField", "newProperty"):
                self.assertIn(name, json.dumps(self.stats()))

    def test_every_column_has_its_place(self):
        self.nothing_lost(ROW, self.one(ROW), {"CallerIpAddress": "in parts", "ObjectKey": "in parts"})

    def test_others_are_foreign_and_what_has_no_time_is_rejected(self):
        self.write("mixed", "\n".join(json.dumps(r) for r in (SAS, less(SAS, category="Administrative"), less(SAS, "time"))))
        self.logmill("run", "mixed", "--plugin", self.PARSER, "--to", "ndjson:-", "--rejects", "rejects", code=None)
        self.assertEqual({"foreign", "malformed"}, {reject["code"] for reject in self.rejects()})


if __name__ == "__main__":
    mapping.unittest.main()
