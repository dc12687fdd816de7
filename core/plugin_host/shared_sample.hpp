// The beginning of an object as parsers are asked about it, with outlines of its JSON that are made once for all of them.
#pragma once

#include <logmill/plugin.h>
#include <logmill/sdk/outline.hpp>
#include <logmill/sdk/text.hpp>

#include <deque>
#include <new>
#include <string>
#include <string_view>

namespace lm {

// One thread at a time. Lives as long as parsers are asked: outlines are views of it.
class SharedSample : public lm_sample {
 public:
  // A sample without outlines, which outlives this.
  explicit SharedSample(const lm_sample& sample) : lm_sample(sample) {
    struct_size = sizeof(lm_sample);
    outline = &SharedSample::made;
  }
  SharedSample(const SharedSample&) = delete;
  SharedSample& operator=(const SharedSample&) = delete;

 private:
  // Envelopes, of which parsers name a handful in all.
  static constexpr std::size_t kMost = 64;
  struct Made {
    Made(std::string_view head, std::string_view name) : envelope(name), of_head(head, name), view(of_head.view()) {}
    std::string envelope;
    json::Outline of_head;
    lm_outline view;
  };

  const Made* of(std::string_view envelope) const {
    for (const Made& m : made_) {
      if (equals_but_first_case(m.envelope, envelope)) return &m;
    }
    const std::string_view text(reinterpret_cast<const char*>(head), static_cast<std::size_t>(head_size));
    return made_.size() == kMost ? nullptr : &made_.emplace_back(text, envelope);
  }
  static const lm_outline* made(const lm_sample* self, lm_str envelope) noexcept {
    try {
      const Made* const m = static_cast<const SharedSample*>(self)->of({envelope.data, static_cast<std::size_t>(envelope.size)});
      return m ? &m->view : nullptr;
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
  }

  mutable std::deque<Made> made_;
};

}  // namespace lm
