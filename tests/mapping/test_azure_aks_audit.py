"""Audit events of Azure Kubernetes Service: which field stands in which attribute, and that none is lost."""
import copy
import json

import mapping
from mapping import at, core, outer

SUBSCRIPTION = "99999999-0000-4000-8000-000000000009"
CLUSTER = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg1/providers/Microsoft.ContainerService/managedClusters/aks1"
ADA = "00000000-aaaa-4000-8000-00000000000a"
EVENT = {
    "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse", "auditID": "a-1", "stage": "ResponseComplete",
    "requestURI": "/api/v1/namespaces/prod/pods/web-0/exec?command=sh&stdin=true", "verb": "create",
    "user": {"username": "ada@example.com", "groups": ["system:authenticated", "00000000-0000-4000-8000-0000000000b1"], "extra": {"oid": [ADA], "example.com/other": ["x", "y"]}},
    "impersonatedUser": {"username": "root", "groups": ["everyone"]}, "sourceIPs": ["203.0.113.9", "192.0.2.1"], "userAgent": "kubectl/v1.31.0",
    "objectRef": {"resource": "pods", "subresource": "exec", "namespace": "prod", "name": "web-0", "uid": "88888888-0000-4000-8000-000000000000", "apiGroup": "apps", "apiVersion": "v1",
                  "resourceVersion": "42"},
    "responseStatus": {"metadata": {"continue": "token"}, "status": "Denied", "message": "not allowed", "reason": "Forbidden", "details": {"kind": "pod-detail"}, "code": 403},
    "requestObject": {"kind": "PodExecOptions", "command": ["sh", None]}, "responseObject": {"kind": "Status"},
    "requestReceivedTimestamp": "2026-03-02T21:00:00.000001Z", "stageTimestamp": "2026-03-02T21:00:00.123456Z",
    "annotations": {"authorization.k8s.io/decision": "forbid", "authorization.k8s.io/reason": "RBAC: no", "k8s.io/deprecated": "true"},
}
RECORD = {
    "time": "2026-03-02T21:00:01.0000000Z", "resourceId": CLUSTER.upper(), "operationName": "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read", "category": "kube-audit",
    "Cloud": "AzureCloud", "Environment": "prod", "ccpNamespace": "ns1", "UnderlayClass": "hcp-underlay", "UnderlayName": "hcp-underlay-we-1",
    "properties": {"log": "", "stream": "stdout", "pod": "kube-apiserver-1", "containerID": "c1"},
}
ROW = {
    "TenantId": "aaaaaaaa-0000-4000-8000-00000000000b", "TimeGenerated": "2026-03-02T21:00:01.0000000Z", "Level": "RequestResponse", "AuditId": "a-1", "Stage": "ResponseComplete",
    "RequestUri": EVENT["requestURI"], "Verb": "create", "User": EVENT["user"], "SourceIps": EVENT["sourceIPs"], "UserAgent": "kubectl/v1.31.0", "ObjectRef": EVENT["objectRef"],
    "ResponseStatus": EVENT["responseStatus"], "RequestObject": EVENT["requestObject"], "ResponseObject": EVENT["responseObject"],
    "RequestReceivedTime": "2026-03-02T21:00:00.000001Z", "StageReceivedTime": "2026-03-02T21:00:00.123456Z", "Annotations": EVENT["annotations"], "PodName": "kube-apiserver-1",
    "SourceSystem": "Azure", "Type": "AKSAudit", "_ResourceId": CLUSTER.lower(),
}
DIAGNOSTICS = {
    "TenantId": "aaaaaaaa-0000-4000-8000-00000000000b", "TimeGenerated": "2026-03-02T21:00:01.0000000Z", "ResourceId": CLUSTER.upper(), "Category": "kube-audit", "ResourceGroup": "RG1",
    "SubscriptionId": SUBSCRIPTION, "ResourceProvider": "MICROSOFT.CONTAINERSERVICE", "Resource": "AKS1", "ResourceType": "MANAGEDCLUSTERS", "OperationName": RECORD["operationName"],
    "Cloud_s": "AzureCloud", "Environment_s": "prod", "ccpNamespace_s": "ns1", "log_s": "", "stream_s": "stdout", "pod_s": "kube-apiserver-1", "containerID_s": "c1",
    "Type": "AzureDiagnostics", "_ResourceId": CLUSTER.lower(),
}


def event(**changes):
    """EVENT with changes: None takes a member out, and an object is changed member by member."""
    out = copy.deepcopy(EVENT)
    for name, value in changes.items():
        out[name] = out[name] | value if isinstance(value, dict) and value and isinstance(out.get(name), dict) else value
    return outer(out)


def record(log=None, **changes):
    """RECORD with this event, or this text, as its log."""
    text = log if isinstance(log, str) else json.dumps(log or EVENT) + "\n"
    out = copy.deepcopy(RECORD)
    out["properties"]["log"] = text
    return outer(out, **changes)


class AksAudit(mapping.Mapping):
    PARSER = "azure.aks_audit"

    def of(self, **changes) -> dict:
        return self.one(record(event(**changes)))

    # ---- Every row of the mapping ----

    def test_the_event_has_its_own_time_and_the_record_is_when_it_was_logged(self):
        self.check(self.of(), {"class_uid": 6003, "time": 1772485200123, "start_time": 1772485200000, "metadata.original_time": "2026-03-02T21:00:00.123456Z",
                               "metadata.logged_time": 1772485201000})
        self.check(self.of(stageTimestamp=None), {"time": 1772485200000, "metadata.original_time": "2026-03-02T21:00:00.000001Z"})
        self.check(self.of(stageTimestamp="soon", requestReceivedTimestamp=None), {
            "time": 1772485201000, "metadata.logged_time": None, "metadata.original_time": "2026-03-02T21:00:01.0000000Z", "start_time": None,
            "unmapped.properties.log.stageTimestamp": "soon"})
        self.check(self.one(record(time=None)), {"time": 1772485200123, "metadata.logged_time": None})
        self.check(self.one(record(time="later")), {"time": 1772485200123, "metadata.logged_time": None, "unmapped.time": "later"})
        for text in ("2026-03-02T21:00:00Z", "2026-03-02T21:00:00.1234567Z", "2026-03-02T22:00:00+01:00", "3/2/2026 9:00:00 PM"):
            self.assertEqual(self.of(stageTimestamp=text)["time"] // 1000, 1772485200)

    def test_the_operation_is_the_verb_and_what_it_is_done_to(self):
        self.check(self.of(), {"api.operation": "create pods/exec"})
        self.check(self.of(objectRef={"subresource": None}), {"api.operation": "create pods"})
        self.check(self.of(objectRef=None), {"api.operation": "create"})
        self.check(self.of(verb=None), {"api.operation": "unknown", "activity_id": 0})

    def test_the_verb_chooses_the_activity(self):
        for verb, activity in {"create": 1, "post": 1, "get": 2, "list": 2, "watch": 2, "head": 2, "update": 3, "patch": 3, "put": 3, "delete": 4, "deletecollection": 4,
                               "options": 99}.items():
            self.check(self.of(verb=verb), {"activity_id": activity, "type_uid": 600300 + activity})
        self.check(self.of(verb="options"), {"activity_name": "options"})
        for subresource in ("exec", "attach", "portforward", "token"):
            self.check(self.of(objectRef={"subresource": subresource}), {"activity_id": 1, "api.operation": f"create pods/{subresource}"})

    def test_the_call(self):
        self.check(self.of(), {
            "api.version": "v1", "api.group.name": "apps", "api.request.uid": "a-1", "metadata.original_event_uid": "a-1", "api.request.data": EVENT["requestObject"],
            "api.response.data": EVENT["responseObject"], "http_request.user_agent": "kubectl/v1.31.0", "http_request.url.path": "/api/v1/namespaces/prod/pods/web-0/exec",
            "http_request.url.query_string": "command=sh&stdin=true"})
        self.check(self.of(responseObject="skipped-too-big-size-object"), {"api.response.data": "skipped-too-big-size-object"})
        self.check(self.of(auditID=None), {"api.request": None, "unmapped.properties.log.requestObject": EVENT["requestObject"]})

    def test_the_result(self):
        self.check(self.of(), {"api.response.code": 403, "http_response.code": 403, "api.response.error": "Forbidden", "api.response.message": "not allowed",
                               "api.response.error_message": "not allowed", "status_detail": "not allowed", "status_id": 2, "status_code": "403"})
        for code, status in ((101, 1), (201, 1), (399, 1), (400, 2), (500, 2)):
            self.check(self.of(responseStatus={"code": code}), {"status_id": status, "http_response.code": code})
        self.check(self.of(responseStatus=None), {"status_id": 0, "http_response": None})

    def test_who_called(self):
        self.check(self.of(), {
            "actor.user.name": "ada@example.com", "actor.user.email_addr": "ada@example.com", "actor.user.type_id": 1,
            "actor.user.groups": [{"name": "system:authenticated"}, {"name": "00000000-0000-4000-8000-0000000000b1"}]})
        for name, kind in (("system:serviceaccount:kube-system:coredns", 4), ("system:node:aks-0", 3), ("masterclient", 1)):
            self.check(self.of(user={"username": name}), {"actor.user.type_id": kind, "actor.user.email_addr": None})

    def test_who_signed_in_with_entra_has_its_object_id(self):
        self.check(self.of(), {"actor.user.uid": ADA, "actor.user.uid_alt": None, "unmapped.properties.log.user": {"extra": {"example.com/other": ["x", "y"]}}})
        self.check(self.of(user={"uid": "u-1"}), {"actor.user.uid": "u-1", "actor.user.uid_alt": ADA})

    def test_who_was_not_authenticated_is_the_program_at_most(self):
        self.check(self.of(user={"username": "", "extra": {}}), {
            "actor.user": None, "actor.app_name": "kubectl/v1.31.0", "unmapped.properties.log.user.groups": EVENT["user"]["groups"]})
        self.check(self.of(user=None, userAgent=None), {"actor.app_name": "MICROSOFT.CONTAINERSERVICE"})

    def test_where_the_call_came_from(self):
        self.check(self.of(), {"src_endpoint": {"ip": "203.0.113.9", "intermediate_ips": ["192.0.2.1"]}})
        self.check(self.of(sourceIPs=["[2001:DB8::1]:443"]), {"src_endpoint": {"ip": "2001:db8::1", "port": 443}})
        self.check(self.of(sourceIPs=["127.0.0.0/8", "192.0.2.1"]), {
            "src_endpoint": {"svc_name": "MICROSOFT.CONTAINERSERVICE", "intermediate_ips": ["192.0.2.1"]}, "unmapped.properties.log.sourceIPs": ["127.0.0.0/8", "192.0.2.1"]})
        self.check(self.of(sourceIPs=None), {"src_endpoint": {"svc_name": "MICROSOFT.CONTAINERSERVICE"}})

    def test_the_object_and_its_cluster(self):
        self.check(self.of(), {"resources": [
            {"name": "web-0", "namespace": "prod", "uid": "88888888-0000-4000-8000-000000000000", "version": "42", "type": "pods/exec", "group": {"name": "AKS1"}},
            {"uid": CLUSTER.upper(), "uid_alt": CLUSTER.lower(), "name": "AKS1", "type": "Microsoft.ContainerService/managedClusters", "group": {"name": "RG1"}}]})
        self.check(self.one(record(resourceId=None)), {"resources.0.group": None, "resources.1": None})
        self.assertEqual(at(self.one(record(resourceId=CLUSTER)), "resources.1.uid_alt"), CLUSTER.lower())

    def test_what_was_authorized(self):
        self.check(self.of(), {"actor.authorizations": [{"decision": "forbid", "policy": {"name": "RBAC: no"}}], "unmapped.properties.log.annotations": {"k8s.io/deprecated": "true"}})

    def test_what_deserves_a_look_is_medium(self):
        allowed = {"annotations": {"authorization.k8s.io/decision": "allow"}}
        self.check(self.of(**allowed), {"severity_id": 3})
        for verb, resource, subresource, severity in (("create", "pods", "attach", 3), ("get", "pods", "exec", 3), ("list", "secrets", None, 3), ("create", "secrets", None, 1),
                                                      ("patch", "clusterrolebindings", None, 3), ("delete", "clusterrolebindings", None, 3), ("get", "clusterrolebindings", None, 1),
                                                      ("create", "pods", None, 1)):
            self.check(self.of(verb=verb, objectRef={"resource": resource, "subresource": subresource}, **allowed), {"severity_id": severity})
        self.check(self.of(verb="get", objectRef={"resource": "pods", "subresource": None}), {"severity_id": 2})

    def test_what_every_event_gets(self):
        self.check(self.of(), {
            "cloud.provider": "Azure", "cloud.account.uid": SUBSCRIPTION, "cloud.account.type_id": 13, "metadata.product.name": "Azure Kubernetes Service",
            "metadata.product.vendor_name": "Microsoft", "metadata.log_name": "kube-audit", "metadata.log_provider": "MICROSOFT.CONTAINERSERVICE",
            "metadata.log_level": "RequestResponse", "metadata.log_version": "audit.k8s.io/v1", "metadata.event_code": RECORD["operationName"], "metadata.profiles": ["cloud"],
            "unmapped.properties.pod": "kube-apiserver-1", "unmapped.properties.containerID": "c1", "unmapped.properties.log.stage": "ResponseComplete",
            "unmapped.properties.log.impersonatedUser": EVENT["impersonatedUser"]})
        self.check(self.one(record(location="West Europe", tenantId="T-1")), {"cloud.region": "westeurope", "metadata.tenant_uid": "t-1"})

    # ---- What is cut off, and what is no event ----

    def test_an_event_that_was_cut_off_is_kept_as_text_with_what_stands_before(self):
        whole = json.dumps(outer(event(), requestObject=None, requestReceivedTimestamp=None, stageTimestamp=None))[:-1] + ', "requestObject": {"kind": "Pod", "big": [1, true, "x\\u00e9"'
        for cut in (0, 1, 2, 3, 4, 5, 10, 12, 20, 30):
            text = whole[:len(whole) - cut]
            self.check(self.one(record(text)), {
                "class_uid": 0, "activity_id": 99, "activity_name": "create pods/exec", "metadata.is_truncated": True, "message": text, "time": 1772485201000, "severity_id": 1,
                "api.operation": "create pods/exec", "api.request.uid": "a-1", "actor.user.name": "ada@example.com", "actor.user.uid": ADA, "metadata.log_name": "kube-audit",
                "unmapped.properties.log": None, "unmapped.resourceId": CLUSTER.upper()})

    def test_an_event_that_had_told_its_time_keeps_it(self):
        text = json.dumps(EVENT)
        cut = text[:text.index('"annotations"')]
        self.check(self.one(record(cut, operationVersion="1.0")), {
            "time": 1772485200123, "metadata.original_time": "2026-03-02T21:00:00.123456Z", "metadata.logged_time": 1772485201000, "metadata.log_level": "RequestResponse",
            "metadata.log_version": "audit.k8s.io/v1", "unmapped.operationVersion": "1.0"})
        self.check(self.one(record(cut, time=None)), {"class_uid": 0, "time": 1772485200123, "metadata.logged_time": None})

    def test_wherever_it_was_cut_off_the_row_is_whole(self):
        text = json.dumps(outer(event(), requestReceivedTimestamp=None, stageTimestamp=None))
        events = self.read("\n".join(json.dumps(record(text[:n])) for n in range(1, len(text), 7)))
        self.assertEqual({(e["class_uid"], e["metadata"].get("is_truncated"), e["time"]) for e in events}, {(0, True, 1772485201000)})

    def test_guards_lines_are_base_events(self):
        for line, severity in (("I0302 21:00:00.000001       1 azure.go:10] granted", 1), ("W0302 21:00:00.000001       1 a.go:1] x", 3), ("E0302 21:00:00.000001       1 a.go:1] x", 4),
                               ("F0302 21:00:00.000001       1 a.go:1] x", 6), ("Error", 1)):
            self.check(self.one(record(line + "\n", category="guard")), {
                "class_uid": 0, "activity_name": "guard", "message": line, "metadata.is_truncated": None, "severity_id": severity, "metadata.log_name": "guard", "actor": None, "api": None})
        self.check(self.one(record("x", category="guard", level="Warning")), {"severity_id": 3, "metadata.log_level": "Warning"})
        self.check(self.one(record("x", category="guard", level="Odd")), {"severity_id": 99, "severity": "Odd"})
        self.check(self.one(record('{"msg": "x"}', category="guard")), {"message": '{"msg": "x"}', "metadata.is_truncated": None})

    def test_a_record_without_a_log_is_kept(self):
        self.check(self.one(record("")), {"class_uid": 0, "message": None, "unmapped.properties.pod": "kube-apiserver-1"})
        self.check(self.one(record(properties=None)), {"class_uid": 0})

    # ---- Forms ----

    def test_properties_may_be_a_text_and_the_log_an_object(self):
        wanted = core(self.of())
        text = record()
        self.assertEqual(core(self.one(text | {"properties": json.dumps(text["properties"])})), wanted)
        text["properties"]["log"] = EVENT
        self.assertEqual(core(self.one(text)), wanted)

    def test_batches_and_categories_in_any_case(self):
        for category in ("kube-audit", "KUBE-AUDIT", "kube-audit-admin"):
            self.assertEqual(len(self.read(json.dumps({"records": [record(category=category)] * 3}))), 3)

    def test_a_row_of_a_table_is_the_same_event(self):
        same = ("class_uid", "activity_id", "time", "start_time", "actor", "api", "src_endpoint", "http_request", "http_response", "status_id", "severity_id", "cloud",
                "metadata.log_level", "metadata.logged_time", "metadata.original_time")
        wanted = self.of()
        texts = {key: json.dumps(value) if isinstance(value, (dict, list)) else value for key, value in ROW.items()}
        for row in (ROW, texts, ROW | {"Type": "AKSAuditAdmin"}):
            self.check(self.one(row), {path: at(wanted, path) for path in same} | {
                "metadata.log_name": row["Type"], "resources.0.type": "pods/exec", "resources.1.uid": CLUSTER.lower(), "unmapped.Stage": "ResponseComplete",
                "unmapped.User": {"extra": {"example.com/other": ["x", "y"]}}, "unmapped.ResponseStatus.status": "Denied", "unmapped.TenantId": ROW["TenantId"]})
        self.check(self.one(ROW | {"StageReceivedTime": "soon", "Verb": ""}), {"class_uid": 6003, "api.operation": "unknown", "unmapped.StageReceivedTime": "soon"})

    def test_a_row_of_azure_diagnostics_is_the_same_event(self):
        event_, wanted = self.one(DIAGNOSTICS | {"log_s": json.dumps(EVENT) + "\n"}), self.of()
        self.assertEqual(core(event_), core(wanted))
        self.check(event_, {"unmapped.log_s.stage": "ResponseComplete", "unmapped.pod_s": "kube-apiserver-1", "unmapped.Type": "AzureDiagnostics"})
        self.check(self.one(DIAGNOSTICS | {"log_s": json.dumps(EVENT)[:500]}), {"class_uid": 0, "metadata.is_truncated": True, "message": json.dumps(EVENT)[:500]})
        self.check(self.one(DIAGNOSTICS | {"AdditionalFields": {"log": json.dumps(EVENT)}, "log_s": None}), {"class_uid": 6003, "unmapped.log.stage": "ResponseComplete"})

    def test_of_the_control_planes_table_guard_and_audit_are_read(self):
        row = {"TimeGenerated": "2026-03-02T21:00:01Z", "Category": "guard", "Level": "INFO", "Message": "text", "PodName": "guard-1", "Stream": "stderr", "Type": "AKSControlPlane"}
        self.check(self.one(row), {"class_uid": 0, "message": "text", "metadata.log_name": "guard", "metadata.log_level": "INFO", "unmapped.Type": "AKSControlPlane",
                                   "unmapped.PodName": "guard-1"})
        self.check(self.one(row | {"Category": "kube-audit", "Message": json.dumps(EVENT)}), {
            "class_uid": 6003, "metadata.log_level": "RequestResponse", "unmapped.Level": "INFO", "unmapped.Message.stage": "ResponseComplete"})

    # ---- Nothing is lost ----

    def test_every_field_has_its_place(self):
        told = {"kind": "always the same", "verb": "in front of the object", "requestURI": "as path and query", "requestReceivedTimestamp": "as start_time", "objectRef.resource": "with its subresource",
                "objectRef.subresource": "behind its resource"}
        got = self.one(record(later=1, identity="who", resultType="0", durationMs="7", callerIpAddress="192.0.2.9"))
        self.nothing_lost(EVENT, got, told)
        self.nothing_lost(record("") | {"later": 1, "identity": "who", "resultType": "0", "durationMs": "7", "callerIpAddress": "192.0.2.9"}, got, {"time": "as logged_time"})
        self.assertEqual(self.stats()["parsers"][self.PARSER]["drift"], {"later": 1})
        rows = {"Verb": "in front of the object", "RequestUri": "as path and query", "RequestReceivedTime": "as start_time", "TimeGenerated": "as logged_time", "ObjectRef.resource": "with its subresource",
                "ObjectRef.subresource": "behind its resource"}
        self.nothing_lost(ROW, self.one(ROW), rows)
        columns = DIAGNOSTICS | {"new_s": "n"}
        self.nothing_lost(columns, self.one(columns | {"log_s": json.dumps(EVENT)}), {"TimeGenerated": "as logged_time"})
        self.assertEqual(self.stats()["parsers"][self.PARSER]["drift"], {"new_s": 1})

    def test_lists_and_objects_in_texts_without_end_are_read(self):
        row = dict(ROW, SourceIps=json.dumps(EVENT["sourceIPs"]), User=json.dumps(EVENT["user"]))
        many = json.dumps(row)[:-1] + ', "Annotations": "{\\"a\\":1}"' * 200 + "}"
        self.check(self.one(many), {path: at(self.one(ROW), path) for path in ("src_endpoint", "actor.user")})

    def test_fields_that_came_later_are_kept_and_counted(self):
        self.check(self.of(later={"x": 1}, user={"a": 1}, objectRef={"b": 2}, responseStatus={"c": 3}), {
            "unmapped.properties.log.later": {"x": 1}, "unmapped.properties.log.user.a": 1, "unmapped.properties.log.objectRef.b": 2, "unmapped.properties.log.responseStatus.c": 3})
        self.assertEqual(self.stats()["parsers"][self.PARSER]["drift"], {"later": 1, "user.a": 1, "objectRef.b": 1, "responseStatus.c": 1})

    def test_values_of_another_type_stay_as_they_were(self):
        odd = {"user": "text", "objectRef": ["x"], "responseStatus": 403, "annotations": "y", "verb": 5, "level": {"a": 1}}
        self.check(self.of(**odd), {f"unmapped.properties.log.{name}": value for name, value in odd.items()})
        self.check(self.one(record(properties={"log": 7, "pod": {"a": 1}})), {"class_uid": 0, "unmapped.properties": {"log": 7, "pod": {"a": 1}}})
        self.check(self.one(record(properties="no JSON")), {"class_uid": 0, "unmapped.properties": "no JSON"})
        self.check(self.one(ROW | {"User": "joe", "SourceIps": "192.0.2.1", "Stage": None}), {"unmapped.User": "joe", "unmapped.SourceIps": "192.0.2.1", "unmapped.Stage": None})
        self.check(self.one(record(Verb="x", ObjectRef={"a": 1})), {"unmapped.Verb": "x", "unmapped.ObjectRef": {"a": 1}, "api.operation": "create pods/exec"})

    def test_one_bad_record_costs_that_record(self):
        good = json.dumps(record())
        self.write("x", "\n".join([good, json.dumps(record(event(stageTimestamp=None, requestReceivedTimestamp=None), time=None)), json.dumps(record(category="kube-scheduler")),
                                   json.dumps(ROW | {"Type": "Other"}), good[:-9], good]))
        self.logmill("run", "x", "--plugin", self.PARSER, "--to", "ndjson:-", "--rejects", "rejects", code=3)
        self.assertEqual([(r["record"], r["code"]) for r in sorted(self.rejects(), key=lambda r: r["record"])], [(1, "malformed"), (2, "foreign"), (3, "foreign"), (4, "malformed")])


if __name__ == "__main__":
    mapping.unittest.main()
