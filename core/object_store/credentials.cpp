#include "object_store/credentials.hpp"

#include "object_store/xml.hpp"

#include <logmill/sdk/time.hpp>

#include <fmt/format.h>
#include <simdjson.h>
#include <cstdio>
#include <ctime>
#include <memory>

namespace lm::aws {
namespace {

using std::chrono::milliseconds;
using store::form, store::read_file, store::trimmed;

constexpr std::size_t kMostAnswer = 256 << 10;  // of a process
constexpr unsigned kMaxRoles = 8;               // profiles that lead to one another

using Sections = std::map<std::string, Profile>;

Sections parse_sections(std::string_view text) {
  Sections out;
  Profile* section = nullptr;
  std::string above;  // the key that indented lines belong to
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view raw = text.substr(0, end), line = trimmed(raw);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line[0] == '#' || line[0] == ';') continue;
    if (line[0] == '[') {
      const std::size_t close = line.find(']');
      section = close == std::string_view::npos ? nullptr : &out[std::string(trimmed(line.substr(1, close - 1)))];
      above.clear();
      continue;
    }
    const std::size_t equals = line.find('=');
    if (!section || equals == std::string_view::npos) continue;
    std::string key(trimmed(line.substr(0, equals)));
    std::string_view value = trimmed(line.substr(equals + 1));
    if (const std::size_t comment = std::min(value.find(" #"), value.find(" ;")); comment != std::string_view::npos)
      value = trimmed(value.substr(0, comment));
    if (raw[0] == ' ' || raw[0] == '\t') {
      if (!above.empty()) (*section)[fmt::format("{}.{}", above, key)] = value;
      continue;
    }
    above = value.empty() ? key : std::string();
    (*section)[std::move(key)] = value;
  }
  return out;
}

std::string value(const Profile& profile, const std::string& key) {
  const auto found = profile.find(key);
  return found == profile.end() ? std::string() : found->second;
}

std::int64_t now() { return std::time(nullptr); }

// What containers, machines and processes answer. `names`: of the token.
Result<Credentials> from_json(std::string_view text, std::string_view token_name, std::string from) {
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  Credentials out;
  out.from = std::move(from);
  if (parser.parse(text.data(), text.size()).get(document) != simdjson::SUCCESS)
    return fail(Errc::invalid, fmt::format("credentials of {}: the answer is no JSON", out.from));
  const auto get = [&](std::string_view name) {
    std::string_view found;
    return document[name].get(found) == simdjson::SUCCESS ? std::string(found) : std::string();
  };
  out.keys = {get("AccessKeyId"), get("SecretAccessKey"), get(token_name)};
  if (out.keys.access_key.empty() || out.keys.secret_key.empty())
    return fail(Errc::invalid, fmt::format("credentials of {}: the answer has no AccessKeyId and SecretAccessKey", out.from));
  if (const std::string expires = get("Expiration"); !expires.empty()) {
    const auto at = time::rfc3339(expires);
    if (!at) return fail(Errc::invalid, fmt::format("credentials of {}: the Expiration is no time", out.from));
    out.expires = *at / 1000;
  }
  return out;
}

// Tokens are sent in the clear to this machine and to the addresses of the container services alone.
bool local_address(std::string_view url) {
  const std::string_view host = store::http_host(url);
  return store::is_loopback(host) || host == "169.254.170.2" || host == "169.254.170.23" || host == "[fd00:ec2::23]";
}

std::string session_name(const std::string& given) { return given.empty() ? fmt::format("logmill-{}", now()) : given; }

}  // namespace

Profiles Profiles::parse(std::string_view config, std::string_view credentials) {
  Profiles out;
  for (auto& [name, section] : parse_sections(config)) {
    if (name == "default") {
      out.profiles_[name] = std::move(section);
    } else if (name.starts_with("profile ")) {
      out.profiles_[std::string(trimmed(std::string_view(name).substr(8)))] = std::move(section);
    } else if (name.starts_with("services ")) {
      out.services_[std::string(trimmed(std::string_view(name).substr(9)))] = std::move(section);
    }
  }
  for (auto& [name, section] : parse_sections(credentials)) {
    Profile& to = out.profiles_[name];
    for (auto& [key, text] : section) to[key] = std::move(text);
  }
  return out;
}

Profiles Profiles::load() {
  const std::string home = environment("HOME");
  std::string config = environment("AWS_CONFIG_FILE"), credentials = environment("AWS_SHARED_CREDENTIALS_FILE");
  if (config.empty() && !home.empty()) config = home + "/.aws/config";
  if (credentials.empty() && !home.empty()) credentials = home + "/.aws/credentials";
  return parse(read_file(config), read_file(credentials));
}

const Profile* Profiles::find(const std::string& name) const {
  const auto found = profiles_.find(name);
  return found == profiles_.end() ? nullptr : &found->second;
}

std::string Profiles::service_endpoint(const Profile& profile, const std::string& service) const {
  const auto found = services_.find(value(profile, "services"));
  return found == services_.end() ? std::string() : value(found->second, service + ".endpoint_url");
}

CredentialChain::CredentialChain(http::Client& client, const Profiles& profiles, CredentialSettings settings, std::function<bool()> stop)
    : client_(client), profiles_(profiles), settings_(std::move(settings)), stop_(std::move(stop)) {}

Result<Credentials> CredentialChain::get() {
  return current_.get([this] { return find(); });
}

void CredentialChain::expired(const std::string& access_key) {
  current_.drop_if([&](const Credentials& c) { return c.keys.access_key == access_key; });
}

Result<Credentials> CredentialChain::find() {
  if (!settings_.profile_by_flag) {
    if (std::string id = environment("AWS_ACCESS_KEY_ID"), secret = environment("AWS_SECRET_ACCESS_KEY"); !id.empty() && !secret.empty())
      return Credentials{{std::move(id), std::move(secret), environment("AWS_SESSION_TOKEN")}, {}, "the environment"};
    if (const std::string token = environment("AWS_WEB_IDENTITY_TOKEN_FILE"), role = environment("AWS_ROLE_ARN");
        !token.empty() && !role.empty())
      return from_web_identity(token, role, environment("AWS_ROLE_SESSION_NAME"));
  }
  if (profiles_.find(settings_.profile)) {
    auto found = from_profile(settings_.profile, 0);
    // A default profile may hold a region alone.
    if (found || found.error().code != Errc::not_found || settings_.profile_by_flag) return found;
  } else if (settings_.profile_by_flag || settings_.profile != "default") {
    return fail(Errc::invalid, fmt::format("the AWS configuration has no profile '{}'", settings_.profile));
  }
  if (!environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").empty() || !environment("AWS_CONTAINER_CREDENTIALS_FULL_URI").empty())
    return from_container();
  if (environment("AWS_EC2_METADATA_DISABLED") != "true") return from_machine();
  return fail(
      Errc::not_found,
      "no AWS credentials: neither in the environment, nor in a profile, nor of a container; for a public bucket say --no-sign-request");
}

Result<Credentials> CredentialChain::from_profile(const std::string& name, unsigned depth) {
  if (depth > kMaxRoles) return fail(Errc::invalid, fmt::format("the AWS profile '{}' leads back to itself", name));
  const Profile* const profile = profiles_.find(name);
  if (!profile) return fail(Errc::invalid, fmt::format("the AWS configuration has no profile '{}'", name));
  const auto of = [&](const char* key) { return value(*profile, key); };
  const auto own_keys = [&] {
    return Credentials{
        {of("aws_access_key_id"), of("aws_secret_access_key"), of("aws_session_token")}, {}, fmt::format("the profile '{}'", name)};
  };
  if (const std::string role = of("role_arn"); !role.empty()) {
    if (const std::string token = of("web_identity_token_file"); !token.empty())
      return from_web_identity(token, role, of("role_session_name"));
    if (!of("mfa_serial").empty())
      return fail(Errc::invalid,
                  fmt::format("the AWS profile '{}' asks for a one-time code: give a session's keys in the environment", name));
    const std::string source = of("source_profile"), place = of("credential_source");
    Result<Credentials> base = Credentials{};
    if (source == name) {
      base = own_keys();
    } else if (!source.empty()) {
      base = from_profile(source, depth + 1);
    } else if (place == "Environment") {
      base = Credentials{{environment("AWS_ACCESS_KEY_ID"), environment("AWS_SECRET_ACCESS_KEY"), environment("AWS_SESSION_TOKEN")},
                         {},
                         "the environment"};
    } else if (place == "EcsContainer") {
      base = from_container();
    } else if (place == "Ec2InstanceMetadata") {
      base = from_machine();
    } else {
      return fail(Errc::invalid,
                  fmt::format("the AWS profile '{}' has a role_arn, but neither source_profile nor credential_source", name));
    }
    if (!base) return base;
    if (base->keys.access_key.empty())
      return fail(Errc::invalid, fmt::format("the AWS profile '{}': nothing to assume its role with", name));
    SigningRequest request;
    Pairs fields{
        {"Action", "AssumeRole"}, {"Version", "2011-06-15"}, {"RoleArn", role}, {"RoleSessionName", session_name(of("role_session_name"))}};
    if (const std::string id = of("external_id"); !id.empty()) fields.emplace_back("ExternalId", id);
    if (const std::string seconds = of("duration_seconds"); !seconds.empty()) fields.emplace_back("DurationSeconds", seconds);
    request.body = form(fields);
    return from_sts(std::move(request), &base->keys, fmt::format("the role of the profile '{}'", name));
  }
  if (!of("aws_access_key_id").empty() && !of("aws_secret_access_key").empty()) return own_keys();
  if (const std::string command = of("credential_process"); !command.empty()) return from_process(command);
  if (!of("sso_session").empty() || !of("sso_start_url").empty()) {
    return fail(
        Errc::invalid,
        fmt::format("the AWS profile '{0}' signs in by SSO: give it `credential_process = aws configure export-credentials --profile {0}`",
                    name));
  }
  return fail(Errc::not_found, fmt::format("the AWS profile '{}' has no credentials", name));
}

Result<Credentials> CredentialChain::from_web_identity(const std::string& token_file, const std::string& role, const std::string& session) {
  const std::string file = read_file(token_file);  // each time: it is renewed there
  const std::string_view token = trimmed(file);
  if (token.empty()) return fail(Errc::invalid, fmt::format("the web identity token {} cannot be read", token_file));
  SigningRequest request;
  request.body = form({{"Action", "AssumeRoleWithWebIdentity"},
                       {"Version", "2011-06-15"},
                       {"RoleArn", role},
                       {"RoleSessionName", session_name(session)},
                       {"WebIdentityToken", std::string(token)}});
  return from_sts(std::move(request), nullptr, "the web identity");
}

Result<Credentials> CredentialChain::from_sts(SigningRequest request, const Keys* signer, std::string_view what) {
  std::string endpoint = environment("AWS_ENDPOINT_URL_STS");
  if (endpoint.empty()) endpoint = environment("AWS_ENDPOINT_URL");
  const std::string region = settings_.region.empty() ? "us-east-1" : settings_.region;
  if (endpoint.empty()) endpoint = fmt::format("https://sts.{}.amazonaws.com{}", region, region.starts_with("cn-") ? ".cn" : "");
  const std::size_t scheme = endpoint.find("://");
  if (scheme == std::string::npos) return fail(Errc::invalid, fmt::format("{}: the STS endpoint is no URL", endpoint));
  request.method = "POST";
  request.host = endpoint.substr(scheme + 3, endpoint.find('/', scheme + 3) - scheme - 3);
  request.path = "/";
  request.headers = {{"content-type", "application/x-www-form-urlencoded"}};
  if (signer) sign(request, *signer, region, "sts", now());
  http::Request http;
  http.method = request.method;
  http.url = url_of(std::string_view(endpoint).substr(0, scheme), request);
  for (const auto& [name, text] : request.headers) http.headers.push_back(fmt::format("{}: {}", name, text));
  http.body = request.body;
  const http::Answer answer = ask(http, 4);
  if (answer.status != 200) {
    const store::ServiceError error = store::parse_error(answer.body);
    return fail(
        Errc::invalid,
        fmt::format("credentials of {}: {}", what,
                    answer.status == 0 ? answer.failure : fmt::format("STS answered {} {}: {}", answer.status, error.code, error.message)));
  }
  Credentials out;
  out.from = what;
  auto read = store::read_xml(answer.body, [&](std::string_view path, const std::string& text) {
    const std::size_t at = path.find("Result/Credentials/");
    if (at == std::string_view::npos) return;
    const std::string_view field = path.substr(at + 19);
    if (field == "AccessKeyId") out.keys.access_key = text;
    if (field == "SecretAccessKey") out.keys.secret_key = text;
    if (field == "SessionToken") out.keys.session_token = text;
    if (const auto expires = time::rfc3339(text); expires && field == "Expiration") out.expires = *expires / 1000;
  });
  if (!read || out.keys.access_key.empty() || out.keys.secret_key.empty())
    return fail(Errc::invalid, fmt::format("credentials of {}: the answer of STS has none", what));
  return out;
}

Result<Credentials> CredentialChain::from_process(const std::string& command) {
  // The file that names the command belongs to whoever runs this.
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> process(::popen(command.c_str(), "re"), ::pclose);
  if (!process) return fail(Errc::invalid, "the credential_process cannot be started");
  std::string text(kMostAnswer, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), process.get()));
  return from_json(text, "SessionToken", "the credential_process");
}

Result<Credentials> CredentialChain::from_container() {
  std::string url = environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  if (!url.empty()) {
    url = "http://169.254.170.2" + url;
  } else {
    url = environment("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    if (!url.starts_with("https://") && !local_address(url))
      return fail(Errc::invalid,
                  "AWS_CONTAINER_CREDENTIALS_FULL_URI: http:// is for addresses of this machine and of its container service alone");
  }
  http::Request request;
  request.url = url;
  request.proxy = false;
  request.connect_timeout = milliseconds(2000);
  std::string token = environment("AWS_CONTAINER_AUTHORIZATION_TOKEN");
  if (const std::string file = environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); !file.empty()) token = trimmed(read_file(file));
  if (token.find_first_of("\r\n") != std::string::npos)
    return fail(Errc::invalid, "the container's authorization token has a line break in it");
  if (!token.empty()) request.headers.push_back("Authorization: " + token);
  const http::Answer answer = ask(request, 4);
  if (answer.status != 200) {
    return fail(Errc::invalid, fmt::format("credentials of the container: {}",
                                           answer.status == 0 ? answer.failure : fmt::format("the answer is {}", answer.status)));
  }
  return from_json(answer.body, "Token", "the container");
}

Result<Credentials> CredentialChain::from_machine() {
  std::string base = environment("AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (base.empty())
    base = environment("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE") == "IPv6" ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
  while (base.ends_with('/')) base.pop_back();
  const auto failed = [](const http::Answer& answer) {
    return fail(
        Errc::not_found,
        fmt::format(
            "no AWS credentials: neither in the environment, nor in a profile, nor of a container, and this machine has none (IMDS: {}); "
            "for a public bucket say --no-sign-request",
            answer.status == 0 ? answer.failure : fmt::format("the answer is {}", answer.status)));
  };
  http::Request request;
  request.method = "PUT";
  request.url = base + "/latest/api/token";
  request.headers = {"X-aws-ec2-metadata-token-ttl-seconds: 21600"};
  request.proxy = false;
  request.connect_timeout = milliseconds(1000);
  request.idle_timeout = milliseconds(2000);
  const http::Answer token = ask(request, 2);
  if (token.status != 200 || token.body.find_first_of("\r\n") != std::string::npos) return failed(token);
  request.method = "GET";
  request.headers = {"X-aws-ec2-metadata-token: " + token.body};
  request.url = base + "/latest/meta-data/iam/security-credentials/";
  const http::Answer role = ask(request, 4);
  if (role.status != 200) return failed(role);
  const std::string_view name = trimmed(std::string_view(role.body).substr(0, role.body.find('\n')));
  request.url += percent_encode(name);
  const http::Answer answer = ask(request, 4);
  if (answer.status != 200) return failed(answer);
  return from_json(answer.body, "Token", "this machine");
}

http::Answer CredentialChain::ask(const http::Request& request, unsigned attempts) {
  return store::ask_for_credentials(client_, request, attempts, stop_);
}

}  // namespace lm::aws
