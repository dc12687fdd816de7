logmill_test(cloudtrail_test
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/cloudtrail_test.cpp $<TARGET_OBJECTS:aws_cloudtrail>
  LIBRARIES logmill_frame logmill_plugin_host logmill_sink_common simdjson::simdjson)
