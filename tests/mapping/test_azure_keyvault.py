"""Requests to key vaults: which field stands in which attribute, whichever way the record came, and that none is lost."""
import copy
import json

import mapping
from mapping import core, outer

VAULT = "/SUBSCRIPTIONS/99999999-0000-4000-8000-000000000009/RESOURCEGROUPS/RG1/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/KV1"
TENANT = "11111111-2222-3333-4444-555555555555"
OID, UPN = "00000000-aaaa-4000-8000-00000000000a", "ada@example.com"
LONG_OID = "http://schemas.microsoft.com/identity/claims/objectidentifier"
LONG_UPN = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"
FULL = {
    "time": "2026-03-02T17:00:01.2691226Z",
    "resourceId": VAULT,
    "operationName": "SecretGet",
    "operationVersion": "7.4",
    "category": "AuditEvent",
    "resultType": "Success",
    "resultSignature": "OK",
    "resultDescription": "as asked",
    "durationMs": "78",
    "callerIpAddress": "203.0.113.76",
    "correlationId": "c0000000-0000-4000-8000-000000000001",
    "location": "West Europe",
    "identity": {"claim": {LONG_OID: OID, LONG_UPN: UPN, "appid": "app-1", "appidacr": "0", "oid": OID, "tid": TENANT, "iss": f"https://sts.windows.net/{TENANT}/",
                           "uti": "dG9rZW4", "ipaddr": "198.51.100.9", "xms_mirid": "/subscriptions/s/x"}},
    "properties": {
        "clientInfo": "python/3.12",
        "requestUri": "https://kv1.vault.azure.net/secrets/db-pass/0123456789abcdef0123456789abcdef?api-version=7.4",
        "id": "https://kv1.vault.azure.net/secrets/db-pass/0123456789abcdef0123456789abcdef",
        "httpStatusCode": 200,
        "vaultProperties": {"enabledForDeployment": False},
        "subnetId": "(unspecified)",
        "isAddressAuthorized": True,
        "addrAuthType": "PublicIP",
        "isRbacAuthorized": True,
        "appliedAssignmentId": "a-1",
        "tlsVersion": "TLS1_3",
        "trustedService": "",
    },
}


def full(**changes):
    record = copy.deepcopy(FULL)
    record["properties"] = outer(record["properties"], **changes)
    return record


def claims(claim: dict, **changes):
    return outer(full(**changes), identity={"claim": claim})


def diagnostics(record):
    """The same as a row of AzureDiagnostics."""
    row = {"TenantId": "99999999-0000-4000-8000-000000000000", "TimeGenerated": record["time"], "ResourceId": record["resourceId"], "Category": record["category"],
           "ResourceGroup": "RG1", "SubscriptionId": "99999999-0000-4000-8000-000000000009", "ResourceProvider": "MICROSOFT.KEYVAULT", "Resource": "KV1",
           "ResourceType": "VAULTS", "OperationName": record["operationName"], "OperationVersion": record["operationVersion"], "ResultType": record["resultType"],
           "ResultSignature": record["resultSignature"], "ResultDescription": record["resultDescription"], "DurationMs": int(record["durationMs"]),
           "CallerIPAddress": record["callerIpAddress"], "CorrelationId": record["correlationId"], "Location": record["location"]}
    ends = {bool: "_b", int: "_d", str: "_s"}
    for key, value in record["properties"].items():
        if isinstance(value, dict):
            row |= {f"{key}_{name}{ends[type(inner)]}": inner for name, inner in value.items()}
        else:
            row[key + ends[type(value)]] = float(value) if type(value) is int else value
    for key, value in record["identity"]["claim"].items():
        flat = key.replace("://", "_").replace("/", "_").replace(".", "_")
        row[f"identity_claim_{flat}{'_g' if value == OID else '_s'}"] = value
    return row | {"Type": "AzureDiagnostics", "_ResourceId": record["resourceId"].lower()}


class KeyVault(mapping.Mapping):
    PARSER = "azure.keyvault"

    # ---- Every row of the mapping ----

    def test_the_verb_chooses_the_activity(self):
        for operation, activity in {"VaultGet": 2, "SecretList": 2, "KeyListVersions": 2, "VaultGetDeleted": 2, "KeyVerify": 2, "SecretBackup": 2, "KeyCreate": 1,
                                    "CertificateImport": 1, "SecretSet": 1, "VaultPut": 3, "VaultPatch": 3, "SecretUpdate": 3, "KeyRestore": 3, "KeyRecover": 3,
                                    "CertificateRenew": 3, "CertificateEnroll": 3, "KeyRotateIfDue": 3, "SecretDelete": 4, "VaultPurge": 4}.items():
            self.check(self.one(outer(FULL, operationName=operation)), {"class_uid": 6003, "activity_id": activity, "type_uid": 600300 + activity,
                                                                        "api.operation": operation})
        for operation, name in {"KeySign": "Sign", "KeyWrap": "Wrap", "KeyUnwrap": "Unwrap", "KeyEncrypt": "Encrypt", "KeyDecrypt": "Decrypt",
                                "Authentication": "Authentication", "VaultAccessPolicyChangedEventGridNotification": "Notification"}.items():
            self.check(self.one(outer(FULL, operationName=operation)), {"activity_id": 99, "activity_name": name})
        self.check(self.one(outer(FULL, operationName=None)), {"activity_id": 0, "api.operation": "Unknown"})

    def test_what_every_azure_event_has(self):
        self.check(self.one(FULL), {
            "time": 1772470801269, "metadata.original_time": FULL["time"], "metadata.product.name": "Azure Key Vault",
            "metadata.product.vendor_name": "Microsoft", "metadata.profiles": ["cloud"], "metadata.log_name": "AuditEvent", "metadata.log_provider": "MICROSOFT.KEYVAULT",
            "metadata.log_version": "7.4", "metadata.correlation_uid": FULL["correlationId"], "metadata.event_code": "SecretGet", "cloud.provider": "Azure",
            "cloud.account.uid": "99999999-0000-4000-8000-000000000009", "cloud.account.type_id": 13, "cloud.region": "westeurope"})

    def test_the_call(self):
        self.check(self.one(FULL), {
            "api.operation": "SecretGet", "api.service.name": "Azure Key Vault", "api.version": "7.4", "api.response.code": 200, "http_response.code": 200,
            "http_request.url.url_string": FULL["properties"]["requestUri"], "http_request.url.hostname": "kv1.vault.azure.net",
            "http_request.url.path": "/secrets/db-pass/0123456789abcdef0123456789abcdef", "http_request.url.query_string": "api-version=7.4",
            "http_request.user_agent": "python/3.12", "duration": 78, "status_code": "OK", "status_detail": "as asked"})
        self.check(self.one(full(httpStatusCode=None, requestUri=None, clientInfo=None)), {"http_response": None, "http_request": None, "api.response": None})

    def test_who_asked(self):
        self.check(self.one(FULL), {
            "actor.user.uid": OID, "actor.user.name": UPN, "actor.user.email_addr": UPN, "actor.user.type_id": 1, "actor.app_uid": "app-1",
            "actor.idp.tenant_uid": TENANT, "actor.idp.issuer": f"https://sts.windows.net/{TENANT}/", "actor.session.uid_alt": "dG9rZW4",
            "unmapped.identity.claim.ipaddr": "198.51.100.9", "unmapped.identity.claim.appidacr": "0"})
        self.check(self.one(claims({"oid": OID, "appid": "app-1"})), {"actor.user.uid": OID, "actor.user.name": None, "actor.user.type_id": None})
        self.check(self.one(claims({"upn": "live.com#user@example.com"})), {"actor.user.name": "live.com#user@example.com", "actor.user.email_addr": "user@example.com"})
        self.check(self.one(claims({LONG_OID: OID, "oid": "other"})), {"actor.user.uid": OID, "unmapped.identity.claim.oid": "other"})
        self.check(self.one(claims({})), {"actor": {"app_name": "MICROSOFT.KEYVAULT"}})

    def test_who_has_no_upn_is_a_person_all_the_same(self):
        eve = {LONG_OID: OID, "unique_name": "live.com#eve@example.com", "name": "Eve", "appid": "app-1", "appidacr": "2"}
        self.check(self.one(claims(eve)), {"actor.user.name": "live.com#eve@example.com", "actor.user.email_addr": "eve@example.com", "actor.user.type_id": 1,
                                           "unmapped.identity.claim.name": "Eve", "unmapped.identity.claim.unique_name": None})
        self.check(self.one(claims(eve | {"upn": UPN})), {"actor.user.name": UPN, "unmapped.identity.claim.unique_name": "live.com#eve@example.com"})
        self.check(self.one(claims(eve | {"upn": eve["unique_name"]})), {"actor.user.type_id": 1, "unmapped.identity.claim.unique_name": None})

    def test_a_service_is_one_on_evidence(self):
        for claim, type_id in (({"idtyp": "app"}, 4), ({"appidacr": "2"}, 4), ({"appidacr": 1}, 4), ({"appidacr": "0"}, None), ({"idtyp": "user"}, None),
                               ({"appidacr": "2", "name": "Eve"}, None), ({}, None)):
            event = self.one(claims({"oid": OID, "appid": "app-1"} | claim))
            self.check(event, {"actor.user.uid": OID, "actor.user.type_id": type_id} | {f"unmapped.identity.claim.{k}": v for k, v in claim.items()})

    def test_where_from(self):
        for text, ip, port, kept in (("203.0.113.76", "203.0.113.76", None, None), ("203.0.113.76:4711", "203.0.113.76", 4711, None),
                                     ("2001:db8::1", "2001:db8::1", None, None), ("", None, None, None), ("127.0.0.0/8", None, None, "127.0.0.0/8")):
            self.check(self.one(outer(FULL, callerIpAddress=text)), {"src_endpoint.ip": ip, "src_endpoint.port": port, "unmapped.callerIpAddress": kept,
                                                                     "src_endpoint.svc_name": None if ip else "MICROSOFT.KEYVAULT"})

    def test_the_vault_and_what_lies_in_it(self):
        self.check(self.one(FULL), {
            "resources.0.uid": VAULT, "resources.0.uid_alt": VAULT.lower(), "resources.0.name": "KV1", "resources.0.type": "MICROSOFT.KEYVAULT/VAULTS",
            "resources.0.group.name": "RG1", "resources.1.uid": FULL["properties"]["id"], "resources.1.name": "db-pass", "resources.1.type": "secret",
            "resources.1.version": "0123456789abcdef0123456789abcdef"})
        for path, kind, name, version in (("keys/k1", "key", "k1", None), ("certificates/c1/v1", "certificate", "c1", "v1"), ("deletedsecrets/s1", "secret", "s1", None),
                                          ("certificates/c1/pending", "certificate", "c1", None), ("secrets/", None, None, None), ("", None, None, None)):
            self.check(self.one(full(id="https://kv1.vault.azure.net/" + path)),
                       {"resources.1.type": kind, "resources.1.name": name, "resources.1.version": version, "resources.1.uid": "https://kv1.vault.azure.net/" + path})
        self.assertEqual(len(self.one(full(id=VAULT.lower()))["resources"]), 1)

    def test_the_code_is_the_result(self):
        for code, status in ((200, 1), (202, 1), (302, 1), (401, 2), (403, 2), (404, 2), (500, 2)):
            self.check(self.one(full(httpStatusCode=code)), {"status_id": status, "status_code": "OK", "unmapped.resultType": "Success" if status == 2 else None})
        forbidden = self.one(outer(full(httpStatusCode=403), resultSignature="Forbidden"))
        self.check(forbidden, {"status_id": 2, "status_code": "Forbidden", "severity_id": 2, "unmapped.resultType": "Success"})
        self.check(self.one(outer(full(httpStatusCode=None), resultType="Failure")), {"status_id": 2})
        self.check(self.one(outer(full(httpStatusCode=None), resultType="Partly")), {"status_id": 99, "status": "Partly"})
        self.check(self.one(outer(full(httpStatusCode=None), resultType=None)), {"status_id": 0})

    def test_a_challenge_is_no_attack(self):
        event = self.one(outer(claims({}, httpStatusCode=401), operationName="Authentication", resultSignature="Unauthorized"))
        self.check(event, {"status_id": 99, "status": "Challenge", "severity_id": 1, "unmapped.resultType": "Success"})
        self.check(self.one(outer(full(httpStatusCode=401), identity={})), {"status": "Challenge"})
        self.check(self.one(outer(claims({}, httpStatusCode=401), resultType="Unauthorized")), {"status": "Challenge", "unmapped.resultType": "Unauthorized"})
        self.check(self.one(full(httpStatusCode=401)), {"status_id": 2, "status": "Failure"})

    def test_deleting_and_carrying_away_stand_out(self):
        for operation, severity in (("SecretDelete", 3), ("VaultPurge", 3), ("KeyBackup", 3), ("SecretGet", 1)):
            self.check(self.one(outer(FULL, operationName=operation)), {"severity_id": severity})
        self.check(self.one(outer(full(httpStatusCode=404), operationName="SecretDelete")), {"severity_id": 1})
        self.check(self.one(outer(full(httpStatusCode=403), operationName="SecretDelete")), {"severity_id": 2})

    def test_durations(self):
        for value, duration in (("78", 78), (78, 78), ("0", None), (None, None)):
            self.check(self.one(outer(FULL, durationMs=value)), {"duration": duration, "unmapped.durationMs": None})
        self.check(self.one(outer(FULL, durationMs="long")), {"duration": None, "unmapped.durationMs": "long"})

    # ---- Nothing is lost ----

    def test_nothing_is_lost(self):
        self.nothing_lost(FULL, self.one(FULL), {"location": "cloud.region", "resultType": "status_id"})
        record = diagnostics(FULL)
        self.nothing_lost(record, self.one(record), {"Location": "cloud.region", "ResultType": "status_id", "httpStatusCode_d": "api.response.code"})

    def test_an_unknown_field_is_kept_and_told(self):
        event = self.one(outer(full(newThing={"a": [1]}), outerThing="x"))
        self.check(event, {"unmapped.properties.newThing": {"a": [1]}, "unmapped.outerThing": "x"})
        self.assertEqual(self.stats()["parsers"][self.PARSER]["drift"], {"newThing": 1, "outerThing": 1})
        self.one(FULL)
        self.assertFalse(self.stats()["parsers"][self.PARSER].get("drift"))
        self.one(diagnostics(FULL))
        self.assertFalse(self.stats()["parsers"][self.PARSER].get("drift"))

    def test_a_field_of_another_type_is_kept(self):
        self.check(self.one(full(httpStatusCode="many", id=7, clientInfo={"x": 1})),
                   {"unmapped.properties.httpStatusCode": "many", "unmapped.properties.id": 7, "unmapped.properties.clientInfo": {"x": 1}})
        self.check(self.one(outer(FULL, identity="somebody", properties="none")), {"unmapped.identity": "somebody", "unmapped.properties": "none"})

    # ---- The ways that records come ----

    def test_every_way_gives_the_same(self):
        wanted = core(self.one(FULL))
        for record in (outer(FULL, properties=json.dumps(FULL["properties"]), identity=json.dumps(FULL["identity"])), {k.upper(): v for k, v in FULL.items()}):
            self.assertEqual(core(self.one(record)), wanted)
        self.assertEqual(core(self.one(json.dumps({"records": [FULL]}))), wanted)

    def test_a_row_of_azurediagnostics_gives_the_same(self):
        self.assertEqual(core(self.one(diagnostics(FULL))), core(self.one(FULL)))
        event = self.one(diagnostics(FULL))
        self.check(event, {"unmapped.Type": "AzureDiagnostics", "unmapped.Resource": "KV1", "unmapped.vaultProperties_enabledForDeployment_b": False,
                           "unmapped.TenantId": "99999999-0000-4000-8000-000000000000"})
        more = diagnostics(FULL)
        more["AdditionalFields"] = {"clientInfo": more.pop("clientInfo_s"), "late": "x"}
        self.check(self.one(more), {"http_request.user_agent": "python/3.12", "unmapped.AdditionalFields": {"late": "x"}})
        # A challenge is one there too: claims that are empty are none.
        none = diagnostics(full(httpStatusCode=401))
        self.check(self.one({k: "" if k.startswith("identity_claim") else v for k, v in none.items()}), {"status": "Challenge"})

    def test_a_row_of_its_own_table_gives_the_same(self):
        record = {"TenantId": "w-1", "TimeGenerated": FULL["time"], "OperationName": "SecretGet", "OperationVersion": "7.4", "ResultType": "Success",
                  "ResultSignature": "OK", "ResultDescription": "as asked", "DurationMs": 78, "CallerIpAddress": "203.0.113.76",
                  "CorrelationId": FULL["correlationId"], "Location": "westeurope", "Identity": FULL["identity"],
                  "_ResourceId": VAULT.lower(), "Type": "AZKVAuditLogs", **{k[0].upper() + k[1:]: v for k, v in FULL["properties"].items()}}
        event = self.one(record)
        self.check(event, {"metadata.log_name": "AZKVAuditLogs", "actor.user.uid": OID, "http_response.code": 200, "resources.0.uid_alt": VAULT.lower(),
                           "resources.1.name": "db-pass", "unmapped.Type": None, "unmapped.TenantId": "w-1"})
        self.nothing_lost(record, event, {"ResultType": "status_id"})

    def test_a_managed_hsm_is_read_too(self):
        self.check(self.one(outer(FULL, resourceId=VAULT.replace("VAULTS/KV1", "MANAGEDHSMS/HSM1"))), {"resources.0.type": "MICROSOFT.KEYVAULT/MANAGEDHSMS"})

    def test_a_record_that_names_no_resource_is_known_by_its_address(self):
        events = self.read(json.dumps(FULL) + "\n" + json.dumps(outer(FULL, resourceId=None)) + "\n", alone=True)
        self.check(events[1], {"resources.0.name": "db-pass", "src_endpoint.ip": "203.0.113.76"})

    # ---- What is no such record ----

    def test_a_record_of_another_category_or_provider_is_foreign(self):
        others = [outer(FULL, category="SignInLogs"), outer(FULL, category=None), {"a": 1},
                  outer(FULL, resourceId=VAULT.replace("KEYVAULT", "OTHER")), outer(diagnostics(FULL), Category="kube-audit")]
        events = self.read("".join(json.dumps(record) + "\n" for record in [FULL, *others]), code=3, alone=True)
        self.assertEqual(len(events), 1)
        self.assertEqual(self.stats()["parsers"][self.PARSER]["rejects"], len(others))

    def test_a_cut_last_line_costs_itself(self):
        line = json.dumps(FULL)
        self.assertEqual(len(self.read(line + "\n" + line[:-40], code=3)), 1)

    def test_a_record_without_a_time_is_rejected(self):
        self.assertEqual(len(self.read(json.dumps(FULL) + "\n" + json.dumps(outer(FULL, time="?")) + "\n", code=3)), 1)


if __name__ == "__main__":
    mapping.unittest.main()
