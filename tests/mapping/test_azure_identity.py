"""One person across sources: the same object id in what Entra and Azure's services tell of her, the same session from sign-in to request, and one e-mail address in Azure and AWS."""
import copy
import json

import mapping
import test_azure_activity as activity
import test_azure_aks_audit as aks
import test_azure_entra_audit as audit
import test_azure_entra_risk as risk
import test_azure_entra_signin as signin
import test_azure_graph_activity as graph
import test_azure_keyvault as keyvault
import test_azure_sql_audit as sql
import test_azure_storage as storage
from mapping import at

UID, EMAIL, TOKEN = "00000000-abcd-4000-8000-00000000abcd", "joan@example.com", "am9hbg"
ADDRESS = "203.0.113.77"


def read_of_a_blob():
    record = copy.deepcopy(storage.TOKEN)
    record["identity"]["requester"] |= {"objectId": UID, "upn": EMAIL}
    return record | {"callerIpAddress": f"{ADDRESS}:51234"}


def assignment_of_a_role():
    record = activity.claims(**{activity.MS + "objectidentifier": UID, activity.XML + "upn": EMAIL, activity.XML + "name": EMAIL, "uti": TOKEN, "ipaddr": ADDRESS})
    return record | {"callerIpAddress": ADDRESS, "operationName": "MICROSOFT.AUTHORIZATION/ROLEASSIGNMENTS/WRITE"}


class OneIdentity(mapping.Case):
    def setUp(self):
        super().setUp()
        user = {"userId": UID, "userPrincipalName": EMAIL, "ipAddress": ADDRESS}
        records = {
            "signin.json": signin.full(**user, uniqueTokenIdentifier=TOKEN, status={"errorCode": 0}),
            "audit.json": audit.audit(initiatedBy={"user": {"id": UID, "userPrincipalName": EMAIL, "ipAddress": ADDRESS}}),
            "target.json": audit.audit("Reset user password", targetResources=[{"id": UID, "userPrincipalName": EMAIL, "type": "User"}]),
            "graph.json": graph.full(userId=UID, ipAddress=ADDRESS, signInActivityId=TOKEN),
            "risk.json": risk.event(**user),
            "assignment.json": assignment_of_a_role(),
            "storage.json": read_of_a_blob(),
            "keyvault.json": keyvault.claims({keyvault.LONG_OID: UID, keyvault.LONG_UPN: EMAIL, "uti": TOKEN}) | {"callerIpAddress": ADDRESS},
            "aks.json": aks.record(aks.event(user={"username": EMAIL, "extra": {"oid": [UID]}}, sourceIPs=[ADDRESS])),
            "sql.json": sql.record(server_principal_name=EMAIL, client_ip=ADDRESS),
            "cloudtrail.json": {"Records": [{
                "eventVersion": "1.09", "eventTime": "2026-03-02T11:05:00Z", "eventSource": "s3.amazonaws.com", "eventName": "GetObject", "awsRegion": "eu-central-1",
                "sourceIPAddress": ADDRESS, "userAgent": "aws-cli/2", "requestParameters": {}, "responseElements": None, "requestID": "r-1", "eventID": "e-1",
                "readOnly": True, "eventType": "AwsApiCall", "managementEvent": False, "recipientAccountId": "111122223333", "eventCategory": "Data",
                "userIdentity": {"type": "AssumedRole", "principalId": f"AROAEXAMPLEROLE000001:{EMAIL}", "accountId": "111122223333",
                                 "arn": f"arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/{EMAIL}"}}]},
        }
        for name, record in records.items():
            self.write(f"in/{name}", json.dumps(record))
        self.of = {event["lineage"]["uri"].rsplit("/", 1)[-1]: event for event in self.events("in")}
        self.assertEqual(set(self.of), set(records))

    def test_the_object_id_is_the_same_everywhere(self):
        for name, path in (("signin.json", "user.uid"), ("signin.json", "actor.user.uid"), ("audit.json", "actor.user.uid"), ("target.json", "user.uid"),
                           ("graph.json", "actor.user.uid"), ("risk.json", "evidences.0.user.uid"), ("aks.json", "actor.user.uid")):
            self.assertEqual(at(self.of[name], path), UID, (name, path))

    def test_who_signs_in_changes_a_role_and_reads_a_storage_account_is_one_user(self):
        for name, of in (("signin.json", "Authentication"), ("audit.json", "User Access Management"), ("assignment.json", "API Activity"),
                         ("storage.json", "Datastore Activity"), ("keyvault.json", "API Activity"), ("graph.json", "API Activity")):
            event = self.of[name]
            self.assertEqual((event["class_name"], at(event, "actor.user.uid")), (of, UID), name)
        self.assertEqual({name for name, event in self.of.items() if at(event, "actor.user.uid") == UID}, set(self.of) - {"target.json", "risk.json", "sql.json", "cloudtrail.json"})

    def test_a_request_leads_to_the_sign_in_that_its_token_is_of(self):
        for name in ("graph.json", "assignment.json", "keyvault.json"):
            self.assertEqual(at(self.of[name], "actor.session.uid_alt"), TOKEN, name)
        self.assertEqual(at(self.of["signin.json"], "session.uid_alt"), TOKEN)

    def test_the_e_mail_address_is_the_same_in_azure_and_aws(self):
        for name, path in (("signin.json", "user.name"), ("signin.json", "user.email_addr"), ("audit.json", "actor.user.name"), ("target.json", "user.name"),
                           ("risk.json", "evidences.0.user.name"), ("aks.json", "actor.user.email_addr"), ("sql.json", "actor.user.email_addr"),
                           ("cloudtrail.json", "actor.user.name"), ("assignment.json", "actor.user.name"),
                           ("storage.json", "actor.user.name"), ("storage.json", "actor.user.email_addr"), ("keyvault.json", "actor.user.email_addr")):
            self.assertEqual(at(self.of[name], path), EMAIL, (name, path))

    def test_one_question_of_the_observables_finds_every_event(self):
        def naming(*values):
            return {name for name, event in self.of.items() if {o.get("value") for o in event["observables"]} & set(values)}
        self.assertEqual(naming(EMAIL), set(self.of) - {"graph.json"})  # which has no names
        self.assertEqual(naming(EMAIL, UID), set(self.of))
        self.assertEqual(naming(ADDRESS), set(self.of) - {"target.json"})


if __name__ == "__main__":
    mapping.unittest.main()
