"""Storage Analytics logs ($logs): which field stands in which attribute, and that none is lost. What requests have in common with resource logs is tested there."""
import mapping
from mapping import at

TENANT = "11111111-2222-3333-4444-555555555555"
ADA = "00000000-aaaa-4000-8000-00000000000a"
NAMES = ("version-number request-start-time operation-type request-status http-status-code end-to-end-latency-in-ms server-latency-in-ms authentication-type "
         "requester-account-name owner-account-name service-type request-url requested-object-key request-id-header operation-count requester-ip-address "
         "request-version-header request-header-size request-packet-size response-header-size response-packet-size request-content-length request-md5 server-md5 "
         "etag-identifier last-modified-time conditions-used user-agent-header referrer-header client-request-id user-object-id tenant-id application-id audience issuer "
         "user-principal-name reserved-field authorization-detail").split()
ONE = dict(zip(NAMES, [
    "1.0", "2026-03-02T16:00:00.2481552Z", "GetBlob", "AnonymousSuccess", "200", "18", "10", "anonymous", "", "sa1", "blob",
    '"https://sa1.blob.core.windows.net/pub/a%3Bb.txt?x=1&amp;y=2"', '"/sa1/pub/a;b.txt"', "f84aa705-0000-0000-0000-000000000001", "0", "192.0.2.43:51789", "2019-12-12",
    "252", "7", "265", "100", "50", "bWQ1", "c3J2", '"&quot;0x8CE1B6EA95033D5&quot;"', "Tuesday, 09-Aug-11 21:13:26 GMT", "If-None-Match", '"curl/8.0; test"', '"https://r.example.com/"',
    '"cid-1"']))
TWO = ONE | dict(zip(NAMES, [
    "2.0", "2026-03-02T16:00:01.5043171Z", "DeleteBlob", "OAuthSuccess", "202", "13", "13", "bearer", "sa1", "sa1", "blob", '"https://sa1.blob.core.windows.net/pub/b.txt"',
    '"/sa1/pub/b.txt"', "f84aa705-0000-0000-0000-000000000002", "0", "[2001:db8::9]:443", "2020-06-12", "300", "0", "200", "0", "0", "", "", "", "", "", '"azcopy/10"', "",
    '"cid-2"', ADA, TENANT.upper(), "33333333-0000-4000-8000-000000000003", "https://storage.azure.com", f"https://sts.windows.net/{TENANT}/", "ada@example.com", "",
    '"[{&quot;action&quot;:&quot;delete&quot;,&quot;result&quot;:&quot;Granted&quot;,&quot;roleDefinitionId&quot;:&quot;rd&quot;}]"']))


def line(fields, **changes):
    return ";".join((fields | {key.replace("_", "-"): value for key, value in changes.items()}).values())


class StorageClassic(mapping.Mapping):
    PARSER = "azure.storage_classic"

    def test_a_line_of_version_1(self):
        self.check(self.one(line(ONE)), {
            "class_uid": 6005, "activity_id": 1, "time": 1772467200248, "metadata.original_time": "2026-03-02T16:00:00.2481552Z", "metadata.log_version": "1.0",
            "metadata.log_name": "$logs", "metadata.correlation_uid": "f84aa705-0000-0000-0000-000000000001", "metadata.event_code": "GetBlob", "duration": 18,
            "api.operation": "GetBlob", "api.version": "2019-12-12", "api.request.uid": "cid-1", "status_id": 1, "status_code": "AnonymousSuccess", "http_response.code": 200,
            "severity_id": 2, "actor.user.name": "anonymous", "actor.user.type_id": 0, "databucket.name": "pub", "databucket.type_id": 2,
            "databucket.file": {"path": "a;b.txt", "name": "a;b.txt", "type_id": 1, "type": "Regular File"}, "src_endpoint.ip": "192.0.2.43", "src_endpoint.port": 51789,
            "dst_endpoint.hostname": "sa1.blob.core.windows.net", "http_request.user_agent": "curl/8.0; test", "http_request.referrer": "https://r.example.com/",
            "http_request.length": 7, "http_response.length": 100, "metadata.product.name": "Azure Storage", "cloud.provider": "Azure"})

    def test_a_line_of_version_2(self):
        self.check(self.one(line(TWO)), {
            "activity_id": 7, "metadata.log_version": "2.0", "actor.user.name": "ada@example.com", "actor.user.uid": ADA, "actor.user.type_id": 1,
            "actor.user.email_addr": "ada@example.com", "actor.user.account.name": "sa1", "actor.app_uid": "33333333-0000-4000-8000-000000000003",
            "actor.idp.issuer": f"https://sts.windows.net/{TENANT}/", "actor.idp.tenant_uid": TENANT.upper(), "metadata.tenant_uid": TENANT, "cloud.org.uid": TENANT,
            "actor.authorizations": [{"decision": "Granted", "policy": {"uid": "rd"}}], "src_endpoint.ip": "2001:db8::9", "src_endpoint.port": 443,
            "unmapped.authentication-type": "bearer", "unmapped.audience": "https://storage.azure.com"})

    def test_quotes_and_entities_are_undone_once(self):
        self.check(self.one(line(ONE)), {"http_request.url.url_string": "https://sa1.blob.core.windows.net/pub/a%3Bb.txt?x=1&y=2", "unmapped.etag-identifier": '"0x8CE1B6EA95033D5"'})
        agent = '"&amp;lt; &#59; &#x41; &#8364; &unknown; &"'
        self.check(self.one(line(ONE, user_agent_header=agent)), {"http_request.user_agent": "&lt; ; A \u20ac &unknown; &"})

    def test_the_way_of_a_key_stands_for_the_user(self):
        self.check(self.one(line(ONE, authentication_type="authenticated", request_status="Success", requester_account_name="sa1")),
                   {"actor.user.name": "authenticated", "actor.user.account.name": "sa1", "severity_id": 1})

    def test_failures(self):
        self.check(self.one(line(ONE, request_status="AuthorizationError", http_status_code="403")), {"status_id": 2, "status_code": "AuthorizationError", "http_response.code": 403})

    def test_tables_and_queues(self):
        self.check(self.one(line(ONE, service_type="table", requested_object_key='"/sa1/Orders"')), {"type_id": 3, "table.name": "Orders", "databucket": None})
        self.check(self.one(line(ONE, service_type="queue", requested_object_key='"/sa1/jobs"')), {"databucket.type": "Azure Queue", "databucket.name": "jobs"})

    def test_every_field_has_its_place(self):
        for fields in (ONE, TWO):
            wanted = {name: value.strip('"').replace("&quot;", '"').replace("&amp;", "&") for name, value in fields.items() if name in NAMES}
            event = self.one(line(fields))
            self.nothing_lost(wanted, event, {"requester-ip-address": "in parts", "requested-object-key": "in parts", "end-to-end-latency-in-ms": "as duration"})

    def test_more_fields_than_known_are_kept_and_counted(self):
        for fields in (ONE, TWO):
            self.assertEqual(at(self.one(line(fields) + ';new;"and newer"'), "unmapped.more"), 'new;"and newer"')
            self.assertIn("more", str(self.stats()["parsers"]))

    def test_lines_that_are_none_cost_themselves_alone(self):
        text = "\n".join([line(ONE), line(ONE)[:200], line(TWO)[:320], line(ONE, request_start_time="soon"), "3.0;x", line(TWO)])
        events = self.read(text, "$logs/blob/2026/03/02/1600/000000.log", code=3)
        self.assertEqual([e["lineage"]["record"] for e in events], [0, 5])

    def test_what_cannot_be_read_is_kept(self):
        event = self.one(line(ONE, end_to_end_latency_in_ms="long", requester_ip_address="x", http_status_code="none"))
        self.check(event, {"duration": None, "unmapped.end-to-end-latency-in-ms": "long", "unmapped.requester-ip-address": "x", "unmapped.http-status-code": "none",
                           "src_endpoint.svc_name": "Azure Storage", "http_response": None, "unmapped.response-packet-size": "100"})


if __name__ == "__main__":
    mapping.unittest.main()
