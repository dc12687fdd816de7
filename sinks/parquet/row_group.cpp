#include "parquet/row_group.hpp"

#include "parquet/scratch.hpp"

#include <algorithm>
#include <exception>
#include <new>
#include <utility>

namespace lm::sink::parquet {

// ---- Plans ----

RowGroupPlans::RowGroupPlans(const TableSchema& schema, const EncodeOptions& options)
    : schema_(schema), options_(options), worth_(std::make_unique<Worth[]>(schema.leaves.size())) {}

std::shared_ptr<const RowGroupPlans::Plan> RowGroupPlans::plan(const BatchView& first) {
  {
    const std::lock_guard lock(mutex_);
    const auto same = [&] {
      for (std::size_t i = 0; i < first.leaf_count(); ++i) {
        if (last_->same_as[i] != first.leaf(i).same_as) return false;
      }
      return true;
    };
    if (last_ && same()) return last_;
  }
  auto made = make(first);
  const std::lock_guard lock(mutex_);
  return last_ = std::move(made);
}

// Units are about the same work, as far as the batch tells, and small, so that threads find one that is free.
std::shared_ptr<const RowGroupPlans::Plan> RowGroupPlans::make(const BatchView& first) const {
  constexpr double kEnough = 6;  // columns with one value a row
  auto out = std::make_shared<Plan>();
  const std::size_t n = schema_.leaves.size();
  std::vector<std::size_t> unit_of(n), unit_of_root(schema_.anchors.size(), n);
  std::vector<double> weights;
  std::size_t open = n;  // the unit that takes more
  const auto fresh = [&] {
    out->units.emplace_back(), weights.push_back(0);
    return out->units.size() - 1;
  };
  const auto rows = static_cast<double>(std::max<std::int64_t>(1, first.rows()));
  for (std::size_t i = 0; i < n; ++i) {
    const Leaf& leaf = schema_.leaves[i];
    const LeafView& view = first.leaf(i);
    const auto same_as = static_cast<std::size_t>(view.same_as);
    std::size_t root = n;
    for (std::int32_t a = leaf.anchor; a >= 0; a = schema_.anchors[static_cast<std::size_t>(a)].parent) root = static_cast<std::size_t>(a);
    std::size_t unit = 0;
    if (same_as != i) {
      unit = unit_of[same_as];
    } else if (root != n && unit_of_root[root] != n) {
      unit = unit_of_root[root];
    } else {
      if (open == n || weights[open] >= kEnough) open = fresh();
      unit = open;
    }
    if (root != n && unit_of_root[root] == n) {
      unit_of_root[root] = unit;
      for (std::size_t a = root; a < schema_.anchors.size() && (a == root || schema_.anchors[a].parent >= 0); ++a)
        out->units[unit].lists.push_back(static_cast<std::uint32_t>(a));
    }
    unit_of[i] = unit;
    out->units[unit].leaves.push_back(static_cast<std::uint32_t>(i));
    out->same_as.push_back(view.same_as);
    out->bloom.push_back(has_bloom(i));
    if (out->bloom[i]) out->bloom[same_as] = true;
    weights[unit] += view.path.same_level() ? 0.05
                     : same_as != i         ? 0.1
                     : view.constant        ? 0.3
                     : view.path.dead       ? 0.3
                     : leaf.anchor >= 0     ? static_cast<double>(view.path.last->length) / rows
                                            : 1.0;
  }
  return out;
}

// ---- Row groups ----

struct RowGroup::Work {
  enum class Kind : std::uint8_t { rows, squeeze, end };
  Work(Kind what, std::size_t units) : kind(what), left(units) {}
  Kind kind;
  std::shared_ptr<const BatchView> view;
  std::vector<Range> ranges;
  Selection selection;
  std::int64_t rows = 0;
  std::atomic<std::size_t> left;  // units that have not done it
  std::atomic<Work*> next{nullptr};
};

struct RowGroup::Unit {
  explicit Unit(const RowGroupPlans::Unit& what) : of(what) {}
  const RowGroupPlans::Unit& of;
  std::atomic<bool> busy{false};
  std::atomic<std::uint64_t> done{0};
  // Belongs to whoever has made it busy.
  Work* at = nullptr;  // the entry that was done last
  std::int64_t held = 0, waiting = 0;
  std::int64_t counted = 0, uncounted = 0;  // rows
};

RowGroup::RowGroup(RowGroupPlans& plans, const BatchView& first, Account& account)
    : plans_(plans), account_(account), plan_(plans.plan(first)), columns_(plans.schema().leaves.size()), open_units_(plan_->units.size()) {
  follows_.assign(columns_.size(), -1);
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (plan_->same_as[i] != static_cast<std::int32_t>(i)) follows_[i] = plan_->same_as[i];
  }
  // The beginning of the queue, which everyone has done.
  Work& begin = queue_.emplace_back(Work::Kind::squeeze, 0);
  for (const RowGroupPlans::Unit& unit : plan_->units) {
    units_.push_back(std::make_unique<Unit>(unit));
    units_.back()->at = &begin;
  }
  const auto own = static_cast<std::int64_t>(columns_.size() * (sizeof(Column) + 4) + units_.size() * sizeof(Unit));
  held_ += own;
  account_.change(own);
}

RowGroup::~RowGroup() { account_.change(-held_.load()); }

void RowGroup::push(Work& work) {
  queue_[queue_.size() - 2].next.store(&work);
  ++pushed_;
}
void RowGroup::push(std::shared_ptr<const BatchView> view, std::vector<Range> ranges, std::int64_t rows) {
  Work& work = queue_.emplace_back(Work::Kind::rows, units_.size());
  work.view = std::move(view);
  work.ranges = std::move(ranges);
  work.selection = Selection(work.ranges);
  work.rows = rows;
  rows_ += rows;
  push(work);
}
void RowGroup::push_squeeze() { push(queue_.emplace_back(Work::Kind::squeeze, units_.size())); }
void RowGroup::push_end() {
  // The chunks are there before anybody fills them.
  out_.info.rows = rows_;
  out_.info.chunks.resize(columns_.size());
  out_.chunks.resize(columns_.size());
  push(queue_.emplace_back(Work::Kind::end, units_.size()));
}

bool RowGroup::work(Scratch& scratch) {
  bool last = false;
  for (const auto& unit : units_) last = work(*unit, scratch) || last;
  return last;
}

// Who finds a unit busy goes on: the one at work looks again for what was pushed after it has given the unit back.
bool RowGroup::work(Unit& unit, Scratch& scratch) {
  bool last = false;
  while (unit.done.load() != pushed_.load() && !unit.busy.exchange(true)) {
    while (Work* next = unit.at->next.load()) {
      process(unit, *next, scratch);
      if (next->kind == Work::Kind::end) last = open_units_.fetch_sub(1) == 1;
      if (next->left.fetch_sub(1) == 1) {
        next->view.reset();
        next->selection = {};
        next->ranges = {};
      }
      unit.at = next;
      ++unit.done;
    }
    unit.busy.store(false);
  }
  return last;
}

void RowGroup::process(Unit& unit, Work& work, Scratch& scratch) {
  if (failed_.load(std::memory_order_relaxed)) return;
  try {
    switch (work.kind) {
      case Work::Kind::rows: add_rows(unit, work, scratch); break;
      case Work::Kind::squeeze:
        for (const std::uint32_t i : unit.of.leaves) {
          if (follows_[i] < 0) columns_[i].squeeze(plans_.use(i, *plan_), scratch);
        }
        break;
      case Work::Kind::end:
        for (const std::uint32_t i : unit.of.leaves) {
          if (follows_[i] < 0) columns_[i].finish(plans_.use(i, *plan_), scratch, out_.info.chunks[i], out_.chunks[i]);
        }
        break;
    }
    // Counting costs as much as a few rows do; but there may be thousands of row groups that have no more than that.
    constexpr std::int64_t kFew = 64;
    unit.uncounted += work.rows;
    if (work.kind != Work::Kind::rows || unit.uncounted >= std::min(kFew, unit.counted + 1)) count(unit, work.kind == Work::Kind::end);
  } catch (const BadColumn& e) {
    fail_with(LM_INVALID, std::string("a batch contradicts itself: ") + e.what());
  } catch (const TooLarge& e) {
    fail_with(LM_UNSUPPORTED, std::string("cannot store as Parquet: ") + e.what());
  } catch (const std::bad_alloc&) {
    fail_with(LM_NO_MEMORY, "out of memory while encoding a row group");
  } catch (const std::exception& e) {
    fail_with(LM_INTERNAL, e.what());
  }
}

void RowGroup::add_rows(Unit& unit, const Work& work, Scratch& scratch) {
  const BatchView& view = *work.view;
  const auto n = static_cast<std::size_t>(work.rows);
  // Columns part before any of them takes these rows.
  for (const std::uint32_t i : unit.of.leaves) {
    if (follows_[i] < 0 || view.same(i, static_cast<std::size_t>(follows_[i]))) continue;
    columns_[i] = Column(columns_[static_cast<std::size_t>(follows_[i])]);
    follows_[i] = -1;
  }
  const TableSchema& schema = plans_.schema();
  if (!unit.of.lists.empty() && scratch.shapes.size() < schema.anchors.size()) scratch.shapes.resize(schema.anchors.size());
  for (const std::uint32_t a : unit.of.lists) {
    const Anchor& anchor = schema.anchors[a];
    if (anchor.parent < 0) {
      scratch.shape_maker.rows(anchor, view.list(a), work.selection, scratch.shapes[a]);
    } else {
      const auto parent = static_cast<std::size_t>(anchor.parent);
      scratch.shape_maker.nested(anchor, view.list(a), schema.anchors[parent], scratch.shapes[parent], scratch.shapes[a]);
    }
  }
  for (const std::uint32_t i : unit.of.leaves) {
    if (follows_[i] >= 0) continue;
    const LeafView& leaf = view.leaf(i);
    const ColumnUse use = plans_.use(i, *plan_);
    Column& column = columns_[i];
    if (use.leaf.anchor >= 0) {
      const auto anchor = static_cast<std::size_t>(use.leaf.anchor);
      column.add_elements(use, view, leaf, scratch.shapes[anchor], schema.anchors[anchor].full, scratch);
    } else if (leaf.path.same_level()) {
      column.add_nulls(static_cast<std::uint8_t>(leaf.path.lead), n);
      continue;
    } else {
      column.add(use, view, leaf, work.selection, scratch);
    }
    column.settle(use, scratch);
  }
}

// Before the end nothing may look at out_: push_end() makes it while units are at work.
void RowGroup::count(Unit& unit, bool ended) {
  unit.counted += std::exchange(unit.uncounted, 0);
  std::size_t held = 0, waiting = 0;
  for (const std::uint32_t i : unit.of.leaves) {
    const std::size_t mine = columns_[i].waiting();
    waiting += mine;
    held += mine + columns_[i].kept();
    if (ended) held += out_.chunks[i].size() + out_.chunks[i].bloom.capacity() + out_.info.chunks[i].index.held();
  }
  const auto change = static_cast<std::int64_t>(held) - unit.held;
  unit.held += change;
  held_ += change;
  account_.change(change);
  waiting_ += static_cast<std::int64_t>(waiting) - unit.waiting;
  unit.waiting = static_cast<std::int64_t>(waiting);
}

void RowGroup::fail_with(lm_status code, std::string message) {
  const std::lock_guard lock(error_mutex_);
  if (!error_) error_ = Error{code, std::move(message), {}, 0};
  failed_ = true;
}

std::optional<Error> RowGroup::error() const {
  if (!failed_) return {};
  const std::lock_guard lock(error_mutex_);
  return error_;
}

Result<EncodedRowGroup> RowGroup::take() {
  if (auto failed = error()) return tl::make_unexpected(std::move(*failed));
  for (std::size_t i = 0; i < follows_.size(); ++i) {
    if (follows_[i] >= 0) out_.info.chunks[i] = out_.info.chunks[static_cast<std::size_t>(follows_[i])];
  }
  // Once all have it who share it.
  for (std::size_t i = 0; i < follows_.size(); ++i) {
    if (!plans_.has_bloom(i)) out_.info.chunks[i].bloom_bytes = 0;
  }
  out_.same_as = follows_;
  return std::move(out_);
}

}  // namespace lm::sink::parquet
