// usage: source_resume INPUT STRIDE   Lists INPUT, then lists it again behind every STRIDEth of its uris, and behind a uri that is not there. What is listed
// must be in order, and the rest each time. Prints how many objects there are.
#include "source/source.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace {

using Uris = std::vector<std::string>;

Uris behind(lm::Source& source, std::string after, std::size_t limit) {
  Uris out;
  for (bool last = false; !last;) {
    const auto page = source.list(after, limit);
    if (!page) {
      std::fprintf(stderr, "%s\n", page.error().what.c_str());
      std::exit(1);
    }
    last = page->last;
    for (const lm::ObjectRef& object : page->objects) out.push_back(object.uri);
    if (!page->objects.empty()) after = out.back();
  }
  return out;
}

}  // namespace

int main(int, char** argv) {
  auto source = lm::open_source(argv[1]);
  if (!source) {
    std::fprintf(stderr, "%s\n", source.error().what.c_str());
    return 1;
  }
  const Uris all = behind(**source, "", 37);
  if (!std::is_sorted(all.begin(), all.end())) {
    std::fputs("out of order\n", stderr);
    return 1;
  }
  const auto stride = static_cast<std::size_t>(std::atoi(argv[2]));
  for (std::size_t i = 0; i < all.size(); i += stride) {
    const Uris rest(all.begin() + static_cast<std::ptrdiff_t>(i) + 1, all.end());
    for (const std::string& after : {all[i], all[i] + "!"}) {
      if (behind(**source, after, 1000) != rest) {
        std::fprintf(stderr, "behind %s the listing is another\n", after.c_str());
        return 1;
      }
    }
  }
  std::printf("%zu\n", all.size());
}
