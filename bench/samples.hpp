// Records such as services write, with values that repeat as they do there. Made up.
#pragma once

#include <array>
#include <random>
#include <string>

namespace lm::bench {

inline std::string cloudtrail_event(std::mt19937& random) {
  return "{\"eventVersion\":\"1.08\",\"userIdentity\":{\"type\":\"AssumedRole\",\"principalId\":\"AROA" + std::to_string(random() % 5000) +
         ":session\",\"arn\":\"arn:aws:sts::111122223333:assumed-role/app/" + std::to_string(random() % 300) +
         "\",\"accountId\":\"111122223333\",\"sessionContext\":{\"sessionIssuer\":{\"type\":\"Role\",\"userName\":\"app\"},\"attributes\":{"
         "\"mfaAuthenticated\":\"false\",\"creationDate\":\"2026-03-01T07:00:00Z\"}}},\"eventTime\":\"2026-03-01T08:00:00Z\","
         "\"eventSource\":"
         "\"s3.amazonaws.com\",\"eventName\":\"GetObject\",\"awsRegion\":\"eu-central-1\",\"sourceIPAddress\":\"192.0.2." +
         std::to_string(random() % 256) +
         "\",\"userAgent\":\"[aws-sdk-java/1.12 \\\"x\\\"]\",\"requestParameters\":{\"bucketName\":\"data-" +
         std::to_string(random() % 50) + "\",\"key\":\"part-" + std::to_string(random()) +
         "\"},\"responseElements\":null,\"resources\":[{\"type\":\"AWS::S3::Object\",\"ARN\":\"arn:aws:s3:::data/x\"}],\"eventID\":\"" +
         std::to_string(random()) + "-" + std::to_string(random()) + "\",\"readOnly\":true}";
}

inline std::string flow_line(std::mt19937& random) {
  const auto address = [&] {
    return std::to_string(random() % 20) + "." + std::to_string(random() % 20) + "." + std::to_string(random() % 250);
  };
  const auto start = 1772352000 + random() % 600;
  return "2 111122223333 eni-0a1b2c3d4e5f0" + std::to_string(1000 + random() % 400) + " 10." + address() + " 198." + address() + " " +
         std::to_string(1024 + random() % 60000) + " 443 6 " + std::to_string(1 + random() % 5000) + " " +
         std::to_string(random() % 4000000) + " " + std::to_string(start) + " " + std::to_string(start + 60) +
         (random() % 8 ? " ACCEPT OK" : " REJECT OK");
}

// What people's browsers and programs ask of a shop: methods, paths and agents repeat, addresses, times and identifiers do not.
class WebRequest {
 public:
  explicit WebRequest(std::mt19937& random) : random_(random) {}
  std::string number(unsigned below) { return std::to_string(random_() % below); }
  std::string two(unsigned below) { return std::to_string(100 + random_() % below).substr(1); }
  std::string moment() { return "2026-03-01T08:" + two(60) + ':' + two(60) + '.' + std::to_string(100000 + random_() % 900000) + 'Z'; }
  std::string client() { return "198.51." + number(256) + '.' + number(256) + ':' + std::to_string(1024 + random_() % 60000); }
  std::string target() { return "10.0." + number(4) + '.' + number(64) + ":8080"; }
  std::string seconds() { return "0." + std::to_string(1000000 + random_() % 90000).substr(1); }
  std::string status() { return std::to_string(std::array{200, 200, 200, 200, 200, 206, 302, 304, 404, 500}[random_() % 10]); }
  std::string line() {
    static constexpr std::array kPaths{"/", "/cart", "/static/app.9f8e7d.js", "/api/v2/items/", "/search", "/img/products/large/"};
    return std::string(random_() % 6 ? "GET" : "POST") + " https://shop.example.com:443" + kPaths[random_() % kPaths.size()] +
           number(3000) + (random_() % 3 ? "?utm_source=mail&page=" + number(40) : "") + " HTTP/" + (random_() % 2 ? "2.0" : "1.1");
  }
  const char* agent() {
    static constexpr std::array kAgents{
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/144.0.0.0 Safari/537.36",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 "
        "Safari/604.1",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "curl/8.5.0", "aws-sdk-java/2.31.5 Linux/6.1"};
    return kAgents[random_() % kAgents.size()];
  }
  std::string hex(unsigned digits) {
    std::string out;
    while (out.size() < digits) out += "0123456789abcdef"[random_() % 16];
    return out;
  }

 private:
  std::mt19937& random_;
};

inline std::string clb_line(std::mt19937& random) {
  WebRequest r(random);
  return r.moment() + " legacy " + r.client() + ' ' + r.target() + ' ' + r.seconds() + ' ' + r.seconds() + ' ' + r.seconds() + ' ' +
         r.status() + ' ' + r.status() + ' ' + r.number(4000) + ' ' + r.number(90000) + " \"" + r.line() + "\" \"" + r.agent() +
         "\" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2";
}

inline std::string alb_line(std::mt19937& random) {
  WebRequest r(random);
  const std::string target = r.target(), status = r.status();
  return "h2 " + r.moment() + " app/shop/0a1b2c3d4e5f6071 " + r.client() + ' ' + target + ' ' + r.seconds() + ' ' + r.seconds() + ' ' +
         r.seconds() + ' ' + status + ' ' + status + ' ' + r.number(4000) + ' ' + r.number(90000) + " \"" + r.line() + "\" \"" + r.agent() +
         "\" TLS_AES_128_GCM_SHA256 TLSv1.3 arn:aws:elasticloadbalancing:eu-central-1:111122223333:targetgroup/web/0123456789abcdef "
         "\"Root=1-" +
         r.hex(8) + '-' + r.hex(24) +
         "\" \"shop.example.com\" \"arn:aws:acm:eu-central-1:111122223333:certificate/0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9\" " +
         r.number(9) + ' ' + r.moment() + " \"forward\" \"-\" \"-\" \"" + target + "\" \"" + status + "\" \"-\" \"-\" TID_" + r.hex(32);
}

inline std::string s3_access_line(std::mt19937& random) {
  WebRequest r(random);
  const std::string key = "data/part-" + r.number(90000) + ".parquet", client = r.client();
  return "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be acme-data [01/Mar/2026:08:" + r.two(60) + ':' + r.two(60) +
         " +0000] " + client.substr(0, client.find(':')) + " arn:aws:sts::111122223333:assumed-role/etl/worker-" + r.number(60) + ' ' +
         r.hex(16) + " REST.GET.OBJECT " + key + " \"GET /" + key + " HTTP/1.1\" " + r.status() + " - " + r.number(900000) + " 8388608 " +
         r.number(400) + ' ' + r.number(90) + " \"-\" \"" + r.agent() + "\" - " + r.hex(60) +
         "= SigV4 TLS_AES_128_GCM_SHA256 AuthHeader acme-data.s3.eu-central-1.amazonaws.com TLSv1.3 - -";
}

}  // namespace lm::bench
