// Text that makes a lake queryable, a dialect an engine. What is quoted how is the engine's rule; what cannot be said there is refused, with the name.
#pragma once

#include "catalog/lake.hpp"

#include <span>
#include <string>
#include <string_view>

namespace lm::catalog {

struct Where {
  std::string location;  // of the lake, as the engine finds it, without a slash at its end
  std::string database;  // may be empty
};

std::string json_text(std::string_view text);  // a JSON string with its quotes

Result<std::string> athena(std::span<const Table>, const Where&);
Result<std::string> glue(std::span<const Table>, const Where&);
Result<std::string> duckdb(std::span<const Table>, const Where&);
Result<std::string> spark(std::span<const Table>, const Where&);
Result<std::string> clickhouse(std::span<const Table>, const Where&);

}  // namespace lm::catalog
