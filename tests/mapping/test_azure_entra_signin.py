"""Sign-ins to Entra: which field stands in which attribute, whichever way the record came, and that none is lost."""
import copy
import json

import mapping
from mapping import core, outer
from mapping import at

TENANT = "11111111-2222-3333-4444-555555555555"
FULL = {
    "time": "2026-03-02T10:00:01.1234567Z",
    "resourceId": f"/tenants/{TENANT}/providers/Microsoft.aadiam",
    "operationName": "Sign-in activity",
    "operationVersion": "1.0",
    "category": "SignInLogs",
    "tenantId": TENANT,
    "resultType": "50126",
    "resultSignature": "FAILURE",
    "resultDescription": "Invalid username or password or Invalid on-premise username or password.",
    "durationMs": 12,
    "callerIpAddress": "198.51.100.8",
    "correlationId": "c0000000-0000-4000-8000-000000000001",
    "identity": "Bob Example",
    "Level": 4,
    "location": "NL",
    "properties": {
        "id": "a0000000-0000-4000-8000-000000000001",
        "createdDateTime": "2026-03-02T09:59:58.12+00:00",
        "userDisplayName": "Bob Example",
        "userPrincipalName": "bob@example.com",
        "userId": "00000000-bbbb-4000-8000-00000000000b",
        "userType": "Member",
        "homeTenantId": "22222222-2222-3333-4444-555555555555",
        "homeTenantName": "Example Ltd",
        "appId": "00000000-0001-4000-8000-000000000001",
        "appDisplayName": "Azure Portal",
        "appOwnerTenantId": "33333333-2222-3333-4444-555555555555",
        "resourceDisplayName": "Windows Azure Service Management API",
        "resourceId": "00000000-0002-4000-8000-000000000002",
        "resourceTenantId": "44444444-2222-3333-4444-555555555555",
        "ipAddress": "198.51.100.7",
        "ipAddressFromResourceProvider": "203.0.113.7",
        "autonomousSystemNumber": 64500,
        "location": {"city": "Utrecht", "state": "Utrecht (province)", "countryOrRegion": "NL",
                     "geoCoordinates": {"altitude": 5.5, "latitude": 52.09, "longitude": 5.12}},
        "clientAppUsed": "Browser",
        "userAgent": "Mozilla/5.0",
        "deviceDetail": {"deviceId": "d-1", "displayName": "PC-1", "operatingSystem": "Windows10", "browser": "Edge 120", "isCompliant": False,
                         "isManaged": True, "trustType": "Hybrid Azure AD joined"},
        "status": {"errorCode": 50126, "failureReason": "Invalid username or password.", "additionalDetails": "The user did not enter the right credentials."},
        "mfaDetail": {"authMethod": "PhoneAppNotification", "authDetail": "+X XXXXXXXX12"},
        "authenticationRequirement": "multiFactorAuthentication",
        "authenticationDetails": [
            {"authenticationStepDateTime": "2026-03-02T09:59:57+00:00", "authenticationMethod": "Password", "authenticationMethodDetail": "Password Hash Sync",
             "succeeded": False, "RequestSequence": 1},
            {"authenticationMethod": "Text message", "succeeded": True},
            {"authenticationMethod": "Password", "succeeded": True},
            {"authenticationMethod": "Previously satisfied", "succeeded": True},
            {"authenticationMethod": "", "succeeded": True}],
        "authenticationProcessingDetails": [{"key": "Is CAE Token", "value": "False"}],
        "authenticationRequirementPolicies": [{"requirementProvider": "multiConditionalAccess", "detail": "Conditional Access"}],
        "authenticationProtocol": "oAuth2",
        "originalTransferMethod": "deviceCodeFlow",
        "incomingTokenType": "primaryRefreshToken",
        "conditionalAccessStatus": "failure",
        "appliedConditionalAccessPolicies": [
            {"id": "p-1", "displayName": "Require MFA", "result": "failure", "enforcedGrantControls": ["Mfa"], "conditionsSatisfied": 3},
            {"id": "p-2", "displayName": "Block legacy", "result": "notApplied"},
            {"id": "p-3", "displayName": "Old", "result": "notEnabled"}],
        "isInteractive": True,
        "signInEventTypes": ["interactiveUser"],
        "riskLevelDuringSignIn": "medium",
        "riskLevelAggregated": "low",
        "riskState": "atRisk",
        "riskDetail": "userPassedMFADrivenByRiskBasedPolicy",
        "riskEventTypes": ["unfamiliar"],
        "riskEventTypes_v2": ["unfamiliarFeatures", "anonymizedIPAddress"],
        "tokenIssuerName": "fs.example.com",
        "tokenIssuerType": "ADFederationServices",
        "uniqueTokenIdentifier": "dG9rZW4",
        "sessionId": "s-1",
        "correlationId": "c0000000-0000-4000-8000-000000000001",
        "originalRequestId": "o-1",
        "servicePrincipalCredentialKeyId": "k-1",
        "servicePrincipalCredentialThumbprint": "THUMB",
        "clientCredentialType": "certificate",
        "networkLocationDetails": [{"networkType": "trustedNamedLocation", "networkNames": ["Office"]}],
        "isTenantRestricted": False,
        "processingTimeInMilliseconds": 120,
        "alternateSignInName": "bobby",
    },
}
# Of the full record, what is said by another attribute than its text.
SAID_OTHERWISE = {
    "time": "metadata.logged_time", "resourceId": "the tenant, and metadata.log_provider",
    "properties.status.failureReason": "joined in status_detail", "properties.status.additionalDetails": "joined in status_detail",
    "properties.authenticationRequirement": "is_mfa", "properties.conditionalAccessStatus": "action_id and disposition_id",
    "properties.riskLevelDuringSignIn": "risk_level_id", "properties.riskState": "joined in risk_details", "properties.riskDetail": "joined in risk_details",
    "properties.riskEventTypes_v2[]": "joined in risk_details",
}


def full(**changes):
    """FULL with changes of its properties; None takes one out."""
    record = copy.deepcopy(FULL)
    for name, value in changes.items():
        record["properties"][name] = value
        if value is None:
            del record["properties"][name]
    return record


def row(record, strings):
    """The record as a row of Log Analytics; with objects as JSON text if `strings`."""
    p = record["properties"]
    columns = {key[0].upper() + key[1:]: json.dumps(value) if strings and isinstance(value, (dict, list)) else value for key, value in p.items()}
    columns |= {"LocationDetails": columns.pop("Location"), "IPAddress": columns.pop("IpAddress"), "ResourceIdentity": columns["ResourceId"],
                "ConditionalAccessPolicies": columns.pop("AppliedConditionalAccessPolicies")}
    return {"TenantId": "99999999-0000-4000-8000-000000000000", "SourceSystem": "Azure AD", "TimeGenerated": record["time"], **columns,
            "ResourceId": record["resourceId"], "OperationName": record["operationName"], "OperationVersion": record["operationVersion"],
            "Category": record["category"], "ResultType": record["resultType"], "ResultSignature": record["resultSignature"],
            "ResultDescription": record.get("resultDescription"), "DurationMs": record["durationMs"], "CallerIPAddress": record["callerIpAddress"],
            "CorrelationId": record["correlationId"], "Identity": record["identity"], "Level": str(record["Level"]), "Location": record["location"],
            "AADTenantId": TENANT, "Type": "SigninLogs"}


class EntraSignIn(mapping.Mapping):
    PARSER = "azure.entra_signin"

    # ---- Every row of the mapping ----

    def test_the_time_is_that_of_the_sign_in(self):
        self.check(self.one(FULL), {"class_uid": 3002, "activity_id": 1, "type_uid": 300201, "time": 1772445598120,
                                    "metadata.original_time": "2026-03-02T09:59:58.12+00:00", "metadata.logged_time": 1772445601123, "duration": 12})
        self.check(self.one(full(createdDateTime=None)), {"time": 1772445601123, "metadata.logged_time": None,
                                                          "metadata.original_time": "2026-03-02T10:00:01.1234567Z"})

    def test_what_every_azure_event_has(self):
        self.check(self.one(FULL), {
            "metadata.product.name": "Microsoft Entra ID", "metadata.product.vendor_name": "Microsoft", "metadata.profiles": ["cloud", "security_control"],
            "metadata.log_name": "SignInLogs", "metadata.log_provider": "Microsoft.aadiam", "metadata.log_level": "4", "metadata.log_version": "1.0",
            "metadata.original_event_uid": FULL["properties"]["id"], "metadata.correlation_uid": FULL["correlationId"], "metadata.tenant_uid": TENANT,
            "metadata.event_code": "Sign-in activity", "cloud.provider": "Azure", "cloud.org.uid": TENANT, "cloud.account": None})

    def test_the_result(self):
        event = self.one(FULL)
        self.check(event, {"status_id": 2, "status_code": "50126",
                           "status_detail": "Invalid username or password. / The user did not enter the right credentials."})
        self.check(event, {"unmapped.resultSignature": "FAILURE", "unmapped.resultDescription": FULL["resultDescription"], "unmapped.resultType": None})
        self.check(self.one(full(status={"errorCode": 0})), {"status_id": 1, "status_code": "0", "unmapped.resultType": "50126"})
        self.check(self.one(full(status=None)), {"status_id": 2, "status_code": "50126", "status_detail": FULL["resultDescription"]})
        self.check(self.one(outer(full(status=None), resultType=None)), {"status_id": 0, "status_code": None})

    def test_interrupts_are_no_failures(self):
        for code in (16000, 50058, 50072, 50074, 50076, 50079, 50097, 50125, 50127, 50129, 50140, 50199, 65001):
            self.check(self.one(full(status={"errorCode": code}, riskLevelDuringSignIn="none")),
                       {"status_id": 99, "status": "Interrupted", "status_code": str(code), "severity_id": 1})
        self.check(self.one(full(status={"errorCode": "50140"})), {"status_id": 99, "status_code": "50140"})

    def test_the_severity_is_the_larger_of_result_and_risk(self):
        for level, code, severity in (("none", 0, 1), ("hidden", 0, 1), ("low", 0, 1), ("low", 50126, 2), ("medium", 0, 3), ("medium", 50126, 3), ("high", 0, 4)):
            self.check(self.one(full(riskLevelDuringSignIn=level, status={"errorCode": code})), {"severity_id": severity})

    def test_the_user(self):
        self.check(self.one(FULL), {
            "user.uid": FULL["properties"]["userId"], "user.name": "bob@example.com", "user.display_name": "Bob Example", "user.email_addr": "bob@example.com",
            "user.domain": "example.com", "user.type_id": 1, "user.type": "Member", "user.org.uid": FULL["properties"]["homeTenantId"],
            "user.programmatic_credentials": [{"uid": "k-1", "type": "certificate"}], "actor.user.uid": FULL["properties"]["userId"], "actor.user.name": "bob@example.com"})
        self.check(self.one(full(userType=None)), {"user.type": "User"})
        self.check(self.one(full(servicePrincipalCredentialKeyId="")),
                   {"user.programmatic_credentials": None, "unmapped.properties.clientCredentialType": "certificate"})

    def test_names_that_are_no_addresses(self):
        for name in ("Bob Example", "00000000-bbbb-4000-8000-00000000000b", "BOB", "bob example@example.com"):
            self.check(self.one(full(userPrincipalName=name)), {"user.name": name, "user.email_addr": None, "user.domain": None})
        self.check(self.one(full(userPrincipalName="", signInIdentifier="ghost@example.com")),
                   {"user.name": "ghost@example.com", "user.email_addr": "ghost@example.com", "unmapped.properties.alternateSignInName": "bobby"})
        self.check(self.one(full(userPrincipalName="")), {"user.name": "bobby", "unmapped.properties.alternateSignInName": None})
        self.check(self.one(full(userPrincipalName="", alternateSignInName=None, userId=None)), {"user.name": "unknown", "user.uid": None})

    def test_applications_and_managed_identities_are_services(self):
        for category, kind in (("ServicePrincipalSignInLogs", "ServicePrincipal"), ("ManagedIdentitySignInLogs", "ManagedIdentity")):
            record = outer(full(servicePrincipalId="00000000-cccc-4000-8000-00000000000c", servicePrincipalName="app-principal", signInEventTypes=None),
                           category=category)
            self.check(self.one(record), {
                "user.uid": "00000000-cccc-4000-8000-00000000000c", "user.name": "app-principal", "user.type_id": 4, "user.type": kind,
                "user.programmatic_credentials": [{"uid": "k-1", "type": "certificate"}], "actor.user.uid": "00000000-cccc-4000-8000-00000000000c", "logon_type": category, "logon_type_id": 99,
                "unmapped.properties.userId": FULL["properties"]["userId"], "unmapped.properties.userPrincipalName": "bob@example.com"})
        record = full(servicePrincipalId="00000000-cccc-4000-8000-00000000000c")
        self.check(self.one(record), {"user.type_id": 1, "unmapped.properties.servicePrincipalId": "00000000-cccc-4000-8000-00000000000c"})

    def test_the_application_and_who_issued_the_token(self):
        self.check(self.one(FULL), {"actor.app_name": "Azure Portal", "actor.app_uid": FULL["properties"]["appId"], "actor.idp.name": "ADFederationServices",
                                    "actor.idp.issuer": "fs.example.com", "actor.idp.tenant_uid": TENANT, "session.issuer": "ADFederationServices",
                                    "session.uid": "s-1", "session.uid_alt": "dG9rZW4", "http_request.user_agent": "Mozilla/5.0"})

    def test_the_service_is_what_is_signed_in_to(self):
        self.check(self.one(FULL), {"service.name": "Windows Azure Service Management API", "service.uid": FULL["properties"]["resourceId"]})
        self.check(self.one(full(resourceDisplayName="", resourceId="https://api.example.com")),
                   {"service.name": None, "service.uid": "https://api.example.com"})
        self.check(self.one(full(resourceDisplayName="", resourceId="")), {"service.name": "Azure Portal", "service.uid": None})
        self.check(self.one(full(resourceDisplayName="", resourceId="", appDisplayName="")), {"service.name": "Microsoft Entra ID"})

    def test_where_from(self):
        self.check(self.one(FULL), {
            "src_endpoint.ip": "198.51.100.7", "src_endpoint.autonomous_system.number": 64500, "src_endpoint.location.city": "Utrecht",
            "src_endpoint.location.region": "Utrecht (province)", "src_endpoint.location.country": "NL", "src_endpoint.location.lat": 52.09,
            "src_endpoint.location.long": 5.12, "src_endpoint.uid": "d-1", "src_endpoint.name": "PC-1", "src_endpoint.os.name": "Windows10",
            "src_endpoint.os.type_id": 100, "unmapped.callerIpAddress": "198.51.100.8", "unmapped.properties.location.geoCoordinates.altitude": 5.5})
        self.check(self.one(full(ipAddress="")), {"src_endpoint.ip": "198.51.100.8", "unmapped.callerIpAddress": None})

    def test_addresses_in_all_their_forms(self):
        for text, ip, port, kept in (("198.51.100.7:443", "198.51.100.7", 443, None), ("2001:DB8::25", "2001:db8::25", None, None),
                                     ("[2001:db8::25]:50000", "2001:db8::25", 50000, None), ("::ffff:192.0.2.1", "::ffff:192.0.2.1", None, None),
                                     ("10.1.2.3", "10.1.2.3", None, None), ("127.0.0.0/8", None, None, "127.0.0.0/8"), ("localhost", None, None, "localhost"),
                                     ("fe80::1%eth0", "fe80::1", None, "fe80::1%eth0")):
            self.check(self.one(full(ipAddress=text)), {"src_endpoint.ip": ip, "src_endpoint.port": port, "unmapped.properties.ipAddress": kept})
        self.check(self.one(full(ipAddress="192.0.2.1, 192.0.2.2")),
                   {"src_endpoint.ip": "192.0.2.1", "src_endpoint.intermediate_ips": ["192.0.2.1", "192.0.2.2"]})

    def test_a_coordinate_that_is_text_costs_nothing_else(self):
        place = {"city": "Utrecht", "countryOrRegion": "NL", "geoCoordinates": {"latitude": "52.09", "longitude": "5.12"}}
        record = full(location=place)
        for form in (record, {**record, "properties": json.dumps(record["properties"])}):
            event = self.one(form)
            self.check(event, {"src_endpoint.location.city": "Utrecht", "http_request.user_agent": self.one(full())["http_request"]["user_agent"]})
            self.nothing_lost(place, event)

    def test_coordinates_need_a_place_and_places_an_endpoint(self):
        nowhere = {"city": "", "state": "", "countryOrRegion": "", "geoCoordinates": {"latitude": 52.09, "longitude": 5.12}}
        self.check(self.one(outer(full(location=nowhere), location=None)), {
            "src_endpoint.location": None, "unmapped.properties.location.geoCoordinates": {"latitude": 52.09, "longitude": 5.12}})
        zero = {"countryOrRegion": "NL", "geoCoordinates": {"latitude": 0.0, "longitude": 0.0}}
        self.check(self.one(full(location=zero)), {"src_endpoint.location": {"country": "NL"}, "unmapped.properties.location": None})
        half = {"countryOrRegion": "NL", "geoCoordinates": {"latitude": 52.09, "longitude": None}}
        self.check(self.one(full(location=half)), {"src_endpoint.location": {"country": "NL"}, "unmapped.properties.location.geoCoordinates": {"latitude": 52.09}})
        alone = self.one(outer(full(ipAddress="", deviceDetail={"operatingSystem": "Linux"}), callerIpAddress=""))
        self.check(alone, {"src_endpoint": None, "unmapped.properties.location.city": "Utrecht", "unmapped.properties.autonomousSystemNumber": 64500,
                           "unmapped.properties.deviceDetail.operatingSystem": "Linux"})
        self.check(self.one(full(autonomousSystemNumber="64501")), {"src_endpoint.autonomous_system.number": 64501})
        self.check(self.one(full(autonomousSystemNumber=4200000000)), {"unmapped.properties.autonomousSystemNumber": 4200000000})

    def test_operating_systems(self):
        for name, number in (("Windows 11", 100), ("Android", 201), ("iOS 18", 301), ("Ios", 301), ("iPadOS", 302), ("MacOs", 300), ("Linux", 200), ("Tizen", 0)):
            self.check(self.one(full(deviceDetail={"operatingSystem": name})), {"src_endpoint.os.name": name, "src_endpoint.os.type_id": number})

    def test_protocols(self):
        for word, number in (("oAuth2", 6), ("ropc", 6), ("deviceCode", 6), ("saml20", 5), ("wsFederation", 99), ("future", 99), ("none", None)):
            self.check(self.one(full(authenticationProtocol=word)), {"auth_protocol_id": number, "auth_protocol": word if number else None})

    def test_whether_it_took_more_than_one_factor(self):
        self.check(self.one(FULL), {"is_mfa": True})
        self.check(self.one(full(authenticationRequirement="singleFactorAuthentication")), {"is_mfa": False})
        self.check(self.one(full(authenticationRequirement="")), {"is_mfa": None})
        self.check(self.one(full(authenticationRequirement="future")), {"is_mfa": None, "unmapped.properties.authenticationRequirement": "future"})

    def test_factors(self):
        factors = at(self.one(FULL), "auth_factors")
        self.assertEqual({f["factor_type"]: f["factor_type_id"] for f in factors}, {"Password": 11, "Text message": 1, "PhoneAppNotification": 5})
        for method, number in (("OneWaySMS", 1), ("TwoWayVoiceMobile", 3), ("Phone call approval", 3), ("Mobile app notification", 5),
                               ("OATH verification code", 7), ("Email OTP", 8), ("Passkey (device-bound)", 10), ("FIDO2 security key", 10),
                               ("Windows Hello for Business", 4), ("Hardware token", 6), ("X.509 Certificate", 99), ("Passwordless phone sign-in", 99)):
            self.check(self.one(full(mfaDetail=None, authenticationDetails=[{"authenticationMethod": method}])),
                       {"auth_factors": [{"factor_type": method, "factor_type_id": number}]})
        self.check(self.one(full(mfaDetail={}, authenticationDetails=[])), {"auth_factors": None, "unmapped.properties.mfaDetail": None})

    def test_tokens(self):
        for word, number in (("primaryRefreshToken", 4), ("refreshToken", 4), ("saml20", 5), ("saml11", 5), ("remoteDesktopToken", 99)):
            self.check(self.one(full(incomingTokenType=word)), {"authentication_token.type": word, "authentication_token.type_id": number})
        self.check(self.one(full(incomingTokenType="none")), {"authentication_token": None})

    def test_the_kind_of_logon(self):
        self.check(self.one(FULL), {"logon_type": "interactiveUser", "logon_type_id": 99, "is_remote": True, "unmapped.properties.signInEventTypes": None})
        self.check(self.one(full(signInEventTypes=["nonInteractiveUser", "x"])),
                   {"logon_type": "nonInteractiveUser", "unmapped.properties.signInEventTypes": ["nonInteractiveUser", "x"]})
        self.check(self.one(full(signInEventTypes=[])), {"logon_type": "SignInLogs"})

    def test_conditional_access(self):
        self.check(self.one(FULL), {"action_id": 2, "disposition_id": 2, "authorizations": [
            {"decision": "failure", "policy": {"uid": "p-1", "name": "Require MFA"}}],
            "unmapped.properties.appliedConditionalAccessPolicies": FULL["properties"]["appliedConditionalAccessPolicies"]})
        self.check(self.one(full(conditionalAccessStatus="success")), {"action_id": 1, "disposition_id": 1})
        self.check(self.one(full(conditionalAccessStatus="notApplied")),
                   {"action_id": None, "disposition_id": None, "unmapped.properties.conditionalAccessStatus": "notApplied"})

    def test_risk(self):
        self.check(self.one(FULL), {"risk_level_id": 2, "risk_level": "Medium",
                                    "risk_details": "userPassedMFADrivenByRiskBasedPolicy, atRisk, unfamiliarFeatures, anonymizedIPAddress",
                                    "unmapped.properties.riskLevelAggregated": "low"})
        for word, number in (("none", 0), ("low", 1), ("medium", 2), ("high", 3), ("hidden", None), ("future", 99)):
            self.check(self.one(full(riskLevelDuringSignIn=word)), {"risk_level_id": number})
        self.check(self.one(full(riskState="none", riskDetail="none", riskEventTypes_v2=[])), {"risk_details": None})

    # ---- Nothing is lost ----

    def test_nothing_is_lost(self):
        self.nothing_lost(FULL, self.one(FULL), SAID_OTHERWISE)

    def test_nothing_is_lost_of_a_row(self):
        record = row(FULL, strings=False)
        event = self.one(record)
        said = {"Type": "metadata.log_name has the category", "TimeGenerated": "metadata.logged_time"}
        for path, why in SAID_OTHERWISE.items():
            name = path.removeprefix("properties.")
            name = name[0].upper() + name[1:]
            if path != "time":
                said[name] = why
        self.nothing_lost(record, event, said)

    def test_an_unknown_field_is_kept_and_told(self):
        event = self.one(outer(full(newThing={"a": [1]}), outerThing="x"))
        self.check(event, {"unmapped.properties.newThing": {"a": [1]}, "unmapped.outerThing": "x"})
        self.assertEqual(self.stats()["parsers"][self.PARSER]["drift"], {"newThing": 1, "outerThing": 1})
        self.one(full(location={"city": "c", "a": 1}, deviceDetail={"b": 1, "c": 2}, status={"d": 1}))
        self.assertEqual(self.stats()["parsers"][self.PARSER]["drift"], {"location.a": 1, "deviceDetail.b": 1, "deviceDetail.c": 1, "status.d": 1})
        self.one(FULL)
        self.assertEqual(self.stats()["parsers"][self.PARSER].get("drift", {}), {})

    def test_a_field_of_another_type_is_kept(self):
        event = self.one(full(userId={"x": 1}, ipAddress=7, status="bad", location=[1], deviceDetail="none", riskEventTypes_v2="x", createdDateTime="soon"))
        self.check(event, {"unmapped.properties": at(event, "unmapped.properties") | {
            "userId": {"x": 1}, "ipAddress": 7, "status": "bad", "location": [1], "deviceDetail": "none", "riskEventTypes_v2": "x", "createdDateTime": "soon"}})
        self.check(event, {"time": 1772445601123, "user.name": "bob@example.com"})

    # ---- The ways that records come ----

    def test_every_way_gives_the_same(self):
        wanted = core(self.one(FULL))
        # A row and an object of Graph do not tell all of the envelope.
        for record in (FULL, outer(FULL, properties=json.dumps(FULL["properties"])), {k.upper(): v for k, v in FULL.items()}, row(FULL, False), row(FULL, True)):
            self.assertEqual(core(self.one(record)), wanted)
        self.assertEqual(core(self.one(json.dumps({"records": [FULL]}))), wanted)
        graph = core(self.one(FULL["properties"]))
        for event in (wanted, graph):
            for name in ("log_name", "log_provider", "log_level", "log_version", "logged_time", "tenant_uid", "event_code"):
                event["metadata"].pop(name, None)
            event.pop("duration", None)
            event["cloud"].pop("org", None)
            event["actor"]["idp"].pop("tenant_uid", None)
        self.assertEqual(graph, wanted)

    PORTAL = {"Date (UTC)": "2026-03-02T09:59:58Z", "Request ID": "a0000000-0000-4000-8000-000000000001", "User agent": "Mozilla/5.0",
              "Correlation ID": "c0000000-0000-4000-8000-000000000001", "User ID": FULL["properties"]["userId"], "User": "Bob Example", "Username": "bob@example.com",
              "User type": "Member", "Incoming token type": "Primary refresh token", "Authentication Protocol": "None", "Unique token identifier": "dG9rZW4",
              "Application": "Azure Portal", "Application ID ": "app-1", "Resource": "Azure Key Vault", "Resource ID ": "res-1", "Resource tenant ID": TENANT,
              "Home tenant ID": TENANT, "IP address": "198.51.100.7", "Location": "Utrecht, Utrecht (province), NL", "Status": "Failure", "Sign-in error code": "50126",
              "Failure reason": "Invalid username or password.", "Client app": "Browser", "Device ID": "d-1", "Browser": "Edge 120", "Operating System": "Windows10",
              "Compliant": "false", "Multifactor authentication auth method": "Text message", "Authentication requirement": "Multifactor authentication",
              "Session ID": "s-1", "Autonomous system  number": "64500", "Token issuer type": "AzureAD", "Conditional Access": "Failure", "Latency": "120"}

    def test_a_row_of_the_portals_csv(self):
        for content in (json.dumps(self.PORTAL), ",".join(self.PORTAL) + "\n" + ",".join(f'"{value}"' for value in self.PORTAL.values()) + "\n"):
            event = self.one(content)
            self.check(event, {
                "time": 1772445598000, "metadata.original_event_uid": self.PORTAL["Request ID"], "metadata.correlation_uid": self.PORTAL["Correlation ID"],
                "user.uid": FULL["properties"]["userId"], "user.name": "bob@example.com", "user.display_name": "Bob Example", "user.type": "Member", "user.org.uid": TENANT,
                "actor.app_name": "Azure Portal", "actor.app_uid": "app-1", "actor.idp.name": "AzureAD", "service.name": "Azure Key Vault", "service.uid": "res-1",
                "src_endpoint": {"ip": "198.51.100.7", "uid": "d-1", "autonomous_system": {"number": 64500}, "os": {"name": "Windows10", "type": "Windows", "type_id": 100},
                                 "location": {"city": "Utrecht", "region": "Utrecht (province)", "country": "NL"}},
                "status_id": 2, "status_code": "50126", "status_detail": "Invalid username or password.", "is_mfa": True, "action_id": 2,
                "auth_factors": [{"factor_type": "Text message", "factor_type_id": 1}], "session.uid": "s-1", "session.uid_alt": "dG9rZW4",
                "http_request.user_agent": "Mozilla/5.0", "auth_protocol": None, "authentication_token.type": "Primary refresh token",
                "unmapped": {"Resource tenant ID": TENANT, "Client app": "Browser", "Browser": "Edge 120", "Compliant": "false", "Latency": "120"}})
            self.assertEqual(self.stats()["parsers"][self.PARSER].get("drift", {}), {})
        nowhere = {key: value for key, value in self.PORTAL.items() if key not in ("IP address", "Device ID")}
        self.check(self.one(nowhere), {"src_endpoint": None, "unmapped.location": "Utrecht, Utrecht (province), NL"})
        for word, status in (("Success", 1), ("Failure", 2), ("Interrupted", 99)):
            alone = {key: value for key, value in self.PORTAL.items() if key != "Sign-in error code"} | {"Status": word, "Sign-in error code": ""}
            for none in ("", "None"):
                self.check(self.one(alone | {"Sign-in error code": none}), {"status_id": status, "status_code": word})

    def test_a_row_of_a_csv_export_of_log_analytics(self):
        columns = {key: json.dumps(value) if isinstance(value, (dict, list, bool, int)) else value for key, value in row(FULL, True).items()}
        columns["TimeGenerated [UTC]"] = "3/2/2026, 10:00:01.123 AM"
        columns["CreatedDateTime [UTC]"] = columns.pop("CreatedDateTime")
        del columns["TimeGenerated"]
        self.assertEqual(core(self.one(columns)), core(self.one(FULL)))

    def test_every_category(self):
        for category in ("SignInLogs", "NonInteractiveUserSignInLogs", "ServicePrincipalSignInLogs", "ManagedIdentitySignInLogs", "ADFSSignInLogs",
                         "MicrosoftServicePrincipalSignInLogs", "signinlogs", "SIGNINLOGS"):
            self.check(self.one(outer(FULL, category=category)), {"metadata.log_name": category, "class_uid": 3002})

    def test_the_workspace_is_not_the_tenant(self):
        self.check(self.one(row(FULL, True)), {"metadata.tenant_uid": TENANT, "unmapped.TenantId": "99999999-0000-4000-8000-000000000000"})

    def test_levels(self):
        for level in (4, "4", "Informational"):
            self.check(self.one(outer(FULL, Level=None, level=level)), {"metadata.log_level": str(level)})

    def test_times_of_federation_servers(self):
        event = self.one(outer(full(createdDateTime="2026-03-02T10:10:31+00:00"), category="ADFSSignInLogs", time="3/2/2026 1:04:58 PM", durationMs="0", Level=None,
                               level="4"))
        self.check(event, {"time": 1772446231000, "metadata.logged_time": 1772456698000, "duration": None, "metadata.log_level": "4"})

    def test_times_with_any_number_of_digits(self):
        for text, wanted in (("2026-03-02T09:59:58Z", 0), ("2026-03-02T09:59:58.12Z", 120), ("2026-03-02T09:59:58.123Z", 123),
                             ("2026-03-02T09:59:58.123456Z", 123), ("2026-03-02T09:59:58.1239999Z", 123), ("2026-03-02T09:59:58.123999999Z", 123),
                             ("2026-03-02T11:59:58+02:00", 0), ("2026-03-02 09:59:58", 0), ("2026-03-02T9:59:58Z", 0), ("1772445598", 0), (1772445598000, 0)):
            self.check(self.one(full(createdDateTime=text)), {"time": 1772445598000 + wanted, "metadata.original_time": str(text)})

    def test_a_managed_identity_has_no_address(self):
        record = outer(full(userId=None, userPrincipalName=None, ipAddress="", servicePrincipalId="sp-1", servicePrincipalName="vm-1", deviceDetail=None,
                            location={"city": "", "state": "", "countryOrRegion": "", "geoCoordinates": {"latitude": 0.0, "longitude": 0.0}},
                            riskLevelDuringSignIn="hidden", autonomousSystemNumber=None),
                       category="ManagedIdentitySignInLogs", callerIpAddress=None, location=None)
        self.check(self.one(record), {"src_endpoint": None, "user.uid": "sp-1", "risk_level_id": None, "unmapped.properties.location": None})

    # ---- What is no sign-in ----

    def test_a_record_of_another_category_is_foreign(self):
        events = self.read(json.dumps(FULL) + "\n" + json.dumps(outer(FULL, category="AuditLogs")) + "\n" + json.dumps({"a": 1}) + "\n", code=3, alone=True)
        self.assertEqual(len(events), 1)
        self.assertEqual(self.stats()["parsers"][self.PARSER]["rejects"], 2)

    def test_a_cut_last_line_costs_itself(self):
        line = json.dumps(FULL)
        self.assertEqual(len(self.read(line + "\n" + line[:-40], code=3)), 1)

    def test_a_record_without_a_time_is_rejected(self):
        self.assertEqual(len(self.read(json.dumps(FULL) + "\n" + json.dumps(outer(full(createdDateTime=None), time="?")) + "\n", code=3)), 1)


if __name__ == "__main__":
    mapping.unittest.main()
