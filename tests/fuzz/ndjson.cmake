logmill_fuzz(ndjson_frame_fuzz
  SOURCES fuzz/ndjson_frame_fuzz.cpp $<TARGET_OBJECTS:ndjson>
  LIBRARIES logmill_sink_common simdjson::simdjson PkgConfig::ZSTD PkgConfig::ZLIB PkgConfig::XXHASH Threads::Threads)
