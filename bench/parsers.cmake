# Every parser of the build: parsing, the checks at the border, and conform.
add_executable(parser_bench parser_bench.cpp)
target_link_libraries(parser_bench PRIVATE logmill_frame logmill_plugin_host logmill_sink_common logmill_flags simdjson::simdjson ${CMAKE_DL_LIBS})
get_property(plugins GLOBAL PROPERTY LOGMILL_PLUGINS)
add_dependencies(parser_bench ${plugins})
target_include_directories(parser_bench PRIVATE ${PROJECT_SOURCE_DIR}/tests)
target_compile_definitions(parser_bench PRIVATE PLUGINS="${CMAKE_BINARY_DIR}/plugins" GOLDEN="${PROJECT_SOURCE_DIR}/tests/golden")
