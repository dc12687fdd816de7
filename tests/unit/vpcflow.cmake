logmill_test(vpcflow_test
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/vpcflow_test.cpp $<TARGET_OBJECTS:aws_vpcflow>
  LIBRARIES logmill_frame logmill_plugin_host logmill_sink_common simdjson::simdjson)
