# A target a library of parsers: the plugin's own source is linked in, and driven through its C ABI as the host does.
foreach(plugin cloudtrail elb vpcflow)
  logmill_fuzz(${plugin}_fuzz
    SOURCES fuzz/plugin_fuzz.cpp ${PROJECT_SOURCE_DIR}/plugins/aws/${plugin}/${plugin}.cpp
    LIBRARIES logmill_frame logmill_plugin_host logmill_sink_common simdjson::simdjson)
  target_include_directories(${plugin}_fuzz PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
endforeach()
