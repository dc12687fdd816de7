// Logs that other logs carry: CloudWatch subscriptions, exports and API answers, EventBridge events, queue messages, CloudTrail lookups, CSV exports of query engines; Azure's
// resource logs where they are mixed, answers of Log Analytics and pages of Microsoft Graph.
// A wrapping says how an object is framed and takes from each of its records the records within. What these are is found out as for any object, by the parsers.
//
// Source: AWS, "Amazon CloudWatch Logs User Guide", "Real-time processing of log data with subscriptions", "Exporting log data to Amazon S3"; "Amazon EventBridge User
// Guide", "Events"; "AWS CLI Command Reference", cloudtrail lookup-events; RFC 4180; Microsoft, "Azure Monitor", "Resource logs", "Azure Monitor Log Analytics API: Response format";
// "Microsoft Graph", "Paging".
#pragma once

#include "base/place.hpp"
#include "frame/frame.hpp"

#include <logmill/sdk/json.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lm {

// What a wrapping says of what it holds; "" where it says nothing. Records of one context are of one kind.
struct WrappingContext {
  std::string account, region, log_group, log_stream, kind;
  std::string likeness;    // what else tells records of one kind from those of another; for nobody's eyes
  bool documents = false;  // it holds whole documents, as objects do, not records
  bool operator==(const WrappingContext&) const = default;
};

struct Unwrapped {
  struct Record {
    std::uint32_t context = 0;           // of `contexts`
    std::size_t offset = 0, length = 0;  // in `bytes`
    std::string_view raw{};              // as it stands in what it was taken from, escapes and all; null: that is gone
    std::uint32_t parent = 0;            // of `below->records`
    Place place;
  };
  Buffer bytes;
  std::vector<WrappingContext> contexts;
  std::vector<Record> records;
  std::vector<FrameReject> rejects;    // records of the wrapping that could not be opened; `record` is not set
  std::uint64_t control_messages = 0;  // which hold nothing: CloudWatch's probes
  const Unwrapped* below = nullptr;    // what the records were taken from; null: the object's own

  // How far one has come in texts with escapes, one in another: what is asked for in ascending order is found in one pass.
  struct Passed {
    std::size_t asked = 0, said = 0, raw = 0;
  };

  std::string_view text(const Record& r) const { return {reinterpret_cast<const char*>(bytes.data()) + r.offset, r.length}; }
  std::uint32_t context(const WrappingContext& wanted);
  // Where the byte at `at` of a record's text stands in the object. `passed`: of this record and of those it lies in; empty at first.
  std::uint64_t locate(const Record&, std::size_t at, std::vector<Passed>& passed) const;

 private:
  std::uint64_t locate(const Record&, std::size_t at, std::vector<Passed>& passed, std::size_t level) const;

  std::unordered_map<std::string, std::uint32_t> context_of_;
};

// One object's, one thread at a time: what spans blocks is kept from one to the next.
class Wrapping {
 public:
  virtual ~Wrapping() = default;
  // Null: no wrapping that is known. `head` is what an object, or a record within a wrapping, begins with.
  static std::unique_ptr<Wrapping> recognise(std::string_view head);

  virtual std::string_view id() const = 0;     // "cloudwatch.subscription"
  virtual std::string_view title() const = 0;  // for people
  virtual FrameSpec framing() const = 0;
  // Appends what the block's records hold. Views into the block must not outlive it.
  virtual void unwrap(const Block&, Unwrapped&) = 0;
  virtual void finish(Unwrapped&) {}
  // What is whole in a record of the wrapping that was cut off, from its beginning on.
  virtual void unwrap_cut(const FrameReject&, Unwrapped&) {}
  // Whether its records are each of a kind of its own: then it is asked before a parser that takes what others leave.
  virtual bool mixes() const { return false; }
  // The same of records that were wrapped themselves; false: this wrapping is of objects only. Adds to `out`, whose `below` is `from`.
  virtual bool unwrap_again(const Unwrapped& from, std::uint32_t record, Unwrapped& out) = 0;
};

// Tells of what kind a record is that came among others, by a glance: what nobody could be asked about for each record anew.
// Of a record of Azure `kind` is the category, or the table that Log Analytics has it in, in lower case, and `likeness` the provider of its resource, because some
// categories ("AuditEvent") are several providers'. Of others `kind` is "" and `likeness` how they begin.
class KindTeller {
 public:
  bool tell(std::string_view record, WrappingContext&);  // false: it is no JSON object

 private:
  json::Reader reader_;
};

// Takes the elements of the array that is the member `envelope` of a JSON document, as framing does with an object. False: the document has none, or is no JSON.
bool open_envelope(const Unwrapped& from, std::uint32_t record, std::string_view envelope, Unwrapped& out);

}  // namespace lm
