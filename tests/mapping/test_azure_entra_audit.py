"""Audits of an Entra directory: which activity is which class, which field stands in which attribute, and that none is lost."""
import copy
import json

import mapping
from mapping import core, outer
from mapping import at

TENANT = "11111111-2222-3333-4444-555555555555"
ADA = {"id": "00000000-aaaa-4000-8000-00000000000a", "displayName": "Ada Admin", "userPrincipalName": "ada@example.com", "ipAddress": "203.0.113.10", "roles": []}
BOB = {"id": "00000000-bbbb-4000-8000-00000000000b", "displayName": "Bob Example", "type": "User", "userPrincipalName": "bob@example.com"}
APP = {"appId": "00000000-0001-4000-8000-000000000001", "displayName": "Provisioner", "servicePrincipalId": "00000000-cccc-4000-8000-00000000000c",
       "servicePrincipalName": "provisioner"}
GRAPH = {"id": "00000000-dddd-4000-8000-00000000000d", "displayName": "Microsoft Graph", "type": "ServicePrincipal"}


def changed(name, old, new):
    quoted = lambda value: value if value is None else json.dumps(value)  # noqa: E731
    return {"displayName": name, "oldValue": quoted(old), "newValue": quoted(new)}


FULL = {
    "time": "2026-03-02T09:14:09.5512030Z",
    "resourceId": f"/tenants/{TENANT}/providers/Microsoft.aadiam",
    "operationName": "Add member to role",
    "operationVersion": "1.0",
    "category": "AuditLogs",
    "tenantId": TENANT,
    "resultType": "",
    "resultSignature": "None",
    "durationMs": 0,
    "callerIpAddress": "203.0.113.11",
    "correlationId": "c0000000-0000-4000-8000-000000000001",
    "identity": "Ada Admin",
    "Level": 4,
    "properties": {
        "id": "Directory_c0000000_X1_42",
        "category": "RoleManagement",
        "correlationId": "c0000000-0000-4000-8000-000000000001",
        "result": "success",
        "resultReason": "All is well",
        "activityDisplayName": "Add member to role",
        "activityDateTime": "2026-03-02T09:14:07.551203+00:00",
        "loggedByService": "Core Directory",
        "operationType": "Assign",
        "userAgent": None,
        "initiatedBy": {"user": ADA, "app": None},
        "targetResources": [
            BOB | {"modifiedProperties": [changed("Role.DisplayName", None, "Global Administrator"),
                                          changed("Role.ObjectID", None, "00000000-eeee-4000-8000-00000000000e"),
                                          {"displayName": "Included", "oldValue": "[\"a\",\"b\"]", "newValue": "plain"}],
                   "administrativeUnits": []}],
        "additionalDetails": [{"key": "User-Agent", "value": "Mozilla/5.0"}, {"key": "ipaddr", "value": "203.0.113.12"}],
    },
}


def audit(activity=None, **changes):
    """FULL with changes of its properties; None takes one out."""
    record = copy.deepcopy(FULL)
    if activity:
        changes["activityDisplayName"] = activity
        record["operationName"] = activity
    for name, value in changes.items():
        record["properties"][name] = value
        if value is None:
            del record["properties"][name]
    return record


def row(record, strings):
    """The record as a row of Log Analytics; with objects as JSON text if `strings`."""
    p = record["properties"]
    columns = {key[0].upper() + key[1:]: json.dumps(value) if strings and isinstance(value, (dict, list)) else value
               for key, value in p.items() if key != "operationType"}
    return {"TenantId": "99999999-0000-4000-8000-000000000000", "SourceSystem": "Azure AD", "TimeGenerated": record["time"], **columns,
            "AADOperationType": p["operationType"], "ResourceId": record["resourceId"], "OperationName": record["operationName"],
            "OperationVersion": record["operationVersion"], "ResultSignature": "None", "CorrelationId": record["correlationId"], "Level": str(record["Level"]),
            "Identity": record["identity"], "AADTenantId": TENANT, "Type": "AuditLogs"}


class EntraAudit(mapping.Mapping):
    PARSER = "azure.entra_audit"

    # ---- The class ----

    def is_class(self, record, class_uid, activity):
        event = self.one(record)
        self.check(event, {"class_uid": class_uid, "activity_id": activity, "type_uid": class_uid * 100 + activity})
        return event

    def test_activities_on_users(self):
        for activity, names in {
            1: ["Add user", "Invite external user", "Create user", "ADD USER", "Add user "], 2: ["Enable account"],
            3: ["Change user password", "Change password (self-service)"],
            4: ["Reset user password", "Reset password (by admin)", "Reset password (self-service)"], 5: ["Disable account", "Block user from sign-in"],
            6: ["Delete user", "Hard Delete user"],
            10: ["User registered security info", "Admin registered security info", "User registered all required security info"],
            11: ["User deleted security info", "Admin deleted security info"], 12: ["Unlock user account (self-service)"], 99: ["Update user", "Restore user"],
        }.items():
            for name in names:
                event = self.is_class(audit(name, targetResources=[BOB]), 3001, activity)
                self.check(event, {"user.uid": BOB["id"], "user.name": "bob@example.com", "user.display_name": "Bob Example", "user.email_addr": "bob@example.com",
                                   "user.type_id": 1, "activity_name": name.strip() if activity == 99 else at(event, "activity_name")})
        self.is_class(audit("Set force change user password", category="UserManagement", targetResources=[BOB]), 3001, 99)

    def test_who_helps_himself_need_not_be_a_target(self):
        event = self.is_class(audit("Change password (self-service)", targetResources=[]), 3001, 3)
        self.check(event, {"user.uid": ADA["id"], "user.name": "ada@example.com"})

    def test_activities_on_groups(self):
        group = {"id": "00000000-ffff-4000-8000-00000000000f", "displayName": "Staff", "type": "Group"}
        for activity, names in {6: ["Add group"], 5: ["Delete group", "Hard Delete group"], 99: ["Update group", "Add owner to group"]}.items():
            for name in names:
                self.check(self.is_class(audit(name, targetResources=[group]), 3006, activity), {"group.uid": group["id"], "group.name": "Staff"})
        self.is_class(audit("Set group license", category="GroupManagement", targetResources=[group]), 3006, 99)
        # The group of a member stands in the member's modified properties.
        member = BOB | {"modifiedProperties": [changed("Group.ObjectID", None, group["id"]), changed("Group.DisplayName", None, "Staff")]}
        self.check(self.is_class(audit("Add member to group", targetResources=[member]), 3006, 3),
                   {"group.uid": group["id"], "group.name": "Staff", "user.uid": BOB["id"], "user.name": "bob@example.com"})
        former = BOB | {"modifiedProperties": [changed("Group.ObjectID", group["id"], None), changed("Group.DisplayName", "Staff", None)]}
        self.check(self.is_class(audit("Remove member from group", targetResources=[former]), 3006, 4), {"group.uid": group["id"], "group.name": "Staff"})

    def test_roles(self):
        for name in ("Add member to role", "Add eligible member to role", "Add member to role completed (PIM activation)"):
            self.check(self.is_class(audit(name), 3005, 1), {
                "privileges": ["Global Administrator"], "user.uid": BOB["id"], "user.name": "bob@example.com", "severity_id": 3,
                "resources": [{"uid": "00000000-eeee-4000-8000-00000000000e", "name": "Global Administrator", "type": "Role"}]})
        taken = BOB | {"modifiedProperties": [changed("Role.DisplayName", "Global Administrator", None)]}
        for name in ("Remove member from role", "Remove eligible member from role"):
            self.check(self.is_class(audit(name, targetResources=[taken], operationType="Unassign"), 3005, 2), {"privileges": ["Global Administrator"]})

    def test_a_service_principal_gets_and_loses_roles_as_a_user_does(self):
        for name, activity, change in (("Add member to role", 1, (None, "Global Administrator")), ("Add eligible member to role", 1, (None, "Global Administrator")),
                                       ("Remove member from role", 2, ("Global Administrator", None))):
            target = {"id": "sp-1", "displayName": "Exporter", "type": "ServicePrincipal", "modifiedProperties": [changed("Role.DisplayName", *change)]}
            self.check(self.is_class(audit(name, targetResources=[target]), 3005, activity), {
                "severity_id": 3, "user.uid": "sp-1", "user.name": "Exporter", "user.type_id": 4, "privileges": ["Global Administrator"],
                "resources": [{"name": "Global Administrator", "type": "Role"}]})

    def test_roles_of_privileged_identity_management(self):
        role = {"id": "r-1", "displayName": "Application Administrator", "type": "Role", "modifiedProperties": [changed("TemplateId", "", "t-1")]}
        targets = [role, {"id": "q-1", "type": "Request"}, BOB]
        self.check(self.is_class(audit("Add member to role in PIM completed (permanent)", targetResources=targets), 3005, 1), {
            "privileges": ["Application Administrator"], "user.uid": BOB["id"],
            "resources": [{"uid": "r-1", "name": "Application Administrator", "type": "Role"}]})
        # What is asked for is not had.
        for name in ("Add member to role in PIM requested (permanent)", "Add member to role request denied (PIM activation)",
                     "Add member to role approval requested (PIM activation)", "Add member to role canceled (PIM activation)"):
            self.check(self.is_class(audit(name, targetResources=targets, operationType="Add"), 3004, 1), {"entity.name": "Application Administrator"})

    def test_permissions_of_applications(self):
        grant = GRAPH | {"modifiedProperties": [changed("AppRole.Value", None, "Mail.Read"), changed("AppRole.DisplayName", None, "Read mail in all mailboxes"),
                                                changed("ServicePrincipal.ObjectID", None, "sp-1"), changed("ServicePrincipal.DisplayName", None, "Exporter")]}
        self.check(self.is_class(audit("Add app role assignment to service principal", targetResources=[grant]), 3005, 1), {
            "privileges": ["Mail.Read"], "user.uid": "sp-1", "user.name": "Exporter", "user.type_id": 4,
            "resources": [{"uid": GRAPH["id"], "name": "Microsoft Graph", "type": "ServicePrincipal"}]})
        of_user = GRAPH | {"modifiedProperties": [changed("AppRole.DisplayName", None, "Reader"), changed("User.ObjectID", None, BOB["id"]),
                                                  changed("User.UPN", None, "bob@example.com")]}
        self.check(self.is_class(audit("Add app role assignment grant to user", targetResources=[of_user]), 3005, 1),
                   {"privileges": ["Reader"], "user.uid": BOB["id"], "user.name": "bob@example.com", "user.type_id": 1})
        scope = GRAPH | {"modifiedProperties": [changed("DelegatedPermissionGrant.Scope", "User.Read", "User.Read Mail.ReadWrite"),
                                                changed("ServicePrincipal.ObjectID", None, "sp-1")]}
        self.check(self.is_class(audit("Add delegated permission grant", targetResources=[scope]), 3005, 1),
                   {"privileges": ["User.Read", "Mail.ReadWrite"], "user.uid": "sp-1"})
        self.check(self.is_class(audit("Remove delegated permission grant", targetResources=[scope]), 3005, 2), {"privileges": ["User.Read"]})
        consent = {"id": "sp-2", "displayName": "Phish", "type": "ServicePrincipal",
                   "modifiedProperties": [changed("ConsentAction.Permissions", None, "[] => [[Id: x, Scope: Mail.Read]]")]}
        self.check(self.is_class(audit("Consent to application", targetResources=[consent]), 3005, 1),
                   {"privileges": ["[] => [[Id: x, Scope: Mail.Read]]"], "user.uid": "sp-2", "user.name": "Phish", "user.type_id": 4})

    def test_without_a_privilege_or_a_user_it_is_a_change_of_an_entity(self):
        self.check(self.is_class(audit(targetResources=[BOB]), 3004, 99), {"activity_name": "Add member to role", "entity.uid": BOB["id"], "entity.type_id": 2})
        self.is_class(audit("Revoke consent", targetResources=[]), 3004, 99)
        self.is_class(audit("Disable account", targetResources=[]), 3004, 3 if FULL["properties"]["operationType"] == "Update" else 1)
        self.is_class(audit("Add member to group", targetResources=[BOB]), 3004, 1)

    def test_everything_else_is_a_change_of_an_entity(self):
        policy = {"id": "p-1", "displayName": "Require MFA", "type": "Policy"}
        for operation, activity in {"Add": 1, "Assign": 1, "Update": 3, "Delete": 4, "Unassign": 4}.items():
            self.check(self.is_class(audit("Change policy", operationType=operation, targetResources=[policy]), 3004, activity), {
                "entity.uid": "p-1", "entity.name": "Require MFA", "entity.type": "Policy", "entity.type_id": 5})
        for name, activity in {"Add policy": 1, "Create policy": 1, "Get policy": 2, "Read policy": 2, "Download users": 2, "Export policy": 2, "Update policy": 3,
                               "Set policy": 3, "Delete policy": 4, "Remove policy": 4, "Hard delete policy": 4, "Enable policy": 8, "Disable policy": 9,
                               "Policy viewed": 99}.items():
            self.is_class(audit(name, operationType="Other", targetResources=[policy]), 3004, activity)
        for kind, number in {"Device": 1, "User": 2, "Group": 3, "Directory": 4, "Policy": 5, "Application": 99, "Other": 99}.items():
            self.check(self.one(audit("Change it", targetResources=[{"id": "x", "type": kind}])), {"entity.type_id": number, "entity.type": kind})

    def test_without_a_target_the_activity_names_the_entity(self):
        for targets in ([], None, [{}]):
            self.check(self.is_class(audit("Update policy", operationType="Update", targetResources=targets), 3004, 3), {
                "entity.name": "Update policy", "entity.uid": None, "entity.type_id": None})

    # ---- Every other row of the mapping ----

    def test_times(self):
        self.check(self.one(FULL), {"time": 1772442847551, "metadata.original_time": "2026-03-02T09:14:07.551203+00:00", "metadata.logged_time": 1772442849551})
        self.check(self.one(audit(activityDateTime=None)), {"time": 1772442849551, "metadata.logged_time": None})
        self.check(self.one(outer(FULL, time="3/2/2026 9:14:09 AM")), {"metadata.logged_time": 1772442849000})
        for text in ("2026-03-02 09:14:07.551203100", "2026-03-02T09:14:07.5512030Z", "2026-03-02T11:14:07.551+02:00", "2026-03-02T9:14:07.551Z"):
            self.check(self.one(audit(activityDateTime=text)), {"time": 1772442847551, "metadata.original_time": text})

    def test_what_every_azure_event_has(self):
        self.check(self.one(FULL), {
            "metadata.product.name": "Microsoft Entra ID", "metadata.product.vendor_name": "Microsoft", "metadata.profiles": ["cloud"],
            "metadata.log_name": "AuditLogs", "metadata.log_provider": "Microsoft.aadiam", "metadata.log_level": "4", "metadata.log_version": "1.0",
            "metadata.original_event_uid": "Directory_c0000000_X1_42", "metadata.correlation_uid": FULL["correlationId"], "metadata.tenant_uid": TENANT,
            "metadata.event_code": "Add member to role", "metadata.source": "Core Directory", "cloud.provider": "Azure", "cloud.org.uid": TENANT,
            "cloud.account": None, "message": "Add member to role", "duration": None})

    def test_the_result(self):
        for result, status, text in (("success", 1, "Success"), ("failure", 2, "Failure"), ("timeout", 2, "timeout"), ("unknownFutureValue", 0, "unknownFutureValue")):
            self.check(self.one(audit(result=result)), {"status_id": status, "status": text, "status_detail": "All is well"})
        self.check(self.one(outer(audit(result=None, resultReason=""), resultType="Failure", resultDescription="No")), {"status_id": 2, "status_detail": "No"})
        self.check(self.one(audit(result=None)), {"status_id": 0})

    def test_the_severity(self):
        for name, severity in (("Add service principal credentials", 3), ("Set federation settings on domain", 3), ("Add owner to application", 3),
                               ("Update conditional access policy", 3), ("Update policy", 1)):
            self.check(self.one(audit(name, targetResources=[])), {"severity_id": severity})

    def test_who_did_it(self):
        self.check(self.one(FULL), {
            "actor.user.uid": ADA["id"], "actor.user.name": "ada@example.com", "actor.user.display_name": "Ada Admin", "actor.user.email_addr": "ada@example.com",
            "actor.user.type_id": 1, "actor.idp.tenant_uid": TENANT, "actor.app_name": None})
        self.check(self.one(audit(initiatedBy={"user": None, "app": APP})), {
            "actor.user.uid": APP["servicePrincipalId"], "actor.user.name": "provisioner", "actor.user.type_id": 4, "actor.app_name": "Provisioner",
            "actor.app_uid": APP["appId"], "unmapped.identity": "Ada Admin"})
        self.check(self.one(audit(initiatedBy={"user": ADA, "app": APP})), {
            "actor.user.uid": ADA["id"], "actor.app_name": "Provisioner", "unmapped.properties.initiatedBy.app.servicePrincipalId": APP["servicePrincipalId"]})
        self.check(self.one(outer(audit(initiatedBy={"app": {"displayName": "Azure Credential Configuration Endpoint Service"}}), identity=None)), {
            "actor.user": None, "actor.app_name": "Azure Credential Configuration Endpoint Service", "unmapped.identity": None})

    def test_the_system_is_no_actor(self):
        for initiator in ({}, {"user": None, "app": None}, None):
            self.check(self.one(audit(initiatedBy=initiator)), {"actor": None, "src_endpoint.ip": "203.0.113.11"})

    def test_where_from(self):
        self.check(self.one(FULL), {"src_endpoint.ip": "203.0.113.10", "unmapped.callerIpAddress": "203.0.113.11", "http_request.user_agent": "Mozilla/5.0"})
        for text, ip, port, kept in (("2001:db8::25", "2001:db8::25", None, None), ("203.0.113.9:443", "203.0.113.9", 443, None),
                                     ("[2001:db8::25]:443", "2001:db8::25", 443, None), ("127.0.0.0/8", None, None, "127.0.0.0/8")):
            self.check(self.one(outer(audit(initiatedBy={}), callerIpAddress=text)),
                       {"src_endpoint.ip": ip, "src_endpoint.port": port, "unmapped.callerIpAddress": kept})
            self.check(self.one(audit(initiatedBy={"user": ADA | {"ipAddress": text}})),
                       {"src_endpoint.ip": ip, "src_endpoint.port": port, "unmapped.properties.initiatedBy.user.ipAddress": kept})

    def test_the_user_agent(self):
        self.check(self.one(audit(userAgent="curl/8")), {"http_request.user_agent": "curl/8",
                                                         "unmapped.properties.additionalDetails": FULL["properties"]["additionalDetails"]})
        self.check(self.one(audit(additionalDetails=[{"key": "User-Agent", "value": "x"}])),
                   {"http_request.user_agent": "x", "unmapped.properties.additionalDetails": None})

    def test_modified_properties_are_kept_un_quoted(self):
        self.check(self.one(FULL), {"unmapped.properties.targetResources.0.modifiedProperties": [
            {"displayName": "Role.DisplayName", "newValue": "Global Administrator"},
            {"displayName": "Role.ObjectID", "newValue": "00000000-eeee-4000-8000-00000000000e"},
            {"displayName": "Included", "oldValue": ["a", "b"], "newValue": "plain"}]})
        for text, value in (("\"Say \\\"no\\\"\"", "Say \"no\""), ("{\"a\":1}", {"a": 1}), ("[broken", "[broken"), ("\"", "\""), ("", ""), ("17", "17")):
            target = {"id": "x", "type": "Policy", "modifiedProperties": [{"displayName": "P", "newValue": text}]}
            self.check(self.one(audit("Update policy", targetResources=[target])), {"unmapped.properties.targetResources.0.modifiedProperties.0.newValue": value})
        deep = {"id": "x", "type": "Policy", "modifiedProperties": [{"displayName": "P", "newValue": "[" * 100 + "]" * 100}]}
        self.check(self.one(audit("Update policy", targetResources=[deep])),
                   {"unmapped.properties.targetResources.0.modifiedProperties.0.newValue": "[" * 100 + "]" * 100})

    def test_a_target_that_the_row_tells_is_not_told_twice(self):
        self.check(self.one(audit("Delete user", targetResources=[BOB | {"modifiedProperties": [], "administrativeUnits": []}])),
                   {"user.uid": BOB["id"], "unmapped.properties.targetResources": None})
        self.check(self.one(audit("Delete user", targetResources=[BOB, GRAPH])), {"unmapped.properties.targetResources": [BOB, GRAPH]})

    # ---- Nothing is lost ----

    SAID = {"time": "metadata.logged_time", "resourceId": "the tenant, and metadata.log_provider", "properties.result": "status_id",
            "properties.targetResources[].modifiedProperties[].newValue": "un-quoted", "properties.targetResources[].modifiedProperties[].oldValue": "un-quoted",
            "resultSignature": "says that there is none", "durationMs": "0 says nothing"}

    def test_nothing_is_lost(self):
        self.nothing_lost(FULL, self.one(FULL), self.SAID)
        record = audit(initiatedBy={"user": ADA | {"roles": ["r"]}, "app": APP}, newThing={"a": [1]}, tenantGeo="EU")
        self.nothing_lost(record, self.one(record), self.SAID)

    def test_an_unknown_field_is_kept_and_told(self):
        event = self.one(outer(audit(newThing={"a": [1]}), outerThing="x"))
        self.check(event, {"unmapped.properties.newThing": {"a": [1]}, "unmapped.outerThing": "x"})
        self.assertEqual(self.stats()["parsers"][self.PARSER]["drift"], {"newThing": 1, "outerThing": 1})
        self.one(audit(initiatedBy={"user": ADA | {"a": 1}, "app": APP | {"b": 1}, "c": 1}))
        self.assertEqual(self.stats()["parsers"][self.PARSER]["drift"], {"initiatedBy.user.a": 1, "initiatedBy.app.b": 1, "initiatedBy.c": 1})

    def test_a_field_of_another_type_is_kept(self):
        event = self.one(audit("Update policy", initiatedBy="someone", targetResources="something", additionalDetails=7, id={"x": 1}, activityDateTime="soon"))
        self.check(event, {"unmapped.properties.initiatedBy": "someone", "unmapped.properties.targetResources": "something",
                           "unmapped.properties.additionalDetails": 7, "unmapped.properties.id": {"x": 1}, "unmapped.properties.activityDateTime": "soon",
                           "time": 1772442849551})

    # ---- The ways that records come ----

    def test_every_way_gives_the_same(self):
        record = outer(FULL, callerIpAddress=None)
        wanted = core(self.one(record))
        for other in (outer(record, properties=json.dumps(record["properties"])), {k.upper(): v for k, v in record.items()}, row(record, False), row(record, True)):
            self.assertEqual(core(self.one(other)), wanted)
        self.assertEqual(core(self.one(json.dumps({"records": [record]}))), wanted)
        graph = core(self.one(FULL["properties"]))
        for event in (wanted, graph):
            for name in ("log_name", "log_provider", "log_level", "log_version", "logged_time", "tenant_uid", "event_code"):
                event["metadata"].pop(name, None)
            event["cloud"].pop("org", None)
            event["actor"].pop("idp", None)
        self.assertEqual(graph, wanted)

    def test_a_row_without_its_activitys_name_is_read_by_its_operation(self):
        wanted = core(self.one(row(FULL, True)))
        for strings in (False, True):
            self.assertEqual(core(self.one(outer(row(FULL, strings), ActivityDisplayName=None))), wanted)
        self.check(self.one({"TimeGenerated": FULL["time"], "OperationName": "Update policy", "Type": "AuditLogs"}),
                   {"class_uid": 3004, "message": "Update policy", "metadata.log_name": "AuditLogs"})

    PORTAL = {"Date (UTC)": "2026-03-02T09:14:07Z", "CorrelationId": FULL["correlationId"], "Service": "Core Directory", "Category": "RoleManagement",
              "Activity": "Add member to role", "Result": "success", "ResultReason": "", "ActorType": "User", "ActorDisplayName": "Ada Admin", "ActorObjectId": ADA["id"],
              "ActorUserPrincipalName": "ada@example.com", "IPAddress": "203.0.113.10", "ActorServicePrincipalId": "", "ActorServicePrincipalName": "",
              "Target1Type": "User", "Target1DisplayName": "Bob Example", "Target1ObjectId": BOB["id"], "Target1UserPrincipalName": "bob@example.com",
              "Target1ModifiedProperty1Name": "Role.ObjectID", "Target1ModifiedProperty1OldValue": "", "Target1ModifiedProperty1NewValue": "\"r-1\"",
              "Target1ModifiedProperty2Name": "Role.DisplayName", "Target1ModifiedProperty2OldValue": "",
              "Target1ModifiedProperty2NewValue": "\"Global Administrator\"", "AdditionalDetail1Key": "User-Agent", "AdditionalDetail1Value": "Mozilla/5.0"}

    def test_a_row_of_the_portals_csv(self):
        quote = lambda text: '"' + text.replace('"', '""') + '"'  # noqa: E731
        for content in (json.dumps(self.PORTAL), ",".join(self.PORTAL) + "\n" + ",".join(map(quote, self.PORTAL.values())) + "\n"):
            self.check(self.one(content), {
                "class_uid": 3005, "activity_id": 1, "time": 1772442847000, "metadata.correlation_uid": FULL["correlationId"], "metadata.source": "Core Directory",
                "message": "Add member to role", "status_id": 1, "actor.user.uid": ADA["id"], "actor.user.name": "ada@example.com",
                "actor.user.display_name": "Ada Admin", "src_endpoint.ip": "203.0.113.10", "user.uid": BOB["id"], "user.name": "bob@example.com",
                "user.display_name": "Bob Example", "privileges": ["Global Administrator"], "resources.0.uid": "r-1", "http_request.user_agent": "Mozilla/5.0",
                "unmapped.category": "RoleManagement", "unmapped.Target1ModifiedProperty2Name": "Role.DisplayName"})
            self.assertEqual(self.stats()["parsers"][self.PARSER].get("drift", {}), {})

    def test_the_first_target_of_the_portals_csv_is_kept_where_the_row_does_not_tell_it(self):
        columns = ("Target1Type", "Target1DisplayName", "Target1ObjectId", "Target1UserPrincipalName")

        def check(activity, class_uid, values, kept):
            record = self.PORTAL | {"Activity": activity} | dict(zip(columns, values))
            self.check(self.one(record), {"class_uid": class_uid} | {f"unmapped.{name}": value if kept else None for name, value in zip(columns, values)})
        check("Add member to role", 3005, ("User", "Bob Example", BOB["id"], "bob@example.com"), False)
        check("Add member to role", 3005, ("ServicePrincipal", "Exporter", "sp-1", "exporter@example.com"), True)
        check("Change password (self-service)", 3001, ("Other", "Portal", "o-1", "portal@example.com"), True)
        check("Update group", 3006, ("Group", "Staff", "g-1", "staff@example.com"), True)
        check("Update policy", 3004, ("Policy", "Require MFA", "p-1", "policy@example.com"), True)

    def test_the_category_of_the_activity_is_kept_whichever_way_it_came(self):
        self.check(self.one(FULL), {"metadata.log_name": "AuditLogs", "unmapped.properties.category": "RoleManagement"})
        self.check(self.one(row(FULL, True)), {"metadata.log_name": "AuditLogs", "unmapped.Category": "RoleManagement"})
        self.check(self.one(FULL["properties"]), {"metadata.log_name": None, "unmapped.category": "RoleManagement"})
        self.check(self.one(outer(audit(category=None), category="RoleManagement")), {"metadata.log_name": "RoleManagement"})

    def test_levels(self):
        for level in (4, "4", "Informational"):
            self.check(self.one(outer(FULL, Level=None, level=level)), {"metadata.log_level": str(level)})

    # ---- What is no audit ----

    def test_a_record_of_another_category_is_foreign(self):
        others = [outer(FULL, category="SignInLogs"), {"category": "StorageRead", "time": FULL["time"]}, {"a": 1}]
        events = self.read("".join(json.dumps(record) + "\n" for record in [FULL, *others]), code=3, alone=True)
        self.assertEqual(len(events), 1)
        self.assertEqual(self.stats()["parsers"][self.PARSER]["rejects"], 3)

    def are_foreign(self, *others):
        events = self.read("".join(json.dumps(record) + "\n" for record in [FULL, *others]), code=3, alone=True)
        self.assertEqual(len(events), 1)
        stats = self.stats()["parsers"][self.PARSER]
        self.assertEqual(stats["rejects"], len(others))
        self.assertEqual(self.parsers_of(FULL), {self.PARSER})
        for record in others:
            self.assertNotIn(self.PARSER, self.parsers_of(record))

    def parsers_of(self, record):
        self.write("other/record.json", json.dumps(record) + "\n")
        return {event["lineage"]["parser"].split()[0] for event in self.events("other", code=None)}

    def test_what_has_an_activity_beside_the_portals_columns_is_foreign(self):
        risk = {"id": "r-1", "activity": "signin", "activityDateTime": "2026-03-02T09:14:07Z", "riskEventType": "unfamiliarFeatures", "riskLevel": "high"}
        provisioned = {"id": "p-1", "activityDisplayName": "Create", "activityDateTime": "2026-03-02T09:14:07Z", "loggedByService": "Account Provisioning"}
        envelope = {"time": FULL["time"], "resourceId": FULL["resourceId"], "operationName": "User Risk Detection"}
        self.are_foreign(
            envelope | {"category": "UserRiskEvents", "properties": risk}, envelope | {"properties": risk, "category": "UserRiskEvents"}, risk,
            {"TimeGenerated": FULL["time"], "Activity": "signin", "ActivityDateTime": FULL["time"], "OperationName": "User Risk Detection", "Type": "AADUserRiskEvents"},
            envelope | {"category": "B2CRequestLogs", "properties": risk}, {"time": FULL["time"], "level": "info", "Activity": "start", "Service": "shop"},
            envelope | {"properties": provisioned, "category": "ProvisioningLogs"}, envelope | {"category": "ProvisioningLogs", "properties": provisioned})

    def test_the_portals_columns_within_properties_or_without_its_date_are_unknown_fields(self):
        event = self.one(outer(audit(Activity="signin", **{"Date (UTC)": "2020-01-01"}), Service="shop"))
        self.check(event, {"message": "Add member to role", "time": 1772442847551, "metadata.source": "Core Directory",
                           "unmapped.properties.Activity": "signin", "unmapped.Service": "shop"})
        self.assertEqual(self.stats()["parsers"][self.PARSER]["drift"], {"Activity": 1, "Date (UTC)": 1, "Service": 1})

    def test_audit_logs_of_other_providers_are_foreign(self):
        fhir = "/SUBSCRIPTIONS/S/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.HEALTHCAREAPIS/SERVICES/FHIR"
        intune = outer(FULL, resourceId=None, operationName="Patch DeviceConfiguration", properties={
            "ActivityDate": "3/2/2026 9:14:07 AM", "ActivityType": 1, "Actor": {"ObjectId": ADA["id"], "UPN": "ada@example.com"}, "Targets": []})
        self.are_foreign(outer(FULL, resourceId=fhir), outer(FULL, resourceId=fhir, properties={"fhirResourceType": "Patient"}), intune,
                         outer(intune, properties=json.dumps(intune["properties"])))

    def test_an_audit_is_read_without_a_resource_or_a_name_of_its_activity(self):
        self.check(self.one(outer(FULL, resourceId=None)), {"message": "Add member to role"})
        self.check(self.one(outer(FULL, resourceId=FULL["resourceId"].upper())), {"message": "Add member to role"})
        for record in (audit(activityDisplayName=None), outer(FULL, properties=json.dumps(audit(activityDisplayName=None)["properties"])),
                       outer(FULL, properties={"initiatedBy": {"user": ADA}})):
            self.check(self.one(record), {"message": "Add member to role", "actor.user.uid": ADA["id"]})

    def test_a_cut_last_line_costs_itself(self):
        line = json.dumps(FULL)
        self.assertEqual(len(self.read(line + "\n" + line[:-40], code=3)), 1)

    def test_a_record_without_a_time_is_rejected(self):
        self.assertEqual(len(self.read(json.dumps(FULL) + "\n" + json.dumps(outer(audit(activityDateTime=None), time="?")) + "\n", code=3)), 1)


if __name__ == "__main__":
    mapping.unittest.main()
