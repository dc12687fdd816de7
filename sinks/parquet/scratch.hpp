// The memory of one thread's work on columns.
#pragma once

#include "parquet/column.hpp"
#include "parquet/shape.hpp"

#include <logmill/sdk/arrays.hpp>

#include <cstdint>
#include <tuple>
#include <vector>

namespace lm::sink::parquet {

struct ScratchPool::Scratch {
  Levels dense;
  Pod<std::uint64_t> words;
  Pod<std::int32_t> codes;
  std::tuple<Pod<std::int32_t>, Pod<std::int64_t>, Pod<double>> picked;
  Levels ids;
  Pod<std::int32_t> prefixes, suffixes, lengths;
  Bytes text, page, packed, wanted;
  PageHeaders headers;
  ShapeMaker shape_maker;
  std::vector<Shape> shapes;
  Compressor compressor;
  lm::detail::Zeroes zeroes;

  // What is large is not kept.
  void trim() {
    constexpr std::size_t kKeepBytes = std::size_t{4} << 20;
    const auto trim_one = [](auto& pod) {
      if (pod.capacity() * sizeof(pod[0]) > kKeepBytes) pod.release();
    };
    std::apply([&](auto&... pods) { (trim_one(pods), ...); }, picked);
    trim_one(words), trim_one(codes), trim_one(prefixes), trim_one(suffixes), trim_one(lengths);
    trim_one(text), trim_one(page), trim_one(packed), trim_one(wanted);
    if (dense.held() > kKeepBytes) dense.release();
    if (ids.held() > kKeepBytes) ids.release();
    for (Shape& shape : shapes) {
      if (shape.definition.held() > kKeepBytes) shape = {};
    }
  }
};

}  // namespace lm::sink::parquet
