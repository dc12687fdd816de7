// Which OCSF class and activity a CloudTrail event name stands for.
// Source: AWS, "IAM User Guide", "AWS CloudTrail User Guide" (event names); OCSF 1.8.0 (activities).
#pragma once

#include <logmill/sdk/text.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace cloudtrail {

enum class Table : std::uint8_t { api_activity, authentication, account_change, group_management };

struct Choice {
  Table table = Table::api_activity;
  std::int16_t activity = 99;
};

// Some services append the date of their API: "ListFunctions20150331", "UpdateFunctionCode20150331v2", "CreateDistribution2020_05_31".
constexpr std::string_view without_api_date(std::string_view name) {
  std::string_view s = name;
  if (const std::size_t v = s.rfind('v'); v != std::string_view::npos && v + 1 < s.size() && v > 0 && s[v - 1] >= '0' && s[v - 1] <= '9') {
    bool digits = true;
    for (std::size_t i = v + 1; i < s.size(); ++i) digits = digits && s[i] >= '0' && s[i] <= '9';
    if (digits) s = s.substr(0, v);
  }
  std::size_t at = s.size();
  unsigned digits = 0;
  while (at != 0 && digits < 8) {
    const char c = s[at - 1];
    if (c >= '0' && c <= '9') {
      ++digits;
    } else if (!((c == '_' || c == '-') && (digits == 2 || digits == 4))) {
      break;
    }
    --at;
  }
  return digits == 8 && s.substr(at, 2) == "20" && at != 0 ? s.substr(0, at) : name;
}

struct Named {
  std::string_view source, name;
  Choice choice;
};

inline constexpr std::string_view kSignin = "signin.amazonaws.com", kSso = "sso.amazonaws.com", kOidc = "sso-oidc.amazonaws.com",
                                  kSts = "sts.amazonaws.com", kIam = "iam.amazonaws.com", kIdp = "cognito-idp.amazonaws.com",
                                  kStore = "identitystore.amazonaws.com", kDirectory = "sso-directory.amazonaws.com",
                                  kRolesAnywhere = "rolesanywhere.amazonaws.com", kIdentityPools = "cognito-identity.amazonaws.com";

inline constexpr auto kNamed = [] {
  constexpr auto kAuth = Table::authentication, kAccount = Table::account_change, kGroup = Table::group_management;
  auto list = std::to_array<Named>({
      {kSignin, "ConsoleLogin", {kAuth, 1}},
      {kSignin, "UserAuthentication", {kAuth, 1}},
      {kSignin, "ExternalIdPDirectoryLogin", {kAuth, 1}},
      {kSignin, "CheckMfa", {kAuth, 6}},
      {kSignin, "CredentialChallenge", {kAuth, 6}},
      {kSignin, "CredentialVerification", {kAuth, 6}},
      {kSignin, "SwitchRole", {kAuth, 7}},
      {kSignin, "ExitRole", {kAuth, 7}},
      {kSignin, "RenewRole", {kAuth, 7}},
      {kSignin, "GetSigninToken", {kAuth, 99}},
      {kSso, "Authenticate", {kAuth, 1}},
      {kSso, "Federate", {kAuth, 1}},
      {kSso, "CreateToken", {kAuth, 1}},
      {kSso, "CreateTokenWithIAM", {kAuth, 1}},
      {kSso, "Logout", {kAuth, 2}},
      {kOidc, "Authenticate", {kAuth, 1}},
      {kOidc, "Federate", {kAuth, 1}},
      {kOidc, "CreateToken", {kAuth, 1}},
      {kOidc, "CreateTokenWithIAM", {kAuth, 1}},
      {kOidc, "Logout", {kAuth, 2}},
      {kSts, "AssumeRole", {kAuth, 1}},
      {kSts, "AssumeRoleWithSAML", {kAuth, 1}},
      {kSts, "AssumeRoleWithWebIdentity", {kAuth, 1}},
      {kSts, "AssumeRoot", {kAuth, 1}},
      {kSts, "GetFederationToken", {kAuth, 1}},
      {kSts, "GetSessionToken", {kAuth, 1}},
      {kRolesAnywhere, "CreateSession", {kAuth, 1}},
      {kIdentityPools, "GetCredentialsForIdentity", {kAuth, 1}},
      {kIdp, "InitiateAuth", {kAuth, 1}},
      {kIdp, "AdminInitiateAuth", {kAuth, 1}},
      {kIdp, "RespondToAuthChallenge", {kAuth, 1}},
      {kIdp, "AdminRespondToAuthChallenge", {kAuth, 1}},
      {kIdp, "GlobalSignOut", {kAuth, 2}},
      {kIdp, "AdminUserGlobalSignOut", {kAuth, 2}},
      {kIdp, "RevokeToken", {kAuth, 2}},

      {kIam, "CreateUser", {kAccount, 1}},
      {kIam, "CreateRole", {kAccount, 1}},
      {kIam, "CreateServiceLinkedRole", {kAccount, 1}},
      {kIam, "CreateLoginProfile", {kAccount, 1}},
      {kIam, "CreateAccessKey", {kAccount, 1}},
      {kIam, "CreateServiceSpecificCredential", {kAccount, 1}},
      {kIam, "UploadSSHPublicKey", {kAccount, 1}},
      {kIam, "UploadSigningCertificate", {kAccount, 1}},
      // Enable or disable: the request's status decides.
      {kIam, "UpdateAccessKey", {kAccount, 2}},
      {kIam, "UpdateServiceSpecificCredential", {kAccount, 2}},
      {kIam, "UpdateSSHPublicKey", {kAccount, 2}},
      {kIam, "UpdateSigningCertificate", {kAccount, 2}},
      {kIam, "ChangePassword", {kAccount, 3}},
      {kSignin, "PasswordUpdated", {kAccount, 3}},
      {kIam, "UpdateLoginProfile", {kAccount, 4}},
      {kSignin, "PasswordRecoveryRequested", {kAccount, 4}},
      {kSignin, "PasswordRecoveryCompleted", {kAccount, 4}},
      {kIam, "ResetServiceSpecificCredential", {kAccount, 4}},
      {kIam, "DeleteUser", {kAccount, 6}},
      {kIam, "DeleteRole", {kAccount, 6}},
      {kIam, "DeleteServiceLinkedRole", {kAccount, 6}},
      {kIam, "DeleteLoginProfile", {kAccount, 6}},
      {kIam, "DeleteAccessKey", {kAccount, 6}},
      {kIam, "DeleteServiceSpecificCredential", {kAccount, 6}},
      {kIam, "DeleteSSHPublicKey", {kAccount, 6}},
      {kIam, "DeleteSigningCertificate", {kAccount, 6}},
      {kIam, "AttachUserPolicy", {kAccount, 7}},
      {kIam, "AttachRolePolicy", {kAccount, 7}},
      {kIam, "PutUserPolicy", {kAccount, 7}},
      {kIam, "PutRolePolicy", {kAccount, 7}},
      {kIam, "PutUserPermissionsBoundary", {kAccount, 7}},
      {kIam, "PutRolePermissionsBoundary", {kAccount, 7}},
      {kIam, "DetachUserPolicy", {kAccount, 8}},
      {kIam, "DetachRolePolicy", {kAccount, 8}},
      {kIam, "DeleteUserPolicy", {kAccount, 8}},
      {kIam, "DeleteRolePolicy", {kAccount, 8}},
      {kIam, "DeleteUserPermissionsBoundary", {kAccount, 8}},
      {kIam, "DeleteRolePermissionsBoundary", {kAccount, 8}},
      {kIam, "EnableMFADevice", {kAccount, 10}},
      {kIam, "ResyncMFADevice", {kAccount, 10}},
      {kIam, "CreateVirtualMFADevice", {kAccount, 10}},
      {kIam, "DeactivateMFADevice", {kAccount, 11}},
      {kIam, "DeleteVirtualMFADevice", {kAccount, 11}},
      {kIam, "UpdateUser", {kAccount, 99}},
      {kIam, "UpdateRole", {kAccount, 99}},
      {kIam, "UpdateRoleDescription", {kAccount, 99}},
      {kIam, "UpdateAssumeRolePolicy", {kAccount, 99}},
      {kIam, "TagUser", {kAccount, 99}},
      {kIam, "UntagUser", {kAccount, 99}},
      {kIam, "TagRole", {kAccount, 99}},
      {kIam, "UntagRole", {kAccount, 99}},
      {kIam, "AddRoleToInstanceProfile", {kAccount, 99}},
      {kIam, "RemoveRoleFromInstanceProfile", {kAccount, 99}},
      {kSignin, "EmailUpdated", {kAccount, 99}},
      {kSignin, "AccountNameUpdated", {kAccount, 99}},
      {kStore, "CreateUser", {kAccount, 1}},
      {kStore, "DeleteUser", {kAccount, 6}},
      {kStore, "EnableUser", {kAccount, 2}},
      {kStore, "DisableUser", {kAccount, 5}},
      {kStore, "UpdateUser", {kAccount, 99}},
      {kStore, "UpdatePassword", {kAccount, 4}},
      {kDirectory, "CreateUser", {kAccount, 1}},
      {kDirectory, "DeleteUser", {kAccount, 6}},
      {kDirectory, "EnableUser", {kAccount, 2}},
      {kDirectory, "DisableUser", {kAccount, 5}},
      {kDirectory, "UpdateUser", {kAccount, 99}},
      {kDirectory, "UpdatePassword", {kAccount, 4}},
      {kSso, "CreateAccountAssignment", {kAccount, 7}},
      {kSso, "DeleteAccountAssignment", {kAccount, 8}},
      {kIdp, "AdminCreateUser", {kAccount, 1}},
      {kIdp, "SignUp", {kAccount, 1}},
      {kIdp, "AdminEnableUser", {kAccount, 2}},
      {kIdp, "ChangePassword", {kAccount, 3}},
      {kIdp, "AdminResetUserPassword", {kAccount, 4}},
      {kIdp, "AdminSetUserPassword", {kAccount, 4}},
      {kIdp, "ForgotPassword", {kAccount, 4}},
      {kIdp, "ConfirmForgotPassword", {kAccount, 4}},
      {kIdp, "AdminDisableUser", {kAccount, 5}},
      {kIdp, "AdminDeleteUser", {kAccount, 6}},
      {kIdp, "DeleteUser", {kAccount, 6}},

      {kIam, "AttachGroupPolicy", {kGroup, 1}},
      {kIam, "PutGroupPolicy", {kGroup, 1}},
      {kIam, "DetachGroupPolicy", {kGroup, 2}},
      {kIam, "DeleteGroupPolicy", {kGroup, 2}},
      {kIam, "AddUserToGroup", {kGroup, 3}},
      {kIam, "RemoveUserFromGroup", {kGroup, 4}},
      {kIam, "DeleteGroup", {kGroup, 5}},
      {kIam, "CreateGroup", {kGroup, 6}},
      {kIam, "UpdateGroup", {kGroup, 99}},
  });
  std::sort(list.begin(), list.end(),
            [](const Named& a, const Named& b) { return a.name != b.name ? a.name < b.name : a.source < b.source; });
  return list;
}();

// Whether an account change is one of the caller's own account.
enum class Self : std::uint8_t { never, unless_named, always };

// Source: AWS, "IAM API Reference": where UserName is not required, it is the caller's.
constexpr Self acts_on_caller(std::string_view source, std::string_view name) {
  constexpr auto kOptional = std::to_array<std::string_view>(
      {"CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey", "CreateLoginProfile", "DeleteLoginProfile", "UploadSigningCertificate",
       "UpdateSigningCertificate", "DeleteSigningCertificate", "DeactivateMFADevice", "UpdateServiceSpecificCredential",
       "DeleteServiceSpecificCredential", "ResetServiceSpecificCredential"});
  if (source == kSignin || name == "ChangePassword" || (source == kIdp && name == "DeleteUser")) return Self::always;
  const bool optional = source == kIam && std::find(kOptional.begin(), kOptional.end(), name) != kOptional.end();
  return optional ? Self::unless_named : Self::never;
}

struct Verb {
  std::string_view prefix;
  std::int16_t activity;
};
inline constexpr auto kVerbs = std::to_array<Verb>({
    {"Create", 1},
    {"Run", 1},
    {"Put", 1},
    {"Add", 1},
    {"Allocate", 1},
    {"Import", 1},
    {"Register", 1},
    {"Copy", 1},
    {"Restore", 1},
    {"Launch", 1},
    {"Generate", 1},
    {"Upload", 1},
    {"Publish", 1},
    {"Provision", 1},
    {"Issue", 1},
    {"Request", 1},
    {"Clone", 1},
    {"BatchCreate", 1},
    {"BatchPut", 1},
    {"CompleteMultipartUpload", 1},
    {"InitiateMultipartUpload", 1},
    {"Get", 2},
    {"List", 2},
    {"Describe", 2},
    {"Head", 2},
    {"Lookup", 2},
    {"Search", 2},
    {"Query", 2},
    {"Scan", 2},
    {"Read", 2},
    {"View", 2},
    {"Select", 2},
    {"BatchGet", 2},
    {"BatchDescribe", 2},
    {"Download", 2},
    {"Export", 2},
    {"Poll", 2},
    {"Receive", 2},
    {"Check", 2},
    {"Verify", 2},
    {"Validate", 2},
    {"Preview", 2},
    {"Estimate", 2},
    {"Simulate", 2},
    {"Test", 2},
    {"Filter", 2},
    {"Discover", 2},
    {"Decrypt", 2},
    {"Update", 3},
    {"Modify", 3},
    {"Set", 3},
    {"Attach", 3},
    {"Detach", 3},
    {"Associate", 3},
    {"Disassociate", 3},
    {"Enable", 3},
    {"Disable", 3},
    {"Start", 3},
    {"Stop", 3},
    {"Reboot", 3},
    {"Resume", 3},
    {"Suspend", 3},
    {"Replace", 3},
    {"Reset", 3},
    {"Change", 3},
    {"Edit", 3},
    {"Tag", 3},
    {"Untag", 3},
    {"Rotate", 3},
    {"Renew", 3},
    {"Authorize", 3},
    {"Revoke", 3},
    {"Apply", 3},
    {"Accept", 3},
    {"Reject", 3},
    {"Move", 3},
    {"Assign", 3},
    {"Unassign", 3},
    {"Activate", 3},
    {"Deactivate", 3},
    {"Schedule", 3},
    {"BatchUpdate", 3},
    {"Upgrade", 3},
    {"Configure", 3},
    {"Switch", 3},
    {"Delete", 4},
    {"Remove", 4},
    {"Terminate", 4},
    {"Deregister", 4},
    {"Destroy", 4},
    {"Purge", 4},
    {"Release", 4},
    {"Cancel", 4},
    {"Abort", 4},
    {"BatchDelete", 4},
    {"Drop", 4},
    {"Clear", 4},
    {"Wipe", 4},
});

// The longest verb that the name begins with and that ends there, or before an upper-case letter or a digit. 99: none.
constexpr std::int16_t activity_of_verb(std::string_view name) {
  std::size_t longest = 0;
  std::int16_t activity = 99;
  for (const Verb& v : kVerbs) {
    if (v.prefix.size() <= longest || !name.starts_with(v.prefix)) continue;
    if (name.size() > v.prefix.size()) {
      const char next = name[v.prefix.size()];
      if (!((next >= 'A' && next <= 'Z') || (next >= '0' && next <= '9'))) continue;
    }
    longest = v.prefix.size();
    activity = v.activity;
  }
  return activity;
}

// `event_source` is part of the key: CreateUser exists in a dozen services.
constexpr Choice choose(std::string_view event_source, std::string_view event_name) {
  const std::string_view name = without_api_date(event_name);
  const auto* first =
      std::lower_bound(kNamed.begin(), kNamed.end(), name, [](const Named& n, std::string_view wanted) { return n.name < wanted; });
  for (const auto* n = first; n != kNamed.end() && n->name == name; ++n) {
    if (n->source == event_source) return n->choice;
  }
  return {Table::api_activity, activity_of_verb(name)};
}

}  // namespace cloudtrail
