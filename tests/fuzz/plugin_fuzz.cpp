// A plugin under any input: no record is lost or counted twice, what it hands over is what its schema says, and each row is an event in JSON. One target a
// library; the first byte says which of its parsers, the second how large blocks are, the third which object keys there are.
#include "unit/parser_harness.hpp"

#include <dlfcn.h>
#include <cstdio>
#include <cstdlib>

extern const char* const kPlugin;  // the library's file

namespace {

const lm_entry& entry() {
  void* const library = ::dlopen(kPlugin, RTLD_NOW | RTLD_LOCAL);
  const void* const found = library ? ::dlsym(library, "logmill_entry") : nullptr;
  if (!found) {
    std::fprintf(stderr, "%s\n", ::dlerror());
    std::abort();
  }
  return *static_cast<const lm_entry*>(found);
}

constexpr std::string_view kKeys[] = {
    "object",
    "AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/01/111122223333_CloudTrail_eu-central-1_20260301T0800Z_x.json.gz",
    "AWSLogs/o-example/111122223333/CloudTrail/eu-central-1/x",
    "AWSLogs/111122223333/vpcflowlogs/eu-central-1/x",
    "AWSLogs/111122223333/elasticloadbalancing/eu-central-1/2026/03/01/"
    "111122223333_elasticloadbalancing_eu-central-1_app.web.50dc6c495c0c9188_20260301T0800Z_203.0.113.80_4x.log.gz",
    "AWSLogs/111122223333/network-firewall/alert/eu-central-1/edge/2026/03/01/08/x.log.gz",
    "AWSLogs/111122223333/elasticloadbalancing/eu-central-1/x_app.shop.0a1b2c3d_20260301T0805Z_192.0.2.80_x.log.gz",
};

using Harnesses = std::vector<std::unique_ptr<lm::testing::Harness>>;

Harnesses harnesses_of_all_parsers() {
  Harnesses out;
  const lm_entry& library = entry();
  const lm_parser_factory& factory = lm::testing::factory_of(library);
  for (std::uint32_t i = 0; i < factory.count; ++i)
    out.push_back(std::make_unique<lm::testing::Harness>(library, lm::view(factory.descriptor(i)->id)));
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Harnesses harnesses =
      harnesses_of_all_parsers();  // long-lived, as in a run: dictionaries and layouts stay from input to input
  if (size < 3) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 3, size - 3);
  try {
    std::vector<lm::testing::Harness*> readers;
    for (const auto& harness : harnesses) {
      harness->score(text);
      if (harness->descriptor().kind == LM_KIND_EVENTS) readers.push_back(harness.get());
    }
    if (readers.empty()) return 0;  // all of them set objects aside
    lm::testing::Harness& harness = *readers[data[0] % readers.size()];
    // Two objects in one call, so that what holds for the first must not hold for the second.
    const std::size_t block_size = std::size_t{data[1]} * 16 + 1;
    lm::testing::Blocks blocks(harness);
    blocks.add(text, kKeys[data[2] % std::size(kKeys)], block_size);
    blocks.add(text.substr(text.size() / 2), kKeys[data[2] / 16 % std::size(kKeys)], block_size);
    harness.run(blocks);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    std::abort();
  }
  return 0;
}
