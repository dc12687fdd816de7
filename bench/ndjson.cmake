logmill_bench(ndjson_bench
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/ndjson_bench.cpp ${CMAKE_CURRENT_LIST_DIR}/../sinks/ndjson/compress.cpp ${CMAKE_CURRENT_LIST_DIR}/../sinks/ndjson/frame.cpp
  LIBRARIES logmill_sink_common PkgConfig::ZSTD PkgConfig::ZLIB PkgConfig::XXHASH)
