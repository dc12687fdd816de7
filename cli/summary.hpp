// What a run came to, as text for a person and as JSON for a program. Nothing here reads or writes anything.
#pragma once

#include <logmill/core.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace lm::cli {

inline constexpr std::size_t kShownReports = Summary::kMaxReports;  // objects named in the text; --rejects has all of them

struct SummaryContext {
  std::string rejects;  // what --rejects said; empty: rejects were counted only
  std::string stats;    // what --stats said; may be empty
  std::string state;    // what --state said; may be empty
};

// "partly_read", as in JSON.
std::string_view outcome_name(ObjectOutcome);

// About 100 columns at most, but for the names of objects, which stand last in their lines. Ends with a newline.
std::string summary_text(const Summary&, const SummaryContext&);

// One JSON object on one line, without a line end. The members are described in the manual page under --stats. `max_reports`: how many
// objects and outputs are named at most; the counts are complete.
std::string summary_json(const Summary&, std::size_t max_reports = Summary::kMaxReports);
// Of a run that failed, and came to nothing: {"logmill":"...","complete":false,"error":"..."}
std::string failure_json(std::string_view error);

}  // namespace lm::cli
