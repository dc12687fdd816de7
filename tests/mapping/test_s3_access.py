"""Amazon S3 server access logs: which field of a line stands in which attribute, and what a client's quotes can and cannot do."""
import json
import random

import mapping

OWNER = "0f" * 32
ARN = "arn:aws:sts::111122223333:assumed-role/App/session-1"
KEY = "archive/111122223333/us-west-2/example-bucket/2026/03/01/2026-03-01-12-30-00-0123456789ABCDEF"

FIELDS = {
    "bucket_owner": OWNER, "bucket": "example-bucket", "time": "[01/Mar/2026:12:00:38 +0000]", "remote_ip": "203.0.113.77", "requester": ARN,
    "request_id": "3E57427F3EXAMPLE", "operation": "REST.GET.OBJECT", "key": "photos/a%2520b.jpg",
    "request_uri": '"GET /photos/a%20b.jpg?x-user=joe HTTP/1.1"', "http_status": "206", "error_code": "SomeError", "bytes_sent": "4406", "object_size": "9999",
    "total_time": "41", "turn_around_time": "28", "referer": '"https://www.example.com/page"', "user_agent": '"aws-sdk-java/2.25 Linux/6.1"',
    "version_id": "3HL4kqEXAMPLE", "host_id": "s9lzHYrEXAMPLE=", "signature_version": "SigV4", "cipher_suite": "TLS_AES_128_GCM_SHA256",
    "authentication_type": "AuthHeader", "host_header": "example-bucket.s3.us-west-2.amazonaws.com", "tls_version": "TLSv1.3",
    "access_point_arn": "arn:aws:s3:us-west-2:111122223333:accesspoint/photos", "acl_required": "Yes", "source_region": "us-east-2"}


def line(columns: int = 27, **changed: str) -> str:
    return " ".join(list({**FIELDS, **changed}.values())[:columns]) + "\n"


class S3Access(mapping.Mapping):
    PARSER = "aws.s3_access"

    def test_every_field_stands_where_the_mapping_says(self):
        event = self.one(line(), KEY)
        self.check(event, {
            "class_uid": 6003, "activity_id": 2, "type_uid": 600302, "severity_id": 1,
            "time": 1772366438000,  # time
            "metadata.original_time": "01/Mar/2026:12:00:38 +0000",
            "src_endpoint.ip": "203.0.113.77",  # remote_ip
            "src_endpoint.location.region": "us-east-2",  # source_region
            "actor.user.uid": ARN,  # requester
            "actor.user.name": "session-1",
            "actor.user.account.uid": "111122223333", "actor.user.account.type_id": 10,
            "api.request.uid": "3E57427F3EXAMPLE", "metadata.original_event_uid": "3E57427F3EXAMPLE",  # request_id
            "api.operation": "REST.GET.OBJECT",  # operation
            "api.service.name": "s3.amazonaws.com",
            "api.response.error": "SomeError", "status_code": "SomeError",  # error_code
            "api.response.code": 206, "http_response.code": 206, "status_id": 1,  # http_status
            "http_response.body_length": 4406,  # bytes_sent
            "http_response.latency": 41, "duration": 41,  # total_time
            "http_request.http_method": "GET", "http_request.version": "HTTP/1.1",  # request_uri
            "http_request.url.path": "/photos/a%20b.jpg", "http_request.url.query_string": "x-user=joe", "http_request.url.url_string": None,
            "http_request.url.hostname": "example-bucket.s3.us-west-2.amazonaws.com", "dst_endpoint.hostname": "example-bucket.s3.us-west-2.amazonaws.com",  # host_header
            "http_request.referrer": "https://www.example.com/page",  # referer
            "http_request.user_agent": "aws-sdk-java/2.25 Linux/6.1",  # user_agent
            "resources": [
                {"uid": "arn:aws:s3:::example-bucket", "name": "example-bucket", "type": "AWS::S3::Bucket"},  # bucket
                {"uid": "arn:aws:s3:::example-bucket/photos/a%2520b.jpg", "name": "photos/a%2520b.jpg", "type": "AWS::S3::Object", "version": "3HL4kqEXAMPLE"}],  # key, version_id
            "dst_endpoint.uid": "arn:aws:s3:us-west-2:111122223333:accesspoint/photos",  # access_point_arn
            "unmapped": {"bucket_owner": OWNER, "object_size": "9999", "turn_around_time": "28", "host_id": "s9lzHYrEXAMPLE=", "signature_version": "SigV4",
                         "cipher_suite": "TLS_AES_128_GCM_SHA256", "authentication_type": "AuthHeader", "tls_version": "TLSv1.3", "acl_required": "Yes"},
            "cloud.provider": "AWS", "cloud.region": "us-west-2", "cloud.account.uid": "111122223333", "cloud.account.type_id": 10, "cloud.cloud_partition": "aws",
            "metadata.product.name": "Amazon S3", "metadata.product.feature.name": "Server Access Logs", "metadata.product.vendor_name": "AWS",
            "metadata.log_provider": "Amazon S3", "metadata.profiles": ["cloud"], "metadata.debug": None, "raw_data": None})

    def test_nothing_of_a_full_line_is_lost(self):
        told = {"time": "without its brackets, as metadata.original_time", "request_uri": "method, path, query string and version apart",
                "referer": "without its quotes", "user_agent": "without its quotes"}
        self.nothing_lost(FIELDS, self.one(line(), KEY), told)

    def test_the_operation_says_what_was_done(self):
        wanted = {"REST.GET.OBJECT": 2, "REST.HEAD.BUCKET": 2, "REST.OPTIONS.PREFLIGHT": 2, "REST.SELECT.OBJECT": 2, "WEBSITE.GET.OBJECT": 2, "REST.COPY.OBJECT_GET": 2,
                  "REST.COPY.PART_GET": 2, "REST.PUT.OBJECT": 1, "REST.PUT.PART": 1, "REST.POST.UPLOADS": 1, "REST.POST.UPLOAD": 1, "REST.PUT.BUCKET": 1,
                  "REST.COPY.OBJECT": 1, "REST.PUT.ACL": 3, "REST.PUT.BUCKETPOLICY": 3, "REST.POST.RESTORE": 3, "REST.DELETE.OBJECT": 4, "BATCH.DELETE.OBJECT": 4,
                  "REST.POST.MULTI_OBJECT_DELETE": 4, "S3.EXPIRE.OBJECT": 4, "S3.TRANSITION_SIA.OBJECT": 3, "S3.RESTORE.OBJECT": 3, "S3.COMPUTE.OBJECT.CHECKSUM": 99,
                  "SOAP.CreateBucket": 99, "X": 99}
        events = self.read("".join(line(operation=o) for o in wanted))
        for event, (operation, activity) in zip(events, wanted.items(), strict=True):
            with self.subTest(operation):
                self.assertEqual((event["api"]["operation"], event["activity_id"]), (operation, activity))
        self.assertEqual([e["activity_name"] for e in events[-3:]], ["S3.COMPUTE.OBJECT.CHECKSUM", "SOAP.CreateBucket", "X"])

    def test_a_requester_is_a_user_a_service_or_nobody(self):
        canonical, user, service, s3, nobody = self.read("".join(line(requester=r) for r in ["ab" * 32, "arn:aws-cn:iam::444455556666:user/path/joe",
                                                                                               "svc:delivery.logs.amazonaws.com", "AmazonS3", "-"]))
        self.check(canonical, {"actor": {"user": {"uid": "ab" * 32}}})
        self.check(user, {"actor.user.name": "joe", "actor.user.account.uid": "444455556666", "actor.app_name": None})
        self.check(service, {"actor": {"app_name": "delivery.logs.amazonaws.com"}})
        self.check(s3, {"actor": {"app_name": "AmazonS3"}})
        self.check(nobody, {"actor": {"user": {"name": "anonymous"}}})

    def test_without_an_address_the_source_is_the_service_that_asked(self):
        events = self.read("".join(line(remote_ip=ip, requester=r) for ip, r in [("-", "svc:delivery.logs.amazonaws.com"), ("-", "AmazonS3"), ("-", ARN), ("-", "-"),
                                                                                  ("2001:db8::77", "-"), ("cloudtrail.amazonaws.com", "-"), ("999.1.1.1", "-")]))
        wanted = [{"svc_name": "delivery.logs.amazonaws.com"}, {"svc_name": "AmazonS3"}, {"svc_name": "s3.amazonaws.com"}, {"svc_name": "s3.amazonaws.com"},
                  {"ip": "2001:db8::77"}, {"svc_name": "cloudtrail.amazonaws.com"}, {"hostname": "999.1.1.1"}]
        self.assertEqual([{k: v for k, v in e["src_endpoint"].items() if k != "location"} for e in events], wanted)

    def test_the_partition_of_an_arn_names_the_resources_too(self):
        event = self.one(line(requester="arn:aws-us-gov:iam::111122223333:user/joe", access_point_arn="-"))
        self.check(event, {"cloud.cloud_partition": "aws-us-gov", "resources.0.uid": "arn:aws-us-gov:s3:::example-bucket", "dst_endpoint.uid": None})

    def test_the_status_says_success_or_failure(self):
        events = self.read("".join(line(http_status=s) for s in ["200", "304", "403", "503", "-"]))
        self.assertEqual([e["status_id"] for e in events], [1, 1, 2, 2, 0])

    def test_without_a_status_there_is_no_response(self):
        event = self.one(line(http_status="-", error_code="-"))
        self.check(event, {"http_response": None, "api.response": None, "duration": 41, "unmapped.bytes_sent": "4406"})

    def test_dashes_are_absent(self):
        event = self.one(line(**{k: "-" for k in FIELDS if k not in ("bucket_owner", "bucket", "time", "operation")}))
        self.check(event, {"http_request": None, "http_response": None, "duration": None, "api": {"operation": "REST.GET.OBJECT", "service": {"name": "s3.amazonaws.com"}},
                           "dst_endpoint": None, "cloud": {"provider": "AWS"}, "unmapped": {"bucket_owner": OWNER}, "metadata.original_event_uid": None})
        self.assertEqual(len(event["resources"]), 1)

    def test_quoted_dashes_and_nothing_between_quotes_are_absent(self):
        for text in ('"-"', '""'):
            self.check(self.one(line(referer=text, user_agent=text, request_uri='"-"')), {"http_request": None, "metadata.debug": None})

    def test_lines_of_any_age_are_read(self):
        events = self.read("".join(line(n) for n in range(17, 28)))
        self.assertEqual(len(events), 11)
        self.check(events[0], {"resources.1.version": None, "unmapped.host_id": None, "http_request.user_agent": "aws-sdk-java/2.25 Linux/6.1"})
        self.check(events[1], {"resources.1.version": "3HL4kqEXAMPLE", "unmapped.host_id": None})

    def test_columns_that_came_later_are_kept_and_counted(self):
        event = self.one(line().rstrip("\n") + " new and-newer\n")
        self.check(event, {"unmapped.field_28": "new and-newer", "src_endpoint.location.region": "us-east-2"})
        self.assertEqual(self.stats()["parsers"]["aws.s3_access"]["drift"], {"field_28": 1})

    def test_a_trailing_space_is_nothing(self):
        self.check(self.one(line(24).rstrip("\n") + " \n"), {"unmapped.tls_version": "TLSv1.3", "metadata.debug": None})

    def test_quotes_in_the_target_do_not_end_it(self):
        event = self.one(line(request_uri='"GET /?q="><script>alert("1")</script> HTTP/1.1"'))
        self.check(event, {"http_request.url.path": "/", "http_request.url.query_string": 'q="><script>alert("1")</script>', "http_response.code": 206, "raw_data": None})

    def test_quotes_in_the_agent_do_not_end_it(self):
        self.check(self.one(line(user_agent='"Mozilla/5.0 "quoted" agent"')), {"http_request.user_agent": 'Mozilla/5.0 "quoted" agent', "metadata.debug": None, "raw_data": None})

    def test_one_header_may_be_missing(self):
        neither, agent, referer = self.read(line(referer="-", user_agent="-") + line(referer="-") + line(user_agent="-"))
        self.check(neither, {"http_request.referrer": None, "http_request.user_agent": None, "unmapped.host_id": "s9lzHYrEXAMPLE="})
        self.check(agent, {"http_request.referrer": None, "http_request.user_agent": "aws-sdk-java/2.25 Linux/6.1", "unmapped.host_id": "s9lzHYrEXAMPLE="})
        self.check(referer, {"http_request.referrer": "https://www.example.com/page", "http_request.user_agent": None, "unmapped.host_id": "s9lzHYrEXAMPLE=",
                             "resources.1.version": "3HL4kqEXAMPLE", "metadata.debug": None})

    def test_an_agent_cannot_forge_the_status(self):
        text = line(http_status="403", error_code="AccessDenied", user_agent='"x" 200 - 5000 5000 10 9 "-" "curl"')
        event = self.one(text)
        self.check(event, {"http_response.code": 403, "status_id": 2, "api.response.error": "AccessDenied", "http_request.url.path": "/photos/a%20b.jpg",
                           "unmapped.host_id": "s9lzHYrEXAMPLE=", "raw_data": text.rstrip("\n")})
        self.assertTrue(all(d.startswith("ambiguous: ") for d in event["metadata"]["debug"]))
        self.assertTrue(event["metadata"]["debug"][0].startswith("ambiguous: request-URI"))

    def test_a_referer_that_looks_like_two_is_called_ambiguous(self):
        text = line(referer='"http://x.example/" "y"')
        event = self.one(text)
        self.check(event, {"http_request.referrer": "http://x.example/", "raw_data": text.rstrip("\n"), "unmapped.host_id": "s9lzHYrEXAMPLE="})
        self.assertTrue(event["metadata"]["debug"][0].startswith("ambiguous: referer"))

    def test_a_referer_cannot_move_the_columns_behind_a_missing_agent(self):
        text = line(referer='"a" "b"', user_agent="-", version_id="-")
        event = self.one(text)
        self.check(event, {"http_request.referrer": 'a" "b', "http_request.user_agent": None, "unmapped.host_id": "s9lzHYrEXAMPLE=",
                           "unmapped.signature_version": "SigV4", "raw_data": text.rstrip("\n")})
        self.assertTrue(event["metadata"]["debug"][0].startswith("ambiguous: user_agent"))

    def test_whatever_headers_hold_a_row_is_right_or_says_that_it_may_not_be(self):
        pieces = ['"', " ", "-", "200", '" "', "x", '" ', "- ", "1", "SigV4", '" 200 - 1 1 1 1 "', '" 403 E 1 1 1 1 -', "HTTP/1.1"]
        chance = random.Random(1)
        sent = []
        for i in range(3000):
            referer, agent = ("".join(chance.choice(pieces) for _ in range(chance.randrange(7))) if chance.random() < 0.8 else None for _ in range(2))
            sent.append((referer, agent, chance.choice(["-", "3HL4kqEXAMPLE"]), chance.choice([19, 20, 22, 24, 25, 27]), f"R{i}"))

        def quoted(text: str | None) -> str:
            return "-" if text is None else f'"{text}"'

        def present(text: str | None) -> str | None:
            return None if text in (None, "", "-") else text

        events = self.read("".join(line(columns, http_status="403", referer=quoted(referer), user_agent=quoted(agent), version_id=version, request_id=request)
                                   for referer, agent, version, columns, request in sent))
        self.assertEqual(len(events), len(sent))
        ambiguous = 0
        for event, (referer, agent, version, _, request) in zip(events, sent, strict=True):
            with self.subTest(referer=referer, agent=agent):
                self.check(event, {"api.request.uid": request, "http_response.code": 403})
                if "debug" in event["metadata"]:
                    ambiguous += 1
                    self.assertIn(request, event["raw_data"])
                else:
                    self.check(event, {"http_request.referrer": present(referer), "http_request.user_agent": present(agent), "resources.1.version": present(version),
                                       "unmapped.host_id": "s9lzHYrEXAMPLE=", "raw_data": None})
        self.assertLess(ambiguous, 2000)

    def test_a_row_after_an_ambiguous_one_is_not(self):
        _, second = self.read(line(referer='"a" "b"') + line())
        self.check(second, {"metadata.debug": None, "raw_data": None})

    def test_a_line_that_is_cut_off_is_rejected_and_no_field_of_it_is_taken_for_another(self):
        whole = line().rstrip("\n")
        end_of_agent = whole.index('6.1"') + 3
        cut = [whole[:n] for n in range(OWNER.__len__() + 1, end_of_agent)]
        self.write("x", whole + "\n" + "\n".join(cut) + "\n")
        events = self.events("x", "--stats", "stats.json", "--rejects", "rejects", code=3)
        self.assertEqual(len(events), 1)
        self.assertEqual(self.stats()["parsers"]["aws.s3_access"]["rejects"], len(cut))

    def test_what_is_no_time_costs_the_record(self):
        self.assertEqual(len(self.read(line() + line(time="[31/Feb/2026:12:00:38 +0000]") + line(time="[01/Mar/1970:12:00:38 +0000]"), code=3)), 1)

    def test_more_than_32_bits_are_kept(self):
        event = self.one(line(bytes_sent="5368709120", total_time="99999999999", object_size="99999999999999999999"))
        self.check(event, {"http_response.body_length": None, "unmapped.bytes_sent": "5368709120", "duration": 99999999999, "http_response.latency": None,
                           "unmapped.object_size": "99999999999999999999"})

    def test_a_number_beyond_all_bounds_is_kept_as_text(self):
        self.check(self.one(line(total_time="9" * 30)), {"duration": None, "unmapped.total_time": "9" * 30})

    def test_an_absolute_target_is_kept_whole(self):
        event = self.one(line(request_uri='"GET http://user@other.example.com:8080/a?b=c HTTP/1.1"'))
        self.check(event, {"http_request.url.url_string": "http://user@other.example.com:8080/a?b=c", "http_request.url.hostname": "other.example.com",
                           "http_request.url.path": "/a", "http_request.url.query_string": "b=c", "dst_endpoint.hostname": FIELDS["host_header"]})

    def test_a_host_header_may_have_a_port(self):
        self.check(self.one(line(host_header="example-bucket.s3.amazonaws.com:8443")), {"dst_endpoint.hostname": "example-bucket.s3.amazonaws.com", "dst_endpoint.port": 8443})

    def test_unicode_in_quotes_stays_as_it_is(self):
        self.check(self.one(line(user_agent='"ä€😀 \\" \\x22"')), {"http_request.user_agent": 'ä€😀 \\" \\x22'})

    def test_the_key_says_account_and_region_only_where_it_has_them(self):
        for key in ("logs/2026-03-01-12-30-00-0123456789ABCDEF", "a/b/c/2026/03/01/2026-03-01-12-30-00-0123456789ABCDEF"):
            self.check(self.one(line(), key), {"cloud.account": None, "cloud.region": None})

    def test_lines_of_other_logs_are_not_taken(self):
        for content in ('192.0.2.1 - - [01/Mar/2026:12:00:38 +0000] "GET / HTTP/1.1" 200 1\n', "f" * 64 + " text\n", f'{{"a": "{line().split(chr(34))[0]}"}}\n'):
            self.write("y", content)
            self.logmill("run", "y", "--to", "ndjson:-", "--stats", "stats.json", code=None)
            self.assertNotIn("aws.s3_access", self.stats()["parsers"])


class S3AccessJson(mapping.Mapping):
    PARSER = "aws.s3_access_json"

    RECORD = {
        "schema_version_id": "V_1_0", "bucket_arn": "arn:aws-cn:s3:::example-bucket", "bucket_name": "example-bucket", "request_time": "2026-03-01T12:00:38.250Z",
        "bucket_owner_id": OWNER, "remote_ip": "203.0.113.77", "requester": ARN, "request_id": "3E57427F3EXAMPLE", "operation": "REST.GET.OBJECT", "key_name": "a%2520b.jpg",
        "request_uri": "GET /a?b=c HTTP/1.1", "http_status": 404, "error_code": "NoSuchKey", "bytes_sent": 4406, "object_size": 9999, "total_time": 41,
        "turn_around_time": 28, "referer": "https://www.example.com/", "user_agent": 'Mozilla/5.0 "quoted" " "', "version_id": "3HL4kqEXAMPLE", "host_id": "s9lzEXAMPLE=",
        "signature_version": "SigV4", "cipher_suite": "TLS_AES_128_GCM_SHA256", "authentication_type": "AuthHeader", "host_header": "example-bucket.s3.amazonaws.com",
        "tls_version": "TLSv1.3", "access_point_arn": "arn:aws-cn:s3:cn-north-1:111122223333:accesspoint/p", "acl_required": "Yes", "source_region": "cn-north-1"}

    def test_fields_stand_where_those_of_a_line_do(self):
        event = self.one(self.RECORD)
        self.check(event, {
            "time": 1772366438250, "metadata.original_time": "2026-03-01T12:00:38.250Z", "metadata.log_version": "V_1_0", "resources.0.uid": "arn:aws-cn:s3:::example-bucket",
            "resources.0.name": "example-bucket", "resources.1.uid": "arn:aws-cn:s3:::example-bucket/a%2520b.jpg", "http_response.code": 404, "status_id": 2,
            "status_code": "NoSuchKey", "duration": 41, "http_request.user_agent": 'Mozilla/5.0 "quoted" " "', "cloud.cloud_partition": "aws-cn",
            "src_endpoint.location.region": "cn-north-1", "unmapped.bucket_owner": OWNER, "metadata.debug": None, "raw_data": None})
        self.nothing_lost(self.RECORD, event, {"request_uri": "method, path, query string and version apart"})
        self.assertEqual(self.stats()["parsers"]["aws.s3_access_json"].get("drift", {}), {})

    def test_names_are_compared_without_case_and_dashes(self):
        event = self.one({"Bucket-Owner": OWNER, "Bucket": "b", "Time": "01/Mar/2026:12:00:38 +0000", "Remote-IP": "192.0.2.1", "Operation": "REST.GET.BUCKET",
                          "Request-URI": "-", "Key": "-", "HTTP-Status": "200"})
        self.check(event, {"time": 1772366438000, "resources.0.name": "b", "http_response.code": 200})

    def test_null_is_absent_and_another_type_is_kept(self):
        event = self.one({**self.RECORD, "error_code": None, "acl_required": True, "http_status": "x", "key_name": {"a": [1]}, "total_time": -1, "bytes_sent": 1.5})
        self.check(event, {"status_code": None, "unmapped.acl_required": True, "unmapped.http_status": "x", "unmapped.key_name": {"a": [1]}, "unmapped.total_time": "-1",
                           "unmapped.bytes_sent": "1.5", "http_response": None})
        self.assertEqual(len(event["resources"]), 1)

    def test_an_unknown_field_is_kept_and_counted(self):
        event = self.one({**self.RECORD, "request_cost": {"unit": "x"}})
        self.check(event, {"unmapped.request_cost": {"unit": "x"}})
        self.assertEqual(self.stats()["parsers"]["aws.s3_access_json"]["drift"], {"request_cost": 1})

    def test_of_a_name_that_comes_twice_the_last_counts_and_the_first_is_kept(self):
        text = json.dumps(self.RECORD)[:-1] + ', "operation": "REST.PUT.OBJECT"}'
        self.check(self.one(text), {"api.operation": "REST.PUT.OBJECT", "unmapped.operation": "REST.GET.OBJECT"})

    def test_what_is_no_record_is_rejected(self):
        good = json.dumps(self.RECORD)
        self.assertEqual(len(self.read("\n".join([good, '{"a": 1}', json.dumps({**self.RECORD, "request_time": "soon"}), good[:100]]) + "\n", code=3)), 1)


if __name__ == "__main__":
    mapping.unittest.main()
