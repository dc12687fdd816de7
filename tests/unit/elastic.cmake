# The plugin's own objects: for what a server may answer, and for what documents of other schemas look like.
foreach(test elastic_bulk_test elastic_document_test)
  logmill_test(${test}
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/${test}.cpp $<TARGET_OBJECTS:elastic>
    LIBRARIES logmill_sink_common simdjson::simdjson yaml-cpp PkgConfig::ZSTD PkgConfig::ZLIB Threads::Threads)
endforeach()
