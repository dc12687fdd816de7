// Who asks: AWS credentials, found where users of the AWS CLI expect, in their order, and fetched again before they expire.
//   1. AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN (not if a profile was named by a flag)
//   2. web identity: AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN
//   3. the profile in ~/.aws/credentials and ~/.aws/config (AWS_PROFILE, AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE): keys, role_arn with
//      source_profile or credential_source, web_identity_token_file, credential_process
//   4. a container: AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, AWS_CONTAINER_CREDENTIALS_FULL_URI
//   5. the machine, by IMDSv2 (AWS_EC2_METADATA_DISABLED, AWS_EC2_METADATA_SERVICE_ENDPOINT)
// A place that is set up but does not answer is an error; the next one is not tried in its stead.
#pragma once

#include "base/result.hpp"
#include "object_store/http.hpp"
#include "object_store/renewed.hpp"
#include "object_store/sigv4.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace lm::aws {

using store::environment;

using Profile = std::map<std::string, std::string>;  // "region" -> "eu-west-1"; what is nested: "s3.endpoint_url"

// The shared files, read once. Files that are not there are empty.
class Profiles {
 public:
  // `config` and `credentials`: text of the files; what the latter says of a profile wins.
  static Profiles parse(std::string_view config, std::string_view credentials);
  static Profiles load();
  const Profile* find(const std::string& name) const;
  // "s3" of the section [services NAME] that the profile names.
  std::string service_endpoint(const Profile&, const std::string& service) const;

 private:
  std::map<std::string, Profile> profiles_, services_;
};

struct Credentials {
  Keys keys;
  std::optional<std::int64_t> expires;  // seconds since 1970-01-01 UTC
  std::string from;                     // for people: "the environment"
};

struct CredentialSettings {
  std::string profile;           // "default" if nobody named one
  bool profile_by_flag = false;  // wins over keys in the environment
  std::string region;            // of STS; may be empty
};

class CredentialChain {
 public:
  // Both references must outlive the chain. `stop` is asked while it waits.
  CredentialChain(http::Client&, const Profiles&, CredentialSettings, std::function<bool()> stop);
  // [any] May block. There are none: Errc::not_found, with what was looked at.
  Result<Credentials> get();
  // [any] The service refused them as expired: the next get() fetches fresh ones, unless somebody did so already.
  void expired(const std::string& access_key);

 private:
  Result<Credentials> find();
  Result<Credentials> from_profile(const std::string& name, unsigned depth);
  Result<Credentials> from_web_identity(const std::string& token_file, const std::string& role, const std::string& session);
  Result<Credentials> from_process(const std::string& command);
  Result<Credentials> from_container();
  Result<Credentials> from_machine();
  Result<Credentials> from_sts(SigningRequest, const Keys* signer, std::string_view what);
  http::Answer ask(const http::Request&, unsigned attempts);

  http::Client& client_;
  const Profiles& profiles_;
  CredentialSettings settings_;
  std::function<bool()> stop_;
  store::Renewed<Credentials> current_;
};

}  // namespace lm::aws
