// The values of one dictionary column over the whole run. What comes as a code is looked up by its text once a run and not once a row group: row groups
// have dictionaries of their own, but their values get there by number.
#pragma once

#include <logmill/sdk/intern.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

namespace lm::sink::parquet {

class ColumnDictionary {
 public:
  using Texts = std::shared_ptr<const lm::detail::Interner::Storage>;

  // Held by a row group while it gathers the column.
  std::mutex mutex;

  // Under the mutex. Forgets all values, if they take more than `limit` bytes.
  void end_row_group(std::size_t limit) {
    if (values_.bytes() + 32 * values_.size() <= limit) return;
    values_.clear();
    sources_.clear();
  }

  // Under the mutex. The numbers that the codes of one dictionary have here, -1 where that is not known yet; `length` codes at least. Valid until the next call.
  std::vector<std::int32_t>& numbers(std::uint64_t instance, std::uint64_t epoch, std::size_t length) {
    auto found = std::find_if(sources_.begin(), sources_.end(), [&](const Source& s) { return s.instance == instance; });
    if (found == sources_.end()) found = sources_.insert(found, {instance, epoch, {}});
    if (found->epoch != epoch) found->epoch = epoch, found->numbers.clear();
    if (found->numbers.size() < length) found->numbers.resize(std::max(length, found->numbers.size() * 2), -1);
    return found->numbers;
  }
  std::int32_t number(std::string_view text) { return values_.intern(text); }
  std::size_t size() const { return values_.size(); }

  // The texts of all numbers so far. What is added later does not change them: they may be read without the mutex.
  Texts texts() const { return values_.storage(); }

 private:
  struct Source {
    std::uint64_t instance, epoch;
    std::vector<std::int32_t> numbers;
  };
  lm::detail::Interner values_;
  std::vector<Source> sources_;
};

}  // namespace lm::sink::parquet
