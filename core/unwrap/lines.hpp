// Wrappings of lines: CloudWatch's export to S3, and CSV.
#pragma once

#include "unwrap/unwrap.hpp"

namespace lm {

std::unique_ptr<Wrapping> recognise_lines(std::string_view head);

}  // namespace lm
