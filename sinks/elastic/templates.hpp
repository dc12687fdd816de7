// Index templates: which types the fields of documents have, so that addresses, times and JSON can be asked for as what they are. Fields that are not in them are kept and not indexed: no
// log, whoever wrote it, makes a mapping grow.
// (Elasticsearch, "Index templates", "Field data types"; OpenSearch, "Index templates", "Flat object".)
#pragma once

#include "common/error.hpp"
#include "elastic/mapping.hpp"

#include <logmill/arrow.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace lm::sink {

enum class Engine : std::uint8_t { elasticsearch, opensearch };  // they have different words for the same things

// Fields by name, as a tree.
struct Properties {
  std::string type;  // JSON; empty: of an object
  std::map<std::string, Properties> children;

  // "source.ip". Below a field that has a type nothing is added.
  void add(std::string_view field, FieldType, Engine);
  // All columns of a table, by their OCSF types.
  void add_columns(const ArrowSchema&, Engine);
  void merge(Properties);
  std::size_t count() const;
};

// What the fields of a data set's documents are.
Properties properties_of(const Mapping&, const Dataset&, Engine);
// The body of PUT _index_template/NAME.
std::string template_body(const std::string& pattern, unsigned priority, const Properties&, bool data_stream, std::string_view what);

// Engines have templates of their own for logs-*-* (100), and Elastic's integrations for their data sets in every name space (200). A name space of our own is ours; in the default one
// an integration goes first, for its template is what its own documents need.
inline constexpr unsigned kPriority = 150, kPriorityOfOwn = 250;

}  // namespace lm::sink
