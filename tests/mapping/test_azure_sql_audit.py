"""Audit logs of Azure SQL: which field stands in which attribute, and that none is lost."""
import csv
import io
import json

import mapping
from mapping import core, outer

SUBSCRIPTION = "99999999-0000-4000-8000-000000000009"
DATABASE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg1/providers/Microsoft.Sql/servers/sql1/databases/DB1"
AUDIT = {
    "audit_schema_version": 1, "event_time": "2026-03-02T22:00:00.937", "sequence_number": 1, "action_id": "BCM", "action_name": "BATCH COMPLETED", "succeeded": "true",
    "is_column_permission": "false", "session_id": 77, "server_principal_id": 5, "database_principal_id": 6, "target_server_principal_id": 8, "target_database_principal_id": 9, "object_id": 15,
    "user_defined_event_id": 10, "transaction_id": 12345, "class_type": "DB", "class_type_description": "DATABASE", "securable_class_type": "DATABASE", "duration_milliseconds": 34,
    "response_rows": 3, "affected_rows": 12, "client_tls_version": 771, "database_transaction_id": 11, "ledger_start_sequence_number": 13, "is_local_secondary_replica": "false",
    "client_ip": "203.0.113.8", "permission_bitmask": "00000000000000000000000000000001", "sequence_group_id": "00000000-0000-4000-8000-00000000000c",
    "session_server_principal_name": "session@example.com", "server_principal_name": "ada@example.com", "server_principal_sid": "01060000000000640000000000000000a1",
    "database_principal_name": "dbo", "target_server_principal_name": "t1", "target_server_principal_sid": "01", "target_database_principal_name": "t2", "server_instance_name": "sql1",
    "database_name": "DB1", "schema_name": "schema1", "object_name": "object1", "statement": "SELECT * FROM dbo.Cards;\nGO", "additional_information": "<x><y>1</y></x>",
    "user_defined_information": "mine", "application_name": "sqlcmd", "connection_id": "00000000-0000-4000-8000-00000000000d", "data_sensitivity_information": "<s/>", "host_name": "PC-1",
    "session_context": "c", "client_tls_version_name": "TLS 1.2", "external_policy_permissions_checked": "p", "obo_middle_tier_app_id": "o", "is_server_level_audit": "true",
    "event_id": "00000000-0000-4000-8000-00000000000e",
}
RECORD = {
    "time": "2026-03-02T22:00:01.0000000Z", "resourceId": DATABASE.upper(), "category": "SQLSecurityAuditEvents", "operationName": "AuditEvent", "location": "West Europe",
    "LogicalServerName": "sql1", "SubscriptionId": SUBSCRIPTION, "ResourceGroup": "RG1", "properties": AUDIT,
}
LOGIN = {"action_id": "DBAS", "action_name": "DATABASE AUTHENTICATION SUCCEEDED", "statement": None}
TIMES, GUIDS = ("event_time",), ("connection_id", "event_id", "sequence_group_id")


def record(base=RECORD, **changes):
    """RECORD with changes of its properties; None takes one out."""
    return base | {"properties": outer(AUDIT, **changes)}


def diagnostics(**changes):
    """The same as a row of AzureDiagnostics."""
    def column(name, value):
        if isinstance(value, (int, float)):
            return f"{name}_d", float(value)
        return (f"{name}_t", f"{value}Z") if name in TIMES else (f"{name}_g" if name in GUIDS else f"{name}_s", value)
    return {"TenantId": "aaaaaaaa-0000-4000-8000-00000000000b", "TimeGenerated": RECORD["time"], "ResourceId": DATABASE.upper(), "Category": "SQLSecurityAuditEvents",
            "ResourceGroup": "RG1", "SubscriptionId": SUBSCRIPTION, "ResourceProvider": "MICROSOFT.SQL", "Resource": "DB1", "ResourceType": "SERVERS/DATABASES",
            "OperationName": "AuditEvent", "Location": "West Europe", "LogicalServerName_s": "sql1", **dict(column(k, v) for k, v in outer(AUDIT, **changes).items()),
            "Type": "AzureDiagnostics", "_ResourceId": DATABASE.lower()}


def converted(**changes):
    """The same as a row of sys.fn_get_audit_file."""
    row = outer(AUDIT, event_id=None, action_id="BCM ", succeeded=True, event_time="2026-03-02T22:00:00.9370000", is_server_level_audit=True)
    return outer(row | {"file_name": "https://sa1.blob.core.windows.net/sqldbauditlogs/sql1/DB1/A/2026-03-02/22_00_00_000_0.xel", "audit_file_offset": 512}, **changes)


class SqlAudit(mapping.Mapping):
    PARSER = "azure.sql_audit"

    def of(self, **changes) -> dict:
        return self.one(record(**changes))

    # ---- Every row of the mapping ----

    def test_the_event_has_its_own_time_and_the_record_is_when_it_was_logged(self):
        self.check(self.of(), {"class_uid": 6005, "time": 1772488800937, "metadata.original_time": "2026-03-02T22:00:00.937", "metadata.logged_time": 1772488801000})
        self.check(self.of(event_time="soon"), {"time": 1772488801000, "metadata.logged_time": None, "unmapped.properties.event_time": "soon"})
        for text in ("2026-03-02 22:00:00", "2026-03-02T22:00:00.1234567", "2026-03-02T23:00:00.1+01:00", "3/2/2026 10:00:00 PM"):
            self.assertEqual(self.of(event_time=text)["time"] // 1000, 1772488800)

    def test_actions_are_activities(self):
        for name, action_id, activity in (("BATCH COMPLETED", "BCM", 4), ("RPC COMPLETED", "RCM", 4), ("SELECT", "SL  ", 1), ("UPDATE", "UP  ", 2), ("INSERT", "IN  ", 5), ("DELETE", "DL  ", 7),
                                          ("CREATE", "CR  ", 6), ("DROP", "DR  ", 7), ("ALTER", "AL  ", 2), ("EXECUTE", "EX  ", 4), ("ADD MEMBER", "APRL", 99)):
            self.check(self.of(action_name=name, action_id=action_id), {"activity_id": activity, "type_uid": 600500 + activity, "type_id": 1, "api.operation": name,
                                                                        "unmapped.properties.action_id": action_id.strip()})
            self.check(self.of(action_name=None, action_id=action_id), {"activity_id": activity, "api.operation": action_id.strip(), "unmapped.properties.action_id": None})
        self.check(self.of(action_name="ADD MEMBER"), {"activity_name": "ADD MEMBER"})
        self.check(self.of(action_name="select", action_id="XX"), {"activity_id": 1})
        self.check(self.of(action_name=None, action_id=None), {"activity_id": 99, "api.operation": "unknown"})

    def test_the_statement(self):
        self.check(self.of(), {"query_info.query_string": AUDIT["statement"]})
        self.check(self.of(statement=""), {"query_info": None})

    def test_the_database_and_the_table(self):
        self.check(self.of(), {"database": {"name": "DB1", "uid": DATABASE.upper(), "type_id": 1, "type": "Relational"}, "table": None, "unmapped.properties.object_name": "object1"})
        for what in ({"class_type": "U"}, {"class_type": "U "}, {"class_type_description": "TABLE"}, {"class_type_description": None, "class_type_desc": "table"}):
            self.check(self.of(object_name="Cards", **what), {"table.name": "Cards", "unmapped.properties.object_name": None})

    def test_who_asked(self):
        self.check(self.of(), {"actor.user.name": "ada@example.com", "actor.user.email_addr": "ada@example.com", "actor.user.uid": AUDIT["server_principal_sid"], "actor.app_name": "sqlcmd",
                               "actor.session.uid": "77", "actor.session.uid_alt": AUDIT["connection_id"], "unmapped.properties.session_server_principal_name": "session@example.com",
                               "unmapped.properties.database_principal_name": "dbo"})
        self.check(self.of(server_principal_name=""), {"actor.user.name": "session@example.com", "unmapped.properties.database_principal_name": "dbo"})
        self.check(self.of(server_principal_name=None, session_server_principal_name=None), {"actor.user.name": "dbo", "actor.user.email_addr": None})
        nobody = dict.fromkeys(("server_principal_name", "session_server_principal_name", "database_principal_name", "server_principal_sid", "application_name"))
        self.check(self.of(**nobody), {"actor.user": None, "actor.app_name": "MICROSOFT.SQL"})

    def test_where_it_came_from_and_where_it_went(self):
        self.check(self.of(), {"src_endpoint": {"ip": "203.0.113.8", "hostname": "PC-1"}, "dst_endpoint": {"hostname": "sql1"}})
        self.check(self.of(client_ip="203.0.113.8:1433"), {"src_endpoint.ip": "203.0.113.8", "src_endpoint.port": 1433})
        for address in ("local machine", "Internal"):
            self.check(self.of(client_ip=address), {"src_endpoint": {"hostname": "PC-1"}, "unmapped.properties.client_ip": address})
            self.check(self.of(client_ip=address, host_name=None), {"src_endpoint": {"svc_name": "MICROSOFT.SQL"}})
        self.check(self.of(host_name="My PC", server_instance_name="a b"), {"src_endpoint.hostname": None, "unmapped.properties.host_name": "My PC", "dst_endpoint": None,
                                                                            "unmapped.properties.server_instance_name": "a b"})
        self.check(self.one(record(RECORD | {"callerIpAddress": "192.0.2.9"}, client_ip=None)), {"src_endpoint.ip": "192.0.2.9", "unmapped.callerIpAddress": None})
        self.check(self.one(record(RECORD | {"callerIpAddress": "192.0.2.9"})), {"src_endpoint.ip": "203.0.113.8", "unmapped.callerIpAddress": "192.0.2.9"})

    def test_the_result(self):
        for succeeded, status in (("true", 1), ("True", 1), (True, 1), ("1", 1), (1, 1), (1.0, 1), ("false", 2), (False, 2), ("0", 2), (0, 2)):
            self.check(self.of(succeeded=succeeded), {"status_id": status, "unmapped.properties.succeeded": None})
        self.check(self.of(succeeded="maybe"), {"status_id": 0, "unmapped.properties.succeeded": "maybe"})
        self.check(self.of(succeeded=None), {"status_id": 0})
        self.check(self.of(), {"status_detail": AUDIT["additional_information"], "duration": 34})
        self.check(self.of(duration_milliseconds="34"), {"duration": 34})
        self.check(self.of(duration_milliseconds="0"), {"duration": None, "unmapped.properties.duration_milliseconds": None})
        self.check(self.of(duration_milliseconds="long"), {"duration": None, "unmapped.properties.duration_milliseconds": "long"})
        self.check(self.of(), {"unmapped.properties.affected_rows": 12, "unmapped.properties.response_rows": 3})

    def test_a_duration_that_is_none_stays(self):
        self.check(self.one(record(duration_milliseconds="-5")), {"duration": None, "unmapped.properties.duration_milliseconds": "-5"})

    def test_what_every_event_gets(self):
        for event in (self.of(), self.of(**LOGIN)):
            self.check(event, {
                "cloud.provider": "Azure", "cloud.account.uid": SUBSCRIPTION, "cloud.account.type_id": 13, "cloud.region": "westeurope", "metadata.product.name": "Azure SQL",
                "metadata.product.vendor_name": "Microsoft", "metadata.log_name": "SQLSecurityAuditEvents", "metadata.log_provider": "MICROSOFT.SQL", "metadata.log_version": "1",
                "metadata.event_code": "AuditEvent", "metadata.original_event_uid": AUDIT["event_id"], "metadata.profiles": ["cloud"], "severity_id": 1})
        self.check(self.one(record(RECORD | {"category": "DevOpsOperationsAudit"})), {"metadata.log_name": "DevOpsOperationsAudit", "class_uid": 6005})

    # ---- Logins ----

    def test_logins_are_authentication(self):
        self.check(self.of(**LOGIN), {
            "class_uid": 3002, "activity_id": 1, "user": {"name": "ada@example.com", "email_addr": "ada@example.com", "uid": AUDIT["server_principal_sid"]}, "src_endpoint.ip": "203.0.113.8",
            "service": {"name": "DB1", "uid": DATABASE.upper()}, "dst_endpoint.hostname": "sql1", "status_id": 1, "severity_id": 1, "session": {"uid": "77", "uid_alt": AUDIT["connection_id"]},
            "actor": {"app_name": "sqlcmd"}, "status_detail": AUDIT["additional_information"]})
        for action_id, name, activity in (("DBAF", "DATABASE AUTHENTICATION FAILED", 1), ("LGIS", "LOGIN SUCCEEDED", 1), ("LGIF", "LOGIN FAILED", 1), ("LGO", "LOGOUT", 2),
                                          ("DAGL", "DATABASE LOGOUT", 2), ("X", "SUCCESSFUL LOGIN", 1), ("X", "EXTERNAL AUTHENTICATION", 1)):
            self.check(self.of(action_id=action_id, action_name=name), {"class_uid": 3002, "activity_id": activity})
            if action_id != "X":
                self.check(self.of(action_id=action_id, action_name=None), {"class_uid": 3002, "activity_id": activity})
        self.check(self.of(action_id="CCLG", action_name="CHANGE LOGIN CREDENTIAL"), {"class_uid": 6005, "activity_id": 99})

    def test_a_failed_login_is_low(self):
        self.check(self.of(action_id="DBAF", action_name="DATABASE AUTHENTICATION FAILED", succeeded="false"), {"status_id": 2, "severity_id": 2})
        self.check(self.of(succeeded="false"), {"status_id": 2, "severity_id": 1})

    def test_a_login_of_nobody_is_a_connection(self):
        nobody = dict.fromkeys(("server_principal_name", "session_server_principal_name", "database_principal_name", "server_principal_sid"))
        self.check(self.of(**LOGIN | nobody | {"succeeded": "0"}), {"class_uid": 6005, "activity_id": 3, "severity_id": 2, "api.operation": LOGIN["action_name"]})
        self.check(self.of(action_name="LOGOUT", **nobody), {"class_uid": 6005, "activity_id": 99, "activity_name": "LOGOUT"})

    def test_a_login_says_where(self):
        self.check(self.one(record(outer(RECORD, resourceId=None), database_name=None, server_instance_name=None, **LOGIN)), {"service": {"name": "Azure SQL"}, "dst_endpoint": None})

    # ---- Forms ----

    def test_properties_may_be_a_text(self):
        self.assertEqual(core(self.one(RECORD | {"properties": json.dumps(AUDIT)})), core(self.of()))

    def test_batches_and_categories_in_any_case(self):
        self.assertEqual(len(self.read(json.dumps({"records": [RECORD, RECORD | {"category": "sqlsecurityauditevents"}]}))), 2)

    def test_a_row_of_azure_diagnostics_is_the_same_event(self):
        for changes in ({}, LOGIN):
            event, wanted = core(self.one(diagnostics(**changes))), core(self.of(**changes))
            self.assertEqual(event["metadata"].pop("original_time"), wanted["metadata"].pop("original_time") + "Z")
            self.assertEqual(event, wanted)
        row = diagnostics()
        row["AdditionalFields"] = {"host_name": row.pop("host_name_s"), "later": 1}
        self.check(self.one(row), {"src_endpoint.hostname": "PC-1", "unmapped.AdditionalFields": {"later": 1}, "unmapped.affected_rows_d": 12.0, "unmapped.Type": "AzureDiagnostics"})

    def test_a_table_of_its_own_spells_names_its_way(self):
        row = {"".join(word.capitalize() for word in key.split("_")): value for key, value in AUDIT.items()}
        row = row | {"TimeGenerated": RECORD["time"], "Type": "SQLSecurityAuditEvents", "_ResourceId": DATABASE.lower(), "ClientIP": row.pop("ClientIp")}
        wanted = self.of()
        self.check(self.one(row), {path: wanted[path] for path in ("class_uid", "time", "actor", "src_endpoint", "dst_endpoint", "query_info", "status_id", "duration", "api")})
        self.assertEqual(self.stats()["parsers"][self.PARSER]["drift"], {})

    def test_files_that_sql_has_converted_are_read(self):
        same = ("class_uid", "time", "actor", "src_endpoint", "dst_endpoint", "query_info", "status_id", "duration", "api", "type_id")
        wanted, row = self.of(), converted()
        sheet = io.StringIO()
        writer = csv.DictWriter(sheet, list(row))
        writer.writeheader()
        writer.writerow(row)
        for content in (json.dumps(row), json.dumps([row]), sheet.getvalue()):
            event = self.one(content)
            self.check(event, {path: wanted[path] for path in same} | {"unmapped.file_name": row["file_name"], "database.uid": None, "metadata.log_name": None})
        self.check(self.one(converted(action_id="DBAF", action_name="DATABASE AUTHENTICATION FAILED", succeeded=False)), {"class_uid": 3002, "status_id": 2})

    def test_files_of_extended_events_are_named_with_what_to_do(self):
        folder = "sqldbauditlogs/sql1/DB1/SqlDbAuditing_ServerAudit/2026-03-02"
        for name in (f"{folder}/22_00_00_000_0.xel", f"{folder}/RO/22_00_00_000_0.XEL", f"{folder}/odd", "case/22_00_00_000_0.xel"):
            self.write(name, bytes(range(64)) * 100)
        done = self.logmill("run", ".", "--to", "ndjson:-", "--stats", "stats.json", code=None)
        left = self.stats()["not_read_whole"]
        self.assertEqual((left["set_aside"], left["unrecognised"], left["failed"]), (4, 0, 0))
        self.assertIn("sys.fn_get_audit_file", " ".join(done.stderr.split()))
        self.check(self.one(json.dumps(converted()), "sqldbauditlogs/x.xel"), {"class_uid": 6005})

    # ---- Nothing is lost ----

    def test_every_field_has_its_place(self):
        source = record(RECORD | {"later": 1, "resultType": "r", "resultDescription": "d", "durationMs": "9", "identity": "i", "Level": "Informational"}, newMember={"a": 1})
        self.nothing_lost(source, self.one(source), {"time": "as logged_time", "location": "as region"})
        self.assertEqual(self.stats()["parsers"][self.PARSER]["drift"], {"later": 1, "newMember": 1})
        login = record(**LOGIN)
        self.nothing_lost(login, self.one(login), {"time": "as logged_time", "location": "as region"})
        row = diagnostics()
        numbers = ("session_id_d", "duration_milliseconds_d", "audit_schema_version_d")
        self.nothing_lost(row, self.one(row), {"TimeGenerated": "as logged_time", "_ResourceId": "as ResourceId", "Location": "as region", **{name: "a whole number" for name in numbers}})
        self.nothing_lost(converted(), self.one(converted()), {"action_id": "without its blanks"})

    def test_values_of_another_type_stay_as_they_were(self):
        odd = {"statement": {"a": 1}, "client_ip": 7, "action_id": ["x"], "session_id": [1], "duration_milliseconds": {"b": 2}, "object_name": True}
        self.check(self.of(**odd), {f"unmapped.properties.{name}": value for name, value in odd.items()})
        self.check(self.one(RECORD | {"properties": "no JSON"}), {"unmapped.properties": "no JSON", "time": 1772488801000})

    def test_one_bad_record_costs_that_record(self):
        self.write("x", "\n".join(json.dumps(r) for r in (RECORD, record(outer(RECORD, time=None), event_time=None), RECORD | {"category": "Deadlocks"}, {"event_time": "2026-03-02T22:00:00"}, RECORD)))
        self.logmill("run", "x", "--plugin", self.PARSER, "--to", "ndjson:-", "--rejects", "rejects", code=3)
        self.assertEqual([(r["record"], r["code"]) for r in sorted(self.rejects(), key=lambda r: r["record"])], [(1, "malformed"), (2, "foreign"), (3, "foreign")])

    def test_others_with_some_of_the_names_are_not_its_own(self):
        self.write("x", json.dumps({"event_time": "2026-03-02T22:00:00", "action_id": "x", "user": "y"}))
        self.write("y", json.dumps(converted() | {"category": "Other"}))
        self.logmill("run", "x", "y", "--to", "ndjson:-", "--stats", "stats.json", code=3)
        self.assertNotIn(self.PARSER, self.stats()["parsers"])


if __name__ == "__main__":
    mapping.unittest.main()
