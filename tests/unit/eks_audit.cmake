logmill_test(eks_audit_test
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/eks_audit_test.cpp ${PROJECT_SOURCE_DIR}/plugins/aws/eks_audit/eks_audit.cpp
  LIBRARIES logmill_frame logmill_plugin_host logmill_sink_common simdjson::simdjson)
