"""EKS audit events: which field stands in which attribute, and that none is lost."""
import copy
import json

import mapping
from mapping import at

FULL = {
    "kind": "Event",
    "apiVersion": "audit.k8s.io/v1",
    "level": "RequestResponse",
    "auditID": "00000000-0000-4000-8000-000000000001",
    "stage": "ResponseComplete",
    "requestURI": "/api/v1/namespaces/ns-1/pods/web-0/exec?command=sh&stdin=true",
    "verb": "create",
    "user": {
        "username": "kubernetes-admin",
        "uid": "aws-iam-authenticator:111122223333:AROAEXAMPLE",
        "groups": ["system:masters", "system:authenticated"],
        "extra": {
            "accessKeyId": ["ASIAEXAMPLEKEY000001"],
            "arn": ["arn:aws:sts::111122223333:assumed-role/Admin/joe"],
            "canonicalArn": ["arn:aws:iam::111122223333:role/Admin"],
            "principalId": ["AROAEXAMPLE"],
            "sessionName": ["joe"],
            "example.com/other": ["x", "y"],
        },
    },
    "impersonatedUser": {"username": "root", "groups": ["everyone"]},
    "sourceIPs": ["198.51.100.10", "192.0.2.1", "2001:db8::1"],
    "userAgent": "kubectl/v1.31.0",
    "objectRef": {"resource": "pods", "subresource": "exec", "namespace": "ns-1", "name": "web-0", "uid": "99999999-0000-4000-8000-000000000000",
                  "apiGroup": "apps", "apiVersion": "v1beta1", "resourceVersion": "42"},
    "responseStatus": {"metadata": {"continue": "token"}, "status": "Denied", "message": "not allowed", "reason": "Forbidden", "details": {"kind": "pod-detail"},
                       "code": 403},
    "requestObject": {"kind": "PodExecOptions", "command": ["sh", None]},
    "responseObject": {"kind": "Status", "items": []},
    "requestReceivedTimestamp": "2026-03-01T08:00:00.000100Z",
    "stageTimestamp": "2026-03-01T08:00:00.120999Z",
    "annotations": {"authorization.k8s.io/decision": "forbid", "authorization.k8s.io/reason": "RBAC: no", "k8s.io/deprecated": "true"},
}


def less(*names, **changes):
    """FULL without some members, and with changes; an object is changed member by member."""
    record = {key: copy.deepcopy(value) for key, value in FULL.items() if key not in names}
    for name, value in changes.items():
        record[name] = record[name] | value if isinstance(value, dict) and value and isinstance(record.get(name), dict) else value
    return record


class EksAudit(mapping.Mapping):
    PARSER = "aws.eks_audit"

    # ---- Every row of the mapping ----

    def test_times(self):
        self.check(self.one(FULL), {"class_uid": 6003, "time": 1772352000120, "start_time": 1772352000000, "severity_id": 1,
                                    "metadata.original_time": "2026-03-01T08:00:00.120999Z"})

    def test_the_verb_chooses_the_activity(self):
        for verb, activity in {"create": 1, "connect": 1, "get": 2, "list": 2, "watch": 2, "head": 2, "update": 3, "patch": 3, "delete": 4,
                               "deletecollection": 4, "post": 99}.items():
            self.check(self.one(less(verb=verb)), {"activity_id": activity, "type_uid": 600300 + activity, "api.operation": verb})
        self.check(self.one(less(verb="post")), {"activity_name": "post"})
        self.check(self.one(less("verb")), {"activity_id": 0, "api.operation": "unknown"})

    def test_the_call(self):
        self.check(self.one(FULL), {
            "api.request.uid": FULL["auditID"], "metadata.original_event_uid": FULL["auditID"], "api.operation": "create", "api.group.name": "apps",
            "api.version": "v1beta1", "api.request.data": FULL["requestObject"], "api.response.data": FULL["responseObject"],
            "http_request.user_agent": "kubectl/v1.31.0", "http_request.url.path": "/api/v1/namespaces/ns-1/pods/web-0/exec",
            "http_request.url.query_string": "command=sh&stdin=true",
        })

    def test_the_result(self):
        self.check(self.one(FULL), {"api.response.code": 403, "api.response.error": "Forbidden", "api.response.error_message": "not allowed",
                                    "status_id": 2, "status_code": "403", "status_detail": "not allowed"})
        for code, status in ((101, 1), (200, 1), (399, 1), (400, 2), (500, 2)):
            self.check(self.one(less(responseStatus={"code": code})), {"status_id": status, "status_code": str(code), "api.response.code": code})
        self.check(self.one(less(responseStatus={"code": 200})), {"api.response.error": None, "unmapped.responseStatus.reason": "Forbidden"})
        self.check(self.one(less("responseStatus")), {"status_id": 0, "status_code": None, "api.response.code": None})

    def test_who_called(self):
        self.check(self.one(FULL), {
            "actor.user.name": "kubernetes-admin", "actor.user.uid": "aws-iam-authenticator:111122223333:AROAEXAMPLE", "actor.user.uid_alt": "AROAEXAMPLE",
            "actor.user.groups": [{"name": "system:masters"}, {"name": "system:authenticated"}], "actor.session.credential_uid": "ASIAEXAMPLEKEY000001",
            "actor.session.uid": "joe", "actor.session.issuer": "arn:aws:iam::111122223333:role/Admin", "actor.user.type_id": 1,
            "unmapped.user.extra.arn": ["arn:aws:sts::111122223333:assumed-role/Admin/joe"], "unmapped.impersonatedUser": FULL["impersonatedUser"],
        })
        for name, kind in (("system:serviceaccount:kube-system:coredns", 4), ("system:node:ip-192-0-2-7", 3), ("system:anonymous", 3), ("joe", 1)):
            self.check(self.one(less(user={"username": name})), {"actor.user.type_id": kind})

    def test_the_role_session_where_there_is_no_canonical_arn(self):
        self.check(self.one(less(user={"extra": {"arn": ["arn:aws-cn:sts::444455556666:assumed-role/A/j"]}})), {
            "actor.session.issuer": "arn:aws-cn:sts::444455556666:assumed-role/A/j", "cloud.account.uid": "444455556666", "cloud.cloud_partition": "aws-cn",
            "unmapped.user": None,
        })

    def test_what_was_authorized(self):
        self.check(self.one(FULL), {"actor.authorizations": [{"decision": "forbid", "policy": {"name": "RBAC: no"}}],
                                    "unmapped.annotations": {"k8s.io/deprecated": "true"}})
        self.check(self.one(less(annotations={"authorization.k8s.io/reason": ""})), {"actor.authorizations": [{"decision": "forbid"}]})
        self.check(self.one(less("annotations")), {"actor.authorizations": None})

    def test_where_the_call_came_from(self):
        self.check(self.one(FULL), {"src_endpoint.ip": "198.51.100.10", "src_endpoint.intermediate_ips": ["192.0.2.1", "2001:db8::1"]})
        self.check(self.one(less(sourceIPs=["::1"])), {"src_endpoint": {"ip": "::1"}})

    def test_the_object(self):
        self.check(self.one(FULL), {"resources": [{"name": "web-0", "namespace": "ns-1", "uid": "99999999-0000-4000-8000-000000000000", "version": "42",
                                                   "type": "pods/exec"}]})
        self.check(self.one(less(objectRef={"subresource": None})), {"resources.0.type": "pods"})
        self.check(self.one(less("objectRef")), {"resources": None, "api.version": None})

    def test_what_every_event_gets(self):
        self.check(self.one(FULL), {
            "cloud.provider": "AWS", "cloud.account.uid": "111122223333", "cloud.account.type_id": 10, "cloud.cloud_partition": "aws",
            "metadata.log_level": "RequestResponse", "metadata.log_version": "audit.k8s.io/v1", "metadata.log_provider": "Amazon EKS",
            "metadata.product.name": "Amazon EKS", "metadata.product.vendor_name": "AWS", "metadata.product.feature.name": "Audit",
            "metadata.profiles": ["cloud"], "unmapped.stage": "ResponseComplete",
        })

    # ---- Nothing is lost ----

    def test_every_field_of_a_full_record_is_somewhere(self):
        self.nothing_lost(FULL, self.one(FULL), {
            "kind": "always the same", "requestURI": "as path and query", "requestReceivedTimestamp": "as start_time",
            "objectRef.resource": "with its subresource", "objectRef.subresource": "behind its resource",
        })

    def test_what_is_left_keeps_its_nesting(self):
        self.check(self.one(FULL), {
            "unmapped.responseStatus": {"metadata": {"continue": "token"}, "status": "Denied", "details": {"kind": "pod-detail"}},
        })
        self.assertEqual(self.one(FULL)["unmapped"]["user"]["extra"]["example.com/other"], ["x", "y"])

    def test_fields_that_came_later_are_kept_and_counted(self):
        event = self.one(less(later={"x": 1}, user={"a": 1}, objectRef={"b": 2}, responseStatus={"c": 3}))
        self.check(event, {"unmapped.later": {"x": 1}, "unmapped.user.a": 1, "unmapped.objectRef.b": 2, "unmapped.responseStatus.c": 3})
        self.assertEqual(self.stats()["parsers"][self.PARSER]["drift"], {"later": 1, "user.a": 1, "objectRef.b": 1, "responseStatus.c": 1})

    def test_a_list_with_more_than_one_value_is_kept_whole_besides(self):
        extra = {"accessKeyId": ["A", "B"], "arn": ["a", 1], "sessionName": "text", "principalId": []}
        event = self.one(less(user={"extra": extra}))
        self.check(event, {"actor.session.credential_uid": "A", "unmapped.user.extra.accessKeyId": ["A", "B"], "actor.session.issuer": "a",
                           "unmapped.user.extra.arn": ["a", 1], "actor.session.uid": None, "unmapped.user.extra.sessionName": "text"})

    # ---- What is absent or odd ----

    def test_absent_markers_leave_the_attribute_out(self):
        event = self.one(less(userAgent="", responseStatus={"message": "", "reason": None, "metadata": {}, "details": {}}, requestObject=None, responseObject={},
                              objectRef={"namespace": "", "uid": None}))
        self.check(event, {"http_request.user_agent": None, "api.response.error": None, "api.response.error_message": None, "api.request.data": None,
                           "api.response.data": None, "resources.0.namespace": None, "unmapped.responseStatus": {"status": "Denied"}})

    def test_a_caller_who_was_not_authenticated_is_the_program_at_most(self):
        self.check(self.one(less(user={})), {"actor.user": None, "actor.app_name": "kubectl/v1.31.0"})
        self.check(self.one(less("user", "userAgent")), {"actor.user": None, "actor.app_name": "unknown"})
        nobody = {"username": "", "uid": None, "groups": ["g\"1", "g2"], "extra": {"principalId": ["P"]}}
        self.check(self.one(less(user=nobody)), {"actor.user": None, "unmapped.user.groups": ["g\"1", "g2"], "unmapped.user.extra.principalId": ["P"]})

    def test_a_call_from_nowhere_came_from_the_service(self):
        self.check(self.one(less("sourceIPs")), {"src_endpoint": {"svc_name": "eks.amazonaws.com"}})
        self.check(self.one(less(sourceIPs=[])), {"src_endpoint": {"svc_name": "eks.amazonaws.com"}})

    def test_addresses_that_are_none_stay_text(self):
        self.check(self.one(less(sourceIPs=["12.000.22.33", "192.0.2.1", "proxy"])),
                   {"src_endpoint": {"hostname": "12.000.22.33", "intermediate_ips": ["192.0.2.1"]}, "unmapped.sourceIPs": ["192.0.2.1", "proxy"]})
        self.check(self.one(less(sourceIPs=["192.0.2.1", 7])), {"src_endpoint.ip": "192.0.2.1", "unmapped.sourceIPs": ["192.0.2.1", 7]})
        self.check(self.one(less(sourceIPs="192.0.2.1")), {"unmapped.sourceIPs": "192.0.2.1"})

    def test_a_request_needs_an_id(self):
        self.check(self.one(less("auditID")), {"api.request": None, "unmapped.requestObject": FULL["requestObject"], "metadata.original_event_uid": None})

    def test_times_without_a_zone_are_utc_and_the_earlier_one_stands_in(self):
        self.check(self.one(less(stageTimestamp="2026-03-01 08:00:00.5")), {"time": 1772352000500})
        self.check(self.one(less(stageTimestamp="soon")), {"time": 1772352000000, "unmapped.stageTimestamp": "soon"})
        self.check(self.one(less("requestReceivedTimestamp")), {"time": 1772352000120, "start_time": None})
        self.check(self.one(less(requestReceivedTimestamp="once")), {"start_time": None, "unmapped.requestReceivedTimestamp": "once"})

    def test_values_of_another_type_stay_as_they_were(self):
        odd = {"user": "text", "objectRef": ["x"], "responseStatus": 403, "annotations": "y", "verb": 5, "level": {"a": 1}}
        event = self.one(less(**odd))
        for name, value in odd.items():
            self.assertEqual(at(event, f"unmapped.{name}"), value)
        for code in ("403", 99999999999999999999, -1, 1.5):
            event = self.one(less(responseStatus={"code": code}))
            self.check(event, {"api.response.code": 403} if code == "403" else {"api.response.code": None, "unmapped.responseStatus.code": code, "status_id": 0})

    def test_text_stays_as_it_is(self):
        text = "\u00fc \"quoted\" \\ \u0001 \U0001f600"
        self.check(self.one(less(user={"username": text}, responseStatus={"message": text}, requestObject={"a": text})),
                   {"actor.user.name": text, "status_detail": text, "api.request.data.a": text})

    def test_requests_pass_as_they_stand(self):
        request = '{"n": 1.50, "e": 1e3, "big": 123456789012345678901234567890, "twice": 1, "twice": 2, "null": null, "u": "\\u00fc\\ud83d\\ude00"}'
        line = json.dumps(less("requestObject"))[:-1] + f', "requestObject": {request}}}'
        self.write("x", line)
        out = self.logmill("run", "x", "--to", "ndjson:-").stdout
        self.assertIn(request, out)

    def test_one_bad_record_costs_that_record(self):
        good = json.dumps(FULL)
        for bad in (json.dumps(less("stageTimestamp", "requestReceivedTimestamp")), json.dumps(less(apiVersion="events.k8s.io/v1")),
                    json.dumps(less(kind="EventList")), '{"a":1}', good[:-9]):
            events = self.read(f"{good}\n{bad}\n{good}\n", code=3)
            self.assertEqual([e["lineage"]["record"] for e in events], [0, 2])
        self.assertEqual(len(self.read(f"{good}\n{good[:300]}", code=3)), 1)

    def test_lines_arrays_and_documents_over_many_lines_are_read(self):
        for content in (f"{json.dumps(FULL)}\n{json.dumps(FULL)}\n", json.dumps([FULL, FULL]), json.dumps(FULL) * 2, json.dumps(FULL, indent=4) * 2):
            self.assertEqual(len(self.read(content)), 2)

    def test_cluster_and_account_come_from_the_log_group(self):
        def wrapped(record, group="/aws/eks/prod-1/cluster"):
            return self.one({"messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": group, "logStream": "kube-apiserver-audit-0123",
                             "logEvents": [{"id": "1", "timestamp": 1772352000000, "message": json.dumps(record)}]})
        event = wrapped(less(user={"extra": {"arn": ["arn:aws:sts::444455556666:assumed-role/Admin/joe"]}}))
        self.check(event, {"metadata.log_name": "/aws/eks/prod-1/cluster", "cloud.account.uid": "111122223333", "resources.0.group.name": "prod-1"})
        for group in ("audit", "/aws/eks//cluster", "/aws/eks/cluster", "/aws/eks/prod/other", "/aws/ecs/prod/cluster"):
            self.check(wrapped(FULL, group), {"metadata.log_name": group, "resources.0.group": None})

    def test_events_of_the_cluster_itself_are_not_its_audit_events(self):
        self.write("x", json.dumps({"kind": "Event", "apiVersion": "v1", "metadata": {"name": "web-0.1"}, "reason": "Scheduled"}))
        self.logmill("run", "x", "--to", "ndjson:-", "--stats", "stats.json", code=3)
        self.assertEqual(self.stats()["parsers"], {})


if __name__ == "__main__":
    mapping.unittest.main()
