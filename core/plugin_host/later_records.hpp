// What else a sample of an object holds, for detection where its beginning says nothing: one bad record in front must not cost the object.
#pragma once

#include <string_view>
#include <vector>

namespace lm {

struct LaterRecord {
  std::string_view rest;      // of the sample, from where a record seems to begin
  std::string_view envelope;  // the member of a document whose array it is an element of; empty: of none
};

// Places behind the first record, a few of them: elements of an array on top or in a document's member, documents, lines. Where JSON is broken, what looks like the beginning of
// an element or a document. Views point into the sample.
std::vector<LaterRecord> later_records(std::string_view sample);

}  // namespace lm
