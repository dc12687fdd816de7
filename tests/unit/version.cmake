logmill_test(version_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/version_test.cpp
  LIBRARIES logmill_version logmill_border logmill_sink_common simdjson::simdjson)
