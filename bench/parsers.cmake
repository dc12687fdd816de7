# An executable a library of parsers: parsing, the checks at the border, and conform.
foreach(plugin cloudtrail vpcflow)
  logmill_bench(${plugin}_bench
    SOURCES parser_bench.cpp ${PROJECT_SOURCE_DIR}/plugins/aws/${plugin}/${plugin}.cpp
    LIBRARIES logmill_frame logmill_plugin_host logmill_sink_common simdjson::simdjson)
  target_include_directories(${plugin}_bench PRIVATE ${PROJECT_SOURCE_DIR}/tests ${CMAKE_CURRENT_LIST_DIR})
endforeach()
