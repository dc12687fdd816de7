// One column of a row group while it is built: values and levels that wait for a page to be full, pages that are finished, the dictionary.
#pragma once

#include "parquet/batch_view.hpp"
#include "parquet/codec.hpp"
#include "parquet/encode.hpp"
#include "parquet/footer.hpp"
#include "parquet/levels.hpp"
#include "parquet/schema.hpp"
#include "parquet/shape.hpp"
#include "parquet/slots.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace lm::sink::parquet {

// Columns that get bloom filters. Only text has them.
struct BloomColumns {
  bool looked_up = true;  // those of Leaf::looked_up
  bool all = false;
  std::vector<std::string> names;  // and these
  bool has(const Leaf& leaf) const {
    if (leaf.kind != LeafKind::coded && leaf.kind != LeafKind::text) return false;
    return all || (looked_up && leaf.looked_up) || std::find(names.begin(), names.end(), leaf.name) != names.end();
  }
};

struct EncodeOptions {
  Codec codec = Codec::zstd;
  int zstd_level = 1;
  std::size_t page_bytes = std::size_t{1} << 20;        // of values, before compression; a page is written when it has so many
  std::size_t dictionary_bytes = std::size_t{4} << 20;  // a larger dictionary grows no further
  BloomColumns bloom;
  std::size_t bloom_bytes = std::size_t{1} << 20;  // of a filter, at most; a power of two
};

// A value that no page can hold.
struct TooLarge : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Whether the pages of a column are worth compressing, as the ones before it told: shared by all row groups of a table.
class Worth {
 public:
  // False if this page is to be stored as it is.
  bool try_page() {
    const std::uint32_t left = skip_.load(std::memory_order_relaxed);
    if (left == 0) return true;
    skip_.store(left - 1, std::memory_order_relaxed);
    return false;
  }
  void tell(bool gained) {
    const std::uint32_t before = gained ? 0 : back_off_.load(std::memory_order_relaxed);
    const std::uint32_t now = gained ? 0 : std::min(kMost, before * 2 + 1);
    back_off_.store(now, std::memory_order_relaxed);
    skip_.store(now, std::memory_order_relaxed);
  }

 private:
  static constexpr std::uint32_t kMost = 31;
  // Threads may tell at once; one of them is heard, which is enough.
  std::atomic<std::uint32_t> skip_{0}, back_off_{0};
};

// What work on columns needs besides them, kept for the next: compression contexts and buffers. Shared by all threads.
class ScratchPool {
 public:
  struct Scratch;
  ScratchPool();
  ~ScratchPool();
  std::unique_ptr<Scratch> take();
  void give(std::unique_ptr<Scratch> scratch);

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Scratch>> free_;
};
using Scratch = ScratchPool::Scratch;

// What all row groups of a table know of one column.
struct ColumnUse {
  const Leaf& leaf;
  const EncodeOptions& options;
  Worth& worth;
  bool bloom = false;  // the chunk gets a filter
};

// The bytes of a chunk, in order.
struct Chunk {
  std::vector<Bytes> parts;
  Bytes bloom;  // with its header; stands elsewhere
  std::size_t size() const {
    std::size_t sum = 0;
    for (const Bytes& part : parts) sum += part.size();
    return sum;
  }
};

// A copy goes on by itself. Functions throw BadColumn, TooLarge and std::bad_alloc, after which the column can only be dropped.
class Column {
 public:
  Column();
  Column(const Column& from);
  Column& operator=(const Column& from) = delete;
  Column(Column&&) noexcept;
  Column& operator=(Column&&) noexcept;
  ~Column();

  // The rows of a column that lies in no list.
  void add(const ColumnUse& use, const BatchView& view, const LeafView& leaf, const Selection& rows, Scratch& scratch);
  // The slots of one that does.
  void add_elements(const ColumnUse& use, const BatchView& view, const LeafView& leaf, const Shape& shape, std::uint8_t full,
                    Scratch& scratch);
  // So many null slots of one level.
  void add_nulls(std::uint8_t level, std::size_t n) {
    definition_.add(level, n);
    repetition_.add(0, n);
  }

  // Makes a page of what waits, if that is enough for one.
  void settle(const ColumnUse& use, Scratch& scratch);
  // Whatever it is; gives the memory back.
  void squeeze(const ColumnUse& use, Scratch& scratch);
  // The last page, the dictionary and what the footer says. The column is empty afterwards.
  void finish(const ColumnUse& use, Scratch& scratch, ChunkInfo& info, Chunk& out);

  // Bytes of memory: of what waits for a page, and of pages and dictionaries.
  std::size_t waiting() const;
  std::size_t kept() const;

 private:
  friend class PageMaker;
  struct Live;
  struct Made;
  Live& live();

  // Of what waits for a page. Repetition levels only below lists.
  Levels definition_, repetition_;
  std::unique_ptr<Live> live_;  // from the first value on
  std::unique_ptr<Made> made_;  // from the first page on
};

}  // namespace lm::sink::parquet
