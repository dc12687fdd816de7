# The plugin's own objects, for what a server may answer.
logmill_test(elastic_bulk_test
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/elastic_bulk_test.cpp $<TARGET_OBJECTS:elastic>
  LIBRARIES logmill_sink_common simdjson::simdjson PkgConfig::ZSTD PkgConfig::ZLIB Threads::Threads)
