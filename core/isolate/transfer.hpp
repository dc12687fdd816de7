// What crosses between host and worker, there as data alone: what a library says of its parsers, schemas, samples, blocks, and Arrow batches.
//
// A batch is its arrays' buffers, each once, and for every array of the schema in order its length, its nulls and where its buffers stand. Of a dictionary only what
// was added since the batch before goes over: the host has a copy that grows with it. So it is the host's copy that codes point at, whatever a worker says.
#pragma once

#include "isolate/process.hpp"

#include <logmill/plugin.h>
#include <logmill/sdk/arrays.hpp>
#include <logmill/sdk/intern.hpp>

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace lm::isolate {

// ---- What a library says of its parsers ----

// A descriptor that owns what it points at.
class Descriptor {
 public:
  const lm_parser_descriptor& value() const { return value_; }
  bool read(Reader&);  // false: it cannot be one

 private:
  lm_str text(Reader&);
  std::deque<std::string> texts_;
  std::deque<std::vector<lm_str>> lists_;
  std::deque<std::vector<lm_column>> columns_;
  std::vector<lm_class> classes_;
  lm_parser_descriptor value_{};
};

struct LibraryInfo {
  bool sinks = false;     // it offers sinks, too
  bool prologue = false;  // its parsers may know header lines
  std::vector<std::unique_ptr<Descriptor>> parsers;
};

// Errc::plugin: a descriptor is missing or too short.
Result<void> put_library(Writer&, const lm_parser_factory*, bool sinks);
Result<LibraryInfo> read_library(std::span<const std::byte>);

// ---- Schemas ----

void put_schema(Writer&, const ArrowSchema&);
Result<ArrowSchema> read_schema(std::span<const std::byte>);  // the caller's to release, as a whole

// ---- What a parser is given: from the host, which the worker trusts ----

void put_sample(Writer&, const lm_sample&);
lm_sample read_sample(Reader&);

void put_blocks(Writer&, std::span<const lm_block* const>);

struct Blocks {
  std::deque<std::vector<lm_capture>> captures;
  std::vector<lm_object> objects;
  std::vector<lm_block> blocks;
  std::vector<const lm_block*> views;
  void read(Reader&);
};

// ---- Batches ----

// The worker's side: the tables of one instance.
class BatchWriter {
 public:
  explicit BatchWriter(std::size_t tables) : tables_(tables) {}
  // `batch` was validated against `schema`. Errc::plugin: it has what cannot be sent.
  Result<void> put(Writer&, const ArrowSchema& schema, const lm_batch& batch);

 private:
  struct Table {
    std::uint64_t epoch = 0;
    std::vector<std::size_t> sent;  // entries of each dictionary, in the schema's order
  };
  struct Written {
    std::size_t at, size;
  };
  Result<void> put_array(Writer&, const ArrowSchema&, const ArrowArray&);
  Result<void> put_dictionary(Writer&, const ArrowArray&);
  void put_buffer(Writer&, const void* data, std::size_t size);

  std::vector<Table> tables_;
  Table* table_ = nullptr;
  std::size_t next_dictionary_ = 0;
  std::unordered_map<const void*, Written> written_;  // of the batch at hand: columns may share a buffer
  std::vector<std::size_t> buffers_;                  // where each of them stands, in the order of the arrays
  std::vector<std::uint64_t> numbers_;
};

// The host's side. Answers batches of which only this is sure: every buffer that an array has is as large as its length wants, and dictionaries are sound. What is in
// the buffers must still be validated (plugin_host/validate.hpp).
class BatchReader {
 public:
  // `memory`: what all dictionaries together may hold.
  BatchReader(std::vector<const ArrowSchema*> schemas, std::uint64_t memory) : tables_(schemas.size()), memory_(memory) {
    for (std::size_t i = 0; i < schemas.size(); ++i) tables_[i].schema = schemas[i];
  }
  void fresh();  // another worker begins, whose dictionaries are empty
  // `message`, which `reader` reads, lives as long as the batch. Errc::plugin: the worker lies.
  Result<lm_batch> read(Reader& reader, const std::shared_ptr<const std::byte>& message);

 private:
  struct Dictionary {
    std::shared_ptr<detail::Interner::Storage> storage;
    std::size_t size = 0, bytes = 0;
  };
  struct Table {
    const ArrowSchema* schema = nullptr;
    std::uint64_t their_epoch = 0, epoch = 0;
    bool begun = false;
    std::deque<Dictionary> dictionaries;
  };
  ArrowArray* read_array(Reader&, const ArrowSchema&, detail::ArrayArena&);
  const void* read_buffer(Reader&, std::uint64_t size);
  bool read_dictionary(Reader&, Dictionary&);
  void forget(Table&);

  std::vector<Table> tables_;
  std::uint64_t memory_, held_ = 0;
  Table* table_ = nullptr;
  std::size_t next_dictionary_ = 0;
};

}  // namespace lm::isolate
