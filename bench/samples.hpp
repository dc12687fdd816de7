// Records such as services write, with values that repeat as they do there. Made up.
#pragma once

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

}  // namespace lm::bench
