// What `logmill plan`, `logmill plugins` and `logmill schema` print. Nothing here reads or writes anything.
#pragma once

#include <logmill/core.hpp>

#include <string>
#include <vector>

namespace lm::cli {

std::string plan_text(const Plan&);
// {"objects":N,"bytes":N,"groups":[{"parser":"aws.cloudtrail","account":"...","region":"...","day":"...","objects":N,"bytes":N},...]}; null: not said
std::string plan_json(const Plan&);
std::string plugins_text(const std::vector<ParserInfo>&, const std::vector<SinkInfo>&);
std::string parser_text(const ParserInfo&);
std::string sink_text(const SinkInfo&);
std::string schema_text(const std::vector<TableInfo>&);
// {"api_activity":{"class_uid":6003,"columns":[{"path":"...","type":"..."},...]},...}
std::string schema_json(const std::vector<TableInfo>&);

}  // namespace lm::cli
