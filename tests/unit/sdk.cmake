logmill_test(json_reader_test SOURCES unit/json_reader_test.cpp LIBRARIES logmill::sdk simdjson::simdjson)
logmill_test(ocsf_json_test SOURCES unit/ocsf_json_test.cpp LIBRARIES logmill::sdk)
logmill_test(sdk_values_test SOURCES unit/sdk_values_test.cpp LIBRARIES logmill::sdk)
logmill_test(columns_test SOURCES unit/columns_test.cpp LIBRARIES logmill::sdk)
