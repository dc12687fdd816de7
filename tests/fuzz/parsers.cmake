# A target a library of parsers, driven through its C ABI as the host does. The library is loaded, not linked: the target costs no second compilation of it.
add_library(plugin_fuzz OBJECT fuzz/plugin_fuzz.cpp)
target_compile_options(plugin_fuzz PRIVATE ${LOGMILL_TEST_FLAGS})
target_link_libraries(plugin_fuzz PRIVATE logmill_frame logmill_plugin_host logmill_sink_common logmill_flags simdjson::simdjson)
target_include_directories(plugin_fuzz PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
get_property(plugins GLOBAL PROPERTY LOGMILL_PARSERS)
foreach(plugin ${plugins})
  file(GENERATE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${plugin}_path.cpp CONTENT "extern const char* const kPlugin;\nconst char* const kPlugin = \"$<TARGET_FILE:${plugin}>\";\n")
  logmill_fuzz(${plugin}_fuzz
    SOURCES ${CMAKE_CURRENT_BINARY_DIR}/${plugin}_path.cpp
    LIBRARIES plugin_fuzz logmill_frame logmill_plugin_host logmill_sink_common simdjson::simdjson ${CMAKE_DL_LIBS})
  add_dependencies(${plugin}_fuzz ${plugin})
  set_target_properties(${plugin}_fuzz PROPERTIES ENABLE_EXPORTS ON)  # a library that is loaded tells its coverage to the program
endforeach()
