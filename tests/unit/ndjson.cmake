logmill_test(sink_common_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/sink_common_test.cpp LIBRARIES logmill_sink_common simdjson::simdjson)
# The plugin's own sources: the test asks logmill_entry for the sink as the host does.
logmill_test(ndjson_test
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/ndjson_test.cpp $<TARGET_OBJECTS:ndjson>
  LIBRARIES logmill_sink_common logmill_storage simdjson::simdjson PkgConfig::ZSTD PkgConfig::ZLIB PkgConfig::XXHASH Threads::Threads)
logmill_test(ndjson_frame_test
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/ndjson_frame_test.cpp $<TARGET_OBJECTS:ndjson>
  LIBRARIES logmill_sink_common simdjson::simdjson PkgConfig::ZSTD PkgConfig::ZLIB PkgConfig::XXHASH Threads::Threads)
