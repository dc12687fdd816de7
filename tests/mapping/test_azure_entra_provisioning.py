"""What the provisioning service did: which identity is which class, which field stands in which attribute, and that none is lost."""
import copy
import json

import mapping
from mapping import core, outer

TENANT = "11111111-2222-3333-4444-555555555555"
FULL = {
    "time": "2026-03-02T12:00:02.0000000Z",
    "resourceId": f"/tenants/{TENANT}/providers/Microsoft.aadiam",
    "operationName": "Provisioning activity",
    "operationVersion": "1.0",
    "category": "ProvisioningLogs",
    "tenantId": TENANT,
    "resultType": "Success",
    "resultSignature": "None",
    "durationMs": 0,
    "correlationId": "c0000000-0000-4000-8000-000000000001",
    "Level": 4,
    "properties": {
        "id": "a0000000-0000-4000-8000-000000000001",
        "activityDateTime": "2026-03-02T12:00:00.1234567Z",
        "tenantId": TENANT,
        "jobId": "job-1",
        "cycleId": "cycle-1",
        "changeId": "b0000000-0000-4000-8000-000000000001",
        "action": "Create",
        "provisioningAction": "create",
        "durationInMilliseconds": 1250,
        "servicePrincipal": {"Id": "sp-1", "Name": "Example SaaS"},
        "sourceSystem": {"Id": "s-1", "Name": "Azure Active Directory", "details": {}},
        "targetSystem": {"Id": "t-1", "Name": "Example SaaS (target)", "details": {"ApplicationId": "app-1"}},
        "initiatedBy": {"Type": "system", "Id": "i-1", "Name": "Azure AD Provisioning Service"},
        "sourceIdentity": {"Id": "00000000-bbbb-4000-8000-00000000000b", "Name": "Bob Example", "identityType": "User",
                           "details": {"odatatype": "User", "UserPrincipalName": "bob.source@example.com"}},
        "targetIdentity": {"Id": "42", "Name": "Bob E.", "identityType": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
                           "details": {"UserPrincipalName": "bob@example.com"}},
        "provisioningStatusInfo": {"Status": "success", "errorInformation": None},
        "statusInfo": {"Status": 0},
        "provisioningSteps": [{"name": "EntryImportAdd", "provisioningStepType": 0, "status": 0, "description": "Received User", "details": {"a": "b"}},
                              {"name": "EntryExportAdd", "provisioningStepType": 3, "status": 0, "description": "User was created", "details": {}}],
        "modifiedProperties": [{"displayName": "active", "oldValue": None, "newValue": "True"}],
    },
}
ERROR = {"errorCode": "E-17", "reason": "The name is taken", "additionalDetails": "409", "errorCategory": "nonServiceFailure", "recommendedAction": "Rename"}


def full(**changes):
    record = copy.deepcopy(FULL)
    record["properties"] |= changes
    return record


def row(record, strings):
    columns = {key[0].upper() + key[1:]: json.dumps(value) if strings and isinstance(value, (dict, list)) else value for key, value in record["properties"].items()}
    return columns | {"TenantId": "99999999-0000-4000-8000-000000000000", "AADTenantId": TENANT, "TimeGenerated": record["time"], "OperationName": record["operationName"],
                      "OperationVersion": "1.0", "Category": "ProvisioningLogs", "CorrelationId": record["correlationId"], "Level": "4", "ResultType": record["resultType"],
                      "ResourceId": record["resourceId"], "Type": "AADProvisioningLogs"}


def graph(record):
    """As Microsoft Graph has it: names in camelCase, displayName for Name."""
    def small(value):
        if isinstance(value, list):
            return [small(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {"displayName" if key == "Name" else key[0].lower() + key[1:]: small(child) for key, child in value.items()}
    return small(record["properties"])


class EntraProvisioning(mapping.Mapping):
    PARSER = "azure.entra_provisioning"

    # ---- The class ----

    def test_the_identity_chooses_the_class_and_the_action_the_activity(self):
        for kind, class_uid, activities in (
                ("User", 3001, {"create": 1, "disable": 5, "delete": 6, "stagedDelete": 6, "update": 99, "other": 99}),
                ("urn:ietf:params:scim:schemas:core:2.0:Group", 3006, {"create": 6, "delete": 5, "update": 99, "disable": 99, "other": 99}),
                ("Role", 3004, {"create": 1, "update": 3, "delete": 4, "disable": 9, "other": 99})):
            for action, activity in activities.items():
                event = self.one(full(provisioningAction=action, action=None, targetIdentity={"Id": "42", "Name": "x", "identityType": kind}))
                self.check(event, {"class_uid": class_uid, "activity_id": activity, "type_uid": class_uid * 100 + activity})
                if activity == 99:
                    self.check(event, {"activity_name": action})

    def test_a_staged_delete_can_be_told_from_a_delete(self):
        for record in (full(provisioningAction="stagedDelete", action="Delete"), full(provisioningAction="stagedDelete", action=None)):
            self.check(self.one(record), {"activity_id": 6, "unmapped.properties.provisioningAction": "stagedDelete"})
        self.check(self.one(full(provisioningAction="delete", action="Delete")), {"activity_id": 6, "unmapped.properties.provisioningAction": None})

    def test_the_target_is_who_is_provisioned(self):
        self.check(self.one(FULL), {"user.uid": "42", "user.name": "bob@example.com", "user.display_name": "Bob E.", "user.email_addr": "bob@example.com",
                                    "user.domain": "example.com"})
        plain = {"Id": "42", "Name": "Bob E.", "identityType": "User", "details": {}}
        self.check(self.one(full(targetIdentity=plain)), {"user.name": "Bob E.", "user.display_name": None, "user.email_addr": None})
        self.check(self.one(full(targetIdentity=plain | {"identityType": "Group"})), {"group.uid": "42", "group.name": "Bob E."})
        self.check(self.one(full(targetIdentity=plain | {"identityType": "Role"})), {"entity.uid": "42", "entity.name": "Bob E.", "entity.type": "Role"})

    def test_of_a_skipped_create_there_is_the_source_alone(self):
        nobody = {"Id": "", "Name": "", "identityType": "User", "details": {}}
        self.check(self.one(outer(full(targetIdentity=nobody, provisioningStatusInfo={"Status": "skipped"}), resultType="Skipped")), {
            "class_uid": 3001, "user.uid": "00000000-bbbb-4000-8000-00000000000b", "user.name": "bob.source@example.com", "user.display_name": "Bob Example",
            "status_id": 99, "status": "skipped"})
        self.check(self.one(full(targetIdentity=nobody, sourceIdentity=nobody)), {"class_uid": 3004, "entity.name": "unknown", "entity.uid": None})
        self.check(self.one(full(targetIdentity=None, sourceIdentity=None)), {"class_uid": 3004, "entity.name": "unknown"})

    # ---- Every other row of the mapping ----

    def test_the_time_is_that_of_the_activity(self):
        self.check(self.one(FULL), {"time": 1772452800123, "metadata.original_time": "2026-03-02T12:00:00.1234567Z", "metadata.logged_time": 1772452802000,
                                    "duration": 1250})
        self.check(self.one(full(activityDateTime=None)), {"time": 1772452802000, "metadata.logged_time": None})

    def test_what_every_azure_event_has(self):
        self.check(self.one(FULL), {
            "metadata.product.name": "Microsoft Entra ID", "metadata.product.vendor_name": "Microsoft", "metadata.profiles": ["cloud"],
            "metadata.log_name": "ProvisioningLogs", "metadata.log_provider": "Microsoft.aadiam", "metadata.log_level": "4", "metadata.log_version": "1.0",
            "metadata.original_event_uid": FULL["properties"]["id"], "metadata.tenant_uid": TENANT, "metadata.event_code": "Provisioning activity",
            "cloud.provider": "Azure", "cloud.org.uid": TENANT, "cloud.account": None})

    def test_the_change_correlates(self):
        self.check(self.one(FULL), {"metadata.correlation_uid": FULL["properties"]["changeId"], "unmapped.correlationId": FULL["correlationId"]})
        self.check(self.one(full(changeId="")), {"metadata.correlation_uid": FULL["correlationId"], "unmapped.correlationId": None})

    def test_the_result(self):
        self.check(self.one(FULL), {"status_id": 1, "severity_id": 1, "status_code": None, "status_detail": "User was created"})
        for word, status, severity in (("failure", 2, 2), ("skipped", 99, 1), ("warning", 99, 1)):
            event = self.one(full(provisioningStatusInfo={"Status": word, "errorInformation": ERROR}))
            self.check(event, {"status_id": status, "severity_id": severity, "status_code": "E-17", "status_detail": "The name is taken",
                               "unmapped.resultType": "Success",
                               "unmapped.properties.provisioningStatusInfo.errorInformation.recommendedAction": "Rename"})
        self.check(self.one(outer(full(provisioningStatusInfo=None), resultType="Failure")), {"status_id": 2})

    def test_who_did_it(self):
        self.check(self.one(FULL), {"actor.app_name": "Azure AD Provisioning Service", "actor.app_uid": "i-1", "actor.user": None})
        self.check(self.one(full(initiatedBy={"Type": "user", "Id": "u-1", "Name": "Ada"})),
                   {"actor.user.uid": "u-1", "actor.user.name": "Ada", "actor.user.type_id": 1, "actor.app_name": None})
        self.check(self.one(full(initiatedBy={"Type": "system", "Id": "", "Name": ""})), {"actor": None})

    # ---- Nothing is lost ----

    def test_nothing_is_lost(self):
        said = {"time": "metadata.logged_time", "resourceId": "the tenant, and metadata.log_provider", "resultType": "status_id", "resultSignature": "says nothing",
                "durationMs": "0 says nothing", "properties.action": "activity_id", "properties.provisioningAction": "activity_id",
                "properties.provisioningStatusInfo.Status": "status_id"}
        self.nothing_lost(FULL, self.one(FULL), said)
        record = full(provisioningStatusInfo={"Status": "failure", "errorInformation": ERROR})
        self.nothing_lost(record, self.one(record), said)

    def test_an_unknown_field_is_kept_and_told(self):
        self.check(self.one(outer(full(newThing={"a": [1]}), outerThing="x")), {"unmapped.properties.newThing": {"a": [1]}, "unmapped.outerThing": "x"})
        self.assertEqual(self.stats()["parsers"][self.PARSER]["drift"], {"newThing": 1, "outerThing": 1})

    def test_a_field_of_another_type_is_kept(self):
        event = self.one(full(initiatedBy="someone", targetIdentity=7, provisioningStatusInfo="bad", durationInMilliseconds="long", activityDateTime="soon"))
        self.check(event, {"unmapped.properties.initiatedBy": "someone", "unmapped.properties.targetIdentity": 7, "unmapped.properties.provisioningStatusInfo": "bad",
                           "unmapped.properties.durationInMilliseconds": "long", "unmapped.properties.activityDateTime": "soon", "time": 1772452802000})

    # ---- The ways that records come ----

    def test_every_way_gives_the_same(self):
        wanted = core(self.one(FULL))
        for record in (outer(FULL, properties=json.dumps(FULL["properties"])), {k.upper(): v for k, v in FULL.items()}, row(FULL, False), row(FULL, True)):
            self.assertEqual(core(self.one(record)), wanted)
        self.assertEqual(core(self.one(json.dumps({"records": [FULL]}))), wanted)
        alone = core(self.one(graph(FULL)))
        for event in (wanted, alone):
            for name in ("log_name", "log_provider", "log_level", "log_version", "logged_time", "tenant_uid", "event_code"):
                event["metadata"].pop(name, None)
            event["cloud"].pop("org", None)
            event.pop("message", None)
        self.assertEqual(alone, wanted)

    # ---- What is no provisioning ----

    def test_a_record_of_another_category_is_foreign(self):
        others = [outer(FULL, category="SignInLogs"), {"a": 1}]
        events = self.read("".join(json.dumps(record) + "\n" for record in [FULL, *others]), code=3, alone=True)
        self.assertEqual(len(events), 1)
        self.assertEqual(self.stats()["parsers"][self.PARSER]["rejects"], 2)

    def test_a_cut_last_line_costs_itself(self):
        line = json.dumps(FULL)
        self.assertEqual(len(self.read(line + "\n" + line[:-40], code=3)), 1)

    def test_a_record_without_a_time_is_rejected(self):
        self.assertEqual(len(self.read(json.dumps(FULL) + "\n" + json.dumps(outer(full(activityDateTime=None), time="?")) + "\n", code=3)), 1)


if __name__ == "__main__":
    mapping.unittest.main()
