logmill_fuzz(ndjson_frame_fuzz
  SOURCES fuzz/ndjson_frame_fuzz.cpp ${CMAKE_SOURCE_DIR}/sinks/ndjson/frame.cpp
  LIBRARIES logmill_sink_common PkgConfig::ZSTD PkgConfig::XXHASH)
