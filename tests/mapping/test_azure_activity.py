"""The Activity log: which field stands in which attribute, in each of its forms, and that none is lost."""
import copy
import json

import mapping
from mapping import at

SUBSCRIPTION = "99999999-0000-4000-8000-000000000009"
TENANT = "11111111-2222-3333-4444-555555555555"
ADA = "00000000-aaaa-4000-8000-00000000000a"
ACCOUNT = f"/SUBSCRIPTIONS/{SUBSCRIPTION}/RESOURCEGROUPS/RG1/PROVIDERS/MICROSOFT.STORAGE/STORAGEACCOUNTS/SA1"
XML = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
MS = "http://schemas.microsoft.com/identity/claims/"
AMR = "http://schemas.microsoft.com/claims/authnmethodsreferences"
DEVICE = "http://schemas.microsoft.com/2012/01/devicecontext/claims/identifier"
CLAIMS = {
    "aud": "https://management.core.windows.net/", "iss": f"https://sts.windows.net/{TENANT}/", "iat": "1772450000", "nbf": "1772450001", "exp": "1772453600",
    AMR: "pwd,mfa", MS + "objectidentifier": ADA, MS + "tenantid": TENANT, XML + "upn": " ada@example.com", XML + "name": "ada@example.com", "name": "Ada L.",
    "appid": "33333333-0000-4000-8000-000000000003", "uti": "dG9rZW4", "ipaddr": "203.0.113.44", "ver": "1.0", DEVICE: "44444444-0000-4000-8000-000000000004",
}
AUTHORIZATION = {
    "scope": "/subscriptions/scope", "action": "Microsoft.Storage/storageAccounts/listKeys/action",
    "evidence": {"role": "Owner", "roleAssignmentScope": "/subscriptions/x", "roleAssignmentId": "ra", "roleDefinitionId": "rd", "principalId": "pi", "principalType": "User"},
}
CALL = {
    "time": "2026-03-02T12:00:00.3554259Z", "resourceId": ACCOUNT, "operationName": "MICROSOFT.STORAGE/STORAGEACCOUNTS/LISTKEYS/ACTION", "category": "Administrative",
    "resultType": "Success", "resultSignature": "Succeeded.OK", "resultDescription": "done", "durationMs": "35", "callerIpAddress": "203.0.113.44",
    "correlationId": "55555555-0000-4000-8000-000000000005", "identity": {"authorization": AUTHORIZATION, "claims": CLAIMS}, "level": "Information", "location": "global",
    "tenantId": TENANT.upper(), "properties": {"eventCategory": "Administrative", "statusCode": "OK", "serviceRequestId": "66666666-0000-4000-8000-000000000006",
                                             "requestbody": '{"a":1}', "responseBody": '{"keys":2}', "entity": ACCOUNT, "hierarchy": f"{TENANT}/mg/{SUBSCRIPTION}"},
}
REST = {
    "authorization": AUTHORIZATION, "caller": "ada@example.com", "channels": "Operation", "claims": CLAIMS, "correlationId": "55555555-0000-4000-8000-000000000005",
    "description": "done", "eventDataId": "77777777-0000-4000-8000-000000000007", "eventName": {"value": "EndRequest", "localizedValue": "End request"},
    "category": {"value": "Administrative", "localizedValue": "Administrative"},
    "httpRequest": {"clientRequestId": "88888888-0000-4000-8000-000000000008", "clientIpAddress": "203.0.113.44", "method": "POST", "uri": "https://management.azure.com/x"},
    "id": ACCOUNT + "/events/1", "level": "Informational", "resourceGroupName": "rg1", "resourceProviderName": {"value": "Microsoft.Storage", "localizedValue": "Microsoft.Storage"},
    "resourceId": ACCOUNT, "resourceType": {"value": "Microsoft.Storage/storageAccounts", "localizedValue": "Microsoft.Storage/storageAccounts"},
    "operationId": "op", "operationName": {"value": "Microsoft.Storage/storageAccounts/listKeys/action", "localizedValue": "List Storage Account Keys"},
    "properties": {"statusCode": "OK", "serviceRequestId": "66666666-0000-4000-8000-000000000006", "requestbody": '{"a":1}', "responseBody": '{"keys":2}'},
    "status": {"value": "Succeeded", "localizedValue": "Done"}, "subStatus": {"value": "OK", "localizedValue": "OK (HTTP Status Code: 200)"},
    "eventTimestamp": "2026-03-02T12:00:00.3554259Z", "submissionTimestamp": "2026-03-02T12:02:00.1234567Z", "subscriptionId": SUBSCRIPTION, "tenantId": TENANT,
    "relatedEvents": [{"eventDataId": "r"}],
}
ROW = {
    "TenantId": "aaaaaaaa-0000-4000-8000-00000000000b", "SourceSystem": "Azure", "CallerIpAddress": "203.0.113.44", "CategoryValue": "Administrative",
    "CorrelationId": "55555555-0000-4000-8000-000000000005", "Authorization": json.dumps(AUTHORIZATION), "Authorization_d": AUTHORIZATION, "Claims": json.dumps(CLAIMS),
    "Claims_d": CLAIMS, "Level": "Informational", "OperationName": "List Storage Account Keys", "OperationNameValue": "Microsoft.Storage/storageAccounts/listKeys/action",
    "Properties": json.dumps(CALL["properties"]), "Properties_d": CALL["properties"], "Caller": "ada@example.com", "EventDataId": "77777777-0000-4000-8000-000000000007",
    "EventSubmissionTimestamp": "2026-03-02T12:02:00Z", "HTTPRequest": json.dumps(REST["httpRequest"]), "OperationId": "op", "ResourceGroup": "RG1",
    "ResourceProviderValue": "MICROSOFT.STORAGE", "ActivityStatusValue": "Success", "ActivitySubstatusValue": "OK", "ActivityStatus": "Done", "Hierarchy": "h",
    "TimeGenerated": "2026-03-02T12:00:00.3554259Z", "SubscriptionId": SUBSCRIPTION, "Type": "AzureActivity", "_ResourceId": ACCOUNT.lower(), "ResourceId": ACCOUNT,
}


def less(base, *names, **changes):
    return {key: value for key, value in copy.deepcopy(base).items() if key not in names} | changes


def claims(*names, **changes):
    return less(CALL, identity={"authorization": AUTHORIZATION, "claims": less(CLAIMS, *names) | changes})


def of(category, operation="Microsoft.X/y/z/action", **changes):
    return less(CALL, "identity", "properties", "resultType", category=category, operationName=operation, **changes)


class Activity(mapping.Mapping):
    PARSER = "azure.activity"

    # ---- Calls: every row of the mapping ----

    def test_a_call(self):
        self.check(self.one(CALL), {
            "class_uid": 6003, "activity_id": 2, "type_uid": 600302, "severity_id": 1, "time": 1772452800355, "metadata.original_time": "2026-03-02T12:00:00.3554259Z",
            "api.operation": "MICROSOFT.STORAGE/STORAGEACCOUNTS/LISTKEYS/ACTION", "api.service.name": "MICROSOFT.STORAGE", "duration": 35,
            "api.request.uid": "66666666-0000-4000-8000-000000000006", "api.request.data": {"a": 1}, "api.response.data": {"keys": 2}, "api.response.message": "OK",
            "status_id": 1, "status_code": "Succeeded.OK", "status_detail": "done",
        })

    def test_the_request_falls_back_to_the_correlation(self):
        event = self.one(less(CALL, properties={"requestbody": "not JSON"}))
        self.check(event, {"api.request.uid": "55555555-0000-4000-8000-000000000005", "api.request.data": "not JSON"})
        event = self.one(less(CALL, "correlationId", properties={"requestbody": '{"a":1}'}))
        self.check(event, {"api.request": None, "unmapped.properties.requestbody": {"a": 1}})

    def test_verbs_are_activities(self):
        for operation, activity in (("read", 2), ("delete", 4), ("WRITE", 3), ("listKeys/action", 2), ("getSecret/ACTION", 2), ("exportTemplate/action", 2), ("createSas/action", 1),
                                    ("generateKey/action", 1), ("regenerateKey/action", 3), ("restart/action", 3), ("move/action", 3), ("purge/action", 4),
                                    ("RevokeAccess/action", 4)):
            self.check(self.one(less(CALL, operationName="Microsoft.X/ys/" + operation)), {"activity_id": activity})
        self.check(self.one(less(CALL, operationName="Microsoft.X/ys/runCommand/action")), {"activity_id": 99, "activity_name": "runCommand", "type_uid": 600399})

    def test_a_write_that_created_is_told_from_an_update(self):
        write = less(CALL, operationName="Microsoft.X/ys/write")
        self.check(self.one(less(write, resultSignature="Succeeded.Created", properties={})), {"activity_id": 1})
        self.check(self.one(less(write, properties={"statusCode": "Created"})), {"activity_id": 1})
        self.check(self.one(less(write, resultSignature="201", properties={})), {"activity_id": 1, "api.response.code": 201})
        self.check(self.one(write), {"activity_id": 3})

    def test_results(self):
        for word, status in (("Success", 1), ("Succeeded", 1), ("Accept", 1), ("Accepted", 1), ("Failure", 2), ("Failed", 2), ("Start", 99), ("Started", 99), ("In Progress", 99)):
            event = self.one(less(CALL, resultType=word))
            self.check(event, {"status_id": status, "status": {1: "Success", 2: "Failure", 99: word}[status], "unmapped.resultType": word if word.startswith("Acc") else None})
        self.check(self.one(less(CALL, "resultType")), {"status_id": None})

    def test_start_and_end_of_a_call_are_two_rows_of_one_correlation(self):
        start = less(CALL, resultType="Start", resultSignature="Started.", durationMs="0")
        events = self.read(json.dumps(start) + "\n" + json.dumps(CALL))
        self.assertEqual({at(e, "metadata.correlation_uid") for e in events}, {"55555555-0000-4000-8000-000000000005"})
        self.check(events[0], {"status": "Start", "status_code": "Started.", "duration": None})

    def test_an_error_within_the_status_message(self):
        for message in ('{"error":{"code":"Conflict","message":"in use"}}', '{"code":"Conflict","message":"in use"}'):
            self.check(self.one(less(CALL, properties={"statusMessage": message, "statusCode": "409"})), {
                "api.response.error": "Conflict", "api.response.error_message": "in use", "api.response.data": json.loads(message), "api.response.code": 409,
                "api.response.message": "409"})
        both = self.one(less(CALL, properties={"statusMessage": '"text"', "responseBody": "{\"b\":1}"}))
        self.check(both, {"api.response.data": {"b": 1}, "unmapped.properties.statusMessage": "\"text\"", "api.response.error": None})

    def test_who_called(self):
        self.check(self.one(CALL), {
            "actor.user.name": "ada@example.com", "actor.user.uid": ADA, "actor.user.display_name": "Ada L.", "actor.user.email_addr": "ada@example.com", "actor.user.type_id": 1,
            "actor.app_uid": "33333333-0000-4000-8000-000000000003", "actor.app_name": None, "actor.idp.issuer": f"https://sts.windows.net/{TENANT}/",
            "actor.idp.tenant_uid": TENANT, "actor.session.uid_alt": "dG9rZW4", "actor.session.created_time": 1772450000000, "actor.session.expiration_time": 1772453600000,
            "actor.session.is_mfa": True,
        })

    def test_names_of_claims_are_short_or_uris(self):
        short = less(CALL, identity={"claims": {"upn": "ada@example.com", "oid": ADA, "tid": TENANT, "amr": "pwd"}})
        self.check(self.one(short), {"actor.user.name": "ada@example.com", "actor.user.uid": ADA, "actor.idp.tenant_uid": TENANT, "actor.session.is_mfa": False})
        self.check(self.one(short | {"identity": {"claims": {"amr": ["pwd", "mfa"], "oid": ADA}}}), {"actor.session.is_mfa": True})
        self.check(self.one(short | {"identity": {"claims": {"oid": ADA}}}), {"actor.session": None})

    def test_claims_and_all_else_may_be_texts(self):
        text = less(CALL, identity=json.dumps({"authorization": json.dumps(AUTHORIZATION), "claims": json.dumps(CLAIMS)}), properties=json.dumps(CALL["properties"]))
        core = {path: at(self.one(CALL), path) for path in ("actor", "api", "src_endpoint", "unmapped", "status_id", "activity_id")}
        self.check(self.one(text), core)
        self.check(self.one(less(CALL, identity="someone", properties="no JSON {")), {"unmapped.identity": "someone", "unmapped.properties": "no JSON {"})

    def test_a_service_is_no_user(self):
        event = self.one(less(CALL, identity={"claims": {"appid": "a", MS + "objectidentifier": ADA}, "authorization": {"evidence": {"principalType": "ServicePrincipal"}}}))
        self.check(event, {"actor.user.uid": ADA, "actor.user.type_id": 4, "actor.user.name": None, "unmapped.identity.authorization.evidence.principalType": "ServicePrincipal"})

    def test_the_principal_stands_in_for_the_object_id_unless_it_is_a_group(self):
        self.check(self.one(claims(MS + "objectidentifier")), {"actor.user.uid": "pi", "unmapped.identity.authorization.evidence.principalId": None})
        self.check(self.one(CALL), {"actor.user.uid": ADA, "unmapped.identity.authorization.evidence.principalId": "pi"})
        group = copy.deepcopy(AUTHORIZATION)
        group["evidence"]["principalType"] = "Group"
        self.check(self.one(less(CALL, identity={"authorization": group, "claims": {"upn": "ada@example.com"}})),
                   {"actor.user.uid": None, "unmapped.identity.authorization.evidence.principalId": "pi"})

    def test_roles_are_authorizations(self):
        self.check(self.one(CALL), {"actor.authorizations": [{"decision": "Allowed", "policy": {"name": "Owner", "uid": "rd"}}]})
        for denied in ({"resultSignature": "Failed.Forbidden", "properties": {}}, {"resultSignature": "403", "properties": {}}, {"properties": {"statusCode": "Forbidden"}},
                       {"resultSignature": "Forbidden (HTTP Status Code: 403)", "properties": {}},
                       {"resultSignature": "", "properties": {"statusMessage": json.dumps({"error": {"code": "AuthorizationFailed", "message": "no"}})}}):
            self.check(self.one(less(CALL, **denied)), {"actor.authorizations.0.decision": "Denied"})

    def test_where_the_call_came_from(self):
        self.check(self.one(CALL), {"src_endpoint.ip": "203.0.113.44", "src_endpoint.uid": "44444444-0000-4000-8000-000000000004", "src_endpoint.svc_name": None})
        self.check(self.one(less(CALL, "callerIpAddress")), {"src_endpoint.ip": "203.0.113.44"})
        self.check(self.one(less(CALL, "identity", callerIpAddress="[2001:DB8::1]:443")), {"src_endpoint.ip": "2001:db8::1", "src_endpoint.port": 443})
        self.check(self.one(less(CALL, "identity", callerIpAddress="127.0.0.0/8")),
                   {"src_endpoint.ip": None, "src_endpoint.svc_name": "MICROSOFT.STORAGE", "unmapped.callerIpAddress": "127.0.0.0/8"})
        self.check(self.one(less(CALL, callerIpAddress="198.51.100.9")), {"src_endpoint.ip": "198.51.100.9", "unmapped.identity.claims.ipaddr": "203.0.113.44"})

    def test_the_resource(self):
        self.check(self.one(CALL), {
            "resources": [{"uid": ACCOUNT, "uid_alt": ACCOUNT.lower(), "name": "SA1", "type": "MICROSOFT.STORAGE/STORAGEACCOUNTS", "group": {"name": "RG1"}, "role": "Target",
                           "role_id": 1}],
            "cloud.account.uid": SUBSCRIPTION, "cloud.account.type_id": 13})
        self.assertEqual(at(self.one(less(CALL, resourceId=ACCOUNT.title())), "resources.0.uid_alt"), ACCOUNT.lower())

    def test_the_region_is_the_resources_not_where_the_event_was_processed(self):
        self.check(self.one(CALL), {"cloud.region": None, "unmapped.location": "global"})
        self.check(self.one(less(CALL, properties={"eventProperties": {"resourceLocation": "West Europe"}})), {"cloud.region": "westeurope"})

    def test_what_all_azure_events_have(self):
        self.check(self.one(CALL), {
            "cloud.provider": "Azure", "cloud.org.uid": TENANT, "metadata.tenant_uid": TENANT, "metadata.product.name": "Azure Activity Log",
            "metadata.product.vendor_name": "Microsoft", "metadata.log_name": "Administrative", "metadata.log_provider": "MICROSOFT.STORAGE", "metadata.log_level": "Information",
            "metadata.event_code": "MICROSOFT.STORAGE/STORAGEACCOUNTS/LISTKEYS/ACTION", "metadata.correlation_uid": "55555555-0000-4000-8000-000000000005"})

    def test_levels_are_severities(self):
        for level, severity in (("Informational", 1), ("Warning", 3), ("Error", 4), ("Critical", 5), (4, 1), ("4", 1)):
            self.check(self.one(less(CALL, level=level)), {"severity_id": severity, "metadata.log_level": str(level)})
        self.check(self.one(less(CALL, level="Odd")), {"severity_id": 99, "severity": "Odd"})

    def test_next_to_nothing_makes_a_call(self):
        self.check(self.one({"time": "1/9/2026 10:41:00 AM +01:00", "category": "Administrative"}), {
            "class_uid": 6003, "activity_id": 0, "time": 1767951660000, "api.operation": "Unknown", "src_endpoint.svc_name": "Azure Resource Manager",
            "actor.app_name": "Azure Resource Manager", "resources": None})

    # ---- Findings ----

    def test_security_alerts(self):
        event = self.one(of("Security", resultType="Active", properties={"eventProperties": {
            "title": "Brute force", "severity": "High", "compromisedEntity": "vm1", "attackedResourceType": "VM", "description": "attempts"}}, resultDescription=""))
        self.check(event, {
            "class_uid": 2004, "activity_id": 1, "severity_id": 4, "status_id": 1, "is_alert": True, "finding_info.title": "Brute force", "finding_info.desc": "attempts",
            "finding_info.types": ["Security"], "finding_info.uid": "55555555-0000-4000-8000-000000000005", "resources.0.name": "SA1",
            "unmapped.properties.eventProperties": {"compromisedEntity": "vm1", "attackedResourceType": "VM"}, "unmapped.callerIpAddress": "203.0.113.44"})
        for word, activity, status in (("Resolved", 3, 4), ("Dismissed", 3, 99), ("In Progress", 1, 2), ("Active", 1, 1)):
            self.check(self.one(of("Security", resultType=word)), {"activity_id": activity, "status_id": status})

    def test_severities_of_alerts(self):
        for word, severity in (("Low", 2), ("Medium", 3), ("High", 4), ("Critical", 5)):
            self.check(self.one(of("Security", properties={"severity": word})), {"severity_id": severity})
        self.check(self.one(of("Security", properties={"severity": "Odd"})), {"severity_id": 99, "severity": "Odd"})
        self.check(self.one(of("Security", level="Warning")), {"severity_id": 3})

    def test_metric_alerts(self):
        for word, activity, status in (("Activated", 1, 1), ("Updated", 2, 99), ("Resolved", 3, 4)):
            self.check(self.one(of("Alert", resultType=word, properties={"RuleName": "cpu", "Threshold": "80"})),
                       {"class_uid": 2004, "activity_id": activity, "status_id": status, "finding_info.title": "cpu", "unmapped.properties.Threshold": "80"})

    def test_a_finding_without_ids_is_named_by_its_content(self):
        one, same, other = (self.one(less(of("Alert", level=level), "correlationId")) for level in ("Error", "Error", "Warning"))
        self.assertEqual(at(one, "finding_info.uid"), at(same, "finding_info.uid"))
        self.assertNotEqual(at(one, "finding_info.uid"), at(other, "finding_info.uid"))
        self.check(one, {"finding_info.title": "Microsoft.X/y/z/action"})

    def test_policies(self):
        policies = json.dumps([{"policyDefinitionName": "def-1", "policyDefinitionDisplayName": "Only EU", "policyAssignmentName": "as-1", "policyDefinitionEffect": "Deny"}])
        event = self.one(of("Policy", "Microsoft.Authorization/policies/deny/action", properties={"policies": policies, "isComplianceCheck": "False"}))
        self.check(event, {
            "class_uid": 2003, "activity_id": 1, "compliance.status_id": 3, "compliance.control": "def-1", "compliance.standards": ["as-1"], "finding_info.title": "Only EU",
            "finding_info.types": ["Policy"], "unmapped.properties": {"policies": policies, "isComplianceCheck": "False"}})
        for effect, status in (("audit", 3), ("auditIfNotExists", 3), ("append", 2), ("modify", 2), ("deployIfNotExists", 2), ("other", 0)):
            self.check(self.one(of("Policy", f"Microsoft.Authorization/policies/{effect}/action")), {"compliance.status_id": status})

    def test_recommendations(self):
        self.check(self.one(of("Recommendation", properties={"recommendationCategory": "Cost", "recommendationImpact": "High", "recommendationName": "Shut down"})), {
            "class_uid": 2003, "compliance.category": "Cost", "finding_info.title": "Shut down", "unmapped.properties": {"recommendationImpact": "High"}})

    # ---- Health and scale ----

    def test_health_and_scale_are_base_events(self):
        for category, operation, name in (("ServiceHealth", "Microsoft.ServiceHealth/incident/action", "incident"),
                                          ("ResourceHealth", "Microsoft.Resourcehealth/healthevent/Updated/action", "Updated"),
                                          ("Autoscale", "Microsoft.Insights/AutoscaleSettings/Scaleup/Action", "Scaleup")):
            event = self.one(of(category, operation, resultType="Updated", properties={"eventCategory": category, "eventProperties": {"cause": "PlatformInitiated"}}))
            self.check(event, {"class_uid": 0, "activity_id": 99, "activity_name": name, "type_uid": 99, "status_id": 99, "status": "Updated",
                               "unmapped.properties": {"eventProperties": {"cause": "PlatformInitiated"}}, "unmapped.resourceId": ACCOUNT})

    # ---- Forms ----

    def test_old_exports_have_the_verb_for_a_category(self):
        for verb in ("Write", "Delete", "Action"):
            self.check(self.one(less(CALL, category=verb)), {"class_uid": 6003, "metadata.log_name": verb, "unmapped.properties.eventCategory": "Administrative"})
        self.check(self.one(less(CALL, category="Action", properties={"eventCategory": "ResourceHealth"})), {"class_uid": 0})

    def test_the_form_of_the_rest_interface_is_the_same_call(self):
        event = self.one(REST)
        wanted = self.one(less(CALL, operationName="Microsoft.Storage/storageAccounts/listKeys/action"))
        same = ("class_uid", "activity_id", "time", "actor", "api.operation", "api.request", "api.response", "src_endpoint", "resources", "status_id", "status_detail",
                "cloud", "severity_id", "metadata.correlation_uid", "metadata.tenant_uid", "metadata.event_code")
        self.check(event, {path: at(wanted, path) for path in same})
        self.check(event, {
            "status_code": "OK", "metadata.original_event_uid": "77777777-0000-4000-8000-000000000007", "metadata.logged_time": 1772452920123, "http_request.http_method": "POST",
            "http_request.uid": "88888888-0000-4000-8000-000000000008", "http_request.url.url_string": "https://management.azure.com/x", "unmapped.caller": None,
            "unmapped.status": {"localizedValue": "Done"}, "unmapped.eventName": {"value": "EndRequest", "localizedValue": "End request"}, "unmapped.resourceType": None,
            "unmapped.operationName": {"localizedValue": "List Storage Account Keys"}})
        self.assertEqual(len(self.read(json.dumps([REST, REST]))), 2)

    def test_a_caller_that_is_an_id_is_a_service(self):
        self.check(self.one(less(REST, "claims", "authorization", caller=ADA)), {"actor.user.uid": ADA, "actor.user.name": None, "actor.user.type_id": 4})
        self.check(self.one(less(REST, "claims", "authorization")), {"actor.user.name": "ada@example.com", "actor.user.type_id": 1})
        self.check(self.one(less(REST, caller="other@example.com")), {"actor.user.name": "ada@example.com", "unmapped.caller": "other@example.com"})

    def test_a_value_may_be_null(self):
        self.check(self.one(less(REST, subStatus={"value": None, "localizedValue": None}, eventName=None)), {"status_code": None, "class_uid": 6003})

    def test_a_name_of_another_type_is_kept(self):
        more = {"value": "EndRequest", "localizedValue": "EndRequest", "language": "en"}
        for odd in (7, ["EndRequest"], {"value": 7}, more):
            self.check(self.one(less(REST, eventName=odd, resourceType=odd)), {"class_uid": 6003, "unmapped.eventName": odd, "unmapped.resourceType": odd})

    def test_a_row_of_the_table_is_the_same_call(self):
        event = self.one(ROW, "am-azureactivity/x.json")
        wanted = self.one(less(CALL, operationName="Microsoft.Storage/storageAccounts/listKeys/action"))
        same = ("class_uid", "activity_id", "time", "actor", "api.operation", "api.request", "api.response", "src_endpoint", "status_id", "cloud.account", "severity_id",
                "metadata.correlation_uid", "metadata.event_code", "resources.0.uid_alt")
        self.check(event, {path: at(wanted, path) for path in same})
        self.check(event, {
            "metadata.log_name": "AzureActivity", "metadata.tenant_uid": None, "cloud.org": None, "unmapped.TenantId": "aaaaaaaa-0000-4000-8000-00000000000b",
            "unmapped.CategoryValue": "Administrative", "unmapped.OperationName": "List Storage Account Keys", "unmapped.ActivityStatus": "Done", "http_request.http_method": "POST"})

    def test_old_columns_stand_in_for_missing_values(self):
        event = self.one(less(ROW, "ActivityStatusValue", "Claims_d", "Authorization_d", "Properties_d"))
        self.check(event, {"status_id": 99, "status": "Done", "actor.user.uid": ADA, "actor.authorizations.0.policy.name": "Owner", "api.response.message": "OK"})

    def test_rows_of_other_tables_and_records_of_other_categories_are_foreign(self):
        call = less(CALL, "identity", "properties")
        for other in (less(ROW, Type="SigninLogs"), call | {"category": "StorageRead", "operationName": "GetBlob"}, call | {"category": "Security", "operationName": "Scan"}):
            self.write("mixed", json.dumps(CALL) + "\n" + json.dumps(other))
            self.logmill("run", "mixed", "--plugin", self.PARSER, "--to", "ndjson:-", "--rejects", "rejects", code=None)
            said = "".join(path.read_text() for path in sorted((self.dir / "rejects").glob("*.ndjson")))
            self.assertIn('"foreign"', said, other)

    def test_a_type_that_is_no_table_is_a_field_like_others(self):
        self.check(self.one(less(CALL, type="x")), {"class_uid": 6003, "unmapped.type": "x"})

    # ---- Nothing is lost ----

    def portal(self, *rows, code=0):
        header = "Correlation id,Operation name,Status,Event category,Level,Time,Subscription,Event initiated by,Resource type,Resource group,Resource"
        return self.read("".join(line + "\r\n" for line in (header, *rows)), code=code)

    def test_the_csv_of_the_portal(self):
        resource = ACCOUNT.lower()
        call, health, caller, failed = self.portal(
            f"k-1,List Storage Account Keys,Succeeded,Administrative,Informational,2026-03-02T12:00:00.355Z,{SUBSCRIPTION},ada@example.com,Microsoft.Storage/storageAccounts,rg1,{resource}",
            f"k-2,Health Event Updated,Updated,Resource Health,Warning,3/2/2026 12:05:07 PM,Pay as you go,,Microsoft.Storage/storageAccounts,rg1,{resource}",
            f'k-3,"Delete ""it"", all",Failed,Administrative,Error,2026-03-02T12:06:00Z,{SUBSCRIPTION},{ADA},Microsoft.Storage/storageAccounts,rg1,sa1',
            f"k-4,A finding,Active,Security,Warning,2026-03-02T12:07:00Z,{SUBSCRIPTION},Microsoft.Security,,,")
        self.check(call, {"class_uid": 6003, "activity_id": 2, "time": 1772452800355, "api.operation": "List Storage Account Keys", "actor.user.name": "ada@example.com",
                          "actor.user.email_addr": "ada@example.com", "metadata.correlation_uid": "k-1", "metadata.log_name": "Administrative", "status_id": 1,
                          "resources.0.uid": resource, "resources.0.name": "sa1", "resources.0.group.name": "rg1", "cloud.account.uid": SUBSCRIPTION, "unmapped": None})
        self.check(health, {"class_uid": 0, "severity_id": 3, "time": 1772453107000, "unmapped.Subscription": "Pay as you go", "metadata.log_name": "Resource Health"})
        self.check(caller, {"activity_id": 4, "api.operation": 'Delete "it", all', "status_id": 2, "severity_id": 4, "actor.user.uid": ADA, "actor.user.type_id": 4,
                            "resources": None, "cloud.account.uid": SUBSCRIPTION, "unmapped": {
                                "Resource": "sa1", "Resource type": "Microsoft.Storage/storageAccounts", "Resource group": "rg1"}})
        self.check(failed, {"class_uid": 2004, "finding_info.title": "A finding", "unmapped.Event initiated by": "Microsoft.Security"})
        self.assertEqual(len(self.portal(f"k-1,List,Succeeded,Administrative,Informational,?,{SUBSCRIPTION},a,b,c,d", code=3)), 0)

    def test_every_field_of_a_resource_log_has_its_place(self):
        source = less(CALL, newField={"x": [1, "y"]}, roleLocation="north", ReleaseVersion="6.2", callerIpAddress="198.51.100.7")
        self.nothing_lost(source, self.one(source), {
            f"identity.claims.{XML}upn": "trimmed", "identity.claims.iat": "as created_time", "identity.claims.exp": "as expiration_time", "tenantId": "in lower case",
            "properties.requestbody": "as JSON", "properties.responseBody": "as JSON", "resultType": "as status_id"})
        self.assertIn("newField", json.dumps(self.stats()))

    def test_every_field_of_the_rest_interface_has_its_place(self):
        source = less(REST, newField=True)
        self.nothing_lost(source, self.one(source), {
            f"claims.{XML}upn": "trimmed", "claims.iat": "as created_time", "claims.exp": "as expiration_time", "properties.requestbody": "as JSON",
            "properties.responseBody": "as JSON", "submissionTimestamp": "as logged_time", "status.value": "as status_id", "resourceGroupName": "of the resource",
            "resourceProviderName.value": "of the resource", "resourceProviderName.localizedValue": "the same", "resourceType.value": "of the resource",
            "resourceType.localizedValue": "the same"})

    def test_every_field_of_a_row_has_its_place(self):
        source = less(ROW, "Authorization", "Claims", "Properties", "HTTPRequest", NewColumn="n")
        self.nothing_lost(source, self.one(source), {
            f"Claims_d.{XML}upn": "trimmed", "Claims_d.iat": "as created_time", "Claims_d.exp": "as expiration_time", "Properties_d.requestbody": "as JSON",
            "Properties_d.responseBody": "as JSON", "EventSubmissionTimestamp": "as logged_time", "ActivityStatusValue": "as status_id",
            "_ResourceId": "as ResourceId", "ResourceGroup": "in the id", "ResourceProviderValue": "in the id"})

    def test_every_field_of_other_categories_has_its_place(self):
        for category in ("Security", "Alert", "Policy", "Recommendation", "ServiceHealth", "ResourceHealth", "Autoscale"):
            source = less(CALL, category=category, operationName="Microsoft.X/y/z/action", resultType="Active",
                          properties={"severity": "Low", "title": "t", "statusCode": "200", "deep": {"a": [None, {"b": "c"}]}, "RuleName": "r", "description": "d"})
            self.nothing_lost(source, self.one(source), {"tenantId": "in lower case", "resultType": "as status_id", **({} if category.endswith("th") or category == "Autoscale" else
                                                                                                                  {"properties.severity": "as severity_id"})})

    def test_what_cannot_be_read_is_kept(self):
        event = self.one(less(claims(iat="soon", exp="-1"), durationMs="long"))
        self.check(event, {"actor.session.created_time": None, "unmapped.identity.claims.iat": "soon", "unmapped.identity.claims.exp": "-1", "duration": None,
                           "unmapped.durationMs": "long"})
        self.check(self.one(less(REST, submissionTimestamp="later")), {"metadata.logged_time": None, "unmapped.submissionTimestamp": "later"})

    def test_absent_values_leave_nothing(self):
        empty = less(CALL, "identity", "properties", correlationId="", resultDescription="-", callerIpAddress="N/A", location="", tenantId="00000000-0000-0000-0000-000000000000",
                     properties={"statusCode": "", "entity": None, "x": {}}, identity={"claims": {}, "authorization": None})
        event = self.one(empty)
        self.check(event, {"unmapped": None, "metadata.correlation_uid": None, "status_detail": None, "cloud.org": None, "actor": {"app_name": "MICROSOFT.STORAGE"}})

    def test_a_record_without_a_time_is_rejected(self):
        self.assertEqual(self.read(json.dumps(less(CALL, "time")), code=3), [])


if __name__ == "__main__":
    mapping.unittest.main()
