#include "version/projection.hpp"

#include <logmill/ocsf/v1_1_0.hpp>
#include <logmill/ocsf/v1_3_0.hpp>

#include <array>

namespace lm {
namespace {
constexpr std::array kCatalogues = {&ocsf::v1_8::catalogue, &ocsf::v1_3::catalogue, &ocsf::v1_1::catalogue};
constexpr std::array kVersions = {ocsf::v1_8::catalogue.version, ocsf::v1_3::catalogue.version, ocsf::v1_1::catalogue.version};
}  // namespace

std::span<const std::string_view> ocsf_versions() { return kVersions; }

const ocsf::Catalogue* ocsf_catalogue(std::string_view version) {
  for (const ocsf::Catalogue* c : kCatalogues) {
    if (c->version == version) return c;
  }
  return nullptr;
}

}  // namespace lm
